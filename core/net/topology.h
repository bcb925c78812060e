// Keeps ForwardingState right: listens to role, addresses, routes, groups and links, and publishes snapshots.
//
// Thread: control. Registers on the bus as "core" with the lowest rank, so that the snapshot is replaced before any
// module hears the same event.
#pragma once

#include <string>
#include <vector>

#include "core/net/interface_manager.h"
#include "core/net/objects.h"
#include "core/pipeline/shared_state.h"
#include "trivet/event.h"
#include "trivet/topics/groups.h"

namespace trivet::core {

class Topology {
 public:
  // All outlive the topology.
  Topology(Bus& bus, InterfaceManager& interfaces, SharedState& shared);
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  // New configuration: publishes the core's addresses, routes and gateway, and the new snapshot. `role_has_writer`: a
  // loaded module writes the role; until it has, the node is nobody (init). Without one the node is master.
  void apply(NetObjects objects, bool role_has_writer);
  // Interfaces or links have changed: new snapshot, then LinkState for those that differ.
  void links_changed();
  [[nodiscard]] const NetObjects& objects() const { return objects_; }

 private:
  void subscribe();
  void publish_own(const ForwardingState::Parts& parts);
  void publish_links();
  void rebuild();
  void update_interfaces();

  Bus& bus_;
  InterfaceManager& interfaces_;
  SharedState& shared_;
  NetObjects objects_;
  bool role_has_writer_ = false;
  RoleState role_;
  std::vector<OwnAddress> addresses_;
  std::vector<Route> routes_;
  std::vector<GroupMembership> groups_;
  std::vector<OwnAddress> own_addresses_;  // as published by the core
  std::vector<Route> own_routes_;          // as published by the core
  std::vector<LinkState> links_;           // as published
};

}  // namespace trivet::core
