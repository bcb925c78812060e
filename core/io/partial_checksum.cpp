#include "core/io/partial_checksum.h"

#include <cstring>

#include "core/pipeline/vlan_tag.h"
#include "trivet/net/checksum.h"

namespace trivet::core {

namespace {

struct Segment {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::size_t start = 0;  // of layer 4
  std::size_t length = 0;
};

template <class Header>
bool read(const Packet& packet, std::size_t at, Header& header) {
  if (at + sizeof header > packet.length) return false;
  std::memcpy(&header, packet.data + at, sizeof header);
  return true;
}

bool find_segment_ipv4(const Packet& packet, std::size_t at, Segment& segment) {
  wire::Ipv4Header header;
  if (!read(packet, at, header) || header.is_fragment() || header.header_length() < sizeof header) return false;
  const std::size_t total = header.total_length.value();
  if (total < header.header_length() || at + total > packet.length) return false;
  segment = {header.source, header.destination, header.protocol, at + header.header_length(),
             total - header.header_length()};
  return true;
}

bool find_segment_ipv6(const Packet& packet, std::size_t at, Segment& segment) {
  wire::Ipv6Header header;
  if (!read(packet, at, header) || at + sizeof header + header.payload_length.value() > packet.length) return false;
  segment = {header.source, header.destination, header.next_header, at + sizeof header, header.payload_length.value()};
  return true;
}

bool find_segment(const Packet& packet, Segment& segment) {
  wire::EthernetHeader ethernet;
  if (!read(packet, 0, ethernet)) return false;
  std::uint16_t type = ethernet.type;
  std::size_t at = sizeof ethernet;
  if (type == wire::ether_type::vlan || type == wire::ether_type::service_vlan) {
    Be16 inner;
    if (!read(packet, at + 2, inner)) return false;
    type = inner;
    at += vlan_tag_bytes;
  }
  if (type == wire::ether_type::ipv4) return find_segment_ipv4(packet, at, segment);
  if (type == wire::ether_type::ipv6) return find_segment_ipv6(packet, at, segment);
  return false;
}

// One's complement arithmetic has two zeros.
bool same_sum(std::uint16_t a, std::uint16_t b) { return a % 0xffffU == b % 0xffffU; }

}  // namespace

void detect_partial_checksum(Packet& packet) noexcept {
  Segment segment;
  if (!find_segment(packet, segment)) return;
  std::size_t offset = 0;
  std::size_t header = 0;
  if (segment.protocol == wire::ip_protocol::tcp) {
    offset = offsetof(wire::TcpHeader, checksum);
    header = sizeof(wire::TcpHeader);
  } else if (segment.protocol == wire::ip_protocol::udp) {
    offset = offsetof(wire::UdpHeader, checksum);
    header = sizeof(wire::UdpHeader);
  } else {
    return;
  }
  if (segment.length < header) return;
  Be16 field;
  std::memcpy(&field, packet.data + segment.start + offset, sizeof field);
  if (segment.protocol == wire::ip_protocol::udp && field.value() == 0) return;  // none at all (RFC 768)
  ChecksumSum sum;
  sum.add_pseudo_header(segment.source, segment.destination, segment.protocol,
                        static_cast<std::uint32_t>(segment.length));
  if (!same_sum(sum.folded(), field.value())) return;
  packet.checksum = ChecksumState::partial;
  packet.checksum_start = static_cast<std::uint16_t>(segment.start);
  packet.checksum_offset = static_cast<std::uint16_t>(offset);
}

}  // namespace trivet::core
