#include "core/pipeline/vlan_tag.h"

#include <array>
#include <cstdint>
#include <cstring>

#include "trivet/net/endian.h"

namespace trivet::core {

namespace {

constexpr std::size_t tag_at = 2 * sizeof(MacAddress);
constexpr std::uint16_t number_bits = 0x0fff;

}  // namespace

bool take_present_tag(Packet& packet) noexcept {
  if (packet.length < sizeof(wire::EthernetHeader) + vlan_tag_bytes) return false;
  Be16 control;
  std::memcpy(&control, packet.data + tag_at + 2, sizeof control);
  packet.vlan = control & number_bits;
  std::memmove(packet.data + vlan_tag_bytes, packet.data, tag_at);
  packet.data += vlan_tag_bytes;
  packet.length = static_cast<std::uint32_t>(packet.length - vlan_tag_bytes);
  if (packet.checksum == ChecksumState::partial) {
    // One that starts within the tag is nonsense, and stays so.
    const bool is_behind = packet.checksum_start >= vlan_tag_bytes;
    packet.checksum_start = is_behind ? static_cast<std::uint16_t>(packet.checksum_start - vlan_tag_bytes) : 0;
  }
  return true;
}

bool put_tag(Packet& packet, VlanId vlan) noexcept {
  if (packet.headroom() < vlan_tag_bytes) return false;
  packet.data -= vlan_tag_bytes;
  packet.length = static_cast<std::uint32_t>(packet.length + vlan_tag_bytes);
  std::memmove(packet.data, packet.data + vlan_tag_bytes, tag_at);
  const std::array<Be16, 2> tag{Be16{wire::ether_type::vlan}, Be16{vlan}};
  std::memcpy(packet.data + tag_at, tag.data(), sizeof tag);
  const auto move = [](std::uint16_t& offset) {
    if (offset != 0) offset = static_cast<std::uint16_t>(offset + vlan_tag_bytes);
  };
  move(packet.l3_offset);
  move(packet.l4_offset);
  move(packet.payload_offset);
  move(packet.fragment_header_offset);
  if (packet.checksum == ChecksumState::partial) move(packet.checksum_start);
  return true;
}

}  // namespace trivet::core
