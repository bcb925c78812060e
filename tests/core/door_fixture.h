// What the tests of the door share: a node with three networks, and frames for it.
#pragma once

#include <string>

#include "trivet/testkit/packet_buffer.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::core {

using namespace testkit;  // NOLINT(google-build-using-namespace)

inline constexpr MacAddress peer{{2, 0, 0, 0, 0, 0x99}};
inline constexpr MacAddress node{{2, 0, 0, 0, 0, 1}};

// Two networks on interface 1 and one on interface 2; a master with virtual MACs of virtual router 64.
inline ForwardingState::Parts parts() {
  ForwardingState::Parts made;
  made.role = {.role = Role::master, .vrid = 64, .virtual_mac = true, .reason = {}};
  made.interfaces = {{.number = 1, .name = "eth1", .mac = node, .up = true, .networks = {1, 2}},
                     {.number = 2, .name = "eth2", .mac = mac("02:00:00:00:00:02"), .up = true, .networks = {3}}};
  made.networks.resize(3);
  made.networks[0].number = 1;
  made.networks[0].prefix4 = IpPrefix{ip("10.0.0.0"), 24};
  made.networks[1].number = 2;
  made.networks[1].prefix4 = IpPrefix{ip("10.0.1.0"), 24};
  made.networks[1].prefix6 = IpPrefix{ip("2001:db8::"), 48};
  made.networks[2].number = 3;
  made.addresses = {{.address = ip("10.0.0.1"), .scope = AddressScope::own, .network = 1},
                    {.address = ip("10.0.0.3"), .scope = AddressScope::master, .network = 1},
                    {.address = ip("2001:db8::1"), .scope = AddressScope::own, .network = 2},
                    {.address = ip("2001:db8::3"), .scope = AddressScope::master, .network = 2},
                    {.address = ip("fe80::1"), .scope = AddressScope::own, .network = 2, .interface = 1},
                    {.address = ip("fe80::2"), .scope = AddressScope::own, .network = 3, .interface = 2}};
  return made;
}

inline const ForwardingState& master() {
  static const ForwardingState state(parts());
  return state;
}

inline std::string refused(const Frame& frame, InterfaceId interface = 1) {
  PacketBuffer buffer(frame, 0);
  return buffer.enter(master(), interface);
}

inline Stack over4(const char* destination = "10.0.0.1") {
  Stack stack;
  stack.push(eth(peer, node));
  stack.push(ipv4("10.0.0.9", destination));
  return stack;
}

inline Stack over6(const char* destination = "2001:db8::1") {
  Stack stack;
  stack.push(eth(peer, node));
  stack.push(ipv6("2001:db8::9", destination));
  return stack;
}

}  // namespace trivet::core
