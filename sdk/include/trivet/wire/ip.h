// Building IPv4 and IPv6 packets with UDP and TCP in them, checksums complete. Sources: RFC 791, RFC 2113 (router
// alert), RFC 8200, RFC 768, RFC 9293.
//
// Thread: any; pure. Allocates: for the control thread and tests. A payload that is too long for the length field of
// its header is a programmer's error and is cut off.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/headers.h"

namespace trivet::wire {

struct Ipv4Values {
  Ipv4Address source;
  Ipv4Address destination;
  std::uint8_t protocol = 0;
  std::uint8_t hop_limit = 64;
  std::uint8_t traffic_class = 0;
  std::uint16_t id = 0;
  bool dont_fragment = false;
  bool router_alert = false;  // IGMP
};

struct Ipv6Values {
  Ipv6Address source;
  Ipv6Address destination;
  std::uint8_t next_header = 0;
  std::uint8_t hop_limit = 64;
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;  // 20 bits
  bool router_alert = false;     // MLD: a hop-by-hop header with the router alert of RFC 2711 goes before next_header
};

[[nodiscard]] std::vector<std::uint8_t> ipv4_packet(const Ipv4Values& values, std::span<const std::uint8_t> payload);
[[nodiscard]] std::vector<std::uint8_t> ipv6_packet(const Ipv6Values& values, std::span<const std::uint8_t> payload);
// Either family, by the addresses (both of one family).
[[nodiscard]] std::vector<std::uint8_t> ip_packet(const IpAddress& source, const IpAddress& destination,
                                                  std::uint8_t protocol, std::uint8_t hop_limit,
                                                  std::span<const std::uint8_t> payload);

struct UdpValues {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t hop_limit = 64;
};
[[nodiscard]] std::vector<std::uint8_t> udp_packet(const UdpValues& values, std::span<const std::uint8_t> payload);

struct TcpValues {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;
  std::uint8_t flags = 0;  // TcpHeader::syn and others
  std::uint16_t window = 65535;
  std::optional<std::uint16_t> maximum_segment;  // the option; for SYN
  std::uint8_t hop_limit = 64;
};
[[nodiscard]] std::vector<std::uint8_t> tcp_packet(const TcpValues& values, std::span<const std::uint8_t> payload);

// What can be read of an IP packet that may be cut short, as ICMP errors quote it. No allocation.
struct QuotedValues {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;                 // of layer 4, behind extension headers
  std::size_t l4_offset = 0;                 // from the start of the quoted packet
  bool is_later_fragment = false;            // then there is no layer 4 header
  std::optional<std::uint16_t> source_port;  // of TCP and UDP (also UDP-Lite, SCTP, DCCP): within the first 8 bytes
  std::optional<std::uint16_t> destination_port;
  std::optional<std::uint16_t> echo_id;  // of an ICMP or ICMPv6 echo request or reply
};
// None when the bytes do not hold a whole IP header of the version they name.
[[nodiscard]] std::optional<QuotedValues> parse_quoted(std::span<const std::uint8_t> packet) noexcept;

// The extension headers that parse_quoted() and the door walk at most.
inline constexpr std::size_t max_extension_headers = 8;

}  // namespace trivet::wire
