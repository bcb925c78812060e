// Stories of two and three nodes with the virtual router of the example pair: equal priorities, preemption with a hold
// of eight seconds, two interfaces that carry the advertisements, tracked links and gateway.
#include <gtest/gtest.h>

#include <chrono>

#include "lan.h"

namespace trivet::vrrp {
namespace {

using namespace std::chrono_literals;

// Master after a silent start: 3 * 1 s + (256 - 200) / 256 s.
constexpr Duration master_down_200 = 3s + Duration(56s) / 256;
constexpr Duration skew_200 = Duration(56s) / 256;

class Pair : public testing::Test {
 protected:
  // Node 0 is master, both have been stable for long.
  void settle() {
    lan.start(0);
    lan.run(5);
    lan.start(1);
    lan.run(30);
    ASSERT_EQ(lan.master(), 0);
    ASSERT_EQ(lan.role(1), Role::backup);
    ASSERT_EQ(lan.engine(1).effective_priority(), 200);
    lan.forget_changes();
  }
  // The time from now until `node` is the only master; fails after a minute.
  Duration until_only_master(int node) {
    const Time start = lan.now();
    while (lan.master() != node && lan.now() - start < 60s) lan.run(0.001);
    EXPECT_EQ(lan.master(), node);
    return lan.now() - start;
  }

  Lan lan{2};
};

TEST_F(Pair, FirstNodeBecomesMasterAfterMasterDownAndTheSecondStaysBackup) {
  const Time start = lan.now();
  lan.start(0);
  lan.run_until(start + master_down_200 - 1ns);
  EXPECT_EQ(lan.role(0), Role::backup);
  lan.run_until(start + master_down_200);
  EXPECT_EQ(lan.role(0), Role::master);
  EXPECT_EQ(lan.engine(0).reason(), "no advertisement for 3.21 s");
  lan.start(1);
  lan.run(60);
  EXPECT_EQ(lan.master(), 0);
  EXPECT_EQ(lan.role(1), Role::backup);
}

TEST_F(Pair, StartOrderDecidesWhateverTheAddress) {
  lan.start(1);
  lan.run(5);
  lan.start(0);
  lan.run(60);
  EXPECT_EQ(lan.master(), 1);
  EXPECT_EQ(lan.role(0), Role::backup);
}

TEST_F(Pair, SameInstantTheHigherAddressStaysMasterWithinOneLinkDelay) {
  const Time start = lan.now();
  lan.start(0);
  lan.start(1);
  lan.run_until(start + master_down_200);
  EXPECT_EQ(lan.masters().size(), 2U);
  lan.run_until(start + master_down_200 + lan.delay);
  EXPECT_EQ(lan.master(), 1);
  EXPECT_EQ(lan.engine(0).reason(), "the master 10.0.0.2 has the same priority 200 and the higher address");
  lan.run(60);
  EXPECT_EQ(lan.master(), 1);
  EXPECT_EQ(lan.engine(0).role(), Role::backup);
}

TEST_F(Pair, SecondNodeThatStartsDuringMasterDownHearsTheFirst) {
  for (double offset = 0.01; offset < 5; offset += 0.37) {
    Lan both{2};
    both.start(0);
    both.run(offset);
    both.start(1);
    both.run(20);
    EXPECT_EQ(both.master(), 0) << offset;
  }
}

TEST_F(Pair, LossOfTheTrackedOutsideLinkMovesTheRoleAfterSkewTime) {
  settle();
  const Time cut = lan.now();
  lan.set_link(0, 2, false);
  EXPECT_EQ(lan.engine(0).effective_priority(), 190);
  lan.run_until(cut + lan.delay + skew_200 - 1ns);
  EXPECT_EQ(lan.master(), 0);
  lan.run_until(cut + lan.delay + skew_200);
  EXPECT_EQ(lan.role(1), Role::master);
  EXPECT_EQ(lan.engine(1).reason(), "the master 10.0.0.1 has priority 190, we have 200");
  lan.run_until(cut + 2 * lan.delay + skew_200);
  EXPECT_EQ(lan.master(), 1);
  EXPECT_EQ(lan.engine(0).reason(), "the master 10.0.0.2 has priority 200, we have 190");
}

TEST_F(Pair, LossOfATrackedLinkOfTheVrrpNetworkMovesTheRoleOverTheOtherOne) {
  settle();
  lan.set_link(0, 3, false);
  EXPECT_LT(until_only_master(1), 1s);
  lan.run(30);
  EXPECT_EQ(lan.master(), 1);
}

TEST_F(Pair, LossOfTheUntrackedLinkChangesNothing) {
  settle();
  lan.set_link(0, 1, false);
  lan.set_link(1, 1, false);
  lan.run(60);
  EXPECT_TRUE(lan.changes().empty());
  lan.set_link(0, 1, true);
  lan.set_link(1, 1, true);
  lan.run(60);
  EXPECT_TRUE(lan.changes().empty());
  EXPECT_EQ(lan.master(), 0);
}

TEST_F(Pair, RepairedNodeStaysBackup) {
  settle();
  lan.set_link(0, 2, false);
  lan.run(10);
  ASSERT_EQ(lan.master(), 1);
  lan.forget_changes();
  lan.set_link(0, 2, true);
  lan.run(120);
  EXPECT_EQ(lan.engine(0).effective_priority(), 200);
  EXPECT_EQ(lan.master(), 1);
  EXPECT_TRUE(lan.changes().empty());
}

TEST_F(Pair, LossOfAllVrrpLinksEndsMastershipAtOnce) {
  settle();
  lan.set_link(0, 1, false);
  lan.set_link(0, 3, false);
  EXPECT_EQ(lan.role(0), Role::init);
  EXPECT_EQ(lan.engine(0).reason(), "no interface of network 1 has link");
  EXPECT_LT(until_only_master(1), 4s);
  lan.run(60);
  EXPECT_EQ(lan.role(0), Role::init);
  lan.set_link(0, 1, true);
  EXPECT_EQ(lan.role(0), Role::backup);
  lan.run(60);
  EXPECT_EQ(lan.master(), 1);
}

TEST_F(Pair, LossOfAllVrrpLinksEndsMastershipOfTheOwnerToo) {
  Config owner = pair_config();
  owner.priority = 255;
  lan.configure(0, owner);
  settle();
  lan.set_link(0, 1, false);
  lan.set_link(0, 3, false);
  EXPECT_EQ(lan.role(0), Role::init);
  lan.set_link(0, 1, true);
  EXPECT_EQ(lan.role(0), Role::master);
}

TEST_F(Pair, BackupThatLosesAllVrrpLinksNeverBecomesMaster) {
  settle();
  lan.set_link(1, 1, false);
  lan.set_link(1, 3, false);
  lan.run(60);
  EXPECT_EQ(lan.role(1), Role::init);
  EXPECT_EQ(lan.master(), 0);
  lan.set_link(1, 3, true);
  lan.run(60);
  EXPECT_EQ(lan.role(1), Role::backup);
  EXPECT_EQ(lan.master(), 0);
}

TEST_F(Pair, GatewayThatOnlyTheMasterCannotReachMovesTheRole) {
  settle();
  lan.set_gateway(0, false);
  EXPECT_LT(until_only_master(1), 11s);
  EXPECT_EQ(lan.engine(0).effective_priority(), 190);
  lan.forget_changes();
  lan.set_gateway(0, true);
  lan.run(60);
  EXPECT_EQ(lan.engine(0).effective_priority(), 200);
  EXPECT_EQ(lan.master(), 1);
  EXPECT_TRUE(lan.changes().empty());
}

TEST_F(Pair, GatewayThatNobodyReachesMovesNothingWhoeverNoticesFirst) {
  for (double phase = 0; phase < 3; phase += 0.25) {
    Lan both{2};
    both.start(0);
    both.run(5 + phase);
    both.start(1);
    both.run(31 - phase / 2);
    ASSERT_EQ(both.master(), 0);
    both.forget_changes();
    both.set_gateway(0, false);
    both.set_gateway(1, false);
    both.run(60);
    EXPECT_TRUE(both.changes().empty()) << phase;
    EXPECT_EQ(both.engine(0).effective_priority(), 190);
    EXPECT_EQ(both.engine(1).effective_priority(), 190);
    both.set_gateway(0, true);
    both.set_gateway(1, true);
    both.run(60);
    EXPECT_TRUE(both.changes().empty()) << phase;
    EXPECT_EQ(both.master(), 0);
  }
}

TEST_F(Pair, DeadGatewayDoesNotKeepALostLinkFromMovingTheRole) {
  settle();
  lan.set_gateway(0, false);
  lan.set_gateway(1, false);
  lan.run(30);
  ASSERT_EQ(lan.master(), 0);
  lan.set_link(0, 2, false);
  EXPECT_LT(until_only_master(1), 1s);
  EXPECT_EQ(lan.engine(0).effective_priority(), 180);
  EXPECT_EQ(lan.engine(1).effective_priority(), 190);
}

TEST_F(Pair, BothLoseTheSameLinkAndNothingMoves) {
  settle();
  lan.set_link(0, 2, false);
  lan.run(0.1);
  lan.set_link(1, 2, false);
  lan.run(60);
  EXPECT_TRUE(lan.changes().empty());
  lan.set_link(1, 2, true);
  lan.run(0.1);
  lan.set_link(0, 2, true);
  lan.run(60);
  EXPECT_TRUE(lan.changes().empty());
  EXPECT_EQ(lan.master(), 0);
}

TEST_F(Pair, SingleLostAdvertisementsDoNotFlap) {
  settle();
  int number = 0;
  // Two of three advertisements get lost, on both interfaces alike.
  lan.loses = [&](std::size_t, std::size_t, InterfaceId) { return (number++ / 2) % 3 != 0; };
  lan.run(300);
  EXPECT_TRUE(lan.changes().empty());
}

TEST_F(Pair, OneOfTwoInterfacesIsEnough) {
  settle();
  lan.loses = [](std::size_t, std::size_t, InterfaceId interface) { return interface == 3; };
  lan.run(300);
  EXPECT_TRUE(lan.changes().empty());
}

TEST_F(Pair, CrashIsFollowedByMasterDownAndAnOrderlyStopBySkewTime) {
  settle();
  const Time last = lan.engine(0).next_timer().at - 1s;
  lan.run_until(last + 500ms);
  lan.crash(0);
  lan.run_until(last + lan.delay + master_down_200 - 1ns);
  EXPECT_EQ(lan.role(1), Role::backup);
  lan.run_until(last + lan.delay + master_down_200);
  EXPECT_EQ(lan.role(1), Role::master);
  EXPECT_EQ(lan.engine(1).reason(), "no advertisement of 10.0.0.1 for 3.21 s");

  lan.start(0);
  lan.run(20);
  ASSERT_EQ(lan.master(), 1);
  const Time stopped = lan.now();
  lan.stop(1);
  lan.run_until(stopped + lan.delay + skew_200 - 1ns);
  EXPECT_EQ(lan.role(0), Role::backup);
  lan.run_until(stopped + lan.delay + skew_200);
  EXPECT_EQ(lan.role(0), Role::master);
  EXPECT_EQ(lan.engine(0).reason(), "the master 10.0.0.2 has stopped (priority 0)");
}

TEST_F(Pair, HigherPriorityTakesOverOnlyAfterTheHold) {
  Config high = pair_config();
  high.priority = 210;
  lan.configure(1, high);
  lan.start(0);
  lan.run(30);
  const Time start = lan.now();
  lan.start(1);
  // The gateway's first answer, a millisecond later, is the last thing that changes.
  lan.run_until(start + 8s);
  EXPECT_EQ(lan.master(), 0);
  EXPECT_EQ(lan.role(1), Role::backup);
  lan.run_until(start + 10s);
  EXPECT_EQ(lan.master(), 1);
}

TEST_F(Pair, NodeThatJustCameBackWaitsBeforeItReplacesAFailingMaster) {
  lan.start(0);
  lan.run(30);
  const Time start = lan.now();
  lan.start(1);
  lan.run(3);
  lan.set_link(0, 2, false);
  lan.run_until(start + 8s);
  EXPECT_EQ(lan.master(), 0);
  lan.run_until(start + 10s);
  EXPECT_EQ(lan.master(), 1);
}

TEST_F(Pair, HoldDelaysNeitherMasterDownNorPriorityZero) {
  lan.start(0);
  lan.run(30);
  lan.start(1);
  lan.run(1.5);
  lan.stop(0);
  EXPECT_LT(until_only_master(1), 300ms);

  Lan other{2};
  other.start(0);
  other.run(30);
  other.start(1);
  other.run(1.5);
  other.crash(0);
  other.run(3.3);
  EXPECT_EQ(other.master(), 1);
}

TEST_F(Pair, UndecidedChecksHoldATakeoverUntilTheyAreDecidedDownOrUp) {
  settle();
  lan.set_targets(1, Health::undecided);
  lan.set_link(0, 2, false);
  lan.run(60);
  EXPECT_EQ(lan.master(), 0);
  EXPECT_EQ(lan.engine(1).preemption(lan.now()), "held: checks are undecided");
  lan.set_targets(1, Health::down);
  lan.run(7);
  EXPECT_EQ(lan.master(), 0);
  lan.run(3);
  EXPECT_EQ(lan.master(), 1);
}

TEST_F(Pair, UndecidedGatewayCountsAsDown) {
  lan.set_gateway(0, false);
  lan.start(0);
  lan.run(1);
  EXPECT_EQ(lan.engine(0).effective_priority(), 190);
  lan.run(20);
  EXPECT_EQ(lan.engine(0).effective_priority(), 190);
  EXPECT_EQ(lan.role(0), Role::master);
}

TEST_F(Pair, WithoutPreemptionALowerMasterKeepsItsRole) {
  Config config = pair_config();
  config.preempt = false;
  lan.configure(0, config);
  lan.configure(1, config);
  settle();
  lan.set_link(0, 2, false);
  lan.run(60);
  EXPECT_EQ(lan.master(), 0);
  EXPECT_EQ(lan.engine(1).preemption(lan.now()), "off");
  lan.set_link(0, 1, false);
  lan.set_link(0, 3, false);
  lan.run(5);
  EXPECT_EQ(lan.master(), 1);
}

TEST_F(Pair, ChangedPriorityIsAdvertisedAtOnceAndTheHoldStartsAnew) {
  settle();
  Config higher = pair_config();
  higher.priority = 220;
  const Time change = lan.now();
  lan.configure(1, higher);
  lan.run_until(change + 8s - 1ms);
  EXPECT_EQ(lan.master(), 0);
  lan.run(2);
  EXPECT_EQ(lan.master(), 1);
  const std::uint64_t sent = lan.count(1, Tally::sent);
  higher.priority = 230;
  lan.configure(1, higher);
  EXPECT_EQ(lan.count(1, Tally::sent), sent + 1);
}

TEST_F(Pair, TwoMastersAfterAPartitionPartWithinOneInterval) {
  lan.loses = [](std::size_t, std::size_t, InterfaceId) { return true; };
  lan.start(0);
  lan.run(0.4);
  lan.start(1);
  lan.run(20);
  ASSERT_EQ(lan.masters().size(), 2U);
  lan.loses = nullptr;
  lan.run_until(lan.now() + 1s + 2 * lan.delay);
  EXPECT_EQ(lan.master(), 1);
}

TEST_F(Pair, MasterAnswersAWorseOneAtOnce) {
  lan.loses = [](std::size_t, std::size_t, InterfaceId) { return true; };
  lan.start(0);
  lan.run(0.5);
  lan.start(1);
  lan.run(20.3);
  ASSERT_EQ(lan.masters().size(), 2U);
  lan.loses = nullptr;
  // Node 0 advertises next, half an interval before node 1, and is told off by the answer.
  const Time next = lan.engine(0).next_timer().at;
  ASSERT_LT(next, lan.engine(1).next_timer().at);
  lan.run_until(next + 2 * lan.delay);
  EXPECT_EQ(lan.master(), 1);
}

TEST(ThreeNodes, TheHighestOfTheRestTakesOver) {
  Lan lan{3};
  Config low = pair_config();
  low.priority = 150;
  lan.configure(2, low);
  for (std::size_t i = 0; i < 3; ++i) lan.start(i);
  lan.run(30);
  ASSERT_EQ(lan.master(), 1);
  lan.stop(1);
  lan.run(1);
  EXPECT_EQ(lan.master(), 0);
  lan.crash(0);
  lan.run(4);
  EXPECT_EQ(lan.master(), 2);
  lan.start(1);
  lan.run(20);
  EXPECT_EQ(lan.master(), 1);
  EXPECT_EQ(lan.role(2), Role::backup);
}

TEST(ThreeNodes, LossOfALinkMakesExactlyOneNewMaster) {
  Lan lan{3};
  for (std::size_t i = 0; i < 3; ++i) lan.start(i);
  lan.run(30);
  ASSERT_EQ(lan.master(), 2);
  lan.set_link(2, 2, false);
  lan.run(1);
  EXPECT_EQ(lan.master(), 1);  // both outbid at the same instant, the address decides
  lan.run(60);
  EXPECT_EQ(lan.master(), 1);
}

}  // namespace
}  // namespace trivet::vrrp
