// Topics of the core's own objects, as configured: what modules need beside ForwardingState.
//
// GatewayInfo: state; written by the core at each apply.
// TopologyChanged: event; ForwardingState has been replaced (Host::forwarding() has the new one).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/topics/health.h"

namespace trivet {

struct GatewayInfo {
  static constexpr std::string_view topic = "trivet.gateway_info/1";
  static constexpr TopicKind kind = TopicKind::state;

  std::optional<Ipv4Address> address4;
  std::optional<Ipv6Address> address6;
  bool operator==(const GatewayInfo&) const = default;
};

struct TopologyChanged {
  static constexpr std::string_view topic = "trivet.topology_changed/1";
  static constexpr TopicKind kind = TopicKind::event;
};

}  // namespace trivet
