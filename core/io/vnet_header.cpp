#include "core/io/vnet_header.h"

#include <algorithm>

namespace trivet::core {

namespace {

constexpr std::uint8_t flag_needs_checksum = 1;
constexpr std::uint8_t flag_data_valid = 2;

constexpr std::uint8_t gso_none = 0;
constexpr std::uint8_t gso_tcp4 = 1;
constexpr std::uint8_t gso_tcp6 = 4;
constexpr std::uint8_t gso_udp_l4 = 5;  // newer than the system headers that we build with
constexpr std::uint8_t gso_ecn_bit = 0x80;

constexpr std::size_t tcp_checksum_offset = 16;
constexpr std::size_t tcp_flags_offset = 13;
constexpr std::uint8_t tcp_flag_cwr = 0x80;

std::uint8_t gso_type(SegmentType type) {
  switch (type) {
    case SegmentType::none:
      return gso_none;
    case SegmentType::tcp4:
      return gso_tcp4;
    case SegmentType::tcp6:
      return gso_tcp6;
    case SegmentType::udp:
      return gso_udp_l4;
  }
  return gso_none;
}

bool read_segments(const VnetHeader& header, Packet& packet) {
  switch (header.segment_type & static_cast<std::uint8_t>(~gso_ecn_bit)) {
    case gso_none:
      return true;
    case gso_tcp4:
      packet.segments = SegmentType::tcp4;
      break;
    case gso_tcp6:
      packet.segments = SegmentType::tcp6;
      break;
    case gso_udp_l4:
      packet.segments = SegmentType::udp;
      break;
    default:
      return false;
  }
  packet.segment_size = header.segment_size;
  return header.segment_size != 0;
}

}  // namespace

bool read_vnet_header(const VnetHeader& header, std::size_t inserted, Packet& packet) noexcept {
  packet.checksum = ChecksumState::unverified;
  packet.segments = SegmentType::none;
  packet.segment_size = 0;
  packet.checksum_start = 0;
  packet.checksum_offset = 0;
  if ((header.flags & flag_needs_checksum) != 0) {
    const std::size_t start = header.checksum_start + inserted;
    if (start > UINT16_MAX || start + header.checksum_offset + 2 > packet.length) return false;
    packet.checksum = ChecksumState::partial;
    packet.checksum_start = static_cast<std::uint16_t>(start);
    packet.checksum_offset = header.checksum_offset;
  } else if ((header.flags & flag_data_valid) != 0) {
    packet.checksum = ChecksumState::verified;
  }
  return read_segments(header, packet);
}

VnetHeader make_vnet_header(const Packet& packet) noexcept {
  VnetHeader header;
  if (packet.checksum != ChecksumState::partial) return header;
  const std::size_t start = packet.checksum_start;
  if (start + packet.checksum_offset + 2 > packet.length) return header;
  header.flags = flag_needs_checksum;
  header.checksum_start = packet.checksum_start;
  header.checksum_offset = packet.checksum_offset;
  if (packet.segments == SegmentType::none) return header;

  header.segment_type = gso_type(packet.segments);
  header.segment_size = packet.segment_size;
  std::size_t header_bytes = start + 8;
  if (packet.checksum_offset == tcp_checksum_offset) {
    const std::uint8_t* tcp = packet.data + start;
    header_bytes = start + std::size_t{static_cast<std::uint8_t>(tcp[12] >> 4U)} * 4;
    // Only the first of the segments may carry CWR (RFC 3168 section 6.1.2); the bit tells the interface to see to it.
    if ((tcp[tcp_flags_offset] & tcp_flag_cwr) != 0) header.segment_type |= gso_ecn_bit;
  }
  header.header_length = static_cast<std::uint16_t>(std::min<std::size_t>({header_bytes, packet.length, UINT16_MAX}));
  return header;
}

}  // namespace trivet::core
