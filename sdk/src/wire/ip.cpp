#include "trivet/wire/ip.h"

#include <algorithm>

#include "bytes.h"
#include "trivet/net/checksum.h"

namespace trivet::wire {

namespace {

constexpr std::size_t max_total = 65535;

std::span<const std::uint8_t> cut(std::span<const std::uint8_t> bytes, std::size_t limit) {
  return bytes.first(std::min(bytes.size(), limit));
}

void patch_l4_checksum(Bytes& segment, std::size_t offset, const IpAddress& source, const IpAddress& destination,
                       std::uint8_t protocol) {
  ChecksumSum sum;
  sum.add_pseudo_header(source, destination, protocol, static_cast<std::uint32_t>(segment.size()));
  sum.add(segment.view());
  std::uint16_t checksum = sum.finish();
  if (protocol == ip_protocol::udp && checksum == 0) checksum = 0xffff;
  segment.patch16(offset, checksum);
}

// Headers that stand between the fixed IPv6 header and layer 4 and have their length in their second byte.
bool is_skippable(std::uint8_t header) {
  return header == ip_protocol::hop_by_hop || header == ip_protocol::routing ||
         header == ip_protocol::destination_options;
}

// Walks the extension headers of a quoted IPv6 packet, as far as its bytes go.
void walk_quoted(std::span<const std::uint8_t> packet, QuotedValues& values) noexcept {
  values.protocol = packet[6];
  values.l4_offset = sizeof(Ipv6Header);
  for (std::size_t i = 0; i < max_extension_headers && values.l4_offset + 8 <= packet.size(); ++i) {
    const std::size_t at = values.l4_offset;
    if (values.protocol == ip_protocol::fragment) {
      values.is_later_fragment = values.is_later_fragment || (read16(packet, at + 2) & 0xfff8U) != 0;
      values.l4_offset += sizeof(Ipv6FragmentHeader);
    } else if (is_skippable(values.protocol)) {
      values.l4_offset += (std::size_t{packet[at + 1]} + 1) * 8;
    } else {
      return;
    }
    values.protocol = packet[at];
    if (values.is_later_fragment) return;
  }
}

bool has_ports(std::uint8_t protocol) {
  constexpr std::uint8_t dccp = 33;
  constexpr std::uint8_t sctp = 132;
  constexpr std::uint8_t udp_lite = 136;
  return protocol == ip_protocol::tcp || protocol == ip_protocol::udp || protocol == dccp || protocol == sctp ||
         protocol == udp_lite;
}

void read_layer4(std::span<const std::uint8_t> packet, QuotedValues& values) noexcept {
  const std::size_t at = values.l4_offset;
  if (values.is_later_fragment || packet.size() < at + 4) return;
  if (has_ports(values.protocol)) {
    values.source_port = read16(packet, at);
    values.destination_port = read16(packet, at + 2);
    return;
  }
  const std::uint8_t type = packet[at];
  const bool is_echo = (values.protocol == ip_protocol::icmp && values.source.is_v4() &&
                        (type == icmp_type::echo_request || type == icmp_type::echo_reply)) ||
                       (values.protocol == ip_protocol::icmpv6 && values.source.is_v6() &&
                        (type == icmpv6_type::echo_request || type == icmpv6_type::echo_reply));
  if (is_echo && packet.size() >= at + 6) values.echo_id = read16(packet, at + 4);
}

}  // namespace

std::vector<std::uint8_t> ipv4_packet(const Ipv4Values& values, std::span<const std::uint8_t> payload) {
  const std::size_t header = sizeof(Ipv4Header) + (values.router_alert ? 4U : 0U);
  payload = cut(payload, max_total - header);
  Bytes bytes(header + payload.size());
  bytes.u8(static_cast<std::uint8_t>(0x40U | (header / 4))).u8(values.traffic_class);
  bytes.u16(static_cast<std::uint16_t>(header + payload.size())).u16(values.id);
  bytes.u16(values.dont_fragment ? 0x4000 : 0).u8(values.hop_limit).u8(values.protocol).u16(0);
  bytes.ip(values.source).ip(values.destination);
  if (values.router_alert) bytes.u32(0x94040000U);
  bytes.patch16(10, internet_checksum(bytes.view()));
  bytes.raw(payload);
  return bytes.take();
}

std::vector<std::uint8_t> ipv6_packet(const Ipv6Values& values, std::span<const std::uint8_t> payload) {
  const std::size_t alert = values.router_alert ? 8 : 0;
  payload = cut(payload, max_total - alert);
  Bytes bytes(sizeof(Ipv6Header) + alert + payload.size());
  bytes.u32(0x60000000U | (std::uint32_t{values.traffic_class} << 20U) | (values.flow_label & 0xfffffU));
  bytes.u16(static_cast<std::uint16_t>(alert + payload.size()));
  bytes.u8(values.router_alert ? ip_protocol::hop_by_hop : values.next_header).u8(values.hop_limit);
  bytes.ip(values.source).ip(values.destination);
  if (values.router_alert) bytes.u8(values.next_header).u8(0).u32(0x05020000U).u16(0x0100);
  bytes.raw(payload);
  return bytes.take();
}

std::vector<std::uint8_t> ip_packet(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                    std::uint8_t hop_limit, std::span<const std::uint8_t> payload) {
  if (destination.is_v4()) {
    return ipv4_packet(
        {.source = source.v4(), .destination = destination.v4(), .protocol = protocol, .hop_limit = hop_limit},
        payload);
  }
  return ipv6_packet(
      {.source = source.v6(), .destination = destination.v6(), .next_header = protocol, .hop_limit = hop_limit},
      payload);
}

std::vector<std::uint8_t> udp_packet(const UdpValues& values, std::span<const std::uint8_t> payload) {
  payload = cut(payload, max_total - sizeof(UdpHeader) - (values.destination.is_v4() ? sizeof(Ipv4Header) : 0));
  const std::size_t length = sizeof(UdpHeader) + payload.size();
  Bytes segment(length);
  segment.u16(values.source_port).u16(values.destination_port).u16(static_cast<std::uint16_t>(length)).u16(0);
  segment.raw(payload);
  patch_l4_checksum(segment, 6, values.source, values.destination, ip_protocol::udp);
  return ip_packet(values.source, values.destination, ip_protocol::udp, values.hop_limit, segment.view());
}

std::vector<std::uint8_t> tcp_packet(const TcpValues& values, std::span<const std::uint8_t> payload) {
  const std::size_t header = sizeof(TcpHeader) + (values.maximum_segment ? 4U : 0U);
  payload = cut(payload, max_total - header - (values.destination.is_v4() ? sizeof(Ipv4Header) : 0));
  Bytes segment(header + payload.size());
  segment.u16(values.source_port).u16(values.destination_port).u32(values.sequence).u32(values.acknowledgement);
  segment.u8(static_cast<std::uint8_t>((header / 4) << 4U)).u8(values.flags).u16(values.window).u16(0).u16(0);
  if (values.maximum_segment) segment.u16(0x0204).u16(*values.maximum_segment);
  segment.raw(payload);
  patch_l4_checksum(segment, 16, values.source, values.destination, ip_protocol::tcp);
  return ip_packet(values.source, values.destination, ip_protocol::tcp, values.hop_limit, segment.view());
}

std::optional<QuotedValues> parse_quoted(std::span<const std::uint8_t> packet) noexcept {
  if (packet.empty()) return std::nullopt;
  QuotedValues values;
  if ((packet[0] >> 4U) == 4) {
    const std::size_t header = std::size_t{packet[0] & 0x0fU} * 4;
    if (header < sizeof(Ipv4Header) || packet.size() < header) return std::nullopt;
    values.source = read_ipv4(packet, 12);
    values.destination = read_ipv4(packet, 16);
    values.protocol = packet[9];
    values.l4_offset = header;
    values.is_later_fragment = (read16(packet, 6) & 0x1fffU) != 0;
  } else if ((packet[0] >> 4U) == 6) {
    if (packet.size() < sizeof(Ipv6Header)) return std::nullopt;
    values.source = read_ipv6(packet, 8);
    values.destination = read_ipv6(packet, 24);
    walk_quoted(packet, values);
  } else {
    return std::nullopt;
  }
  read_layer4(packet, values);
  return values;
}

}  // namespace trivet::wire
