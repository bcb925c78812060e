#include "core/net/topology.h"

#include <algorithm>

#include "core/pipeline/door.h"
#include "trivet/topics/topology.h"

namespace trivet::core {

Topology::Topology(Bus& bus, InterfaceManager& interfaces, SharedState& shared)
    : bus_(bus), interfaces_(interfaces), shared_(shared) {
  subscribe();
}

void Topology::subscribe() {
  bus_.subscribe<RoleState>([this](const RoleState& role) {
    if (role == role_) return;
    role_ = role;
    rebuild();
  });
  bus_.on_erase<RoleState>([this](const std::string&) {
    role_ = {};
    role_.role = role_has_writer_ ? Role::init : Role::master;
    rebuild();
  });
  bus_.subscribe_list<OwnAddress>([this](const std::vector<OwnAddress>& addresses) {
    if (addresses == addresses_) return;
    addresses_ = addresses;
    rebuild();
  });
  bus_.subscribe_list<Route>([this](const std::vector<Route>& routes) {
    if (routes == routes_) return;
    routes_ = routes;
    rebuild();
  });
  bus_.subscribe_list<GroupMembership>([this](const std::vector<GroupMembership>& groups) {
    if (groups == groups_) return;
    groups_ = groups;
    rebuild();
  });
}

void Topology::apply(NetObjects objects, bool role_has_writer) {
  objects_ = std::move(objects);
  role_has_writer_ = role_has_writer;
  if (bus_.last<RoleState>() == nullptr) {
    role_ = {};
    role_.role = role_has_writer ? Role::init : Role::master;
  }
  bus_.publish(objects_.gateway);
  rebuild();
  publish_links();
}

void Topology::links_changed() {
  rebuild();
  publish_links();
}

void Topology::publish_links() {
  const std::vector<LinkState> now = interfaces_.states();
  for (const LinkState& before : links_) {
    const bool gone =
        std::ranges::none_of(now, [&](const LinkState& link) { return link.interface == before.interface; });
    if (gone) bus_.erase<LinkState>(before.key());
  }
  for (const LinkState& link : now) {
    if (std::ranges::find(links_, link) == links_.end()) bus_.publish(link);
  }
  links_ = now;
}

void Topology::publish_own(const ForwardingState::Parts& parts) {
  auto addresses = own_addresses(parts.interfaces, parts.networks, shared_interfaces(objects_));
  if (addresses != own_addresses_) {
    own_addresses_ = addresses;
    bus_.publish_list(std::move(addresses));
  }
  auto routes = own_routes(parts.networks, objects_.gateway);
  if (routes != own_routes_) {
    own_routes_ = routes;
    bus_.publish_list(std::move(routes));
  }
}

void Topology::rebuild() {
  ForwardingState::Parts parts;
  parts.role = role_;
  parts.interfaces = active_interfaces(objects_, interfaces_.links());
  parts.networks = active_networks(objects_);
  parts.ip_forwarding = objects_.ip_forwarding;
  // The core's own lists go through the bus like everybody's; hearing them back rebuilds once more.
  publish_own(parts);
  parts.addresses = addresses_;
  parts.routes = routes_;
  shared_.publish_forwarding(std::make_shared<const ForwardingState>(std::move(parts)));

  auto filter = std::make_shared<DoorFilter>();
  for (const GroupMembership& membership : groups_) filter->add(membership.interface, multicast_mac(membership.group));
  shared_.publish_filter(std::move(filter));
  update_interfaces();
  bus_.publish(TopologyChanged{});
}

void Topology::update_interfaces() {
  const ForwardingState& state = shared_.forwarding();
  const std::set<InterfaceId> shared = shared_interfaces(objects_);
  Claims claims{.destinations = {}, .sources = objects_.targets, .routes = objects_.ip_forwarding};
  for (const OwnAddress& own : addresses_) {
    const bool is_link_local = own.address.is_v6() && own.address.v6().is_link_local();
    if (!is_link_local) claims.destinations.push_back(own.address);
  }
  for (const InterfaceView& view : state.interfaces()) {
    InterfaceIo* const io = interfaces_.io(view.number);
    if (io == nullptr) continue;
    std::vector<MacAddress> macs;
    if (role_.virtual_mac && role_.vrid != 0) {
      macs.push_back(vrrp_mac(Family::ipv4, role_.vrid));
      macs.push_back(vrrp_mac(Family::ipv6, role_.vrid));
    }
    for (const GroupMembership& membership : groups_) {
      if (membership.interface == view.number) macs.push_back(multicast_mac(membership.group));
    }
    io->set_mac_filter(macs);
    if (std::ranges::any_of(view.vlans, [](const VlanView& vlan) { return vlan.vlan != 0; })) io->let_in_tags();
    std::vector<IpAddress> addresses;
    for (const OwnAddress& address : addresses_) {
      const bool here =
          address.interface == view.number ||
          (address.interface == 0 && std::ranges::find(view.networks, address.network) != view.networks.end());
      if (here && address.scope == AddressScope::own) addresses.push_back(address.address);
    }
    io->set_own_addresses(addresses);
    if (shared.contains(view.number)) io->set_claims(claims);
  }
}

}  // namespace trivet::core
