#include "arp/responder.h"

#include <algorithm>
#include <span>

namespace trivet::arp {

namespace {

constexpr Ipv6Address all_nodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

bool is_host_mac(const MacAddress& mac) { return !mac.is_multicast() && !mac.is_zero(); }

bool is_virtual_mac(const ForwardingState& node, Family family, const MacAddress& mac) {
  const std::uint8_t vrid = node.role().vrid;
  return vrid != 0 && mac == vrrp_mac(family, vrid);
}

// The networks that a message may be about.
std::span<const NetworkId> networks_of(const ForwardingState& node, const Arrival& arrival) {
  const InterfaceView* view = node.interface(arrival.interface);
  const VlanView* vlan = view == nullptr ? nullptr : view->find_vlan(arrival.vlan);
  return vlan == nullptr ? std::span<const NetworkId>{} : vlan->networks;
}

// The one of them that an address on the link belongs to; 0 = none.
NetworkId home_of(const ForwardingState& node, std::span<const NetworkId> networks, const IpAddress& address) {
  if (networks.empty()) return 0;
  const bool is_link_local = address.is_v6() && address.v6().is_link_local();
  return is_link_local ? networks.front() : node.network_of(address, networks);
}

// Known entries are updated in every network of the link; a new one is made in the one that it belongs to.
void learn_source(const ForwardingState& node, const Arrival& arrival, const IpAddress& address,
                  const NeighborPlace& place, Learning learning, Consequence& result) {
  const std::span<const NetworkId> networks = networks_of(node, arrival);
  const NetworkId home = home_of(node, networks, address);
  for (const NetworkId number : networks) {
    result.sources.push_back({{number, address}, place, number == home ? learning : Learning::update});
  }
}

void learn_advertisement(const ForwardingState& node, const Arrival& arrival, const IpAddress& address,
                         const Advertisement& advertisement, Consequence& result) {
  for (const NetworkId number : networks_of(node, arrival)) {
    result.advertisements.push_back({{number, address}, advertisement});
  }
}

// Another node says that an address of ours is its own.
void judge_claim(const ForwardingState& node, const OwnAddress& own, const MacAddress& mac, const Arrival& arrival,
                 bool is_probe, Consequence& result) {
  Claim claim{own.address, mac, arrival.interface, is_probe, own.address.is_v4() && !is_probe, arrival.vlan};
  if (own.scope == AddressScope::own) {
    result.claim = claim;
    return;
  }
  if (is_virtual_mac(node, own.address.family(), mac)) {
    if (!node.is_master()) return;
    // Which of the two is right VRRP decides; a defence would only move the switches' tables to and fro.
    claim.defend = false;
    result.claim = claim;
    result.remark = Remark::dual_master;
    return;
  }
  if (node.is_master()) {
    result.claim = claim;
  } else if (!is_probe && node.role().virtual_mac && node.role().vrid != 0) {
    // The master of this virtual router speaks with the virtual MAC, so this is somebody else. The master defends.
    claim.defend = false;
    result.claim = claim;
  }
}

Remark judge_macs(const ForwardingState& node, const MacAddress& said, const MacAddress& ethernet_source) {
  if (!is_host_mac(said)) return Remark::invalid_mac;
  if (is_interface_mac(node, said) || is_interface_mac(node, ethernet_source)) return Remark::own_frame;
  return Remark::none;
}

Answer make_answer(const ForwardingState& node, const OwnAddress& own, const Arrival& arrival, const IpAddress& to,
                   const MacAddress& to_mac) {
  return {arrival.interface, own.address, mac_for(node, arrival.interface, own), to, to_mac, true, arrival.vlan};
}

}  // namespace

const OwnAddress* answered_address(const ForwardingState& node, InterfaceId interface, VlanId vlan,
                                   const IpAddress& address) noexcept {
  const OwnAddress* own = node.find_address(address, interface, vlan);
  if (own == nullptr) return nullptr;
  return own->scope == AddressScope::own || node.is_master() ? own : nullptr;
}

MacAddress mac_for(const ForwardingState& node, InterfaceId interface, const OwnAddress& own) {
  if (own.scope == AddressScope::master) return node.router_mac(interface, own.address.family());
  const InterfaceView* view = node.interface(interface);
  return view == nullptr ? MacAddress{} : view->mac;
}

bool is_interface_mac(const ForwardingState& node, const MacAddress& mac) noexcept {
  return std::any_of(node.interfaces().begin(), node.interfaces().end(),
                     [&mac](const InterfaceView& view) { return view.mac == mac; });
}

Consequence on_arp(const ForwardingState& node, const Arrival& arrival, const wire::ArpValues& heard) {
  Consequence result;
  if (!is_host_mac(heard.sender_mac)) {
    result.remark = Remark::invalid_mac;
    return result;
  }
  if (is_interface_mac(node, heard.sender_mac)) {
    result.remark = Remark::own_frame;
    return result;
  }
  const bool has_sender = !heard.sender.is_unspecified();
  if (has_sender) {
    if (const OwnAddress* own = node.find_address(heard.sender, arrival.interface, arrival.vlan)) {
      judge_claim(node, *own, heard.sender_mac, arrival, false, result);
      return result;
    }
    if (heard.sender.is_multicast() || heard.sender.is_broadcast() || heard.sender.is_loopback()) return result;
  }

  const NeighborPlace place{heard.sender_mac, arrival.interface};
  const bool is_request = heard.operation == wire::ArpOperation::request;
  if (!is_request || heard.is_announcement()) {
    const bool solicited = !is_request && !arrival.to_group && !heard.is_announcement();
    const Advertisement advertisement{place.interface, place.mac, true, solicited, true};
    if (has_sender) learn_advertisement(node, arrival, heard.sender, advertisement, result);
    return result;
  }
  const OwnAddress* own = answered_address(node, arrival.interface, arrival.vlan, heard.target);
  if (own != nullptr) {
    if (heard.is_probe()) judge_claim(node, *own, heard.sender_mac, arrival, true, result);
    result.answer = make_answer(node, *own, arrival, heard.sender, heard.sender_mac);
  }
  if (has_sender) {
    learn_source(node, arrival, heard.sender, place, own != nullptr ? Learning::create : Learning::update, result);
  }
  return result;
}

Consequence on_solicitation(const ForwardingState& node, const Arrival& arrival, const Ipv6Address& source,
                            const wire::NeighborSolicitation& heard) {
  Consequence result;
  const MacAddress mac = heard.source_mac.value_or(arrival.ethernet_source);
  result.remark = judge_macs(node, mac, arrival.ethernet_source);
  if (result.remark != Remark::none) return result;

  const bool is_probe = source.is_unspecified();
  if (!is_probe) {
    if (const OwnAddress* own = node.find_address(source, arrival.interface, arrival.vlan)) {
      judge_claim(node, *own, mac, arrival, false, result);
      return result;
    }
  }
  const OwnAddress* own = answered_address(node, arrival.interface, arrival.vlan, heard.target);
  if (own == nullptr) return result;
  if (is_probe) {
    judge_claim(node, *own, mac, arrival, true, result);
    result.answer = make_answer(node, *own, arrival, all_nodes, multicast_mac(all_nodes));
    result.answer->solicited = false;
    return result;
  }
  result.answer = make_answer(node, *own, arrival, source, mac);
  if (heard.source_mac.has_value()) {
    learn_source(node, arrival, source, {mac, arrival.interface}, Learning::create, result);
  }
  return result;
}

Consequence on_advertisement(const ForwardingState& node, const Arrival& arrival,
                             const wire::NeighborAdvertisement& heard) {
  Consequence result;
  const MacAddress mac = heard.target_mac.value_or(arrival.ethernet_source);
  result.remark = judge_macs(node, mac, arrival.ethernet_source);
  if (result.remark != Remark::none) return result;

  if (const OwnAddress* own = node.find_address(heard.target, arrival.interface, arrival.vlan)) {
    judge_claim(node, *own, mac, arrival, false, result);
    return result;
  }
  const Advertisement advertisement{arrival.interface, mac, heard.target_mac.has_value(), heard.solicited,
                                    heard.override_entry};
  learn_advertisement(node, arrival, heard.target, advertisement, result);
  return result;
}

}  // namespace trivet::arp
