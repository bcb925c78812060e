// Topic "vrrp_peers": other routers of the same virtual router that have been heard. Roster; written by `vrrp`.
#pragma once

#include <cstdint>
#include <string_view>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/time.h"

namespace trivet {

struct VrrpPeer {
  static constexpr std::string_view topic = "trivet.vrrp_peers/1";
  static constexpr TopicKind kind = TopicKind::roster;

  IpAddress address;
  std::uint8_t priority = 0;
  InterfaceId interface = 0;  // where it was heard last
  Time last_heard{};
  bool operator==(const VrrpPeer&) const = default;
};

}  // namespace trivet
