#include "trivet/testkit/virtual_host.h"

#include <algorithm>

#include "core/pipeline/door.h"
#include "trivet/forwarding.h"
#include "trivet/wire/ethernet.h"
#include "trivet/wire/icmp.h"
#include "trivet/wire/ip.h"
#include "trivet/wire/nd.h"

namespace trivet::testkit {

namespace {

constexpr Duration first_repeat = std::chrono::seconds{1};
constexpr int solicitations = 3;

}  // namespace

// The host's own view of the network, so that the door parses frames for it.
struct VirtualHost::Door {
  std::unique_ptr<ForwardingState> state;
  core::DoorFilter filter;

  explicit Door(const MacAddress& mac, const Ipv6Address& address) {
    ForwardingState::Parts parts;
    InterfaceView interface;
    interface.number = 1;
    interface.mac = mac;
    interface.up = true;
    parts.interfaces.push_back(interface);
    state = std::make_unique<ForwardingState>(std::move(parts));
    filter.add(1, multicast_mac(solicited_node_group(address)));
    filter.add(1, multicast_mac(solicited_node_group(link_local_address(mac))));
    filter.add(1, multicast_mac(*parse_ipv6("ff02::1")));
  }
};

VirtualHost::VirtualHost(VirtualNetwork& network, std::string name, MacAddress mac, Ipv6Address address,
                         std::uint8_t prefix_length, std::optional<Ipv6Address> gateway)
    : network_(network),
      name_(std::move(name)),
      mac_(mac),
      address_(address),
      link_local_(link_local_address(mac)),
      prefix_length_(prefix_length),
      gateway_(gateway),
      door_(std::make_unique<Door>(mac, address)),
      port_(network.add_port(name_, {[this](const Bytes& frame) { receive(frame); }, {}})) {}

VirtualHost::~VirtualHost() = default;

void VirtualHost::serve_page(std::uint16_t port, std::string text) { pages_[port] = std::move(text); }

void VirtualHost::serve_udp(std::uint16_t port, std::function<Bytes(const Bytes&)> handler) {
  udp_[port] = std::move(handler);
}

std::optional<MacAddress> VirtualHost::neighbor(const Ipv6Address& address) const {
  const auto found = neighbors_.find(address);
  return found == neighbors_.end() ? std::nullopt : found->second.mac;
}

// --- sending ---------------------------------------------------------------------------------------------------------

void VirtualHost::transmit(const MacAddress& to, const Bytes& packet) {
  if (!silent_) network_.send(port_, wire::ethernet_frame(to, mac_, wire::ether_type::ipv6, packet));
}

void VirtualHost::solicit(const Ipv6Address& address) {
  Neighbor& neighbor = neighbors_[address];
  if (neighbor.mac) return;
  if (neighbor.tries++ == solicitations) {
    neighbors_.erase(address);
    return;
  }
  if (!silent_) network_.send(port_, wire::neighbor_solicitation_frame(mac_, address_, address));
  network_.after(std::chrono::seconds{1}, [this, address] {
    if (neighbors_.contains(address)) solicit(address);
  });
}

void VirtualHost::send_packet(Bytes packet) {
  wire::Ipv6Header header;
  std::copy_n(packet.begin(), sizeof(header), reinterpret_cast<std::uint8_t*>(&header));
  Ipv6Address next = header.destination;
  const bool on_link = next.is_link_local() || IpPrefix{address_, prefix_length_}.contains(next);
  if (!on_link) {
    if (!gateway_) return;
    next = *gateway_;
  }
  Neighbor& neighbor = neighbors_[next];
  if (neighbor.mac) {
    transmit(*neighbor.mac, packet);
    return;
  }
  neighbor.waiting.push_back(std::move(packet));
  if (neighbor.tries == 0) solicit(next);
}

// --- receiving -------------------------------------------------------------------------------------------------------

void VirtualHost::receive(const Bytes& frame) {
  if (silent_) return;
  Bytes copy = frame;
  Packet packet;
  packet.buffer = copy.data();
  packet.data = copy.data();
  packet.capacity = static_cast<std::uint32_t>(copy.size());
  packet.length = packet.capacity;
  packet.in_interface = 1;
  if (core::examine(packet, *door_->state, door_->filter) != core::DoorDrop::none) return;
  if (!packet.is(packet_class::ipv6) || packet.is(packet_class::fragment)) return;
  const Ipv6Address destination = packet.ipv6().destination;
  if (destination != address_ && destination != link_local_ && !destination.is_multicast()) return;
  if (packet.l4_offset == 0 || !l4_checksum_ok(packet)) return;
  if (packet.is(packet_class::nd)) {
    on_nd(packet);
  } else if (packet.is(packet_class::icmpv6)) {
    on_echo(packet);
  } else if (packet.is(packet_class::tcp)) {
    on_tcp(packet);
  } else if (packet.is(packet_class::udp)) {
    on_udp(packet);
  }
}

void VirtualHost::on_nd(const Packet& packet) {
  const wire::NdContext context{packet.ipv6().source, packet.ipv6().destination, packet.ipv6().hop_limit};
  if (const auto question = wire::parse_neighbor_solicitation(context, packet.l4_bytes())) {
    if (question->target != address_ && question->target != link_local_) return;
    if (context.source.is_unspecified()) return;
    if (question->source_mac) neighbors_[context.source].mac = question->source_mac;
    wire::NeighborAdvertisement answer;
    answer.target = question->target;
    answer.solicited = true;
    answer.override_entry = true;
    answer.target_mac = mac_;
    send_packet(wire::neighbor_advertisement_packet(question->target, context.source, answer));
  } else if (const auto answer = wire::parse_neighbor_advertisement(context, packet.l4_bytes())) {
    const auto known = neighbors_.find(answer->target);
    if (known == neighbors_.end() || !answer->target_mac) return;
    if (known->second.mac && !answer->override_entry) return;
    known->second.mac = answer->target_mac;
    for (const Bytes& waiting : std::exchange(known->second.waiting, {})) transmit(*answer->target_mac, waiting);
  }
}

void VirtualHost::on_echo(const Packet& packet) {
  const auto echo = wire::parse_echo(Family::ipv6, packet.l4_bytes());
  if (!echo) return;
  if (!echo->is_reply) {
    const auto data = packet.l4_bytes().subspan(sizeof(wire::IcmpHeader));
    send_packet(
        wire::echo_packet(packet.ipv6().destination, packet.ipv6().source, {true, echo->id, echo->sequence}, data));
    return;
  }
  const auto waiting = pings_.find(echo->sequence);
  if (waiting == pings_.end()) return;
  const auto done = std::move(waiting->second);
  pings_.erase(waiting);
  done(true);
}

void VirtualHost::ping(const Ipv6Address& destination, Duration timeout, std::function<void(bool)> done) {
  const std::uint16_t sequence = next_ping_++;
  pings_[sequence] = std::move(done);
  send_packet(wire::echo_packet(address_, destination, {false, 0x7ab1, sequence}, Bytes(56)));
  network_.after(timeout, [this, sequence] {
    const auto waiting = pings_.find(sequence);
    if (waiting == pings_.end()) return;
    const auto late = std::move(waiting->second);
    pings_.erase(waiting);
    late(false);
  });
}

void VirtualHost::on_udp(const Packet& packet) {
  const auto handler = udp_.find(packet.udp().destination_port);
  if (handler == udp_.end()) return;
  const auto payload = packet.payload();
  const Bytes answer = handler->second(Bytes(payload.begin(), payload.end()));
  if (answer.empty()) return;
  send_packet(wire::udp_packet(
      {packet.ipv6().destination, packet.ipv6().source, packet.udp().destination_port, packet.udp().source_port, 64},
      answer));
}

// --- TCP -------------------------------------------------------------------------------------------------------------

void VirtualHost::on_tcp(const Packet& packet) {
  const std::uint16_t port = packet.tcp().destination_port;
  if (const auto page = pages_.find(port); page != pages_.end()) {
    on_tcp_as_server(packet, page->second);
  } else if (const auto client = clients_.find(port); client != clients_.end()) {
    on_tcp_as_client(packet, port, client->second);
  }
}

// The server keeps no state: whatever it needs is in the segment.
void VirtualHost::on_tcp_as_server(const Packet& packet, const std::string& page) {
  const wire::TcpHeader& in = packet.tcp();
  wire::TcpValues out;
  out.source = packet.ipv6().destination;
  out.destination = packet.ipv6().source;
  out.source_port = in.destination_port;
  out.destination_port = in.source_port;
  Bytes payload;
  if (in.has(wire::TcpHeader::rst)) return;
  if (in.has(wire::TcpHeader::syn)) {
    out.flags = wire::TcpHeader::syn | wire::TcpHeader::ack;
    out.sequence = 0x10000;
    out.acknowledgement = in.sequence + 1;
  } else if (!packet.payload().empty()) {
    out.flags = wire::TcpHeader::ack | wire::TcpHeader::psh | wire::TcpHeader::fin;
    out.sequence = in.acknowledgement;
    out.acknowledgement = in.sequence + static_cast<std::uint32_t>(packet.payload().size());
    payload.assign(page.begin(), page.end());
    ++pages_served_;
  } else if (in.has(wire::TcpHeader::fin)) {
    out.flags = wire::TcpHeader::ack;
    out.sequence = in.acknowledgement;
    out.acknowledgement = in.sequence + 1;
  } else {
    return;
  }
  send_packet(wire::tcp_packet(out, payload));
}

void VirtualHost::fetch(const Ipv6Address& server, std::uint16_t port, Duration timeout,
                        std::function<void(std::optional<std::string>)> done) {
  const std::uint16_t own = next_port_;
  next_port_ = next_port_ == 60000 ? std::uint16_t{20000} : static_cast<std::uint16_t>(next_port_ + 1);
  Client& client = clients_[own];
  client = {server, port, static_cast<std::uint32_t>(network_.random()()), 0, false, std::move(done)};
  send_segment(own, first_repeat);
  network_.after(timeout, [this, own] { finish(own, std::nullopt); });
}

wire::TcpValues VirtualHost::segment(std::uint16_t port, const Client& client) const {
  wire::TcpValues values;
  values.source = address_;
  values.destination = client.server;
  values.source_port = port;
  values.destination_port = client.server_port;
  return values;
}

// Sends what the connection waits to have answered, and again until it is.
void VirtualHost::send_segment(std::uint16_t port, Duration repeat) {
  const auto found = clients_.find(port);
  if (found == clients_.end()) return;
  const Client& client = found->second;
  wire::TcpValues out = segment(port, client);
  out.sequence = client.sequence;
  out.acknowledgement = client.acknowledgement;
  Bytes payload;
  if (client.is_established) {
    out.flags = wire::TcpHeader::ack | wire::TcpHeader::psh;
    payload = {'G', 'E', 'T', '\n'};
  } else {
    out.flags = wire::TcpHeader::syn;
  }
  send_packet(wire::tcp_packet(out, payload));
  network_.after(repeat, [this, port, repeat, sequence = client.sequence] {
    const auto still = clients_.find(port);
    if (still != clients_.end() && still->second.sequence == sequence) send_segment(port, repeat * 2);
  });
}

void VirtualHost::on_tcp_as_client(const Packet& packet, std::uint16_t port, Client& client) {
  const wire::TcpHeader& in = packet.tcp();
  if (packet.ipv6().source != client.server || in.source_port.value() != client.server_port) return;
  if (in.has(wire::TcpHeader::rst)) {
    finish(port, std::nullopt);
  } else if (in.has(wire::TcpHeader::syn) && !client.is_established &&
             in.acknowledgement.value() == client.sequence + 1) {
    client.is_established = true;
    client.sequence += 1;
    client.acknowledgement = in.sequence + 1;
    send_segment(port, first_repeat);
  } else if (client.is_established && !packet.payload().empty()) {
    const std::string text(packet.payload().begin(), packet.payload().end());
    wire::TcpValues out = segment(port, client);
    out.sequence = in.acknowledgement;
    out.acknowledgement = in.sequence + static_cast<std::uint32_t>(text.size()) + 1;
    out.flags = wire::TcpHeader::ack | wire::TcpHeader::fin;
    send_packet(wire::tcp_packet(out, {}));
    finish(port, text);
  }
}

void VirtualHost::finish(std::uint16_t port, std::optional<std::string> text) {
  const auto found = clients_.find(port);
  if (found == clients_.end()) return;
  const auto done = std::move(found->second.done);
  clients_.erase(found);
  done(std::move(text));
}

}  // namespace trivet::testkit
