#include "trivet/forwarding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "trivet/random.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet {
namespace {

using testkit::ip;
using testkit::ip4;
using testkit::mac;

Route route(const char* address, std::uint8_t length, NetworkId network, const char* via = nullptr) {
  Route made{.prefix = {ip(address), length}, .via = std::nullopt, .network = network};
  if (via != nullptr) made.via = ip(via);
  return made;
}

TEST(ForwardingState, FindsInterfacesAndNetworksByNumberAndNothingElse) {
  ForwardingState::Parts parts;
  parts.interfaces = {{.number = 3, .name = "c", .mac = {}, .networks = {}},
                      {.number = 256, .name = "z", .mac = {}, .networks = {}}};
  parts.networks.resize(2);
  parts.networks[0].number = 1;
  parts.networks[1].number = 1024;
  const ForwardingState state(std::move(parts));
  EXPECT_EQ(state.interface(3)->name, "c");
  EXPECT_EQ(state.interface(256)->name, "z");
  EXPECT_EQ(state.network(1024)->number, 1024);
  for (const InterfaceId number : std::initializer_list<InterfaceId>{0, 1, 2, 4, 255, 257, 65535})
    EXPECT_EQ(state.interface(number), nullptr) << number;
  for (const NetworkId number : std::initializer_list<NetworkId>{0, 2, 1023, 1025, 65535})
    EXPECT_EQ(state.network(number), nullptr) << number;
}

TEST(ForwardingState, FindsOwnAddressesAndAnswersByRole) {
  ForwardingState::Parts parts;
  parts.role.role = Role::backup;
  parts.addresses = {
      {.address = ip("10.0.0.1"), .scope = AddressScope::own, .network = 1},
      {.address = ip("10.0.0.3"), .scope = AddressScope::master, .network = 1},
      {.address = ip("2001:db8::3"), .scope = AddressScope::master, .network = 2},
  };
  const ForwardingState backup(parts);
  parts.role.role = Role::master;
  const ForwardingState master(parts);
  EXPECT_EQ(backup.find_address(ip("2001:db8::3"))->network, 2);
  EXPECT_EQ(backup.find_address(ip("10.0.0.2")), nullptr);
  EXPECT_EQ(backup.find_address(ip("a00:1::")), nullptr);  // the bytes of 10.0.0.1 in the other family
  EXPECT_EQ(backup.find_address(ip4("10.0.0.1")), backup.find_address(ip("10.0.0.1")));
  EXPECT_EQ(backup.find_address(ip("2001:db8::3").v6()), backup.find_address(ip("2001:db8::3")));
  EXPECT_EQ(backup.find_address(ip("a00:1::").v6()), nullptr);
  EXPECT_TRUE(backup.answers_for(ip("10.0.0.1")));
  EXPECT_FALSE(backup.answers_for(ip("10.0.0.3")));
  EXPECT_TRUE(master.answers_for(ip("10.0.0.3")));
  EXPECT_FALSE(master.answers_for(ip("10.0.0.2")));
}

TEST(ForwardingState, AnAddressThatIsRealAndVirtualIsAnsweredAlways) {
  for (const bool own_first : {true, false}) {
    ForwardingState::Parts parts;
    parts.role.role = Role::backup;
    parts.addresses = {{.address = ip("10.0.0.1"), .scope = AddressScope::own},
                       {.address = ip("10.0.0.1"), .scope = AddressScope::master}};
    if (!own_first) std::swap(parts.addresses[0], parts.addresses[1]);
    const ForwardingState state(std::move(parts));
    EXPECT_TRUE(state.answers_for(ip("10.0.0.1")));
    EXPECT_EQ(state.find_address(ip("10.0.0.1"))->scope, AddressScope::own);
  }
}

TEST(Routes, TheLongestPrefixWinsAndTheGatewayTakesTheRest) {
  ForwardingState::Parts parts;
  parts.routes = {
      route("0.0.0.0", 0, 1, "10.0.0.254"), route("10.0.0.0", 24, 1),
      route("10.0.0.0", 8, 2, "10.0.0.2"),  route("10.0.0.77", 32, 3),
      route("2001:db8::", 48, 4),           route("::", 0, 5, "2001:db8::10"),
      route("2001:db8::", 64, 6),           route("2001:db8::5", 128, 7),
      route("10.0.0.128", 25, 8),
  };
  const ForwardingState state(std::move(parts));
  const auto network = [&](const char* text) { return state.find_route(ip(text))->network; };
  EXPECT_EQ(network("10.0.0.1"), 1);
  EXPECT_FALSE(state.find_route(ip("10.0.0.1"))->via);
  EXPECT_EQ(network("10.0.0.77"), 3);
  EXPECT_EQ(network("10.0.0.200"), 8);
  EXPECT_EQ(network("10.1.0.1"), 2);
  EXPECT_EQ(network("192.0.2.1"), 1);
  EXPECT_EQ(state.find_route(ip("192.0.2.1"))->via, ip("10.0.0.254"));
  EXPECT_EQ(network("2001:db8::1"), 6);
  EXPECT_EQ(network("2001:db8::5"), 7);
  EXPECT_EQ(network("2001:db8:0:1::"), 4);
  EXPECT_EQ(network("2001:db8:1::"), 5);
}

TEST(Routes, WithoutAMatchThereIsNone) {
  ForwardingState::Parts parts;
  parts.routes = {route("10.0.0.0", 24, 1)};
  const ForwardingState state(std::move(parts));
  EXPECT_EQ(state.find_route(ip("10.0.1.0")), nullptr);
  EXPECT_EQ(state.find_route(ip("::")), nullptr);
  EXPECT_EQ(ForwardingState({}).find_route(ip("10.0.0.1")), nullptr);
}

TEST(Routes, OfEqualPrefixesTheFirstCountsEvenIfHostBitsDiffer) {
  ForwardingState::Parts parts;
  parts.routes = {route("10.0.0.9", 24, 1), route("10.0.0.0", 24, 2)};
  EXPECT_EQ(ForwardingState(std::move(parts)).find_route(ip("10.0.0.1"))->network, 1);
}

TEST(Routes, AgreeWithAPlainSearchOnARandomTable) {
  Random random(4);
  ForwardingState::Parts parts;
  for (NetworkId i = 1; i <= 400; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    const auto length = static_cast<std::uint8_t>(8 + random.below(25));
    const IpPrefix prefix = IpPrefix{Ipv4Address::from_number((bits & 0x00ffffffU) | 0x0a000000U), length}.masked();
    const bool known = std::ranges::any_of(parts.routes, [&](const Route& other) { return other.prefix == prefix; });
    if (!known) parts.routes.push_back({.prefix = prefix, .via = {}, .network = i});
  }
  const ForwardingState state(parts);
  for (int i = 0; i < 20000; ++i) {
    const IpAddress address =
        Ipv4Address::from_number((static_cast<std::uint32_t>(random()) & 0x00ffffffU) | 0x0a000000U);
    const Route* best = nullptr;
    for (const Route& candidate : parts.routes) {
      if (candidate.prefix.contains(address) && (best == nullptr || candidate.prefix.length > best->prefix.length))
        best = &candidate;
    }
    const Route* found = state.find_route(address);
    ASSERT_EQ(found, state.find_route(address.v4()));
    ASSERT_EQ(found == nullptr, best == nullptr) << to_string(address);
    if (found != nullptr) {
      ASSERT_EQ(*found, *best) << to_string(address);
    }
  }
}

TEST(NetworkOf, IsTheOneWithTheLongestPrefixWhateverTheOrder) {
  ForwardingState::Parts parts;
  const auto add = [&](NetworkId number, const char* address, std::uint8_t length) {
    NetworkView& network = parts.networks.emplace_back();
    network.number = number;
    const IpPrefix prefix{ip(address), length};
    (prefix.address.is_v4() ? network.prefix4 : network.prefix6) = prefix;
  };
  add(1, "10.0.0.0", 8);
  add(2, "10.1.0.0", 16);
  add(3, "10.1.2.0", 24);
  add(4, "10.1.0.0", 16);
  add(5, "2001:db8::", 48);
  add(6, "2001:db8::", 32);
  const InterfaceView interface {
    .number = 1, .name = "eth1", .mac = {}, .networks = { 1, 4 }
  };
  const ForwardingState state(std::move(parts));
  EXPECT_EQ(state.network_of(ip("10.9.0.1")), 1);
  EXPECT_EQ(state.network_of(ip("10.1.9.1")), 2) << "of equal ones the first";
  EXPECT_EQ(state.network_of(ip("10.1.2.1")), 3);
  EXPECT_EQ(state.network_of(ip("192.0.2.1")), 0);
  EXPECT_EQ(state.network_of(ip("2001:db8::1")), 5);
  EXPECT_EQ(state.network_of(ip("2001:db8:1::1")), 6);
  EXPECT_EQ(state.network_of(ip("fe80::1")), 0);
  EXPECT_EQ(state.network_of(ip("10.1.2.1"), interface.networks), 4);
  EXPECT_EQ(state.network_of(ip("10.9.0.1"), interface.networks), 1);
  EXPECT_EQ(state.network_of(ip("2001:db8::1"), interface.networks), 0);
}

TEST(NetworkOf, OnAnInterfaceWithManyNetworksAndTagsAgreesWithAPlainSearch) {
  Random random(5);
  ForwardingState::Parts parts;
  parts.interfaces.resize(2);
  for (InterfaceId number = 1; number <= 2; ++number) parts.interfaces[number - 1U].number = number;
  for (NetworkId number = 1; number <= 200; ++number) {
    NetworkView& network = parts.networks.emplace_back();
    network.number = number;
    network.vlan = static_cast<VlanId>(random.below(3) * 2047);
    const auto bits = static_cast<std::uint32_t>(random()) & 0x000fffffU;
    const auto length = static_cast<std::uint8_t>(12 + random.below(18));
    if (random.below(3) != 0) network.prefix4 = IpPrefix{Ipv4Address::from_number(0x0a000000U | bits), length};
    if (random.below(3) != 0) {
      network.prefix6 = IpPrefix{Ipv6Address{{0x20, static_cast<std::uint8_t>(random())}}, length};
    }
    parts.interfaces[random.below(2)].networks.push_back(number);
  }
  const ForwardingState state(parts);
  const auto plain = [&](const IpAddress& address, const InterfaceView& interface, VlanId vlan) {
    NetworkId best = 0;
    int longest = -1;
    for (const NetworkId number : interface.networks) {
      const NetworkView& network = *state.network(number);
      const auto& prefix = address.is_v4() ? network.prefix4 : network.prefix6;
      if (network.vlan != vlan || !prefix || !prefix->contains(address) || prefix->length <= longest) continue;
      best = number;
      longest = prefix->length;
    }
    return best;
  };
  for (int i = 0; i < 20000; ++i) {
    const InterfaceView& interface = state.interfaces()[random.below(2)];
    const auto vlan = static_cast<VlanId>(random.below(3) * 2047);
    const auto bits = static_cast<std::uint32_t>(random());
    const IpAddress four = Ipv4Address::from_number(0x0a000000U | (bits & 0x001fffffU));
    ASSERT_EQ(state.network_of(four, interface.number, vlan), plain(four, interface, vlan)) << to_string(four);
    const IpAddress six = Ipv6Address{{0x20, static_cast<std::uint8_t>(bits), static_cast<std::uint8_t>(bits >> 8U)}};
    ASSERT_EQ(state.network_of(six, interface.number, vlan), plain(six, interface, vlan)) << to_string(six);
  }
}

TEST(FindAddress, BehindAnInterfaceWithATagAgreesWithAPlainSearch) {
  Random random(6);
  ForwardingState::Parts parts;
  const auto some_vlan = [&] { return static_cast<VlanId>(random.below(3) * 2047); };
  const auto some_interface = [&] { return static_cast<InterfaceId>(1 + random.below(4)); };
  for (NetworkId number = 1; number <= 40; ++number) {
    NetworkView& network = parts.networks.emplace_back();
    network.number = number;
    network.vlan = some_vlan();
    for (InterfaceId interface = 1; interface <= 4; ++interface) {
      if (random.below(2) == 0) network.interfaces.push_back(interface);
    }
  }
  const auto some_address = [&]() -> IpAddress {
    const auto last = static_cast<std::uint8_t>(random.below(20));
    if (random.below(2) == 0) return Ipv4Address{{10, 0, 0, last}};
    return Ipv6Address{{0x20, 0x01, last}};
  };
  for (int i = 0; i < 300; ++i) {
    OwnAddress own{.address = some_address(), .network = static_cast<NetworkId>(random.below(41))};
    own.scope = random.below(3) == 0 ? AddressScope::own : AddressScope::master;
    if (random.below(5) == 0) own.interface = some_interface();
    parts.addresses.push_back(own);
  }
  const ForwardingState state(parts);
  for (int i = 0; i < 5000; ++i) {
    const IpAddress address = some_address();
    const InterfaceId interface = some_interface();
    const VlanId vlan = some_vlan();
    std::set<AddressScope> scopes;
    for (const OwnAddress& own : parts.addresses) {
      const NetworkView* const home = state.network(own.network);
      const VlanId tag = home == nullptr ? VlanId{0} : home->vlan;
      const bool is_behind =
          own.interface != 0 ? own.interface == interface : home != nullptr && std::ranges::count(home->interfaces, interface) != 0;
      if (own.address == address && tag == vlan && is_behind) scopes.insert(own.scope);
    }
    const OwnAddress* const found = state.find_address(address, interface, vlan);
    ASSERT_EQ(found != nullptr, !scopes.empty());
    if (found == nullptr) continue;
    ASSERT_EQ(found->address, address);
    ASSERT_EQ(found->scope == AddressScope::own, scopes.contains(AddressScope::own));
  }
}

TEST(DirectedBroadcast, IsOfAnyNetworkThatHasOne) {
  ForwardingState::Parts parts;
  for (const IpPrefix prefix :
       {IpPrefix{ip("10.1.2.3"), 24}, IpPrefix{ip("10.9.0.0"), 31}, IpPrefix{ip("10.8.0.4"), 30}}) {
    NetworkView& network = parts.networks.emplace_back();
    network.number = static_cast<NetworkId>(parts.networks.size());
    network.prefix4 = prefix;
  }
  parts.networks.emplace_back().number = 9;  // without IPv4
  const ForwardingState state(std::move(parts));
  for (const char* const address : {"10.1.2.0", "10.1.2.255", "10.8.0.4", "10.8.0.7"}) {
    EXPECT_TRUE(state.is_directed_broadcast(ip4(address))) << address;
  }
  for (const char* const address : {"10.1.2.1", "10.1.2.254", "10.1.3.255", "10.9.0.0", "10.9.0.1", "10.8.0.5"}) {
    EXPECT_FALSE(state.is_directed_broadcast(ip4(address))) << address;
  }
}

TEST(RouterMac, IsVirtualOnlyForAMasterWithVirtualMacs) {
  ForwardingState::Parts parts;
  parts.interfaces = {{.number = 1, .name = "eth1", .mac = mac("02:00:00:00:00:01"), .networks = {}}};
  parts.role = {.role = Role::master, .vrid = 64, .virtual_mac = true, .reason = {}};
  EXPECT_EQ(ForwardingState(parts).router_mac(1, Family::ipv4), mac("00:00:5e:00:01:40"));
  EXPECT_EQ(ForwardingState(parts).router_mac(1, Family::ipv6), mac("00:00:5e:00:02:40"));
  parts.role.virtual_mac = false;
  EXPECT_EQ(ForwardingState(parts).router_mac(1, Family::ipv4), mac("02:00:00:00:00:01"));
  parts.role = {.role = Role::backup, .vrid = 64, .virtual_mac = true, .reason = {}};
  EXPECT_EQ(ForwardingState(parts).router_mac(1, Family::ipv4), mac("02:00:00:00:00:01"));
  EXPECT_EQ(ForwardingState(parts).router_mac(9, Family::ipv4), MacAddress{});
  parts.role = {};  // nobody speaks VRRP: master with its own MACs
  EXPECT_EQ(ForwardingState(parts).router_mac(1, Family::ipv6), mac("02:00:00:00:00:01"));
}

}  // namespace
}  // namespace trivet
