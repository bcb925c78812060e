// Echo requests and replies as bytes: recognising, checking and turning them around.
//
// Thread: any; pure, does not allocate. Sources: RFC 792, RFC 4443 section 4, RFC 1624.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "trivet/net/address.h"
#include "trivet/packet.h"

namespace trivet::ping {

// `message`: from the ICMP type on. An echo request of that family, at least its 8 bytes long.
[[nodiscard]] bool is_echo_request(Family family, std::span<const std::uint8_t> message) noexcept;

// The checksum of a whole message in the bytes is right; `source` and `destination` count for IPv6.
[[nodiscard]] bool is_checksum_right(const IpAddress& source, const IpAddress& destination,
                                     std::span<const std::uint8_t> message) noexcept;

// Makes the request a reply; the checksum follows the type. The pseudo-header does not change: the addresses swap.
void make_reply(Family family, std::span<std::uint8_t> message) noexcept;

// Turns a whole packet with an echo request around in place: type, addresses, hop limit, checksums; IPv4 options are
// blanked, IPv6 extension headers taken out.
void turn_around(Packet& packet) noexcept;

// A part of a message, or all of it, with what its IP header says.
struct Piece {
  IpAddress source;
  IpAddress destination;
  std::uint8_t traffic_class = 0;
  std::uint32_t id = 0;
  std::size_t offset = 0;  // bytes, a multiple of 8
  bool more = false;
  std::span<const std::uint8_t> bytes;

  [[nodiscard]] bool is_fragment() const { return offset != 0 || more; }
};
// Message bytes that go uncut within `mtu`.
[[nodiscard]] std::size_t whole_size(Family family, std::size_t mtu) noexcept;
// Message bytes of each packet but the last that is cut for `mtu`: a multiple of 8.
[[nodiscard]] std::size_t piece_size(Family family, std::size_t mtu) noexcept;
// Message bytes that the packet's buffer has room for: a multiple of 8.
[[nodiscard]] std::size_t room_for_piece(const Packet& packet) noexcept;
// Writes an IP packet with the piece behind an Ethernet header that egress fills in, and the packet's metadata. False
// when the piece is empty or the buffer has no room for it.
[[nodiscard]] bool write_piece(Packet& packet, const Piece& piece) noexcept;

inline constexpr std::uint8_t reply_hop_limit = 64;

}  // namespace trivet::ping
