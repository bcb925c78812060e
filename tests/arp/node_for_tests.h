// A node's view of itself for tests of functions and workers without a node around them.
#pragma once

#include <memory>

#include "trivet/forwarding.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::arp {

// Interfaces 1 and 3 are network 1, interface 2 is network 2; MACs 02:00:00:00:00:0N; virtual router 64. The server
// address 192.0.2.4 is on no network.
inline std::unique_ptr<const ForwardingState> make_node(Role role, bool virtual_mac = true) {
  using testkit::ip4;
  using testkit::ip6;
  ForwardingState::Parts parts;
  parts.role = {role, 64, virtual_mac, "test", {}};
  for (std::uint8_t i = 1; i <= 3; ++i) {
    InterfaceView interface;
    interface.number = i;
    interface.name = "eth" + std::to_string(i);
    interface.mac = MacAddress{{2, 0, 0, 0, 0, i}};
    interface.up = true;
    interface.networks = {static_cast<NetworkId>(i == 2 ? 2 : 1)};
    parts.interfaces.push_back(interface);
    parts.addresses.push_back(
        {link_local_address(interface.mac), AddressScope::own, interface.networks.front(), i, true});
  }
  NetworkView one;
  one.number = 1;
  one.interfaces = {1, 3};
  one.prefix4 = IpPrefix{ip4("10.0.0.0"), 8};
  one.real4 = ip4("10.0.0.1");
  one.virt4 = ip4("10.0.0.3");
  one.prefix6 = IpPrefix{ip6("2001:db8::"), 48};
  one.real6 = ip6("2001:db8::2:1");
  one.virt6 = ip6("2001:db8::2:3");
  NetworkView two;
  two.number = 2;
  two.interfaces = {2};
  two.prefix6 = IpPrefix{ip6("2001:db8:ffff::"), 48};
  two.virt6 = ip6("2001:db8:ffff::2:3");
  parts.networks = {one, two};
  parts.addresses.push_back({*one.real4, AddressScope::own, 1, 0, true});
  parts.addresses.push_back({*one.virt4, AddressScope::master, 1, 0, true});
  parts.addresses.push_back({*one.real6, AddressScope::own, 1, 0, true});
  parts.addresses.push_back({*one.virt6, AddressScope::master, 1, 0, true});
  parts.addresses.push_back({*two.virt6, AddressScope::master, 2, 0, true});
  parts.addresses.push_back({ip4("192.0.2.4"), AddressScope::master, 0, 0, true});
  return std::make_unique<const ForwardingState>(std::move(parts));
}

}  // namespace trivet::arp
