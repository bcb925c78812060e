// Offload state of a packet <-> the virtio-net header that AF_PACKET puts before a frame (PACKET_VNET_HDR).
//
// Thread: any; pure. Source: OASIS VIRTIO 1.2 section 5.1.6; the kernel's legacy layout of 10 bytes in host byte order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trivet/packet.h"

namespace trivet::core {

struct VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t segment_type = 0;
  std::uint16_t header_length = 0;  // bytes up to the payload; a hint for how much must be contiguous
  std::uint16_t segment_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

// Fills the offload fields of a packet whose data and length are set. `inserted` bytes were put into the frame before
// the checksum's start (a VLAN tag). False when the header names what a Packet cannot say, or bytes outside the frame;
// the packet must then be dropped.
[[nodiscard]] bool read_vnet_header(const VnetHeader& header, std::size_t inserted, Packet& packet) noexcept;

// The header for sending the packet. Offload fields that point outside the frame (a programmer's error) give a header
// without offloads.
[[nodiscard]] VnetHeader make_vnet_header(const Packet& packet) noexcept;

}  // namespace trivet::core
