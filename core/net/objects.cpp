#include "core/net/objects.h"

#include <algorithm>

namespace trivet::core {

namespace {

NetworkView read_network(const SectionView& section) {
  NetworkView view;
  view.number = static_cast<NetworkId>(section.index);
  view.name = section.text("name").value_or("");
  for (const std::int64_t number : section.integers("interfaces")) {
    view.interfaces.push_back(static_cast<InterfaceId>(number));
  }
  std::ranges::sort(view.interfaces);
  const auto repeated = std::ranges::unique(view.interfaces);
  view.interfaces.erase(repeated.begin(), repeated.end());

  view.vlan = static_cast<VlanId>(section.integer("vlan").value_or(0));
  view.real4 = section.ipv4("real");
  view.virt4 = section.ipv4("virt");
  view.real6 = section.ipv6("real6");
  view.virt6 = section.ipv6("virt6");
  const auto address = section.ipv4("addr");
  const auto mask = section.ipv4("mask");
  if (address && mask) {
    if (const auto length = mask_length(*mask)) view.prefix4 = IpPrefix{*address, *length}.masked();
  }
  const auto length6 = section.integer("mask6");
  const auto inside6 = view.real6 ? view.real6 : view.virt6;
  if (length6 && inside6) view.prefix6 = IpPrefix{*inside6, static_cast<std::uint8_t>(*length6)}.masked();
  return view;
}

}  // namespace

NetObjects read_objects(const ConfigView& config) {
  NetObjects objects;
  objects.hostname = config.hostname;
  for (const SectionView* section : config.all("interface")) {
    InterfaceObject object;
    object.spec.number = static_cast<InterfaceId>(section->index);
    object.spec.name = section->text("name").value_or("");
    object.spec.access = section->text("access").value_or("auto");
    object.spec.threads = static_cast<std::size_t>(section->integer("threads").value_or(1));
    object.spec.passthrough = section->text("passthrough").value_or("") == "enable";
    object.state = section->state;
    objects.interfaces.push_back(std::move(object));
  }
  for (const SectionView* section : config.all("network")) {
    objects.networks.push_back({read_network(*section), section->state, section->has_open_reference});
  }
  if (const SectionView* gateway = config.find("gateway")) {
    objects.gateway.address4 = gateway->ipv4("ipaddr");
    objects.gateway.address6 = gateway->ipv6("ipaddr6");
  }
  for (const SectionView* target : config.all("target")) {
    if (const auto address = target->ipv4("ipaddr")) objects.targets.emplace_back(*address);
    if (const auto address = target->ipv6("ipaddr6")) objects.targets.emplace_back(*address);
  }
  objects.ip_forwarding = config.settings().integer("ipforwarding").value_or(0) != 0;
  return objects;
}

std::vector<NetworkView> active_networks(const NetObjects& objects) {
  std::vector<NetworkView> list;
  for (const NetworkObject& network : objects.networks) {
    if (network.state != LifeCycle::enabled || network.has_open_reference) continue;
    NetworkView view = network.view;
    std::erase_if(view.interfaces, [&](InterfaceId number) {
      return std::ranges::none_of(objects.interfaces, [&](const InterfaceObject& interface) {
        return interface.spec.number == number && interface.state == LifeCycle::enabled;
      });
    });
    list.push_back(std::move(view));
  }
  return list;
}

std::vector<InterfaceView> active_interfaces(const NetObjects& objects, const std::map<InterfaceId, LinkInfo>& links) {
  const std::vector<NetworkView> networks = active_networks(objects);
  std::vector<InterfaceView> list;
  for (const InterfaceObject& interface : objects.interfaces) {
    if (interface.state != LifeCycle::enabled) continue;
    InterfaceView view;
    view.number = interface.spec.number;
    view.name = interface.spec.name;
    if (const auto link = links.find(view.number); link != links.end()) {
      view.mac = link->second.mac;
      view.mtu = link->second.mtu;
      view.up = link->second.exists && link->second.carrier;
    }
    for (const NetworkView& network : networks) {
      if (std::ranges::find(network.interfaces, view.number) != network.interfaces.end())
        view.networks.push_back(network.number);
    }
    list.push_back(std::move(view));
  }
  return list;
}

std::set<InterfaceId> shared_interfaces(const NetObjects& objects) {
  std::set<InterfaceId> shared;
  for (const InterfaceObject& interface : objects.interfaces) {
    if (interface.spec.passthrough) shared.insert(interface.spec.number);
  }
  return shared;
}

std::vector<OwnAddress> own_addresses(const std::vector<InterfaceView>& interfaces,
                                      const std::vector<NetworkView>& networks, const std::set<InterfaceId>& shared) {
  std::vector<OwnAddress> list;
  for (const NetworkView& network : networks) {
    const auto add = [&](const IpAddress& address, AddressScope scope) {
      list.push_back({address, scope, network.number, 0, true});
    };
    if (network.real4) add(*network.real4, AddressScope::own);
    if (network.real6) add(*network.real6, AddressScope::own);
    if (network.virt4) add(*network.virt4, AddressScope::master);
    if (network.virt6) add(*network.virt6, AddressScope::master);
  }
  const auto vlan_of = [&](NetworkId number) {
    const auto found = std::ranges::find(networks, number, &NetworkView::number);
    return found == networks.end() ? VlanId{0} : found->vlan;
  };
  for (const InterfaceView& interface : interfaces) {
    if (interface.mac.is_zero() || shared.contains(interface.number)) continue;
    // One for each VLAN, on its first network: each is a link of its own.
    std::set<VlanId> done;
    for (const NetworkId network : interface.networks) {
      if (!done.insert(vlan_of(network)).second) continue;
      list.push_back({link_local_address(interface.mac), AddressScope::own, network, interface.number, true});
    }
  }
  return list;
}

std::vector<Route> own_routes(const std::vector<NetworkView>& networks, const GatewayInfo& gateway) {
  std::vector<Route> list;
  for (const NetworkView& network : networks) {
    if (network.prefix4) list.push_back({*network.prefix4, std::nullopt, network.number});
    if (network.prefix6) list.push_back({*network.prefix6, std::nullopt, network.number});
  }
  const auto add_default = [&](const IpAddress& via, std::optional<IpPrefix> NetworkView::*prefix, IpPrefix all) {
    const NetworkView* best = nullptr;
    for (const NetworkView& network : networks) {
      const auto& candidate = network.*prefix;
      if (!candidate || !candidate->contains(via)) continue;
      if (best == nullptr || candidate->length > (best->*prefix)->length) best = &network;
    }
    if (best != nullptr) list.push_back({all, via, best->number});
  };
  if (gateway.address4) add_default(*gateway.address4, &NetworkView::prefix4, {Ipv4Address{}, 0});
  if (gateway.address6) add_default(*gateway.address6, &NetworkView::prefix6, {Ipv6Address{}, 0});
  return list;
}

}  // namespace trivet::core
