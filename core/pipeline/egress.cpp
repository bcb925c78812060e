#include "core/pipeline/egress.h"

#include <algorithm>
#include <array>
#include <type_traits>

#include "core/pipeline/fragment.h"
#include "core/pipeline/vlan_tag.h"

namespace trivet::core {

namespace {

constexpr std::size_t ethernet_length = sizeof(wire::EthernetHeader);
// Several times as many as a service has targets, for each hop has one place.
constexpr unsigned shortcut_bits = 13;

bool is_ipv4_link_local(const Ipv4Address& address) { return address.bytes[0] == 169 && address.bytes[1] == 254; }

// RFC 1812 section 5.3.7, RFC 3927 section 2.6.2, RFC 4291 sections 2.5.3 and 2.5.6.
bool is_routable(const Ipv4Address& address) {
  return !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() && !address.is_broadcast() &&
         !is_ipv4_link_local(address);
}
bool is_routable(const Ipv6Address& address) {
  return !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() && !address.is_link_local();
}
bool is_routable(const IpAddress& address) {
  return address.is_v4() ? is_routable(address.v4()) : is_routable(address.v6());
}

bool is_group(const IpAddress& address) {
  return address.is_multicast() || (address.is_v4() && address.v4().is_broadcast());
}

// What a hop's key has beside the address; `family`: of the packet.
std::uint64_t key_tag(NetworkId network, InterfaceId interface, Family of_address, Family family) {
  return std::uint64_t{network} | (std::uint64_t{interface} << 16U) |
         (std::uint64_t{static_cast<std::uint8_t>(of_address)} << 32U) |
         (std::uint64_t{static_cast<std::uint8_t>(family)} << 40U);
}

// The same for a destination that is a neighbour itself: which network it is on is a part of what is remembered.
std::uint64_t direct_tag(InterfaceId interface, Family family) {
  return key_tag(0, interface, family, family) | (std::uint64_t{1} << 48U);
}

Family family_of(const Packet& packet) { return packet.is(packet_class::ipv4) ? Family::ipv4 : Family::ipv6; }

// Bytes of layer 3 of the largest packet that reaches the wire: of a super-frame, one segment with its headers.
std::size_t wire_length(const Packet& packet) {
  const std::size_t whole = packet.length - packet.l3_offset;
  if (packet.segments == SegmentType::none || packet.payload_offset <= packet.l3_offset) return whole;
  return std::min(whole, std::size_t{packet.payload_offset} - packet.l3_offset + packet.segment_size);
}

// Moves the start of the frame so that the Ethernet header stands right before layer 3. False without the room.
bool make_room_for_ethernet(Packet& packet) {
  const auto shift = static_cast<std::ptrdiff_t>(packet.l3_offset) - static_cast<std::ptrdiff_t>(ethernet_length);
  if (shift == 0) return true;
  if (shift < 0 && packet.headroom() < static_cast<std::size_t>(-shift)) return false;
  packet.data += shift;
  packet.length = static_cast<std::uint32_t>(packet.length - shift);
  const auto move = [shift](std::uint16_t& offset) {
    if (offset != 0) offset = static_cast<std::uint16_t>(offset - shift);
  };
  packet.l3_offset = ethernet_length;
  move(packet.l4_offset);
  move(packet.payload_offset);
  move(packet.fragment_header_offset);
  if (packet.checksum == ChecksumState::partial) move(packet.checksum_start);
  return true;
}

// Buffers that wait are missing for receiving and for the node's own frames: no more than a quarter of each kind waits.
// The pool is still whole.
Park::Limits park_limits(const EgressLimits& limits, const PacketPool& pool) {
  const std::size_t packets = std::min(limits.parked_packets, pool.available_small() / 4);
  const bool is_cut = packets < limits.parked_packets;
  return {.packets = packets,
          .strangers = is_cut ? std::min(limits.parked_strangers, packets * 3 / 4) : limits.parked_strangers,
          .per_neighbor = limits.parked_per_neighbor,
          .stranger_neighbors = is_cut ? std::min(limits.stranger_neighbors, packets / 2) : limits.stranger_neighbors,
          .large = pool.available_large() / 4,
          .large_above = PoolSizes{}.small_bytes};
}

}  // namespace

Egress::Egress(EgressLimits limits, Surroundings surroundings, std::uint64_t seed)
    : pool_(&surroundings.pool),
      queues_(&surroundings.queues),
      neighbors_(&surroundings.neighbors),
      channel_(&surroundings.channel),
      cells_(&surroundings.cells),
      reasons_(&surroundings.reasons),
      park_(park_limits(limits, surroundings.pool), limits.park_timeout),
      stranger_searches_(limits.stranger_searches_per_second, limits.stranger_search_burst),
      unparked_searches_(limits.stranger_searches_per_second, limits.stranger_search_burst),
      icmp_errors_(limits.icmp_errors_per_second, limits.icmp_error_burst),
      too_big_errors_(limits.icmp_errors_per_second, limits.icmp_error_burst),
      random_(seed),
      shortcuts_(std::size_t{1} << shortcut_bits) {}

void Egress::begin(Time now, const ForwardingState& forwarding, std::uint64_t version) noexcept {
  now_ = now;
  forwarding_ = &forwarding;
  forwarding_version_ = version;
  if (was_master_ && !forwarding.is_master()) leave_mastership();
  was_master_ = forwarding.is_master();
}

void Egress::drop(Packet* packet, DropReason reason) noexcept {
  cells_->drop(reason);
  pool_->release(packet);
}

void Egress::transmit(Packet* packet) noexcept {
  const InterfaceView* const interface = forwarding_->interface(packet->out_interface);
  if (interface == nullptr || !queues_->has(packet->out_interface)) return drop(packet, reasons_->no_interface);
  if (!interface->up) return drop(packet, reasons_->no_link);
  const bool is_too_long = packet->segments == SegmentType::none && packet->length > interface->mtu + ethernet_length;
  if (packet->length < ethernet_length || is_too_long) return drop(packet, reasons_->bad_frame);
  enqueue(packet, packet->out_interface, packet->vlan);
}

void Egress::forward(Packet* packet) noexcept {
  if (!has_sound_headers(*packet)) return drop(packet, reasons_->invalid_verdict);
  if (packet->has_next_hop) return forward_by_next_hop(packet);
  if (packet->is(packet_class::ipv4)) {
    const wire::Ipv4Header& header = packet->ipv4();
    return forward_by_route(packet, header.source, header.destination);
  }
  const wire::Ipv6Header& header = packet->ipv6();
  forward_by_route(packet, header.source, header.destination);
}

template <class Address>
void Egress::forward_by_route(Packet* packet, const Address& source, const Address& destination) noexcept {
  constexpr Family family = std::is_same_v<Address, Ipv4Address> ? Family::ipv4 : Family::ipv6;
  // A neighbour that has been sent to is a routable destination and none of this node's addresses.
  if (const Shortcut* const direct = find_shortcut({words_of(destination), direct_tag(packet->out_interface, family)});
      direct != nullptr && is_routable(source) && packet->hop_limit() > 1 && take(packet, *direct)) {
    return;
  }
  if (forwarding_->find_address(destination) != nullptr) return drop(packet, reasons_->own_destination);
  if (!is_routable(destination) || !is_routable(source)) return drop(packet, reasons_->unroutable);
  if (packet->hop_limit() <= 1) return refuse(packet, Origin::forwarded, reasons_->hop_limit, IcmpError::hop_limit);
  const Route* const route = forwarding_->find_route(destination);
  if (route == nullptr) return refuse(packet, Origin::forwarded, reasons_->no_route, IcmpError::no_route);
  if (route->via && take_shortcut(packet, {words_of(*route->via), key_tag(route->network, packet->out_interface,
                                                                          route->via->family(), family)})) {
    return;
  }
  const Hop hop{route->network, route->via ? *route->via : IpAddress{destination}, packet->out_interface,
                route->via ? ParkShare::reserved : ParkShare::strangers};
  if (is_directed_broadcast(hop)) return drop(packet, reasons_->unroutable);
  deliver(packet, Origin::forwarded, hop);
}

// The destination may be a virtual address (direct server return).
void Egress::forward_by_next_hop(Packet* packet) noexcept {
  const IpAddress& target = packet->next_hop;
  if (forwarding_->find_address(target) != nullptr) return drop(packet, reasons_->own_destination);
  if (is_group(target) || target.is_unspecified() || !is_routable(packet->source())) {
    return drop(packet, reasons_->unroutable);
  }
  if (packet->hop_limit() <= 1) return refuse(packet, Origin::forwarded, reasons_->hop_limit, IcmpError::hop_limit);
  const std::optional<Hop> hop = find_hop(*packet, {});
  if (!hop) return refuse(packet, Origin::forwarded, reasons_->no_route, IcmpError::no_route);
  if (take_shortcut(packet, key_of(*packet, *hop))) return;
  if (is_directed_broadcast(*hop)) return drop(packet, reasons_->unroutable);
  deliver(packet, Origin::forwarded, *hop);
}

Egress::HopKey Egress::key_of(const Packet& packet, const Hop& hop) noexcept {
  return {words_of(hop.address), key_tag(hop.network, hop.interface, hop.address.family(), family_of(packet))};
}

Egress::Shortcut& Egress::shortcut_of(const HopKey& key) noexcept {
  // Neighbouring IPv4 addresses share most bits of their hash: all of them have a say in the place.
  const std::uint64_t hash = hash_words(key.address, key.tag);
  const std::uint64_t mixed = (hash ^ (hash >> 32U)) * 0x9e3779b97f4a7c15ULL;
  return shortcuts_[static_cast<std::size_t>(mixed >> (64U - shortcut_bits))];
}

const Egress::Shortcut* Egress::find_shortcut(const HopKey& key) noexcept {
  const Shortcut& shortcut = shortcut_of(key);
  const bool is_good = shortcut.key == key && shortcut.forwarding == forwarding_version_ &&
                       neighbors_->is_current(shortcut.slot, shortcut.version);
  return is_good ? &shortcut : nullptr;
}

bool Egress::take_shortcut(Packet* packet, const HopKey& key) noexcept {
  const Shortcut* const shortcut = find_shortcut(key);
  return shortcut != nullptr && take(packet, *shortcut);
}

bool Egress::take(Packet* packet, const Shortcut& shortcut) noexcept {
  // Nothing waits for this neighbour: deliver() emptied its queue before it remembered the hop, and since then a packet
  // could have been parked for it only if the entry had changed.
  if (packet->l3_offset != ethernet_length || wire_length(*packet) > shortcut.mtu) return false;
  if (!queues_->has(shortcut.interface)) return false;
  decrement_hop_limit(*packet);
  packet->ethernet() = shortcut.header;
  packet->out_interface = shortcut.interface;
  enqueue(packet, shortcut.interface, shortcut.vlan);
  return true;
}

// The packet is forwarded, and the hop is no directed broadcast.
void Egress::remember(const Packet& packet, const Hop& hop, const NeighborTable::Found& found) noexcept {
  const InterfaceId number = hop.interface != 0 ? hop.interface : found.interface;
  const InterfaceView* const interface = forwarding_->interface(number);
  const NetworkView* const network = forwarding_->network(hop.network);
  if (found.needs_confirmation || interface == nullptr || !interface->up) return;
  // Only where the destination itself is the next hop by its route (a module's next hop says nothing about it).
  const bool is_direct = !packet.has_next_hop && hop.address == packet.destination();
  const HopKey key = is_direct ? HopKey{words_of(hop.address), direct_tag(packet.out_interface, hop.address.family())}
                               : key_of(packet, hop);
  shortcut_of(key) = {
      .key = key,
      .forwarding = forwarding_version_,
      .slot = found.slot,
      .version = found.version,
      .mtu = interface->mtu,
      .interface = number,
      .vlan = network == nullptr ? VlanId{0} : network->vlan,
      .header = {.destination = found.mac,
                 .source = source_mac(packet, Origin::forwarded, *interface),
                 .type = packet.is(packet_class::ipv4) ? wire::ether_type::ipv4 : wire::ether_type::ipv6}};
}

void Egress::originate(Packet* packet, SendOptions options, ParkShare share) noexcept {
  if (!has_sound_headers(*packet)) return drop(packet, reasons_->invalid_verdict);
  const IpAddress target = packet->has_next_hop ? packet->next_hop : packet->destination();
  if (target.is_unspecified()) return drop(packet, reasons_->unroutable);
  if (is_group(target)) {
    const NetworkId network = options.network != 0 ? options.network : packet->network;
    const InterfaceId interface = options.interface != 0 ? options.interface : packet->out_interface;
    return deliver_to_group(packet, {network, target, interface});
  }
  if (forwarding_->answers_for(target)) return drop(packet, reasons_->own_destination);
  std::optional<Hop> hop = find_hop(*packet, options);
  if (!hop) return drop(packet, reasons_->no_route);
  if (options.network == 0) keep_to_network(*packet, *hop);
  if (share == ParkShare::reserved) hop->share = share;
  deliver(packet, Origin::originated, *hop);
}

// Modules are trusted to be honest, not to be right: a verdict on a packet that is no IP packet, or whose length they
// have broken, must not reach beyond the buffer.
bool Egress::has_sound_headers(Packet& packet) const noexcept {
  const std::size_t room = packet.capacity - std::min<std::size_t>(packet.capacity, packet.headroom());
  if (packet.data < packet.buffer || packet.length > room || packet.l3_offset >= packet.length) return false;
  const std::size_t length = packet.length - packet.l3_offset;
  if (packet.is(packet_class::ipv4)) {
    if (length < sizeof(wire::Ipv4Header)) return false;
    const wire::Ipv4Header& header = packet.ipv4();
    return header.version_and_length >> 4U == 4 && header.header_length() >= sizeof(wire::Ipv4Header) &&
           header.header_length() <= length;
  }
  return packet.is(packet_class::ipv6) && length >= sizeof(wire::Ipv6Header) &&
         packet.ipv6().version_class_flow.value() >> 28U == 6;
}

std::optional<Egress::Hop> Egress::find_hop(const Packet& packet, SendOptions options) const noexcept {
  const IpAddress target = packet.has_next_hop ? packet.next_hop : packet.destination();
  const InterfaceId interface = options.interface != 0 ? options.interface : packet.out_interface;
  if (options.network != 0) return Hop{options.network, target, interface};
  if (target.is_v6() && target.v6().is_link_local()) {
    // Link-local addresses are on every network: the way out says which, else where the packet came in.
    const InterfaceView* const view = interface == 0 ? nullptr : forwarding_->interface(interface);
    if (view == nullptr) return packet.network == 0 ? std::nullopt : std::optional(Hop{packet.network, target, 0});
    if (view->networks.empty()) return std::nullopt;
    const bool came_by = std::ranges::find(view->networks, packet.network) != view->networks.end();
    return Hop{came_by ? packet.network : view->networks.front(), target, interface};
  }
  const Route* const route = forwarding_->find_route(target);
  // A next hop is a neighbour: one that is itself behind a router is none.
  if (route == nullptr || (packet.has_next_hop && route->via)) return std::nullopt;
  // Routers and next hops that a module names (targets) are few, and known to be there.
  const bool is_known = route->via || packet.has_next_hop;
  return Hop{route->network, route->via.value_or(target), interface,
             is_known ? ParkShare::reserved : ParkShare::strangers};
}

void Egress::keep_to_network(const Packet& packet, Hop& hop) const noexcept {
  if (packet.network == 0 || packet.network == hop.network) return;
  const NetworkView* const arrival = forwarding_->network(packet.network);
  const NetworkView* const routed = forwarding_->network(hop.network);
  if (arrival == nullptr || routed == nullptr) return;
  const bool is_v4 = hop.address.is_v4();
  const std::optional<IpPrefix>& prefix = is_v4 ? arrival->prefix4 : arrival->prefix6;
  const bool is_same = prefix == (is_v4 ? routed->prefix4 : routed->prefix6);
  if (is_same && prefix && prefix->contains(hop.address)) hop.network = packet.network;
}

// RFC 2644: a router does not forward to all hosts of a network.
bool Egress::is_directed_broadcast(const Hop& hop) const noexcept {
  if (!hop.address.is_v4()) return false;
  const NetworkView* const network = forwarding_->network(hop.network);
  if (network == nullptr || !network->prefix4 || network->prefix4->length > 30) return false;
  const std::uint32_t host_bits = 0xffffffffU >> network->prefix4->length;
  const std::uint32_t number = hop.address.v4().number();
  return network->prefix4->contains(hop.address) && ((number & host_bits) == 0 || (number & host_bits) == host_bits);
}

bool Egress::has_link(const Hop& hop) const noexcept {
  const auto is_up = [this](InterfaceId number) {
    const InterfaceView* const interface = forwarding_->interface(number);
    return interface != nullptr && interface->up;
  };
  if (hop.interface != 0) return is_up(hop.interface);
  const NetworkView* const network = forwarding_->network(hop.network);
  return network != nullptr && std::ranges::any_of(network->interfaces, is_up);
}

void Egress::deliver(Packet* packet, Origin origin, const Hop& hop) noexcept {
  const NeighborTable::Found found = neighbors_->find(hop.network, hop.address);
  if (found.state != NeighborTable::State::usable) return park(packet, origin, hop, found.version);
  if (!park_.empty() && !is_emptying_) {
    // Those that wait came earlier.
    const Park::Index queue = park_.find(hop.network, hop.address);
    if (queue != Park::none) flush(queue, found);
  }
  report_use(found, hop.network, hop.address);
  if (origin == Origin::forwarded) remember(*packet, hop, found);
  finish(packet, origin, found.mac, hop.interface != 0 ? hop.interface : found.interface, hop.network);
}

void Egress::deliver_to_group(Packet* packet, const Hop& hop) noexcept {
  const bool is_broadcast = hop.address.is_v4() && hop.address.v4().is_broadcast();
  const MacAddress mac = is_broadcast ? MacAddress::broadcast() : multicast_mac(hop.address);
  if (hop.interface != 0) return finish(packet, Origin::originated, mac, hop.interface, hop.network);
  const NetworkView* const network = forwarding_->network(hop.network);
  if (network == nullptr) return drop(packet, reasons_->no_route);
  InterfaceId last = 0;
  for (const InterfaceId number : network->interfaces) {
    const InterfaceView* const interface = forwarding_->interface(number);
    if (interface == nullptr || !interface->up) continue;
    if (last != 0) {
      Packet* const copy = pool_->copy_of(*packet);
      if (copy == nullptr) {
        cells_->drop(reasons_->no_buffer);
      } else {
        finish(copy, Origin::originated, mac, last, hop.network);
      }
    }
    last = number;
  }
  if (last == 0) return drop(packet, reasons_->no_link);
  finish(packet, Origin::originated, mac, last, hop.network);
}

void Egress::report_use(const NeighborTable::Found& found, NetworkId network, const IpAddress& address) noexcept {
  if (!found.needs_confirmation || !neighbors_->claim_used(found)) return;
  if (!channel_->neighbor_used(network, address)) neighbors_->unclaim_used(found);
}

void Egress::park(Packet* packet, Origin origin, const Hop& hop, std::uint32_t version) noexcept {
  if (!has_link(hop)) return refuse(packet, origin, reasons_->no_link, IcmpError::address_unreachable);
  packet = keep(packet);
  if (packet == nullptr) return;
  Park::Index index = park_.find(hop.network, hop.address);
  const bool is_new = index == Park::none;
  if (is_new) {
    const std::expected<Park::Index, DropReason> opened = open_queue(hop, version);
    if (!opened) return drop(packet, opened.error());
    index = *opened;
  } else if (hop.share == ParkShare::reserved && !park_.has_room_for_packet(hop.share)) {
    const Park::Index oldest = park_.oldest_stranger();
    if (oldest != Park::none && oldest != index && !is_emptying_) evict(oldest);
  }
  if (park_.add(index, {packet, origin, hop.interface, hop.share})) return;
  drop(packet, reasons_->park_full);
  if (is_new) park_.close(index);
}

// Another worker's buffer is lent for a run, not for as long as a neighbour may take to answer.
Packet* Egress::keep(Packet* packet) noexcept {
  if (pool_->owns(packet)) return packet;
  Packet* const copy = pool_->copy_of(*packet);
  if (copy == nullptr) cells_->drop(reasons_->no_buffer);
  pool_->release(packet);
  return copy;
}

std::expected<Park::Index, DropReason> Egress::open_queue(const Hop& hop, std::uint32_t version) noexcept {
  const bool is_stranger = hop.share == ParkShare::strangers;
  if (is_stranger && !stranger_searches_.allow(now_)) return std::unexpected(reasons_->neighbor_rate_limited);
  // The oldest has waited longest in vain, and its search goes on without it. While a queue is being emptied, errors
  // about its packets must not empty another one.
  while (!park_.has_room_for_queue(hop.share) && park_.oldest_stranger() != Park::none && !is_emptying_) {
    evict(park_.oldest_stranger());
  }
  const Park::Index index = park_.open(hop.network, hop.address, hop.share, now_);
  if (index == Park::none) {
    // The packet is lost, but a later one shall find the neighbour.
    if (is_stranger || unparked_searches_.allow(now_)) {
      static_cast<void>(channel_->neighbor_wanted(hop.network, hop.address));
    }
    return std::unexpected(reasons_->park_full);
  }
  Park::Queue& queue = park_.at(index);
  queue.version = version;
  queue.is_reported = channel_->neighbor_wanted(hop.network, hop.address);
  if (!queue.is_reported) has_unreported_ = true;
  return index;
}

void Egress::evict(Park::Index index) noexcept {
  for (Park::Parked parked = park_.take(index); parked.packet != nullptr; parked = park_.take(index)) {
    drop(parked.packet, reasons_->park_full);
  }
  park_.close(index);
}

// A backup forwards nothing and does not speak for virtual addresses: the new master does. The node's own probes stay.
void Egress::leave_mastership() noexcept {
  const auto is_of_master = [this](const Park::Parked& parked) {
    if (parked.origin == Origin::forwarded) return true;
    const OwnAddress* const source = forwarding_->find_address(parked.packet->source());
    return source != nullptr && source->scope == AddressScope::master;
  };
  for (Park::Index index = park_.oldest(); index != Park::none;) {
    const Park::Index next = park_.at(index).younger;
    for (std::size_t left = park_.at(index).count; left > 0; --left) {
      const Park::Parked parked = park_.take(index);
      if (is_of_master(parked)) {
        drop(parked.packet, reasons_->not_master);
      } else if (!park_.add(index, parked)) {
        drop(parked.packet, reasons_->park_full);
      }
    }
    if (park_.at(index).count == 0) park_.close(index);
    index = next;
  }
}

void Egress::flush(Park::Index index, const NeighborTable::Found& neighbor) noexcept {
  is_emptying_ = true;
  report_use(neighbor, park_.at(index).network, park_.at(index).address);
  for (Park::Parked parked = park_.take(index); parked.packet != nullptr; parked = park_.take(index)) {
    finish(parked.packet, parked.origin, neighbor.mac, parked.interface != 0 ? parked.interface : neighbor.interface,
           park_.at(index).network);
  }
  park_.close(index);
  is_emptying_ = false;
}

// An error about one of these packets may be parked in this very queue. It is taken out and dropped with the others;
// no error is made about it, so that this ends.
void Egress::abandon(Park::Index index) noexcept {
  is_emptying_ = true;
  for (Park::Parked parked = park_.take(index); parked.packet != nullptr; parked = park_.take(index)) {
    refuse(parked.packet, parked.origin, reasons_->neighbor_unresolved, IcmpError::address_unreachable);
  }
  park_.close(index);
  is_emptying_ = false;
}

bool Egress::serve_parked() noexcept {
  if (park_.empty()) return false;
  const std::uint64_t generation = neighbors_->generation();
  if (generation == seen_generation_ && !has_unreported_ && now_ < park_.next_deadline()) return false;
  seen_generation_ = generation;
  has_unreported_ = false;
  bool did = false;
  Park::Index index = park_.oldest();
  while (index != Park::none) {
    Park::Queue& queue = park_.at(index);
    const Park::Index next = queue.younger;
    const NeighborTable::Found found = neighbors_->find(queue.network, queue.address);
    // A failure counts only if it was found out after the queue had been opened.
    const bool has_failed = found.state == NeighborTable::State::failed && found.version != queue.version;
    if (found.state == NeighborTable::State::usable) {
      flush(index, found);
      did = true;
    } else if (has_failed || now_ >= queue.deadline) {
      abandon(index);
      did = true;
    } else if (!queue.is_reported) {
      queue.is_reported = channel_->neighbor_wanted(queue.network, queue.address);
      if (!queue.is_reported) has_unreported_ = true;
    }
    index = next;
  }
  return did;
}

void Egress::finish(Packet* packet, Origin origin, const MacAddress& mac, InterfaceId number,
                    NetworkId network) noexcept {
  const InterfaceView* const interface = forwarding_->interface(number);
  if (interface == nullptr || !queues_->has(number)) return drop(packet, reasons_->no_interface);
  if (!interface->up) return refuse(packet, origin, reasons_->no_link, IcmpError::address_unreachable);
  const NetworkView* const view = network == 0 ? nullptr : forwarding_->network(network);
  const VlanId vlan = view == nullptr ? VlanId{0} : view->vlan;
  if (wire_length(*packet) > interface->mtu) return finish_too_big(packet, origin, mac, *interface, vlan);
  if (origin == Origin::forwarded) decrement_hop_limit(*packet);
  put_on_wire(packet, origin, mac, *interface, vlan);
}

// A super-frame is never fragmented: its segments are meant to fit, and who sends it can make smaller ones.
void Egress::finish_too_big(Packet* packet, Origin origin, const MacAddress& mac, const InterfaceView& interface,
                            VlanId vlan) noexcept {
  constexpr std::uint16_t dont_fragment = 0x4000;
  const bool is_v4 = packet->is(packet_class::ipv4);
  const bool may_fragment =
      packet->segments == SegmentType::none &&
      (is_v4 ? (packet->ipv4().flags_and_offset.value() & dont_fragment) == 0 : origin == Origin::originated);
  if (!may_fragment) return refuse(packet, origin, reasons_->too_big, IcmpError::too_big, interface.mtu);
  complete_checksum(*packet);
  if (origin == Origin::forwarded) decrement_hop_limit(*packet);
  std::array<Packet*, max_fragments> pieces{};
  const std::size_t count =
      make_fragments(*packet, interface.mtu, static_cast<std::uint32_t>(random_()), *pool_, pieces);
  if (count == 0) return drop(packet, reasons_->too_big);
  pool_->release(packet);
  for (std::size_t i = 0; i < count; ++i) put_on_wire(pieces[i], origin, mac, interface, vlan);
}

MacAddress Egress::source_mac(const Packet& packet, Origin origin, const InterfaceView& interface) const noexcept {
  if (origin == Origin::originated) {
    const OwnAddress* const address = forwarding_->find_address(packet.source());
    if (address == nullptr || address->scope == AddressScope::own) return interface.mac;
  }
  return forwarding_->router_mac(interface.number, family_of(packet));
}

void Egress::put_on_wire(Packet* packet, Origin origin, const MacAddress& mac, const InterfaceView& interface,
                         VlanId vlan) noexcept {
  if (!make_room_for_ethernet(*packet)) return drop(packet, reasons_->invalid_verdict);
  wire::EthernetHeader& header = packet->ethernet();
  header.destination = mac;
  header.source = source_mac(*packet, origin, interface);
  header.type = packet->is(packet_class::ipv4) ? wire::ether_type::ipv4 : wire::ether_type::ipv6;
  packet->out_interface = interface.number;
  enqueue(packet, interface.number, vlan);
}

void Egress::enqueue(Packet* packet, InterfaceId interface, VlanId vlan) noexcept {
  if (!put_vlan_tag(*packet, vlan)) return drop(packet, reasons_->invalid_verdict);
  queues_->push(interface, packet);
}

Packet* Egress::error_about(const Packet& packet, IcmpError error, std::uint32_t mtu) noexcept {
  if (!may_answer_with_error(packet, *forwarding_)) return nullptr;
  // Before a token is spent: a network that cannot be answered takes none from those that can.
  if (!has_error_source(packet, *forwarding_)) {
    cells_->drop(reasons_->icmp_no_source);
    return nullptr;
  }
  TokenBucket& bucket = error == IcmpError::too_big ? too_big_errors_ : icmp_errors_;
  if (!bucket.allow(now_)) {
    cells_->drop(reasons_->icmp_rate_limited);
    return nullptr;
  }
  const auto made = make_icmp_error(packet, error, mtu, static_cast<std::uint16_t>(random_()), *forwarding_, *pool_);
  if (made) return *made;
  cells_->drop(made.error() == NoIcmpError::no_source ? reasons_->icmp_no_source : reasons_->no_buffer);
  return nullptr;
}

void Egress::refuse(Packet* packet, Origin origin, DropReason reason, IcmpError error, std::uint32_t mtu) noexcept {
  Packet* const answer = origin == Origin::forwarded ? error_about(*packet, error, mtu) : nullptr;
  drop(packet, reason);
  if (answer != nullptr) originate(answer);
}

}  // namespace trivet::core
