// The router in a node: what is passed on, byte for byte, and what is not, by name.
#include "rt/module.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/topics/neighbors.h"

namespace trivet::rt {
namespace {

using namespace std::chrono_literals;
using testkit::eth;
using testkit::Frame;
using testkit::Harness;
using testkit::payload;
using testkit::Stack;
using testkit::udp;

const MacAddress left_mac = testkit::mac("02:aa:00:00:00:10");
const MacAddress right_mac = testkit::mac("02:bb:00:00:00:10");
const MacAddress gateway_mac = testkit::mac("02:cc:00:00:00:01");

std::string config(bool ip_forwarding) {
  return std::string{"hostname A\nmodules rt\n"} + (ip_forwarding ? "set ipforwarding 1\n" : "") + R"(
interface 1 {
  name eth1
}
interface 2 {
  name eth2
}
register interfaces 1,2
enable interfaces 1,2
network 1 {
  addr 10.0.0.0
  mask 255.255.255.0
  real 10.0.0.1
  virt 10.0.0.3
  mask6 64
  real6 2001:db8::1
  virt6 2001:db8::3
  interface 1
}
network 2 {
  addr 10.1.0.0
  mask 255.255.255.0
  real 10.1.0.1
  virt 10.1.0.3
  mask6 64
  real6 2001:db8:1::1
  virt6 2001:db8:1::3
  interface 2
}
register networks 1,2
enable networks 1,2
gateway {
  ipaddr 10.1.0.254
  ipaddr6 2001:db8:1::fe
}
)";
}

struct Net {
  const char* name;
  const char* left;
  const char* right;
  const char* gateway;
  const char* far;
  const char* real;
  const char* real_right;
  const char* virt;
};
void PrintTo(const Net& net, std::ostream* stream) { *stream << net.name; }
constexpr Net net4{"IPv4", "10.0.0.10", "10.1.0.10", "10.1.0.254", "192.0.2.99", "10.0.0.1", "10.1.0.1", "10.0.0.3"};
constexpr Net net6{"IPv6",           "2001:db8::10", "2001:db8:1::10", "2001:db8:1::fe",
                   "2001:db8:f::99", "2001:db8::1",  "2001:db8:1::1",  "2001:db8::3"};

Stack ip_between(const MacAddress& from_mac, const MacAddress& to_mac, std::string_view source,
                 std::string_view destination, std::uint8_t hop_limit = 64) {
  if (testkit::ip(source).is_v4()) {
    return eth(from_mac, to_mac) / testkit::ipv4(source, destination).hop_limit(hop_limit).dont_fragment();
  }
  return eth(from_mac, to_mac) / testkit::ipv6(source, destination).hop_limit(hop_limit);
}

class Lab {
 public:
  explicit Lab(bool ip_forwarding = true) : node({&descriptor}, config(ip_forwarding)) {
    for (const Net& net : {net4, net6}) {
      know(1, net.left, left_mac, 1);
      know(2, net.right, right_mac, 2);
      know(2, net.gateway, gateway_mac, 2);
    }
    node.settle();
  }
  void know(NetworkId network, const char* address, const MacAddress& mac, InterfaceId interface,
            NeighborReachability reachability = NeighborReachability::reachable) {
    node.bus().publish(NeighborEntry{.network = network,
                                     .address = testkit::ip(address),
                                     .mac = mac,
                                     .interface = interface,
                                     .reachability = reachability});
  }
  // From the left host to `destination`.
  [[nodiscard]] static Frame question(std::string_view source, std::string_view destination,
                                      std::uint8_t hop_limit = 64, std::size_t size = 20) {
    return ip_between(left_mac, Harness::mac_of(1), source, destination, hop_limit) / udp(1, 2) /
           testkit::payload_of(size);
  }
  [[nodiscard]] static Frame routed(const MacAddress& to, std::string_view source, std::string_view destination,
                                    std::uint8_t hop_limit = 63, std::size_t size = 20) {
    return ip_between(Harness::mac_of(2), to, source, destination, hop_limit) / udp(1, 2) / testkit::payload_of(size);
  }
  Harness node;
};

enum class Delivery : std::uint8_t { one_by_one, as_one_batch };

class RtModule : public testing::TestWithParam<std::tuple<Net, Delivery>> {
 protected:
  static const Net& net() { return std::get<0>(GetParam()); }
  static void deliver(Lab& lab, const std::vector<Frame>& frames) {
    if (std::get<1>(GetParam()) == Delivery::as_one_batch) {
      lab.node.inject(1, frames);
      return;
    }
    for (const Frame& frame : frames) lab.node.inject(1, frame);
  }
};

INSTANTIATE_TEST_SUITE_P(Families, RtModule,
                         testing::Combine(testing::Values(net4, net6),
                                          testing::Values(Delivery::one_by_one, Delivery::as_one_batch)),
                         [](const auto& entry) {
                           return std::string{std::get<0>(entry.param).name} +
                                  (std::get<1>(entry.param) == Delivery::as_one_batch ? "Batch64" : "Batch1");
                         });

TEST_P(RtModule, RoutesBetweenTheNetworksAndToTheGateway) {
  Lab lab;
  deliver(lab, {Lab::question(net().left, net().right), Lab::question(net().left, net().far),
                Lab::question(net().left, net().right, 2)});
  EXPECT_EQ(lab.node.take_sent(2), (std::vector<Frame>{Lab::routed(right_mac, net().left, net().right),
                                                       Lab::routed(gateway_mac, net().left, net().far),
                                                       Lab::routed(right_mac, net().left, net().right, 1)}));
  EXPECT_TRUE(lab.node.take_sent(1).empty());
  EXPECT_EQ(lab.node.counter("rt", "routed"), 3U);
}

TEST_P(RtModule, RoutesAFullBatchInOrder) {
  Lab lab;
  std::vector<Frame> frames;
  std::vector<Frame> expected;
  for (std::size_t size = 1; size <= 64; ++size) {
    frames.push_back(Lab::question(net().left, net().right, 64, size));
    expected.push_back(Lab::routed(right_mac, net().left, net().right, 63, size));
  }
  deliver(lab, frames);
  EXPECT_EQ(lab.node.take_sent(2), expected);
}

TEST_P(RtModule, RoutesNothingWhileForwardingIsOff) {
  Lab lab(false);
  deliver(lab, {Lab::question(net().left, net().right), Lab::question(net().left, net().far)});
  EXPECT_TRUE(lab.node.take_sent(2).empty());
  EXPECT_EQ(lab.node.drops("rt", "forwarding-off"), 2U);
}

TEST_P(RtModule, TurningForwardingOnTakesEffectWithTheReload) {
  Lab lab(false);
  EXPECT_FALSE(lab.node.reload(config(true)).has_errors());
  deliver(lab, {Lab::question(net().left, net().right)});
  EXPECT_EQ(lab.node.take_sent(2).size(), 1U);
  EXPECT_FALSE(lab.node.reload(config(false)).has_errors());
  deliver(lab, {Lab::question(net().left, net().right)});
  EXPECT_TRUE(lab.node.take_sent(2).empty());
}

TEST_P(RtModule, NeverRoutesToItsOwnAddresses) {
  for (const bool ip_forwarding : {true, false}) {
    Lab lab(ip_forwarding);
    deliver(lab, {Lab::question(net().left, net().real), Lab::question(net().left, net().virt),
                  Lab::question(net().left, net().real_right)});
    EXPECT_TRUE(lab.node.take_sent(1).empty());
    EXPECT_TRUE(lab.node.take_sent(2).empty());
    EXPECT_EQ(lab.node.drops("rt", "own-address"), 3U);
  }
}

TEST_P(RtModule, NeverRoutesPacketsThatClaimToComeFromItself) {
  Lab lab;
  deliver(lab, {Lab::question(net().real, net().right), Lab::question(net().virt, net().right)});
  EXPECT_TRUE(lab.node.take_sent(2).empty());
  EXPECT_EQ(lab.node.drops("rt", "own-source"), 2U);
}

TEST_P(RtModule, AnswersTimeExceededToTheSource) {
  Lab lab;
  deliver(lab, {Lab::question(net().left, net().right, 1)});
  EXPECT_TRUE(lab.node.take_sent(2).empty());
  const std::vector<Frame> answers = lab.node.take_sent(1);
  ASSERT_EQ(answers.size(), 1U);
  const Frame original = Lab::question(net().left, net().right, 1);
  const Frame quoted(original.begin() + 14, original.end());
  const bool is_v4 = testkit::ip(net().left).is_v4();
  const std::size_t type_at = is_v4 ? 14 + 20 : 14 + 40;
  EXPECT_EQ(answers[0].at(type_at), is_v4 ? 11 : 3);
  EXPECT_EQ(answers[0].at(type_at + 1), 0);
  // What the error is about follows the ICMP header.
  EXPECT_TRUE(std::equal(quoted.begin(), quoted.end(), answers[0].begin() + static_cast<std::ptrdiff_t>(type_at) + 8));
}

TEST_P(RtModule, AnswersTooBigWithTheMtu) {
  Lab lab;
  // A super-frame can be larger than the MTU; each of its segments must fit.
  lab.node.inject(1, testkit::OffloadFrame{.bytes = Lab::question(net().left, net().right, 64, 2000)});
  EXPECT_TRUE(lab.node.take_sent(2).empty());
  const std::vector<Frame> answers = lab.node.take_sent(1);
  ASSERT_EQ(answers.size(), 1U);
  const bool is_v4 = testkit::ip(net().left).is_v4();
  const std::size_t type_at = is_v4 ? 14 + 20 : 14 + 40;
  EXPECT_EQ(answers[0].at(type_at), is_v4 ? 3 : 2);
  EXPECT_EQ(answers[0].at(type_at + 1), is_v4 ? 4 : 0);
  EXPECT_EQ(answers[0].at(type_at + 6) * 256 + answers[0].at(type_at + 7), 1500);
}

TEST_P(RtModule, AnswersUnreachableWhenTheNeighbourDoesNotAnswer) {
  Lab lab;
  const std::string silent = testkit::ip(net().right).is_v4() ? "10.1.0.77" : "2001:db8:1::77";
  deliver(lab, {Lab::question(net().left, silent)});
  EXPECT_TRUE(lab.node.take_sent(1).empty()) << "it waits";
  lab.know(2, silent.c_str(), {}, 2, NeighborReachability::failed);
  lab.node.settle();
  const std::vector<Frame> answers = lab.node.take_sent(1);
  ASSERT_EQ(answers.size(), 1U);
  const bool is_v4 = testkit::ip(net().left).is_v4();
  EXPECT_EQ(answers[0].at(is_v4 ? 34 : 54), is_v4 ? 3 : 1);
  EXPECT_EQ(answers[0].at(is_v4 ? 35 : 55), is_v4 ? 1 : 3);
}

TEST_P(RtModule, AFrameToManyIsNotRouted) {
  Lab lab;
  deliver(lab, {ip_between(left_mac, MacAddress::broadcast(), net().left, net().right) / udp(1, 2) / payload("x")});
  EXPECT_TRUE(lab.node.take_sent(2).empty());
  EXPECT_EQ(lab.node.drops("core", "group-frame"), 1U) << "by the door";
}

struct Refused {
  const char* source;
  const char* destination;
  const char* reason;
};

class RtRefusal : public testing::TestWithParam<Refused> {};

INSTANTIATE_TEST_SUITE_P(Addresses, RtRefusal,
                         testing::Values(Refused{"10.0.0.10", "169.254.1.1", "link-local"},
                                         Refused{"169.254.1.1", "10.1.0.10", "link-local"},
                                         Refused{"fe80::10", "2001:db8:1::10", "link-local"},
                                         Refused{"2001:db8::10", "fe80::99", "link-local"},
                                         Refused{"10.0.0.10", "10.1.0.255", "directed-broadcast"},
                                         Refused{"10.0.0.10", "10.1.0.0", "directed-broadcast"},
                                         Refused{"10.0.0.10", "240.0.0.1", "not-routable"},
                                         Refused{"240.0.0.1", "10.1.0.10", "bad-source"}));

TEST_P(RtRefusal, HasItsReason) {
  Lab lab;
  lab.node.inject(1, Lab::question(GetParam().source, GetParam().destination));
  EXPECT_TRUE(lab.node.take_sent(2).empty());
  EXPECT_EQ(lab.node.drops("rt", GetParam().reason), 1U) << GetParam().source << " to " << GetParam().destination;
}

TEST(RtCommands, ShowRoutesListsThemLongestPrefixFirst) {
  Lab lab;
  const Report report = lab.node.command("show routes");
  ASSERT_EQ(report.fields.size(), 1U);
  EXPECT_EQ(report.fields[0].value, Cell{true});
  std::vector<std::string> lines;
  for (const auto& row : report.tables.at(0).rows) {
    lines.push_back(std::get<std::string>(row.at(0)) + " " +
                    (std::holds_alternative<std::string>(row.at(1)) ? std::get<std::string>(row.at(1)) : "-") + " " +
                    std::to_string(std::get<std::uint64_t>(row.at(2))) + " " + std::get<std::string>(row.at(3)));
  }
  const std::vector<std::string> expected{"10.0.0.0/24 - 1 connected",      "10.1.0.0/24 - 2 connected",
                                          "0.0.0.0/0 10.1.0.254 2 gateway", "2001:db8::/64 - 1 connected",
                                          "2001:db8:1::/64 - 2 connected",  "::/0 2001:db8:1::fe 2 gateway"};
  EXPECT_EQ(lines, expected);
  EXPECT_TRUE(report.notes.empty());
  EXPECT_EQ(Lab(false).node.command("show routes").notes.size(), 1U);
}

}  // namespace
}  // namespace trivet::rt
