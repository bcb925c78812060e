// Cutting a packet into fragments: RFC 791 section 3.2 (IPv4, any node) and RFC 8200 section 4.5 (IPv6, source only).
//
// Thread: worker. The packet's l3_offset and classes are right and its headers lie within the frame. Nothing is
// allocated: fragments come from the pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/pipeline/packet_pool.h"
#include "trivet/packet.h"

namespace trivet::core {

// A 64 KiB packet over an MTU of 1,280 needs 53.
inline constexpr std::size_t max_fragments = 64;

// Computes the checksum of a packet whose interface was to complete it (ChecksumState::partial), and marks it
// unverified. Nothing happens to others, or where the metadata points outside of the frame.
void complete_checksum(Packet& packet) noexcept;

// Fills `out` with fragments of at most `mtu` bytes behind room for an Ethernet header (l3_offset 14; the Ethernet
// header is not written), and returns how many. The packet is left as it is and stays the caller's. 0: cannot be cut
// (more than out.size() pieces, no buffers, IPv6 with headers that every fragment would have to repeat).
// `identification` is for IPv6; an IPv4 packet has its own. The checksum of the packet is complete.
[[nodiscard]] std::size_t make_fragments(const Packet& packet, std::size_t mtu, std::uint32_t identification,
                                         PacketPool& pool, std::span<Packet*> out) noexcept;

}  // namespace trivet::core
