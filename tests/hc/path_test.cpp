// From which address a probe goes out, and the sentence that says why it does not.
#include "hc/path.h"

#include <gtest/gtest.h>

namespace trivet::hc {
namespace {

IpPrefix prefix(const char* address, std::uint8_t length) { return {*parse_ip(address), length}; }

// Network 1 (IPv4 and IPv6) on interfaces 1 and 3, network 2 (IPv4 only) on interface 2, default by a gateway on 1.
ForwardingState::Parts parts() {
  ForwardingState::Parts made;
  for (InterfaceId number = 1; number <= 3; ++number) {
    InterfaceView interface;
    interface.number = number;
    interface.up = true;
    interface.networks = {number == 2 ? NetworkId{2} : NetworkId{1}};
    made.interfaces.push_back(interface);
  }
  NetworkView first;
  first.number = 1;
  first.interfaces = {1, 3};
  first.real4 = parse_ipv4("10.0.0.1");
  first.real6 = parse_ipv6("2001:db8::1");
  NetworkView second;
  second.number = 2;
  second.interfaces = {2};
  second.real4 = parse_ipv4("10.2.0.1");
  made.networks = {first, second};
  made.routes = {{prefix("10.0.0.0", 24), {}, 1}, {prefix("2001:db8::", 64), {}, 1},
                 {prefix("10.2.0.0", 24), {}, 2}, {prefix("2001:db8:2::", 64), {}, 2},
                 {prefix("10.9.0.0", 24), {}, 9}, {prefix("0.0.0.0", 0), parse_ip("10.0.0.254"), 1}};
  made.addresses = {{*parse_ip("10.0.0.1"), AddressScope::own, 1, 0, true}};
  return made;
}

Path path(ForwardingState::Parts made, const char* destination) {
  return find_path(ForwardingState(std::move(made)), *parse_ip(destination));
}

TEST(HcPath, SourceIsTheRealAddressOfTheNetworkThatTheRouteGives) {
  EXPECT_EQ(path(parts(), "10.0.0.9"), (Path{true, *parse_ip("10.0.0.1"), 1, ""}));
  EXPECT_EQ(path(parts(), "2001:db8::9"), (Path{true, *parse_ip("2001:db8::1"), 1, ""}));
  EXPECT_EQ(path(parts(), "10.2.0.9"), (Path{true, *parse_ip("10.2.0.1"), 2, ""}));
  EXPECT_EQ(path(parts(), "192.0.2.1"), (Path{true, *parse_ip("10.0.0.1"), 1, ""})) << "by the gateway";
}

TEST(HcPath, ReasonsAreSentences) {
  EXPECT_EQ(path(parts(), "2001:db8:ffff::1").reason, "no route to 2001:db8:ffff::1");
  EXPECT_EQ(path(parts(), "10.9.0.1").reason, "network 9 is not active");
  EXPECT_EQ(path(parts(), "2001:db8:2::1").reason, "network 2 has no real6");
  EXPECT_EQ(path(parts(), "10.0.0.1").reason, "10.0.0.1 is this node's own address");
  ForwardingState::Parts without = parts();
  without.networks[0].real4.reset();
  EXPECT_EQ(path(without, "10.0.0.9").reason, "network 1 has no real");
  EXPECT_FALSE(path(without, "10.0.0.9").usable);
}

TEST(HcPath, OneInterfaceWithLinkIsEnough) {
  ForwardingState::Parts made = parts();
  made.interfaces[0].up = false;
  EXPECT_TRUE(path(made, "10.0.0.9").usable);
  made.interfaces[2].up = false;
  EXPECT_EQ(path(made, "10.0.0.9").reason, "own link down (network 1)");
  EXPECT_EQ(path(made, "192.0.2.1").reason, "own link down (network 1)") << "behind the gateway, too";
  EXPECT_TRUE(path(made, "10.2.0.9").usable);
}

TEST(HcPath, InterfaceThatIsNotTakenCountsAsDown) {
  ForwardingState::Parts made = parts();
  made.interfaces.erase(made.interfaces.begin() + 1);
  EXPECT_EQ(path(made, "10.2.0.9").reason, "own link down (network 2)");
}

}  // namespace
}  // namespace trivet::hc
