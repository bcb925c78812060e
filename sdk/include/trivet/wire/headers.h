// Fixed headers as they lie on the wire. The door has checked lengths before anybody gets a pointer to one of these.
//
// Thread: values over packet bytes; alignment 1. Sources: IEEE 802.3; RFC 791; RFC 8200; RFC 768; RFC 9293; RFC 792;
// RFC 4443.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trivet/net/address.h"
#include "trivet/net/endian.h"

namespace trivet::wire {

namespace ether_type {
inline constexpr std::uint16_t ipv4 = 0x0800;
inline constexpr std::uint16_t arp = 0x0806;
inline constexpr std::uint16_t vlan = 0x8100;          // IEEE 802.1Q
inline constexpr std::uint16_t service_vlan = 0x88a8;  // IEEE 802.1ad
inline constexpr std::uint16_t ipv6 = 0x86dd;
}  // namespace ether_type

namespace ip_protocol {
inline constexpr std::uint8_t hop_by_hop = 0;
inline constexpr std::uint8_t icmp = 1;
inline constexpr std::uint8_t igmp = 2;
inline constexpr std::uint8_t tcp = 6;
inline constexpr std::uint8_t udp = 17;
inline constexpr std::uint8_t routing = 43;
inline constexpr std::uint8_t fragment = 44;
inline constexpr std::uint8_t ah = 51;
inline constexpr std::uint8_t icmpv6 = 58;
inline constexpr std::uint8_t no_next = 59;
inline constexpr std::uint8_t destination_options = 60;
inline constexpr std::uint8_t vrrp = 112;
}  // namespace ip_protocol

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  Be16 type;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);

struct Ipv4Header {
  std::uint8_t version_and_length = 0x45;  // version 4, header length in 32-bit words
  std::uint8_t traffic_class = 0;
  Be16 total_length;
  Be16 id;
  Be16 flags_and_offset;  // 0x4000 don't fragment, 0x2000 more fragments, offset in units of 8 bytes
  std::uint8_t hop_limit = 0;
  std::uint8_t protocol = 0;
  Be16 checksum;
  Ipv4Address source;
  Ipv4Address destination;

  [[nodiscard]] std::size_t header_length() const { return std::size_t{version_and_length & 0x0fU} * 4; }
  [[nodiscard]] bool is_fragment() const { return (flags_and_offset.value() & 0x3fffU) != 0; }
  [[nodiscard]] std::size_t fragment_offset() const { return std::size_t{flags_and_offset.value() & 0x1fffU} * 8; }
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);

struct Ipv6Header {
  Be32 version_class_flow{0x60000000U};
  Be16 payload_length;
  std::uint8_t next_header = 0;
  std::uint8_t hop_limit = 0;
  Ipv6Address source;
  Ipv6Address destination;
};
static_assert(sizeof(Ipv6Header) == 40 && alignof(Ipv6Header) == 1);

struct Ipv6FragmentHeader {
  std::uint8_t next_header = 0;
  std::uint8_t reserved = 0;
  Be16 offset_and_more;  // offset in units of 8 bytes in the upper 13 bits, lowest bit: more fragments
  Be32 id;

  [[nodiscard]] std::size_t offset() const { return std::size_t{offset_and_more.value() & 0xfff8U}; }
  [[nodiscard]] bool more() const { return (offset_and_more.value() & 1U) != 0; }
};
static_assert(sizeof(Ipv6FragmentHeader) == 8 && alignof(Ipv6FragmentHeader) == 1);

struct UdpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be16 length;
  Be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8 && alignof(UdpHeader) == 1);

struct TcpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be32 sequence;
  Be32 acknowledgement;
  std::uint8_t data_offset = 0x50;  // upper four bits: header length in 32-bit words
  std::uint8_t flags = 0;
  Be16 window;
  Be16 checksum;
  Be16 urgent;

  static constexpr std::uint8_t fin = 0x01;
  static constexpr std::uint8_t syn = 0x02;
  static constexpr std::uint8_t rst = 0x04;
  static constexpr std::uint8_t psh = 0x08;
  static constexpr std::uint8_t ack = 0x10;

  [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
  [[nodiscard]] std::size_t header_length() const {
    return std::size_t{static_cast<std::uint8_t>(data_offset >> 4U)} * 4;
  }
};
static_assert(sizeof(TcpHeader) == 20 && alignof(TcpHeader) == 1);

// ICMP and ICMPv6 share their first four bytes; `rest` is id and sequence of an echo, or pointer, MTU, unused.
struct IcmpHeader {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  Be16 checksum;
  Be32 rest;

  [[nodiscard]] std::uint16_t echo_id() const { return static_cast<std::uint16_t>(rest.value() >> 16U); }
  [[nodiscard]] std::uint16_t echo_sequence() const { return static_cast<std::uint16_t>(rest.value()); }
};
static_assert(sizeof(IcmpHeader) == 8 && alignof(IcmpHeader) == 1);

namespace icmp_type {
inline constexpr std::uint8_t echo_reply = 0;
inline constexpr std::uint8_t unreachable = 3;
inline constexpr std::uint8_t redirect = 5;
inline constexpr std::uint8_t echo_request = 8;
inline constexpr std::uint8_t time_exceeded = 11;
}  // namespace icmp_type

namespace icmpv6_type {
inline constexpr std::uint8_t unreachable = 1;
inline constexpr std::uint8_t too_big = 2;
inline constexpr std::uint8_t time_exceeded = 3;
inline constexpr std::uint8_t parameter_problem = 4;
inline constexpr std::uint8_t echo_request = 128;
inline constexpr std::uint8_t echo_reply = 129;
inline constexpr std::uint8_t mld_query = 130;
inline constexpr std::uint8_t mld_report = 131;
inline constexpr std::uint8_t mld_done = 132;
inline constexpr std::uint8_t router_solicitation = 133;
inline constexpr std::uint8_t router_advertisement = 134;
inline constexpr std::uint8_t neighbor_solicitation = 135;
inline constexpr std::uint8_t neighbor_advertisement = 136;
inline constexpr std::uint8_t redirect = 137;
inline constexpr std::uint8_t mldv2_report = 143;
}  // namespace icmpv6_type

}  // namespace trivet::wire
