#include "core/pipeline/icmp_error.h"

#include <algorithm>
#include <cstring>

#include "trivet/net/checksum.h"

namespace trivet::core {

namespace {

constexpr std::size_t ethernet_length = sizeof(wire::EthernetHeader);
constexpr std::size_t ipv4_error_limit = 576;   // RFC 1812 section 4.3.2.3
constexpr std::size_t ipv6_error_limit = 1280;  // RFC 4443 section 2.4 (c)
constexpr std::uint8_t error_hop_limit = 64;
constexpr std::uint8_t internetwork_control = 0xc0;  // RFC 1812 section 4.3.2.5

struct TypeAndCode {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
};

TypeAndCode ipv4_type(IcmpError error) {
  switch (error) {
    case IcmpError::hop_limit:
      return {wire::icmp_type::time_exceeded, 0};
    case IcmpError::no_route:
      return {wire::icmp_type::unreachable, 0};
    case IcmpError::address_unreachable:
      return {wire::icmp_type::unreachable, 1};
    case IcmpError::too_big:
      return {wire::icmp_type::unreachable, 4};
  }
  return {wire::icmp_type::unreachable, 0};
}

TypeAndCode ipv6_type(IcmpError error) {
  switch (error) {
    case IcmpError::hop_limit:
      return {wire::icmpv6_type::time_exceeded, 0};
    case IcmpError::no_route:
      return {wire::icmpv6_type::unreachable, 0};
    case IcmpError::address_unreachable:
      return {wire::icmpv6_type::unreachable, 3};
    case IcmpError::too_big:
      return {wire::icmpv6_type::too_big, 0};
  }
  return {wire::icmpv6_type::unreachable, 0};
}

// The type of an ICMP message in the packet; -1 when it cannot be told.
int icmp_type_of(const Packet& packet) {
  if (packet.l4_offset == 0 || packet.l4_offset >= packet.length) return -1;
  return packet.data[packet.l4_offset];
}

bool is_ipv4_answerable(const Packet& packet) {
  const wire::Ipv4Header& header = packet.ipv4();
  if (header.fragment_offset() != 0) return false;
  if (header.source.is_loopback() || header.source.is_broadcast() || header.destination.is_broadcast()) return false;
  if (header.protocol != wire::ip_protocol::icmp) return true;
  const int type = icmp_type_of(packet);
  constexpr int source_quench = 4;
  constexpr int parameter_problem = 12;
  return type >= 0 && type != wire::icmp_type::unreachable && type != source_quench &&
         type != wire::icmp_type::redirect && type != wire::icmp_type::time_exceeded && type != parameter_problem;
}

bool is_ipv6_answerable(const Packet& packet) {
  const wire::Ipv6Header& header = packet.ipv6();
  if (header.source.is_loopback() || header.source.is_link_local()) return false;
  if (packet.fragment_header_offset != 0) {
    const std::size_t end = std::size_t{packet.fragment_header_offset} + sizeof(wire::Ipv6FragmentHeader);
    if (end > packet.length) return false;
    wire::Ipv6FragmentHeader fragment;
    std::memcpy(&fragment, packet.data + packet.fragment_header_offset, sizeof(fragment));
    if (fragment.offset() != 0) return false;
  }
  if (packet.protocol != wire::ip_protocol::icmpv6) return true;
  const int type = icmp_type_of(packet);
  constexpr int first_informational = 128;
  return type >= first_informational && type != wire::icmpv6_type::redirect;
}

// A buffer with `about` quoted behind the headers; lengths, offsets and classes set.
Packet* quote(const Packet& about, std::size_t ip_header, std::size_t limit, PacketPool& pool) noexcept {
  const std::size_t headers = ip_header + sizeof(wire::IcmpHeader);
  const std::span<const std::uint8_t> bytes = about.l3_bytes();
  const std::size_t quoted = std::min(bytes.size(), limit - headers);
  Packet* const packet = pool.acquire(ethernet_length + headers + quoted);
  if (packet == nullptr) return nullptr;
  packet->length = static_cast<std::uint32_t>(ethernet_length + headers + quoted);
  packet->network = about.network;
  packet->l3_offset = ethernet_length;
  packet->l4_offset = static_cast<std::uint16_t>(ethernet_length + ip_header);
  packet->payload_offset = static_cast<std::uint16_t>(ethernet_length + headers);
  std::memcpy(packet->data + packet->payload_offset, bytes.data(), quoted);
  return packet;
}

std::span<std::uint8_t> l4_of(Packet& packet) { return packet.frame().subspan(packet.l4_offset); }

Packet* make_ipv4(const Packet& about, IcmpError error, std::uint32_t mtu, std::uint16_t id, Ipv4Address source,
                  PacketPool& pool) noexcept {
  Packet* const packet = quote(about, sizeof(wire::Ipv4Header), ipv4_error_limit, pool);
  if (packet == nullptr) return nullptr;
  packet->classes = packet_class::all | packet_class::ipv4 | packet_class::icmp;
  packet->ether_type = wire::ether_type::ipv4;
  packet->protocol = wire::ip_protocol::icmp;
  wire::Ipv4Header& ip = packet->ipv4();
  ip = wire::Ipv4Header{};
  ip.traffic_class = internetwork_control;
  ip.total_length = static_cast<std::uint16_t>(packet->length - ethernet_length);
  ip.id = id;
  ip.hop_limit = error_hop_limit;
  ip.protocol = wire::ip_protocol::icmp;
  ip.source = source;
  ip.destination = about.ipv4().source;
  ip.checksum = internet_checksum(packet->frame().subspan(packet->l3_offset, sizeof(wire::Ipv4Header)));
  wire::IcmpHeader& icmp = packet->icmp();
  const TypeAndCode type = ipv4_type(error);
  icmp = wire::IcmpHeader{.type = type.type, .code = type.code, .checksum = {}, .rest = {}};
  if (error == IcmpError::too_big) icmp.rest = std::min<std::uint32_t>(mtu, 0xffffU);
  icmp.checksum = internet_checksum(l4_of(*packet));
  return packet;
}

Packet* make_ipv6(const Packet& about, IcmpError error, std::uint32_t mtu, const Ipv6Address& source,
                  PacketPool& pool) noexcept {
  Packet* const packet = quote(about, sizeof(wire::Ipv6Header), ipv6_error_limit, pool);
  if (packet == nullptr) return nullptr;
  packet->classes = packet_class::all | packet_class::ipv6 | packet_class::icmpv6;
  packet->ether_type = wire::ether_type::ipv6;
  packet->protocol = wire::ip_protocol::icmpv6;
  const Ipv6Address destination = about.ipv6().source;
  const std::span<std::uint8_t> message = l4_of(*packet);
  wire::Ipv6Header& ip = packet->ipv6();
  ip = wire::Ipv6Header{};
  ip.payload_length = static_cast<std::uint16_t>(message.size());
  ip.next_header = wire::ip_protocol::icmpv6;
  ip.hop_limit = error_hop_limit;
  ip.source = source;
  ip.destination = destination;
  wire::IcmpHeader& icmp = packet->icmp();
  const TypeAndCode type = ipv6_type(error);
  icmp = wire::IcmpHeader{.type = type.type, .code = type.code, .checksum = {}, .rest = {}};
  if (error == IcmpError::too_big) icmp.rest = mtu;
  ChecksumSum sum;
  sum.add_pseudo_header(source, destination, wire::ip_protocol::icmpv6, static_cast<std::uint32_t>(message.size()));
  sum.add(message);
  icmp.checksum = sum.finish();
  return packet;
}

}  // namespace

bool may_answer_with_error(const Packet& packet, const ForwardingState& forwarding) noexcept {
  if (packet.network == 0) return false;
  if (packet.l3_offset >= ethernet_length && packet.ethernet().destination.is_multicast()) return false;
  const IpAddress source = packet.source();
  if (source.is_unspecified() || source.is_multicast() || packet.destination().is_multicast()) return false;
  if (forwarding.find_address(source) != nullptr) return false;
  return packet.is(packet_class::ipv4) ? is_ipv4_answerable(packet) : is_ipv6_answerable(packet);
}

bool has_error_source(const Packet& packet, const ForwardingState& forwarding) noexcept {
  const NetworkView* const network = forwarding.network(packet.network);
  return network != nullptr &&
         (packet.is(packet_class::ipv4) ? network->real4.has_value() : network->real6.has_value());
}

std::expected<Packet*, NoIcmpError> make_icmp_error(const Packet& about, IcmpError error, std::uint32_t mtu,
                                                    std::uint16_t ipv4_id, const ForwardingState& forwarding,
                                                    PacketPool& pool) noexcept {
  if (!has_error_source(about, forwarding)) return std::unexpected(NoIcmpError::no_source);
  const NetworkView* const network = forwarding.network(about.network);
  const bool is_v4 = about.is(packet_class::ipv4);
  Packet* const packet = is_v4 ? make_ipv4(about, error, mtu, ipv4_id, *network->real4, pool)
                               : make_ipv6(about, error, mtu, *network->real6, pool);
  if (packet == nullptr) return std::unexpected(NoIcmpError::no_buffer);
  return packet;
}

}  // namespace trivet::core
