#include "core/pipeline/door.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/pipeline/vlan_tag.h"
#include "trivet/net/checksum.h"
#include "trivet/wire/arp.h"
#include "trivet/wire/headers.h"
#include "trivet/wire/ip.h"

namespace trivet::core {

namespace {

constexpr std::size_t largest_datagram = 65535;
constexpr MacAddress all_hosts4{{0x01, 0x00, 0x5e, 0, 0, 1}};  // 224.0.0.1: joined by every host (RFC 1112 section 4)
constexpr MacAddress all_nodes6{{0x33, 0x33, 0, 0, 0, 1}};     // ff02::1 (RFC 4291 section 2.8)

// A MAC as a number: every frame compares several.
std::uint64_t number_of(const MacAddress& mac) noexcept {
  std::uint32_t low = 0;
  std::uint16_t high = 0;
  std::memcpy(&low, mac.bytes.data(), sizeof low);
  std::memcpy(&high, mac.bytes.data() + sizeof low, sizeof high);
  return (std::uint64_t{high} << 32U) | low;
}

bool is_virtual_mac(std::uint64_t mac, const RoleState& role) noexcept {
  return role.role == Role::master && role.virtual_mac && role.vrid != 0 &&
         (mac == number_of(vrrp_mac(Family::ipv4, role.vrid)) || mac == number_of(vrrp_mac(Family::ipv6, role.vrid)));
}

bool is_for_us(const MacAddress& mac, const InterfaceView& interface, const ForwardingState& state,
               const DoorFilter& filter) noexcept {
  const std::uint64_t number = number_of(mac);
  if (number == number_of(interface.mac)) return true;
  if (!mac.is_multicast()) return is_virtual_mac(number, state.role());
  return mac.is_broadcast() || mac == all_hosts4 || mac == all_nodes6 || filter.has(interface.number, mac);
}

// Null: an interface without networks.
template <class Address>
NetworkId network_of(const InterfaceView& interface, const VlanView* vlan, const Address& source,
                     const ForwardingState& state) noexcept {
  if (vlan == nullptr) return 0;
  if (vlan->networks.size() == 1) return vlan->networks.front();
  const NetworkId number = state.network_of(source, interface.number, vlan->vlan);
  return number != 0 ? number : vlan->networks.front();
}

bool is_broadcast(const Ipv4Address& address) noexcept { return address.is_broadcast(); }
bool is_broadcast(const Ipv6Address&) noexcept { return false; }

// The header's length is a multiple of four. Nearly all have no options.
bool has_right_sum(const std::uint8_t* header, std::size_t length) noexcept {
  if (length != sizeof(wire::Ipv4Header)) return internet_checksum({header, length}) == 0;
  std::array<std::uint32_t, 5> words{};
  static_assert(sizeof words == sizeof(wire::Ipv4Header));
  std::memcpy(words.data(), header, sizeof words);
  std::uint64_t sum = 0;
  for (const std::uint32_t word : words) sum += word;
  // Words in the machine's order make the same sum with its bytes swapped (RFC 1071 section 2 (B)).
  sum = (sum & 0xffffffffU) + (sum >> 32U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  return sum == 0xffffU;
}

// One frame on its way through the checks.
class Examination {
 public:
  // `interface`: of the packet; null when there is none.
  Examination(Packet& packet, const ForwardingState& state, const DoorFilter& filter,
              const InterfaceView* interface) noexcept
      : packet_(packet), state_(state), filter_(filter), interface_(interface) {}

  [[gnu::flatten]] DoorDrop run() noexcept;

 private:
  DoorDrop vlan() noexcept;
  [[gnu::noinline]] DoorDrop arp() noexcept;
  DoorDrop ipv4() noexcept;
  [[gnu::noinline]] DoorDrop ipv4_options(std::size_t begin, std::size_t end) const noexcept;
  [[gnu::noinline]] DoorDrop ipv4_fragment(const wire::Ipv4Header& header, std::size_t header_length) noexcept;
  DoorDrop ipv6() noexcept;
  DoorDrop ipv6_extensions() noexcept;
  [[gnu::noinline]] DoorDrop ipv6_fragment(std::size_t at) noexcept;
  template <class Address>
  DoorDrop addresses(const Address& source, const Address& destination) noexcept;
  DoorDrop fragment_range(std::size_t offset, std::size_t size, bool more) const noexcept;
  template <class Address>
  DoorDrop layer4() noexcept;
  DoorDrop tcp() noexcept;
  DoorDrop udp() noexcept;
  [[gnu::noinline]] DoorDrop icmp() noexcept;
  DoorDrop whole_message(PacketClass bit, DoorDrop reason) noexcept;
  [[nodiscard]] DoorDrop offload() const noexcept;

  // Bytes from the layer 4 header to the end.
  [[nodiscard]] std::size_t left() const noexcept { return packet_.length - packet_.l4_offset; }
  // A header that does not fit is an attack on filters in a first fragment, else plain nonsense.
  [[nodiscard]] DoorDrop cut_short(DoorDrop otherwise) const noexcept {
    return is_first_fragment_ ? DoorDrop::tiny_fragment : otherwise;
  }
  template <class Header>
  [[nodiscard]] const Header& at(std::size_t offset) const noexcept {
    return *reinterpret_cast<const Header*>(packet_.data + offset);
  }
  void add(PacketClass bits) noexcept { classes_ |= bits; }

  Packet& packet_;
  const ForwardingState& state_;
  const DoorFilter& filter_;
  const InterfaceView* interface_;
  const VlanView* vlan_ = nullptr;  // the networks that the frame may belong to
  PacketClass classes_ = packet_class::all;
  bool is_first_fragment_ = false;
  bool is_later_fragment_ = false;
};

DoorDrop Examination::run() noexcept {
  packet_.classes = {};
  packet_.l3_offset = sizeof(wire::EthernetHeader);
  packet_.l4_offset = 0;
  packet_.payload_offset = 0;
  packet_.fragment_header_offset = 0;
  packet_.protocol = 0;
  packet_.network = 0;
  if (packet_.length < sizeof(wire::EthernetHeader)) return DoorDrop::truncated;
  if (interface_ == nullptr) return DoorDrop::interface_gone;
  const auto& ethernet = at<wire::EthernetHeader>(0);
  if (!is_for_us(ethernet.destination, *interface_, state_, filter_)) return DoorDrop::not_for_us;
  if (ethernet.source.is_multicast()) return DoorDrop::bad_source;
  DoorDrop drop = vlan();
  if (drop != DoorDrop::none) return drop;

  packet_.ether_type = at<wire::EthernetHeader>(0).type;
  drop = DoorDrop::unknown_ether_type;
  if (packet_.ether_type == wire::ether_type::ipv4) {
    drop = ipv4();
  } else if (packet_.ether_type == wire::ether_type::ipv6) {
    drop = ipv6();
  } else if (packet_.ether_type == wire::ether_type::arp) {
    drop = arp();
  }
  if (drop == DoorDrop::none) drop = offload();
  if (drop != DoorDrop::none) return drop;
  packet_.classes = classes_;
  return DoorDrop::none;
}

DoorDrop Examination::vlan() noexcept {
  if (!take_vlan_tag(packet_)) return DoorDrop::truncated;
  vlan_ = interface_->find_vlan(packet_.vlan);
  if (vlan_ != nullptr || (packet_.vlan == 0 && interface_->networks.empty())) return DoorDrop::none;
  return packet_.vlan == 0 ? DoorDrop::untagged : DoorDrop::foreign_vlan;
}

DoorDrop Examination::arp() noexcept {
  const std::size_t begin = packet_.l3_offset;
  if (packet_.length < begin + wire::arp_size) return DoorDrop::truncated;
  constexpr std::array<std::uint8_t, 6> ipv4_over_ethernet{0, 1, 8, 0, 6, 4};
  if (std::memcmp(packet_.data + begin, ipv4_over_ethernet.data(), ipv4_over_ethernet.size()) != 0) {
    return DoorDrop::arp_header;
  }
  packet_.length = static_cast<std::uint32_t>(begin + wire::arp_size);
  const auto& sender = at<Ipv4Address>(begin + 14);
  const auto& target = at<Ipv4Address>(begin + 24);
  // A probe (RFC 5227) has no sender address; its network is that of the address it asks for.
  packet_.network = network_of(*interface_, vlan_, sender.is_unspecified() ? target : sender, state_);
  add(packet_class::arp);
  return DoorDrop::none;
}

DoorDrop Examination::ipv4() noexcept {
  const std::size_t begin = packet_.l3_offset;
  const std::size_t available = packet_.length - begin;
  if (available < sizeof(wire::Ipv4Header)) return DoorDrop::truncated;
  const auto& header = at<wire::Ipv4Header>(begin);
  if ((header.version_and_length >> 4U) != 4) return DoorDrop::bad_version;
  const std::size_t header_length = header.header_length();
  if (header_length < sizeof header || header_length > available) return DoorDrop::bad_header_length;
  const std::size_t total = header.total_length;
  if (total < header_length || total > available) return DoorDrop::bad_length;
  if (!has_right_sum(packet_.data + begin, header_length)) return DoorDrop::bad_ip_checksum;
  if (header_length > sizeof header) {
    const DoorDrop drop = ipv4_options(begin + sizeof header, begin + header_length);
    if (drop != DoorDrop::none) return drop;
  }
  packet_.length = static_cast<std::uint32_t>(begin + total);
  packet_.protocol = header.protocol;
  packet_.l4_offset = static_cast<std::uint16_t>(begin + header_length);
  add(packet_class::ipv4);
  DoorDrop drop = addresses(header.source, header.destination);
  if (drop == DoorDrop::none && header.is_fragment()) drop = ipv4_fragment(header, header_length);
  return drop == DoorDrop::none ? layer4<Ipv4Address>() : drop;
}

DoorDrop Examination::ipv4_options(std::size_t begin, std::size_t end) const noexcept {
  constexpr std::uint8_t end_of_options = 0;
  constexpr std::uint8_t no_operation = 1;
  constexpr std::uint8_t loose_route = 131;
  constexpr std::uint8_t strict_route = 137;
  while (begin < end) {
    const std::uint8_t type = packet_.data[begin];
    if (type == end_of_options) return DoorDrop::none;
    if (type == no_operation) {
      ++begin;
      continue;
    }
    if (type == loose_route || type == strict_route) return DoorDrop::source_route;
    if (end - begin < 2) return DoorDrop::ip_options;
    const std::size_t length = packet_.data[begin + 1];
    if (length < 2 || length > end - begin) return DoorDrop::ip_options;
    begin += length;
  }
  return DoorDrop::none;
}

DoorDrop Examination::fragment_range(std::size_t offset, std::size_t size, bool more) const noexcept {
  if (size == 0 || (more && size % 8 != 0) || offset + size > largest_datagram) return DoorDrop::bad_fragment;
  return DoorDrop::none;
}

DoorDrop Examination::ipv4_fragment(const wire::Ipv4Header& header, std::size_t header_length) noexcept {
  const std::size_t offset = header.fragment_offset();
  const bool more = (header.flags_and_offset.value() & 0x2000U) != 0;
  // Reassembled, header and payload share the 16 bits of the total length.
  const DoorDrop drop = fragment_range(offset, header.total_length - header_length, more);
  if (drop != DoorDrop::none || offset + header.total_length > largest_datagram) return DoorDrop::bad_fragment;
  // Offset 8 would rewrite the flags of a TCP header that filters have already seen (RFC 3128).
  if (offset == 8 && header.protocol == wire::ip_protocol::tcp) return DoorDrop::tiny_fragment;
  is_first_fragment_ = offset == 0;
  is_later_fragment_ = offset != 0;
  add(packet_class::fragment);
  return DoorDrop::none;
}

DoorDrop Examination::ipv6() noexcept {
  const std::size_t begin = packet_.l3_offset;
  const std::size_t available = packet_.length - begin;
  if (available < sizeof(wire::Ipv6Header)) return DoorDrop::truncated;
  const auto& header = at<wire::Ipv6Header>(begin);
  if ((packet_.data[begin] >> 4U) != 6) return DoorDrop::bad_version;
  const std::size_t total = sizeof header + header.payload_length;
  if (total > available) return DoorDrop::bad_length;
  packet_.length = static_cast<std::uint32_t>(begin + total);
  packet_.protocol = header.next_header;
  packet_.l4_offset = static_cast<std::uint16_t>(begin + sizeof header);
  add(packet_class::ipv6);
  DoorDrop drop = addresses(header.source, header.destination);
  if (drop == DoorDrop::none) drop = ipv6_extensions();
  return drop == DoorDrop::none ? layer4<Ipv6Address>() : drop;
}

DoorDrop Examination::ipv6_extensions() noexcept {
  for (std::size_t count = 0; !is_later_fragment_; ++count) {
    const bool is_fragment_header = packet_.protocol == wire::ip_protocol::fragment;
    const bool is_routing = packet_.protocol == wire::ip_protocol::routing;
    const bool is_plain = is_routing || packet_.protocol == wire::ip_protocol::hop_by_hop ||
                          packet_.protocol == wire::ip_protocol::destination_options;
    if (!is_fragment_header && !is_plain) break;
    if (count == wire::max_extension_headers) return DoorDrop::extension_headers;
    if (packet_.protocol == wire::ip_protocol::hop_by_hop && count != 0) return DoorDrop::extension_headers;
    const std::size_t begin = packet_.l4_offset;
    if (left() < 8) return cut_short(DoorDrop::truncated);
    const std::uint8_t next = packet_.data[begin];
    if (is_fragment_header) {
      const DoorDrop drop = ipv6_fragment(begin);
      if (drop != DoorDrop::none) return drop;
      packet_.l4_offset = static_cast<std::uint16_t>(begin + sizeof(wire::Ipv6FragmentHeader));
      packet_.protocol = next;
      continue;
    }
    const std::size_t length = (std::size_t{packet_.data[begin + 1]} + 1) * 8;
    if (length > left()) return cut_short(DoorDrop::truncated);
    if (is_routing && packet_.data[begin + 3] != 0) {
      if (packet_.data[begin + 2] == 0) return DoorDrop::source_route;
      // Not yet at its last destination: what follows is not to be looked at (and its checksum is for another address).
      break;
    }
    packet_.l4_offset = static_cast<std::uint16_t>(begin + length);
    packet_.protocol = next;
  }
  return DoorDrop::none;
}

DoorDrop Examination::ipv6_fragment(std::size_t begin) noexcept {
  if (packet_.fragment_header_offset != 0) return DoorDrop::bad_fragment;
  packet_.fragment_header_offset = static_cast<std::uint16_t>(begin);
  const auto& header = at<wire::Ipv6FragmentHeader>(begin);
  const std::size_t offset = header.offset();
  // Alone and whole (RFC 6946): handled like a packet that is no fragment.
  if (offset == 0 && !header.more()) return DoorDrop::none;
  const DoorDrop drop = fragment_range(offset, left() - sizeof header, header.more());
  if (drop != DoorDrop::none) return drop;
  is_first_fragment_ = offset == 0;
  is_later_fragment_ = offset != 0;
  add(packet_class::fragment);
  return DoorDrop::none;
}

template <class Address>
DoorDrop Examination::addresses(const Address& source, const Address& destination) noexcept {
  if (source.is_multicast() || source.is_loopback() || is_broadcast(source)) return DoorDrop::bad_source;
  if (destination.is_unspecified() || destination.is_loopback()) return DoorDrop::bad_destination;

  packet_.network = network_of(*interface_, vlan_, source, state_);
  if (destination.is_multicast() || is_broadcast(destination)) {
    add(packet_class::multicast);
    return DoorDrop::none;
  }
  if (packet_.ethernet().destination.is_multicast()) return DoorDrop::group_frame;
  const OwnAddress* own = state_.find_address(destination);
  // A link-local address is the node's on its own interface only.
  if (own != nullptr && (own->interface == 0 || own->interface == packet_.in_interface)) {
    add(own->scope == AddressScope::own ? packet_class::own : packet_class::virtual_ip);
  }
  return DoorDrop::none;
}

template <class Address>
DoorDrop Examination::layer4() noexcept {
  if (is_later_fragment_) {
    packet_.l4_offset = 0;
    return DoorDrop::none;
  }
  constexpr bool is_v4 = std::is_same_v<Address, Ipv4Address>;
  packet_.payload_offset = packet_.l4_offset;
  DoorDrop drop = DoorDrop::none;
  if (packet_.protocol == wire::ip_protocol::tcp) {
    drop = tcp();
  } else if (packet_.protocol == wire::ip_protocol::udp) {
    drop = udp();
  } else if (packet_.protocol == (is_v4 ? wire::ip_protocol::icmp : wire::ip_protocol::icmpv6)) {
    drop = icmp();
  } else if (packet_.protocol == wire::ip_protocol::igmp && is_v4) {
    drop = whole_message(packet_class::igmp, DoorDrop::igmp_header);
  } else if (packet_.protocol == wire::ip_protocol::vrrp) {
    drop = whole_message(packet_class::vrrp, DoorDrop::vrrp_header);
  } else {
    add(packet_class::other_ip);
  }
  return drop;
}

DoorDrop Examination::tcp() noexcept {
  if (left() < sizeof(wire::TcpHeader)) return cut_short(DoorDrop::tcp_header);
  const std::size_t length = at<wire::TcpHeader>(packet_.l4_offset).header_length();
  if (length < sizeof(wire::TcpHeader)) return DoorDrop::tcp_header;
  if (length > left()) return cut_short(DoorDrop::tcp_header);
  packet_.payload_offset = static_cast<std::uint16_t>(packet_.l4_offset + length);
  add(packet_class::tcp);
  return DoorDrop::none;
}

DoorDrop Examination::udp() noexcept {
  if (left() < sizeof(wire::UdpHeader)) return cut_short(DoorDrop::udp_header);
  const std::size_t length = at<wire::UdpHeader>(packet_.l4_offset).length;
  if (length < sizeof(wire::UdpHeader)) return DoorDrop::udp_length;
  if (!is_first_fragment_ && length > left()) return DoorDrop::udp_length;
  packet_.payload_offset = static_cast<std::uint16_t>(packet_.l4_offset + sizeof(wire::UdpHeader));
  add(packet_class::udp);
  return DoorDrop::none;
}

DoorDrop Examination::icmp() noexcept {
  if (left() < sizeof(wire::IcmpHeader)) return cut_short(DoorDrop::icmp_header);
  packet_.payload_offset = static_cast<std::uint16_t>(packet_.l4_offset + sizeof(wire::IcmpHeader));
  if (classes_.has_any(packet_class::ipv4)) {
    add(packet_class::icmp);
    return DoorDrop::none;
  }
  add(packet_class::icmpv6);
  if (packet_.fragment_header_offset != 0) return DoorDrop::none;  // RFC 6980: then it is not neighbour discovery
  const std::uint8_t type = packet_.data[packet_.l4_offset];
  if (type >= wire::icmpv6_type::router_solicitation && type <= wire::icmpv6_type::redirect) add(packet_class::nd);
  if ((type >= wire::icmpv6_type::mld_query && type <= wire::icmpv6_type::mld_done) ||
      type == wire::icmpv6_type::mldv2_report) {
    add(packet_class::mld);
  }
  return DoorDrop::none;
}

// IGMP and VRRP: never fragmented, both with 8 fixed bytes. A first fragment of one is nobody's.
DoorDrop Examination::whole_message(PacketClass bit, DoorDrop reason) noexcept {
  constexpr std::size_t fixed = 8;
  if (is_first_fragment_) return DoorDrop::none;
  if (left() < fixed) return reason;
  add(bit);
  return DoorDrop::none;
}

DoorDrop Examination::offload() const noexcept {
  if (packet_.checksum == ChecksumState::partial) {
    const std::size_t field = std::size_t{packet_.checksum_start} + packet_.checksum_offset;
    if (packet_.checksum_start < packet_.l3_offset || field + 2 > packet_.length) return DoorDrop::bad_offload;
  }
  if (packet_.segments == SegmentType::none) return DoorDrop::none;
  const PacketClass wanted = packet_.segments == SegmentType::udp ? packet_class::udp : packet_class::tcp;
  const bool fits = packet_.segment_size != 0 && classes_.has_any(wanted) && !classes_.has_any(packet_class::fragment);
  return fits ? DoorDrop::none : DoorDrop::bad_offload;
}

}  // namespace

void DoorFilter::add(InterfaceId interface, const MacAddress& group) {
  if (has(interface, group)) return;
  if ((size_ + 1) * 2 > slots_.size()) {
    std::vector<std::uint64_t> old(slots_.size() * 2);
    old.swap(slots_);
    for (const std::uint64_t entry : old) {
      if (entry == 0) continue;
      std::size_t at = position(entry);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = entry;
    }
  }
  const std::uint64_t entry = key(interface, group);
  std::size_t at = position(entry);
  while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = entry;
  ++size_;
}

DoorDrop examine(Packet& packet, const ForwardingState& state, const DoorFilter& filter) noexcept {
  return Examination(packet, state, filter, state.interface(packet.in_interface)).run();
}

void examine(std::span<Packet* const> packets, const ForwardingState& state, const DoorFilter& filter,
             std::span<DoorDrop> results) noexcept {
  constexpr std::size_t ahead = 4;
  // A burst comes in by one interface.
  InterfaceId number = 0;
  const InterfaceView* interface = state.interface(number);
  for (std::size_t i = 0; i < std::min(ahead, packets.size()); ++i) __builtin_prefetch(packets[i]->data);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (i + ahead < packets.size()) __builtin_prefetch(packets[i + ahead]->data);
    Packet& packet = *packets[i];
    if (packet.in_interface != number) {
      number = packet.in_interface;
      interface = state.interface(number);
    }
    results[i] = Examination(packet, state, filter, interface).run();
  }
}

}  // namespace trivet::core
