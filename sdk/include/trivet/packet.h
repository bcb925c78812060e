// A packet: metadata that the door has filled in, then the frame in a buffer with headroom.
//
// Ownership: the core's, before and after every call; a module never frees, keeps or copies the pointer.
// Thread: the worker that handles the batch (a punted packet: the control thread, for the time of the call).
// Bytes are hostile, offsets are not: every header that an accessor returns lies wholly within the frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "trivet/net/address.h"
#include "trivet/net/checksum.h"
#include "trivet/net/ones_complement.h"
#include "trivet/wire/headers.h"

namespace trivet {

using InterfaceId = std::uint16_t;  // number of the interface in the configuration, 1..256; 0 = none
using NetworkId = std::uint16_t;    // number of the network in the configuration, 1..1024; 0 = none
using VlanId = std::uint16_t;       // IEEE 802.1Q, 1..4094; 0 = no tag

inline constexpr std::size_t max_interfaces = 256;
inline constexpr std::size_t max_networks = 1024;

// Properties of a packet, as bits. A module names the bits it wants to see; a packet has several.
class PacketClass {
 public:
  constexpr PacketClass() = default;
  [[nodiscard]] constexpr bool has_any(PacketClass other) const { return (bits_ & other.bits_) != 0; }
  [[nodiscard]] constexpr bool has_all(PacketClass other) const { return (bits_ & other.bits_) == other.bits_; }
  constexpr PacketClass operator|(PacketClass other) const { return PacketClass{bits_ | other.bits_}; }
  constexpr PacketClass& operator|=(PacketClass other) {
    bits_ |= other.bits_;
    return *this;
  }
  [[nodiscard]] constexpr std::uint32_t bits() const { return bits_; }
  bool operator==(const PacketClass&) const = default;

  static constexpr PacketClass bit(unsigned position) { return PacketClass{1U << position}; }

 private:
  explicit constexpr PacketClass(std::uint32_t bits) : bits_(bits) {}
  std::uint32_t bits_ = 0;
};

namespace packet_class {
inline constexpr PacketClass arp = PacketClass::bit(0);
inline constexpr PacketClass ipv4 = PacketClass::bit(1);
inline constexpr PacketClass ipv6 = PacketClass::bit(2);
inline constexpr PacketClass tcp = PacketClass::bit(3);     // l4() is a TcpHeader
inline constexpr PacketClass udp = PacketClass::bit(4);     // l4() is a UdpHeader
inline constexpr PacketClass icmp = PacketClass::bit(5);    // ICMP over IPv4; l4() is an IcmpHeader
inline constexpr PacketClass icmpv6 = PacketClass::bit(6);  // ICMPv6 over IPv6; nd and mld packets have this bit too
inline constexpr PacketClass nd = PacketClass::bit(7);      // types 133 to 137
inline constexpr PacketClass mld = PacketClass::bit(8);     // types 130 to 132 and 143
inline constexpr PacketClass igmp = PacketClass::bit(9);
inline constexpr PacketClass vrrp = PacketClass::bit(10);      // IP protocol 112
inline constexpr PacketClass other_ip = PacketClass::bit(11);  // IP, none of the above protocols
inline constexpr PacketClass fragment =
    PacketClass::bit(12);  // first ones keep their tcp/udp/icmp bit, later ones lose it
inline constexpr PacketClass own =
    PacketClass::bit(13);  // destination is an own address of scope own (real, link-local)
inline constexpr PacketClass virtual_ip = PacketClass::bit(14);  // destination is a master-scope address (virt, server)
inline constexpr PacketClass multicast =
    PacketClass::bit(15);                                 // layer 3 destination is a group or the limited broadcast
inline constexpr PacketClass all = PacketClass::bit(31);  // every packet has it
}  // namespace packet_class

// What the frame's TCP or UDP checksum field holds.
enum class ChecksumState : std::uint8_t {
  unverified,  // the bytes are what came from the wire
  verified,    // as unverified, and the interface vouches for it
  partial,     // the field holds the folded pseudo-header sum; the last interface completes it (offload)
};

enum class SegmentType : std::uint8_t { none, tcp4, tcp6, udp };  // super-frames (GSO/GRO) and what to cut them into

struct Packet {
  // --- the buffer; set by the core ---
  std::uint8_t* buffer = nullptr;  // first byte of the buffer
  std::uint8_t* data = nullptr;    // first byte of the frame (the Ethernet header)
  std::uint32_t capacity = 0;      // bytes of the buffer
  std::uint32_t length = 0;        // bytes of the frame

  // --- set by the door; offsets count from `data`; 0 = there is no such header ---
  PacketClass classes;
  InterfaceId in_interface = 0;
  NetworkId network = 0;  // of in_interface and vlan; where there are several, the one that holds the source, else the
                          // first
  VlanId vlan = 0;  // the tag that the frame came with: the door has taken it out. transmit: the tag to go out with
  std::uint16_t l3_offset = 0;
  std::uint16_t l4_offset = 0;               // behind options and extension headers; 0 on later fragments
  std::uint16_t payload_offset = 0;          // behind the layer 4 header
  std::uint16_t fragment_header_offset = 0;  // IPv6 only
  std::uint16_t ether_type = 0;
  std::uint8_t protocol = 0;  // of layer 4, behind extension headers

  // --- offloads; set by packet I/O, kept right by whoever changes the packet ---
  ChecksumState checksum = ChecksumState::unverified;
  SegmentType segments = SegmentType::none;
  std::uint16_t segment_size = 0;     // payload bytes of each segment of a super-frame
  std::uint16_t checksum_start = 0;   // partial: where summing starts, from `data`
  std::uint16_t checksum_offset = 0;  // partial: the field, from checksum_start

  // --- set by modules, read by egress ---
  InterfaceId out_interface = 0;  // transmit: required. forward, originate: 0 = by route
  bool has_next_hop = false;      // forward, originate: take next_hop instead of the route's
  IpAddress next_hop;

  [[nodiscard]] std::span<std::uint8_t> frame() { return {data, length}; }
  [[nodiscard]] std::span<const std::uint8_t> frame() const { return {data, length}; }
  [[nodiscard]] std::size_t headroom() const { return static_cast<std::size_t>(data - buffer); }
  [[nodiscard]] std::size_t tailroom() const { return capacity - headroom() - length; }
  [[nodiscard]] bool is(PacketClass any_of) const { return classes.has_any(any_of); }

  // Headers. The caller has looked at the class bits: ethernet() always, ipv4() with packet_class::ipv4, and so on.
  [[nodiscard]] wire::EthernetHeader& ethernet() { return at<wire::EthernetHeader>(0); }
  [[nodiscard]] const wire::EthernetHeader& ethernet() const { return at<wire::EthernetHeader>(0); }
  [[nodiscard]] wire::Ipv4Header& ipv4() { return at<wire::Ipv4Header>(l3_offset); }
  [[nodiscard]] const wire::Ipv4Header& ipv4() const { return at<wire::Ipv4Header>(l3_offset); }
  [[nodiscard]] wire::Ipv6Header& ipv6() { return at<wire::Ipv6Header>(l3_offset); }
  [[nodiscard]] const wire::Ipv6Header& ipv6() const { return at<wire::Ipv6Header>(l3_offset); }
  [[nodiscard]] wire::TcpHeader& tcp() { return at<wire::TcpHeader>(l4_offset); }
  [[nodiscard]] const wire::TcpHeader& tcp() const { return at<wire::TcpHeader>(l4_offset); }
  [[nodiscard]] wire::UdpHeader& udp() { return at<wire::UdpHeader>(l4_offset); }
  [[nodiscard]] const wire::UdpHeader& udp() const { return at<wire::UdpHeader>(l4_offset); }
  [[nodiscard]] wire::IcmpHeader& icmp() { return at<wire::IcmpHeader>(l4_offset); }
  [[nodiscard]] const wire::IcmpHeader& icmp() const { return at<wire::IcmpHeader>(l4_offset); }

  // Layer 3 addresses of an IPv4 or IPv6 packet.
  [[nodiscard]] IpAddress source() const {
    return is(packet_class::ipv4) ? IpAddress{ipv4().source} : IpAddress{ipv6().source};
  }
  [[nodiscard]] IpAddress destination() const {
    return is(packet_class::ipv4) ? IpAddress{ipv4().destination} : IpAddress{ipv6().destination};
  }
  [[nodiscard]] std::uint8_t hop_limit() const { return is(packet_class::ipv4) ? ipv4().hop_limit : ipv6().hop_limit; }
  // From the layer 3 header to the end of the IP packet. The door has cut off Ethernet padding.
  [[nodiscard]] std::span<const std::uint8_t> l3_bytes() const { return frame().subspan(l3_offset); }
  // From the layer 4 header to the end; empty where there is none.
  [[nodiscard]] std::span<const std::uint8_t> l4_bytes() const {
    return l4_offset == 0 ? std::span<const std::uint8_t>{} : frame().subspan(l4_offset);
  }
  [[nodiscard]] std::span<const std::uint8_t> payload() const {
    return payload_offset == 0 ? std::span<const std::uint8_t>{} : frame().subspan(payload_offset);
  }

 private:
  template <class Header>
  Header& at(std::size_t offset) {
    return *reinterpret_cast<Header*>(data + offset);
  }
  template <class Header>
  const Header& at(std::size_t offset) const {
    return *reinterpret_cast<const Header*>(data + offset);
  }
};

// True when the checksum of a whole (not fragmented) TCP, UDP, ICMP, ICMPv6, IGMP or VRRP (version 2) packet is right,
// or the interface vouches for it. Reads the whole payload: for packets that end here, not for those that pass.
[[nodiscard]] bool l4_checksum_ok(const Packet& packet) noexcept;

// Of addresses, protocol and ports: the same for all frames of one direction of a flow. Fragments have no ports, the
// first neither, so that all fragments of a datagram have the same hash. 0 without IP. Not a secret one.
[[nodiscard]] std::uint32_t flow_hash(const Packet& packet) noexcept;

// Address and port translation with incremental checksums (RFC 1624): IPv4 header, TCP, UDP (0 = none stays none),
// complete and partial checksums. Address family stays; `port` in host order, ignored where the packet has no ports
// (later fragments, other protocols). The checksum's change is computed from the bytes that change.
void rewrite_source(Packet& packet, const IpAddress& address, std::uint16_t port) noexcept;
void rewrite_destination(Packet& packet, const IpAddress& address, std::uint16_t port) noexcept;
// The same where the caller knows the address that is replaced, and has computed once what that changes:
// ChecksumDelta::of(old_address.bytes, address.bytes). The packet is of that family.
template <class Address>
void rewrite_source(Packet& packet, const Address& address, std::uint16_t port, ChecksumDelta delta) noexcept;
template <class Address>
void rewrite_destination(Packet& packet, const Address& address, std::uint16_t port, ChecksumDelta delta) noexcept;
// Hop limit - 1 with the IPv4 header checksum. The caller has seen that it is above 1.
inline void decrement_hop_limit(Packet& packet) noexcept {
  if (!packet.is(packet_class::ipv4)) {
    --packet.ipv6().hop_limit;
    return;
  }
  wire::Ipv4Header& ip = packet.ipv4();
  // One less in the upper byte of its word is -0x0100, in one's complement 0xfeff (RFC 1624).
  const std::uint32_t sum = std::uint32_t{static_cast<std::uint16_t>(~ip.checksum.value())} + 0xfeffU;
  ip.checksum = static_cast<std::uint16_t>(~((sum & 0xffffU) + (sum >> 16U)));
  --ip.hop_limit;
}

namespace rewriting {

enum class Side : std::uint8_t { source, destination };

// Layer 4 of a packet whose address has changed.
template <Side side>
void rewrite_layer4(Packet& packet, std::uint16_t port, std::uint16_t address_delta) noexcept;

// Nearly all packets are whole TCP segments with a complete checksum.
template <Side side, class Address>
inline void rewrite(Packet& packet, const Address& address, std::uint16_t port, ChecksumDelta delta) noexcept {
  if constexpr (std::is_same_v<Address, Ipv4Address>) {
    wire::Ipv4Header& ip = packet.ipv4();
    ip.checksum = ones_complement::update_complete(ip.checksum, delta.value);
    (side == Side::source ? ip.source : ip.destination) = address;
  } else {
    wire::Ipv6Header& ip = packet.ipv6();
    (side == Side::source ? ip.source : ip.destination) = address;
  }
  if (!packet.is(packet_class::tcp) || packet.checksum == ChecksumState::partial) {
    return rewrite_layer4<side>(packet, port, delta.value);
  }
  wire::TcpHeader& tcp = packet.tcp();
  Be16& field = side == Side::source ? tcp.source_port : tcp.destination_port;
  const std::uint32_t change = std::uint32_t{delta.value} + ones_complement::word_difference(port, field);
  tcp.checksum = ones_complement::update_complete(tcp.checksum, change);
  field = port;
}

}  // namespace rewriting

template <class Address>
inline void rewrite_source(Packet& packet, const Address& address, std::uint16_t port, ChecksumDelta delta) noexcept {
  rewriting::rewrite<rewriting::Side::source>(packet, address, port, delta);
}
template <class Address>
inline void rewrite_destination(Packet& packet, const Address& address, std::uint16_t port,
                                ChecksumDelta delta) noexcept {
  rewriting::rewrite<rewriting::Side::destination>(packet, address, port, delta);
}

}  // namespace trivet
