// Topic "routes": where packets go. Roster; the core writes connected networks and the gateway, `rt` static routes.
#pragma once

#include <optional>
#include <string_view>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"

namespace trivet {

struct Route {
  static constexpr std::string_view topic = "trivet.routes/1";
  static constexpr TopicKind kind = TopicKind::roster;

  IpPrefix prefix;
  std::optional<IpAddress> via;  // none: connected, the destination itself is the next hop
  NetworkId network = 0;         // where the next hop is on-link
  bool operator==(const Route&) const = default;
};

}  // namespace trivet
