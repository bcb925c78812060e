// A frame's VLAN tag: taken out at the door, put in on the way out. Between the two no frame has one.
//
// What the frame belongs to stands in Packet::vlan. Only the outermost tag is looked at, of either type (IEEE 802.1Q,
// 802.1ad); its priority is not kept, and what goes out has type 802.1Q and priority 0.
// Thread: any; pure. Offsets that are set move along, so do offloads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "trivet/packet.h"
#include "trivet/wire/headers.h"

namespace trivet::core {

inline constexpr std::size_t vlan_tag_bytes = 4;

// What is left to do where there is a tag, or where one is to be put in; called by the functions below.
[[nodiscard]] bool take_present_tag(Packet& packet) noexcept;
[[nodiscard]] bool put_tag(Packet& packet, VlanId vlan) noexcept;

// Of a frame with a whole Ethernet header, whose offsets are not set yet. A tag with number 0 (priority alone) is none.
// False: the frame ends within the tag.
[[nodiscard]] inline bool take_vlan_tag(Packet& packet) noexcept {
  packet.vlan = 0;
  const std::uint16_t type = packet.ethernet().type;
  const bool has_tag = type == wire::ether_type::vlan || type == wire::ether_type::service_vlan;
  return !has_tag || take_present_tag(packet);
}

// vlan 0 changes nothing but Packet::vlan. False: no headroom.
[[nodiscard]] inline bool put_vlan_tag(Packet& packet, VlanId vlan) noexcept {
  packet.vlan = vlan;
  return vlan == 0 || put_tag(packet, vlan);
}

}  // namespace trivet::core
