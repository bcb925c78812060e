// The module in a node: frames in, frames out, byte for byte.
#include "slb/module.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "lab.h"

namespace trivet::slb {
namespace {

using namespace std::chrono_literals;
using testkit::payload;
using testkit::tcp;
using testkit::udp;

enum class Delivery : std::uint8_t { one_by_one, as_one_batch };

// Family and batch size.
class SlbModule : public testing::TestWithParam<std::tuple<Net, Delivery>> {
 protected:
  static const Net& net() { return std::get<0>(GetParam()); }
  static void deliver(Lab& lab, InterfaceId interface, const std::vector<Frame>& frames) {
    if (std::get<1>(GetParam()) == Delivery::as_one_batch) {
      lab.node.inject(interface, frames);
      return;
    }
    for (const Frame& frame : frames) lab.node.inject(interface, frame);
  }
};

INSTANTIATE_TEST_SUITE_P(Families, SlbModule,
                         testing::Combine(testing::Values(net4, net6),
                                          testing::Values(Delivery::one_by_one, Delivery::as_one_batch)),
                         [](const auto& entry) {
                           return std::string{std::get<0>(entry.param).name} +
                                  (std::get<1>(entry.param) == Delivery::as_one_batch ? "Batch64" : "Batch1");
                         });

TEST_P(SlbModule, TranslatesTcpBothWaysByteForByte) {
  Lab lab(Lab::web(net()));
  std::vector<Frame> questions;
  std::vector<Frame> expected;
  for (std::uint16_t port = 4000; port < 4064; ++port) {
    questions.push_back(Lab::from_alice(net(), net().vip, tcp(port, 8080).syn().mss(1440).seq(port)));
    const bool first = port % 2 == 0;
    expected.push_back(Lab::at_target(net(), first ? net().t1 : net().t2, first ? t1_mac : t2_mac,
                                      tcp(port, 80).syn().mss(1440).seq(port)));
  }
  deliver(lab, 1, questions);
  EXPECT_EQ(lab.to_targets(), expected);
  EXPECT_EQ(lab.node.counter("slb", "sessions_created"), 64U);
  EXPECT_EQ(lab.node.counter("slb", "to_targets"), 64U);

  deliver(lab, 2,
          {Lab::from_target(net(), net().t1, t1_mac, tcp(80, 4000).syn().ack(1)),
           Lab::from_target(net(), net().t2, t2_mac, tcp(80, 4001).syn().ack(1))});
  EXPECT_EQ(lab.to_clients(), (std::vector<Frame>{Lab::at_alice(net(), net().vip, tcp(8080, 4000).syn().ack(1)),
                                                  Lab::at_alice(net(), net().vip, tcp(8080, 4001).syn().ack(1))}));
  EXPECT_EQ(lab.node.counter("slb", "to_clients"), 2U);
}

TEST_P(SlbModule, TranslatesUdpBothWaysByteForByte) {
  Lab lab(Lab::server(1, net(), net().vip, "  port 53\n  protocol udp\n  targets 1\n") +
          Lab::target(1, net(), net().t1, "  port 5353\n"));
  deliver(lab, 1, {Lab::from_alice(net(), net().vip, udp(4000, 53)), Lab::from_alice(net(), net().vip, udp(4001, 53))});
  EXPECT_EQ(lab.to_targets(), (std::vector<Frame>{Lab::at_target(net(), net().t1, t1_mac, udp(4000, 5353)),
                                                  Lab::at_target(net(), net().t1, t1_mac, udp(4001, 5353))}));
  deliver(lab, 2, {Lab::from_target(net(), net().t1, t1_mac, udp(5353, 4000))});
  EXPECT_EQ(lab.to_clients(), (std::vector<Frame>{Lab::at_alice(net(), net().vip, udp(53, 4000))}));
  EXPECT_EQ(lab.node.counter("slb", "sessions_created"), 1U) << "sessionid src";
}

TEST_P(SlbModule, AWholeConnectionInOneBatchKeepsItsOrder) {
  Lab lab(Lab::web(net()));
  deliver(lab, 1,
          {Lab::from_alice(net(), net().vip, tcp(4000, 8080).syn()),
           Lab::from_alice(net(), net().vip, tcp(4000, 8080).ack(1)),
           Lab::from_alice(net(), net().vip, tcp(4000, 8080).psh().ack(1))});
  EXPECT_EQ(lab.to_targets(),
            (std::vector<Frame>{Lab::at_target(net(), net().t1, t1_mac, tcp(4000, 80).syn()),
                                Lab::at_target(net(), net().t1, t1_mac, tcp(4000, 80).ack(1)),
                                Lab::at_target(net(), net().t1, t1_mac, tcp(4000, 80).psh().ack(1))}));
}

TEST_P(SlbModule, PartialChecksumsStayPartialAndRight) {
  Lab lab(Lab::web(net()));
  const std::uint16_t start = testkit::ip(net().vip).is_v4() ? 34 : 54;
  testkit::OffloadFrame frame{.bytes = Lab::from_alice(net(), net().vip, tcp(4000, 8080).syn().partial_checksum()),
                              .checksum = ChecksumState::partial,
                              .checksum_start = start,
                              .checksum_offset = 16};
  lab.node.inject(1, frame);
  const auto sent = lab.node.take_sent_frames(2);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].bytes, Lab::at_target(net(), net().t1, t1_mac, tcp(4000, 80).syn().partial_checksum()));
  EXPECT_EQ(sent[0].checksum, ChecksumState::partial);
}

TEST_P(SlbModule, DirectReturnChangesOnlyTheFrameAndTheHopLimit) {
  Lab lab(Lab::web(net(), "  sessionid src+port\n", "  sessionid dst+port\n  dsr enable\n  port 8080\n"));
  deliver(lab, 1, {Lab::from_alice(net(), net().vip, tcp(4000, 8080).syn())});
  const Frame expected =
      ip_between(Lab::target_side(), t1_mac, net().alice, net().vip, 63) / tcp(4000, 8080).syn() / payload("question");
  EXPECT_EQ(lab.to_targets(), std::vector<Frame>{expected});
}

TEST_P(SlbModule, EveryRefusalIsCountedUnderItsName) {
  Lab lab(Lab::web(net()));
  deliver(lab, 1,
          {Lab::from_alice(net(), net().vip, tcp(1, 8080).ack(1)),  // no-session
           Lab::from_alice(net(), net().vip, tcp(1, 8080).rst()),   // no-session
           Lab::from_alice(net(), net().vip, tcp(1, 8081).syn()),   // no-service
           Lab::from_alice(net(), net().vip, udp(1, 8080))});       // no-service
  lab.health(1, Health::down);
  lab.health(2, Health::undecided);
  deliver(lab, 1, {Lab::from_alice(net(), net().vip, tcp(1, 8080).syn())});  // no-target
  EXPECT_EQ(lab.node.drops("slb", "no-session"), 2U);
  EXPECT_EQ(lab.node.drops("slb", "no-service"), 2U);
  EXPECT_EQ(lab.node.drops("slb", "no-target"), 1U);
  EXPECT_TRUE(lab.to_targets().empty());
  EXPECT_TRUE(lab.to_clients().empty());
}

TEST_P(SlbModule, ForgedSourcesBeginNoSession) {
  Lab lab(Lab::web(net()) + Lab::server(2, net(), net().vip2, "  targets 1\n"));
  const bool is_v4 = std::string_view{net().name} == net4.name;
  const auto from = [&](const char* source) {
    return Frame(ip_between(alice_mac, Lab::client_side(), source, net().vip) / tcp(4000, 8080).syn());
  };
  // The service itself, another service, the node's own addresses of either network.
  const std::vector<const char*> own{net().vip, net().vip2, is_v4 ? "10.0.0.1" : "2001:db8::1",
                                     is_v4 ? "10.1.0.254" : "2001:db8:1::fe"};
  const std::vector<const char*> bad = is_v4 ? std::vector<const char*>{"0.0.0.0", "240.0.0.1"} : std::vector{"::"};
  // These the core refuses.
  const std::vector<const char*> worse =
      is_v4 ? std::vector{"127.0.0.1", "224.0.0.1", "255.255.255.255"} : std::vector{"::1", "ff02::1"};
  std::vector<Frame> frames;
  for (const auto& sources : {own, bad, worse}) std::ranges::transform(sources, std::back_inserter(frames), from);
  frames.push_back(from(is_v4 ? "169.254.7.7" : "fe80::7"));
  deliver(lab, 1, frames);
  EXPECT_EQ(lab.node.drops("slb", "own-source"), own.size());
  EXPECT_EQ(lab.node.drops("slb", "bad-source"), bad.size());
  EXPECT_EQ(lab.node.drops("slb", "link-local"), 1U);
  EXPECT_EQ(lab.node.drops("core", "bad-source"), worse.size());
  EXPECT_EQ(lab.node.counter("slb", "sessions_created"), 0U);
  EXPECT_TRUE(lab.to_targets().empty());
  EXPECT_TRUE(lab.to_clients().empty());
}

TEST_P(SlbModule, FragmentsToAServiceAreRefused) {
  Lab lab(Lab::server(1, net(), net().vip, "  port 53\n  protocol udp\n  targets 1\n") +
          Lab::target(1, net(), net().t1, ""));
  const Frame whole =
      ip_between(alice_mac, Lab::client_side(), net().alice, net().vip) / udp(1, 53) / testkit::payload_of(64);
  deliver(lab, 1, testkit::fragments(whole, 32, 7));
  EXPECT_EQ(lab.node.drops("slb", "fragment"), 3U);
  EXPECT_TRUE(lab.to_targets().empty());
}

TEST_P(SlbModule, NoPartOfAFragmentedReplyLeaves) {
  Lab lab(Lab::server(1, net(), net().vip, "  port 53\n  protocol udp\n  targets 1\n") +
          Lab::target(1, net(), net().t1, ""));
  deliver(lab, 1, {Lab::from_alice(net(), net().vip, udp(1, 53))});
  const Frame answer =
      ip_between(t1_mac, Lab::target_side(), net().t1, net().alice) / udp(53, 1) / testkit::payload_of(64);
  deliver(lab, 2, testkit::fragments(answer, 32, 7));
  EXPECT_EQ(lab.node.drops("slb", "fragment"), 3U);
  const Frame own =
      ip_between(t1_mac, Lab::target_side(), net().t1, net().alice) / udp(54, 1) / testkit::payload_of(64);
  deliver(lab, 2, testkit::fragments(own, 32, 8));
  EXPECT_EQ(lab.node.drops("core", "end-of-chain"), 3U) << "no reply: the next module's";
}

TEST_P(SlbModule, OwnTrafficOfTargetsPassesOn) {
  Lab lab(Lab::web(net()));
  deliver(lab, 2,
          {Lab::from_target(net(), net().t1, t1_mac, tcp(80, 4000).ack(1)),
           Lab::from_target(net(), net().t1, t1_mac, tcp(5000, 443).syn())});
  EXPECT_EQ(lab.node.drops("core", "end-of-chain"), 2U) << "nobody behind slb in this chain wants it";
  EXPECT_EQ(lab.node.counter("slb", "sessions_created"), 0U);
}

TEST_P(SlbModule, ATargetThatGoesDownLosesItsSessionsAndADisabledOneDrains) {
  Lab lab(Lab::web(net()));
  EXPECT_EQ(lab.open(net(), 4000), 1);
  EXPECT_EQ(lab.open(net(), 4001), 2);
  lab.health(1, Health::down, "ping: no answer for 10 s");
  EXPECT_EQ(lab.open(net(), 4000), 2);
  lab.health(1, Health::up);
  EXPECT_EQ(lab.open(net(), 4002), 1);
  const std::string drained =
      Lab::text(Lab::server(1, net(), net().vip, "  port 8080\n  protocol tcp\n  targets 1,2\n  sessionid src+port\n") +
                Lab::target(1, net(), net().t1, "  port 80\n  sessionid dst+port\n", false) +
                Lab::target(2, net(), net().t2, "  port 80\n  sessionid dst+port\n"));
  EXPECT_FALSE(lab.node.reload(drained).has_errors());
  EXPECT_EQ(lab.open(net(), 4002), 1) << "drains";
  for (std::uint16_t port = 5000; port < 5008; ++port) EXPECT_EQ(lab.open(net(), port), 2);
  lab.node.bus().erase<TargetHealth>("1");
  lab.node.settle();
  EXPECT_EQ(lab.open(net(), 4002), 1) << "no health is up";
}

TEST_P(SlbModule, SessionsSurviveAReloadThatDoesNotConcernThem) {
  Lab lab(Lab::web(net()));
  EXPECT_EQ(lab.open(net(), 4000), 1);
  EXPECT_EQ(lab.open(net(), 4001), 2);
  const std::string more = Lab::web(net()) + Lab::server(2, net(), net().vip2, "  port 8080\n  targets 2\n");
  EXPECT_FALSE(lab.node.reload(Lab::text(more)).has_errors());
  EXPECT_EQ(lab.open(net(), 4000), 1);
  EXPECT_EQ(lab.open(net(), 4001), 2);
  EXPECT_EQ(lab.open(net(), 6000, net().vip2), 2);
  EXPECT_EQ(lab.node.counter("slb", "sessions_created"), 3U);
  EXPECT_FALSE(lab.node.reload(Lab::text(Lab::web(net()))).has_errors());
  EXPECT_EQ(lab.open(net(), 6001, net().vip2), 0) << "no longer an address of this node";
  EXPECT_EQ(lab.node.counter("slb", "sessions_removed"), 1U);
}

TEST_P(SlbModule, IdleSessionsAreFreedWithoutAnyPacket) {
  Lab lab(Lab::web(net(), "  sessionid src+port\n  stimeout 20\n"));
  for (std::uint16_t port = 1; port <= 100; ++port) EXPECT_NE(lab.open(net(), port), 0);
  EXPECT_EQ(cell(lab.node.command("show servers"), 1, "sessions"), Cell{std::uint64_t{100}});
  lab.node.advance(65s);  // half open: 60 s, and one sweep
  EXPECT_EQ(cell(lab.node.command("show servers"), 1, "sessions"), Cell{std::uint64_t{0}});
  EXPECT_EQ(lab.node.counter("slb", "sessions_expired"), 100U);
}

TEST_P(SlbModule, AFullTableRefusesNewSessionsOnly) {
  Lab lab(Lab::web(net()), "set maxsessions 16\n");
  for (std::uint16_t port = 1; port <= 16; ++port) EXPECT_NE(lab.open(net(), port), 0);
  EXPECT_NE(lab.open(net(), 17), 0) << "for a half-open one";
  EXPECT_EQ(lab.node.counter("slb", "sessions_evicted"), 1U);
  for (std::uint16_t port = 2; port <= 17; ++port) {
    deliver(lab, 2,
            {Lab::from_target(net(), net().t1, t1_mac, tcp(80, port).syn().ack(1)),
             Lab::from_target(net(), net().t2, t2_mac, tcp(80, port).syn().ack(1))});
    deliver(lab, 1, {Lab::from_alice(net(), net().vip, tcp(port, 8080).ack(1))});
  }
  (void)lab.to_targets();
  EXPECT_EQ(lab.open(net(), 18), 0);
  EXPECT_EQ(lab.node.drops("slb", "session-table-full"), 1U);
  EXPECT_EQ(lab.node.counter("slb", "sessions_evicted"), 1U);
  EXPECT_NE(lab.open(net(), 2), 0);
}

TEST_P(SlbModule, ASessionConflictIsCounted) {
  Lab lab(Lab::server(1, net(), net().vip, "  port 8080\n  sessionid src+port\n  targets 1\n") +
          Lab::server(2, net(), net().vip2, "  port 8080\n  sessionid src+port\n  targets 1\n") +
          Lab::target(1, net(), net().t1, "  port 80\n  sessionid dst+port\n"));
  EXPECT_EQ(lab.open(net(), 4000), 1);
  EXPECT_EQ(lab.open(net(), 4000, net().vip2), 0);
  EXPECT_EQ(lab.open(net(), 4001, net().vip2), 1);
  EXPECT_EQ(lab.node.drops("slb", "session-conflict"), 1U);
}

TEST_P(SlbModule, EchoToAServerThatTakesEverythingIsBalancedWithRightChecksums) {
  Lab lab(Lab::server(1, net(), net().vip, "  targets 1\n") + Lab::target(1, net(), net().t1, ""));
  deliver(lab, 1, {Lab::from_alice(net(), net().vip, testkit::echo_request(1, 2))});
  EXPECT_EQ(lab.to_targets(), std::vector<Frame>{Lab::at_target(net(), net().t1, t1_mac, testkit::echo_request(1, 2))});
  deliver(lab, 2, {Lab::from_target(net(), net().t1, t1_mac, testkit::echo_reply(1, 2))});
  EXPECT_EQ(lab.to_clients(), std::vector<Frame>{Lab::at_alice(net(), net().vip, testkit::echo_reply(1, 2))});
}

// Loads of a target count for both families: who is decided about first shows.
TEST(SlbModuleFamilies, ABatchOfBothIsDecidedInItsOrder) {
  const std::string objects = "server 1 {\n  ipaddr " + std::string{net4.vip} + "\n  ipaddr6 " + net6.vip +
                              "\n  port 8080\n  protocol tcp\n  targets 1,2\n  sessionid src+port\n  method session\n"
                              "}\nregister server 1\nenable server 1\n";
  std::string targets;
  for (const auto& [number, t4, t6] : {std::tuple{"1", net4.t1, net6.t1}, std::tuple{"2", net4.t2, net6.t2}}) {
    targets += "target " + std::string{number} + " {\n  ipaddr " + t4 + "\n  ipaddr6 " + t6 +
               "\n  port 80\n}\nregister target " + number + "\nenable target " + number + "\n";
  }
  std::vector<Frame> frames;
  for (std::uint16_t port = 4000; port < 4060; ++port) {
    // Runs of one, two and more of a family.
    const Net& net = (port * 7 % 11) < 5 ? net4 : net6;
    frames.push_back(Lab::from_alice(net, net.vip, tcp(port, 8080).syn()));
    if (port % 3 == 0) frames.push_back(Lab::from_alice(net, net.vip, tcp(port, 8080).ack(1)));
  }
  frames.resize(64);
  Lab batch(objects + targets);
  batch.node.inject(1, frames);
  Lab single(objects + targets);
  for (const Frame& frame : frames) single.node.inject(1, frame);
  const std::vector<Frame> sent = batch.to_targets();
  EXPECT_EQ(sent.size(), frames.size());
  EXPECT_EQ(sent, single.to_targets());
}

}  // namespace
}  // namespace trivet::slb
