// A reload with another modules line: what both lines name goes on, with its sessions.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ping/module.h"
#include "rt/module.h"
#include "tests/slb/lab.h"

namespace trivet::scenario {
namespace {

using slb::Lab;
using slb::net4;
using testkit::Frame;
using testkit::Harness;

std::string config(const std::string& modules, const std::string& more = "") {
  return "hostname A\nmodules " + modules + "\nset ipforwarding 1\n" + slb::base_config + Lab::web(net4) + more;
}

class ModulesLine : public ::testing::Test {
 protected:
  ModulesLine() : node_({&slb::descriptor, &ping::descriptor, &rt::descriptor}, config("slb,rt")) {
    know(1, net4.alice, slb::alice_mac, 1);
    know(2, net4.t1, slb::t1_mac, 2);
    know(2, net4.t2, slb::t2_mac, 2);
    node_.settle();
  }
  void know(NetworkId network, const char* address, const MacAddress& mac, InterfaceId interface) {
    node_.bus().publish(NeighborEntry{.network = network,
                                      .address = testkit::ip(address),
                                      .mac = mac,
                                      .interface = interface,
                                      .reachability = NeighborReachability::reachable});
  }
  // A segment of Alice's connection from `port`; the target that gets it, 0 for none.
  int segment(std::uint16_t port, bool is_first) {
    const auto tcp = is_first ? testkit::tcp(port, 8080).syn() : testkit::tcp(port, 8080).ack();
    node_.inject(1, Lab::from_alice(net4, net4.vip, tcp));
    const std::vector<Frame> sent = node_.take_sent(2);
    if (sent.size() != 1) return 0;
    const MacAddress to{{sent[0][0], sent[0][1], sent[0][2], sent[0][3], sent[0][4], sent[0][5]}};
    return to == slb::t1_mac ? 1 : 2;
  }
  bool answers_ping() {
    node_.inject(
        1, slb::ip_between(slb::alice_mac, Lab::client_side(), net4.alice, "10.0.0.1") / testkit::echo_request(1, 2));
    return node_.take_sent(1).size() == 1;
  }
  bool routes() {
    node_.inject(1, slb::ip_between(slb::alice_mac, Lab::client_side(), net4.alice, net4.t1) / testkit::udp(1, 2));
    return node_.take_sent(2).size() == 1;
  }

  Harness node_;
};

TEST_F(ModulesLine, SessionsOutliveEveryChangeOfTheLineThatKeepsTheirModule) {
  constexpr std::uint16_t ports[] = {4000, 4001, 4002};
  std::vector<int> targets;
  for (const std::uint16_t port : ports) targets.push_back(segment(port, true));
  ASSERT_EQ(targets, (std::vector<int>{1, 2, 1}));
  EXPECT_FALSE(answers_ping());
  EXPECT_TRUE(routes());

  struct Step {
    const char* line;
    bool has_ping;
    bool has_rt;
  };
  for (const Step& step : {Step{"ping,slb,rt", true, true},  // one added in front
                           Step{"slb,ping", true, false},    // one removed, order changed
                           Step{"ping,slb", true, false},    // order changed
                           Step{"slb", false, false},        // removed
                           Step{"slb,rt", false, true}, Step{"ping,slb,rt", true, true}}) {
    EXPECT_FALSE(node_.reload(config(step.line)).has_errors()) << step.line;
    for (std::size_t i = 0; i < targets.size(); ++i) EXPECT_EQ(segment(ports[i], false), targets[i]) << step.line;
    EXPECT_EQ(answers_ping(), step.has_ping) << step.line;
    EXPECT_EQ(routes(), step.has_rt) << step.line;
  }
  EXPECT_EQ(node_.counter("slb", "sessions_created"), 3U);
  EXPECT_EQ(node_.counter("slb", "sessions_removed"), 0U);
}

TEST_F(ModulesLine, TheLineAndTheServersMayChangeTogether) {
  ASSERT_EQ(segment(4000, true), 1);
  ASSERT_EQ(segment(4001, true), 2);
  const std::string more = Lab::server(2, net4, net4.vip2, "  port 8080\n  targets 2\n");
  EXPECT_FALSE(node_.reload(config("ping,slb", more)).has_errors());
  EXPECT_EQ(segment(4000, false), 1);
  EXPECT_EQ(segment(4001, false), 2);
  EXPECT_EQ(node_.counter("slb", "sessions_removed"), 0U);
}

TEST_F(ModulesLine, ARefusedLineLeavesTheSessionsAlone) {
  ASSERT_EQ(segment(4000, true), 1);
  EXPECT_TRUE(node_.reload(config("rt,slb")).has_errors()) << "slb must stand before rt";
  EXPECT_TRUE(node_.reload(config("slb,nat")).has_errors());
  EXPECT_EQ(segment(4000, false), 1);
  EXPECT_TRUE(routes());
}

}  // namespace
}  // namespace trivet::scenario
