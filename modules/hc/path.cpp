#include "hc/path.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace trivet::hc {
namespace {

Path blocked(std::string reason, NetworkId network = 0) {
  Path path;
  path.network = network;
  path.reason = std::move(reason);
  return path;
}

std::optional<IpAddress> real_address(const NetworkView& network, Family family) {
  if (family == Family::ipv4) {
    return network.real4 ? std::optional<IpAddress>(*network.real4) : std::nullopt;
  }
  return network.real6 ? std::optional<IpAddress>(*network.real6) : std::nullopt;
}

}  // namespace

Path find_path(const ForwardingState& state, const IpAddress& destination) {
  if (state.find_address(destination) != nullptr) {
    return blocked(to_string(destination) + " is this node's own address");
  }
  const Route* route = state.find_route(destination);
  if (route == nullptr) {
    return blocked("no route to " + to_string(destination));
  }
  const std::string name = "network " + std::to_string(route->network);
  const NetworkView* network = state.network(route->network);
  if (network == nullptr) {
    return blocked(name + " is not active", route->network);
  }
  const std::optional<IpAddress> source = real_address(*network, destination.family());
  if (!source) {
    return blocked(name + " has no " + (destination.is_v4() ? "real" : "real6"), route->network);
  }
  const bool has_link = std::any_of(network->interfaces.begin(), network->interfaces.end(), [&](InterfaceId number) {
    const InterfaceView* interface = state.interface(number);
    return interface != nullptr && interface->up;
  });
  if (!has_link) {
    return blocked("own link down (" + name + ")", route->network);
  }
  Path path;
  path.usable = true;
  path.source = *source;
  path.network = route->network;
  return path;
}

}  // namespace trivet::hc
