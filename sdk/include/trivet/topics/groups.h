// Topic "groups": multicast groups this node listens to. Roster; `vrrp` writes 224.0.0.18, `arp` the solicited-node
// groups. The core opens the door and the interface's filter for them; `arp` reports them to switches (IGMP, MLD).
#pragma once

#include <string_view>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"

namespace trivet {

struct GroupMembership {
  static constexpr std::string_view topic = "trivet.groups/1";
  static constexpr TopicKind kind = TopicKind::roster;

  InterfaceId interface = 0;
  IpAddress group;
  VlanId vlan = 0;  // on the interface
  auto operator<=>(const GroupMembership&) const = default;
};

}  // namespace trivet
