// How a probe leaves this node: the network that the route gives, its real address as source, and a link that is up.
//
// Thread: control; pure.
#pragma once

#include "hc/engine.h"
#include "trivet/forwarding.h"
#include "trivet/net/address.h"

namespace trivet::hc {

// Not usable, with the reason in words, when there is no route, the network is not active or has no real address of
// the family, none of its interfaces has link, or the address is this node's own.
[[nodiscard]] Path find_path(const ForwardingState& state, const IpAddress& destination);

}  // namespace trivet::hc
