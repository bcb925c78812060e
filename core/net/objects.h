// The core's own objects as configured: interfaces, networks, gateway; and what follows from them.
//
// Pure functions over a checked configuration and the state of the links. Thread: control.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/io/packet_io.h"
#include "trivet/config.h"
#include "trivet/forwarding.h"
#include "trivet/topics/addresses.h"
#include "trivet/topics/routes.h"
#include "trivet/topics/topology.h"

namespace trivet::core {

struct InterfaceObject {
  InterfaceSpec spec;
  LifeCycle state = LifeCycle::enabled;
  bool operator==(const InterfaceObject&) const = default;
};

struct NetworkObject {
  NetworkView view;
  LifeCycle state = LifeCycle::enabled;
  bool has_open_reference = false;
};

// Everything the core itself reads from a configuration.
struct NetObjects {
  std::string hostname;
  std::vector<InterfaceObject> interfaces;
  std::vector<NetworkObject> networks;
  GatewayInfo gateway;
  bool ip_forwarding = false;
  std::vector<IpAddress> targets;  // of all, since one that has been disabled still has sessions
};

// The rules across keys (mask without holes, real inside addr/mask ...) have been checked with the tree.
[[nodiscard]] NetObjects read_objects(const ConfigView& config);

// Interfaces and networks that take part: registered and enabled; a network keeps its enabled interfaces only.
[[nodiscard]] std::vector<InterfaceView> active_interfaces(const NetObjects& objects,
                                                           const std::map<InterfaceId, LinkInfo>& links);
[[nodiscard]] std::vector<NetworkView> active_networks(const NetObjects& objects);

// real and link-local addresses (scope own), virt addresses (scope master). `shared`: interfaces whose link-local
// address is the system's.
[[nodiscard]] std::vector<OwnAddress> own_addresses(const std::vector<InterfaceView>& interfaces,
                                                    const std::vector<NetworkView>& networks,
                                                    const std::set<InterfaceId>& shared);
// Interfaces that are shared with the system.
[[nodiscard]] std::set<InterfaceId> shared_interfaces(const NetObjects& objects);
// Connected networks, and the gateway as default route where a network holds its address.
[[nodiscard]] std::vector<Route> own_routes(const std::vector<NetworkView>& networks, const GatewayInfo& gateway);

}  // namespace trivet::core
