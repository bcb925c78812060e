// The door: each frame is parsed here once, bounded and checked, before any module sees it.
//
// It fills the fields that packet.h assigns to the door, cuts Ethernet padding off (Packet::length ends with the IP
// packet), takes the VLAN tag out, and refuses what is malformed or not for this node. What it has let through has: all
// headers that the class bits promise within the frame; a right IPv4 header checksum; no source route; a whole layer 4
// header in every first fragment; fragments that end within 64 KiB; sources that are single hosts or unspecified;
// offload fields that point into the packet. Checksums of layer 4 are not its business (l4_checksum_ok).
//
// Thread: worker. Pure: no state, no allocation, no exception. Sources: RFC 791, RFC 1122 section 3.2.1.3 and 3.3.6,
// RFC 1858, RFC 3128 (tiny and overlapping fragments), RFC 5095 and RFC 7126 (source routes), RFC 6946 (atomic
// fragments), RFC 6980 (no fragmented neighbour discovery), RFC 7112 (header chain in the first fragment), RFC 8200.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trivet/forwarding.h"
#include "trivet/packet.h"

namespace trivet::core {

// Why the door refuses a frame. none = let in.
enum class DoorDrop : std::uint8_t {
  none,
  truncated,
  interface_gone,
  not_for_us,
  foreign_vlan,
  untagged,
  unknown_ether_type,
  arp_header,
  bad_version,
  bad_header_length,
  bad_ip_checksum,
  bad_length,
  ip_options,
  source_route,
  extension_headers,
  bad_source,
  bad_destination,
  group_frame,
  tiny_fragment,
  bad_fragment,
  tcp_header,
  udp_header,
  udp_length,
  icmp_header,
  igmp_header,
  vrrp_header,
  bad_offload,
  count,
};

struct DoorDropInfo {
  const char* name = nullptr;
  const char* help = nullptr;
};

// Names and help in the order of DoorDrop; [0] is of "none" and not to be declared.
inline constexpr std::array<DoorDropInfo, static_cast<std::size_t>(DoorDrop::count)> door_drops{{
    {"none", "let in"},
    {"truncated", "the frame ends within a header"},
    {"interface-gone", "the interface is no longer registered and enabled"},
    {"not-for-us", "the destination MAC is not this node's and no group it has joined"},
    {"foreign-vlan", "the VLAN tag of no network on this interface"},
    {"untagged", "no VLAN tag, and every network on this interface has one"},
    {"unknown-ether-type", "neither IPv4 nor IPv6 nor ARP, or more than one VLAN tag"},
    {"arp-header", "ARP for something else than IPv4 over Ethernet"},
    {"bad-version", "the IP version contradicts the EtherType"},
    {"bad-header-length", "an IPv4 header length below 20 bytes or past the end"},
    {"bad-ip-checksum", "the IPv4 header checksum is wrong"},
    {"bad-length", "the IP length contradicts the frame or the header"},
    {"ip-options", "IPv4 options that are not well formed"},
    {"source-route", "a source route: IPv4 option, or IPv6 routing header of type 0"},
    {"extension-headers", "too many IPv6 extension headers, or a hop-by-hop header that is not the first"},
    {"bad-source", "a source address that no single host can have"},
    {"bad-destination", "an unspecified or loopback destination address"},
    {"group-frame", "a broadcast or multicast frame with an IP packet for a single host"},
    {"tiny-fragment", "a first fragment without the whole layer 4 header, or a second one that overlaps it"},
    {"bad-fragment", "a fragment of impossible size or position"},
    {"tcp-header", "a TCP header that is cut short or has an impossible length"},
    {"udp-header", "a UDP header that is cut short"},
    {"udp-length", "the UDP length contradicts the IP length"},
    {"icmp-header", "an ICMP header that is cut short"},
    {"igmp-header", "an IGMP message that is cut short"},
    {"vrrp-header", "a VRRP message that is cut short"},
    {"bad-offload", "offload information from the interface that contradicts the packet"},
}};

// The multicast groups that this node has joined, as MACs of each interface. The core makes one for each change and
// publishes it as a snapshot. Thread: add() control, before it is published; has() any.
struct DoorFilter {
  DoorFilter() : slots_(16) {}
  // `interface` is not 0. Adding twice is the same as once.
  void add(InterfaceId interface, const MacAddress& group);
  [[nodiscard]] bool has(InterfaceId interface, const MacAddress& group) const noexcept {
    const std::uint64_t wanted = key(interface, group);
    std::size_t at = position(wanted);
    while (slots_[at] != 0 && slots_[at] != wanted) at = (at + 1) & (slots_.size() - 1);
    return slots_[at] == wanted;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  [[nodiscard]] static std::uint64_t key(InterfaceId interface, const MacAddress& mac) noexcept {
    std::uint64_t value = interface;
    for (const std::uint8_t byte : mac.bytes) value = (value << 8U) | byte;
    return value;
  }
  [[nodiscard]] std::size_t position(std::uint64_t wanted) const noexcept {
    return static_cast<std::size_t>((wanted * 0x9e3779b97f4a7c15ULL) >> 32U) & (slots_.size() - 1);
  }

  std::vector<std::uint64_t> slots_;  // a power of two, at most half full; 0 = free
  std::size_t size_ = 0;
};

// Examines one frame: data, length, in_interface and the offload fields are set. On refusal the packet's class bits are
// none and its other fields have no meaning.
[[nodiscard]] DoorDrop examine(Packet& packet, const ForwardingState& state, const DoorFilter& filter) noexcept;

// The same for a burst, at less cost for what most frames are: results[i] is for packets[i]. Fetches frames into the
// cache ahead of time. True: all are let in.
bool examine(std::span<Packet* const> packets, const ForwardingState& state, const DoorFilter& filter,
             std::span<DoorDrop> results) noexcept;

}  // namespace trivet::core
