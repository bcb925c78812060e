// Stories of the engine in virtual time: schedule, health, paths, reload.
#include "hc/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine_world.h"

namespace trivet::hc {
namespace {

using namespace testing;

const CheckConfig ping = check(CheckKind::ping, 3s, 10s);
const CheckConfig ping6 = check(CheckKind::ping6, 3s, 10s);
constexpr auto everything = [](const Probe&) { return true; };

TEST(HcEngine, SubjectsWithoutChecksAreUpAtOnce) {
  World world;
  world.configure({target(1, "10.0.0.9", {})});
  ASSERT_EQ(world.changes.size(), 2U);
  for (const SubjectId subject : {gateway_subject, SubjectId{1}}) {
    EXPECT_EQ(world.health(subject), Health::up);
    EXPECT_EQ(world.state(subject).reason, "no checks");
    EXPECT_EQ(world.state(subject).agent_value, -1);
  }
  EXPECT_EQ(world.engine.poll_at(), never);
}

TEST(HcEngine, UndecidedUntilTheFirstAnswerThenUp) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.state(1).reason, "ping: waiting for the first answer");
  world.run(4s);
  ASSERT_FALSE(world.sent.empty());
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.answer(world.last_probe()), AnswerResult::success);
  EXPECT_EQ(world.health(1), Health::up);
  EXPECT_EQ(world.state(1).reason, "all checks good");
  EXPECT_EQ(world.state(1).since, world.now);
}

TEST(HcEngine, DownExactlyTheTimeoutAfterTheFirstProbe) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(13s);
  const Time first = world.sent.front().at;
  EXPECT_LE(first, Time{3s});
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.state(1).since, first + 10s);
  EXPECT_EQ(world.state(1).reason, "ping: no answer for 10 s");
}

TEST(HcEngine, DownExactlyTheTimeoutAfterTheLastSuccess) {
  World world;
  Time last{};
  world.answers = [&](const Probe&) {
    if (world.now > Time{60s}) {
      return false;
    }
    last = world.now;
    return true;
  };
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(75s);
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.state(1).since, last + 10s);
}

TEST(HcEngine, OneSuccessBringsItUpAgain) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(60s);
  ASSERT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.answer(world.last_probe()), AnswerResult::success);
  EXPECT_EQ(world.health(1), Health::up);
}

TEST(HcEngine, LateAnswerWithinTheWindowCounts) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(9s);
  ASSERT_GE(world.sent.size(), 2U);
  EXPECT_EQ(world.answer(world.sent.front().probe), AnswerResult::success);
  EXPECT_EQ(world.health(1), Health::up);
  EXPECT_EQ(world.engine.status(1).front().round_trip, world.now - world.sent.front().at);
}

TEST(HcEngine, AnswerToAnAttemptOutOfTheWindowIsStray) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});  // window: 10 / 3 + 1 = 4 attempts
  world.run(60s);
  ASSERT_GE(world.sent.size(), 5U);
  EXPECT_EQ(world.answer(world.sent[world.sent.size() - 5].probe), AnswerResult::stray);
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.answer(world.sent[world.sent.size() - 4].probe), AnswerResult::success);
}

TEST(HcEngine, SameAnswerTwiceIsStray) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(4s);
  EXPECT_EQ(world.answer(world.last_probe()), AnswerResult::success);
  EXPECT_EQ(world.answer(world.last_probe()), AnswerResult::stray);
}

TEST(HcEngine, ProbesKeepTheIntervalWithinTenPercent) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed);
    world.answers = everything;
    world.configure({target(1, "10.0.0.9", {ping})});
    world.run(300s);
    std::set<Duration> gaps;
    for (std::size_t i = 1; i < world.sent.size(); ++i) {
      const Duration gap = world.sent[i].at - world.sent[i - 1].at;
      EXPECT_GE(gap, 2700ms);
      EXPECT_LE(gap, 3300ms);
      gaps.insert(gap);
    }
    EXPECT_GT(gaps.size(), 50U) << "no jitter";
  }
}

TEST(HcEngine, FirstProbesAreSpreadOverTheInterval) {
  World world;
  std::vector<SubjectConfig> targets;
  for (SubjectId id = 1; id <= 1000; ++id) {
    targets.push_back(target(id, "10.0.0.9", {ping}));
  }
  world.configure(targets);
  world.run(2700ms);  // no check has sent twice
  std::vector<int> per_tenth(9);
  for (const Sent& sent : world.sent) {
    ++per_tenth[static_cast<std::size_t>(std::min<Duration::rep>((sent.at - Time{}) / 300ms, 8))];
  }
  for (const int count : per_tenth) {
    EXPECT_GT(count, 50);  // expected: 100
    EXPECT_LT(count, 150);
  }
}

TEST(HcEngine, AllChecksMustBeGood) {
  World world;
  const IpAddress address = ip("2001:db8::9");
  bool agent_lives = true;
  world.answers = [&](const Probe& probe) { return probe.type == ProbeType::echo || agent_lives; };
  world.configure({target(1, "2001:db8::9", {ping6, check(CheckKind::agent6, 3s, 10s, 10000)})});
  world.run(4s);
  EXPECT_EQ(world.health(1), Health::up);
  agent_lives = false;
  world.run(14s);
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.state(1).reason, "agent6 10000: no answer for 10 s");
  agent_lives = true;
  world.run(4s);
  EXPECT_EQ(world.health(1), Health::up);
  EXPECT_EQ(world.sent.front().probe.destination, address);
}

TEST(HcEngine, DownWinsOverUndecided) {
  World world;
  world.configure({target(1, "10.0.0.9", {check(CheckKind::ping, 1s, 50s), check(CheckKind::tcpopen, 1s, 2s, 80)})});
  world.run(10s);
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.state(1).reason, "tcpopen 80: no answer for 2 s");
}

TEST(HcEngine, AgentValueIsPublishedAndGoesWithTheCheck) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping, check(CheckKind::agent, 3s, 10s, 10000)})});
  world.answers = [](const Probe& probe) { return probe.type == ProbeType::echo; };
  world.run(5s);
  const auto agent = std::find_if(world.sent.begin(), world.sent.end(),
                                  [](const Sent& sent) { return sent.probe.type == ProbeType::agent; });
  ASSERT_NE(agent, world.sent.end());
  EXPECT_EQ(world.answer(agent->probe, 250), AnswerResult::success);
  EXPECT_EQ(world.state(1).agent_value, 250);
  world.run(14s);
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.state(1).agent_value, -1);
}

TEST(HcEngine, UnchangedStateIsNotPublishedAgain) {
  World world;
  world.answers = everything;
  world.configure({target(1, "10.0.0.9", {ping, check(CheckKind::agent, 3s, 10s, 10000)})});
  world.run(4s);
  world.changes.clear();
  world.run(100s);  // every agent answer carries the same value
  EXPECT_TRUE(world.changes.empty());
}

TEST(HcEngine, GatewayIsDownWhenOneFamilyFailsAndPublishesEveryAnswer) {
  World world;
  SubjectConfig gateway = target(gateway_subject, "10.0.0.254", {ping, ping6});
  gateway.address6 = ip("2001:db8::254").v6();
  bool v6_lives = true;
  world.answers = [&](const Probe& probe) { return probe.destination.is_v4() || v6_lives; };
  world.configure({gateway});
  world.run(4s);
  EXPECT_EQ(world.health(gateway_subject), Health::up);
  const Time first = world.state(gateway_subject).last_answer;
  EXPECT_GT(first, Time{});
  world.changes.clear();
  world.run(9s);
  EXPECT_GE(world.changes.size(), 3U);
  EXPECT_GT(world.state(gateway_subject).last_answer, first);
  v6_lives = false;
  world.run(14s);
  EXPECT_EQ(world.health(gateway_subject), Health::down);
  EXPECT_EQ(world.state(gateway_subject).reason, "ping6: no answer for 10 s");
  // The dead family holds the last answer back: an answer of the other one does not make the gateway look fresh.
  EXPECT_LT(world.state(gateway_subject).last_answer, world.now - 10s);
}

TEST(HcEngine, GatewayRequestProbesAtOnceButNotInABurst) {
  World world;
  world.configure({target(gateway_subject, "10.0.0.254", {ping})});
  world.run(4s);
  world.sent.clear();
  world.probe_gateway();
  ASSERT_EQ(world.sent.size(), 1U);
  world.probe_gateway();
  EXPECT_EQ(world.sent.size(), 1U);
  world.now += 100ms;
  world.probe_gateway();
  EXPECT_EQ(world.sent.size(), 2U);
  EXPECT_EQ(world.answer(world.sent.front().probe), AnswerResult::success);
  EXPECT_EQ(world.state(gateway_subject).last_answer, world.now);
}

TEST(HcEngine, LossOfTheOwnLinkMakesUndecidedNotDown) {
  World world;
  world.answers = everything;
  world.configure({target(1, "10.0.0.9", {ping}), target(2, "10.0.1.9", {ping})});
  world.run(4s);
  world.blocked[ip("10.0.0.9")] = "own link down (network 1)";
  world.paths_changed();
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.state(1).reason, "ping: own link down (network 1)");
  EXPECT_EQ(world.health(2), Health::up);
  world.sent.clear();
  world.run(60s);
  EXPECT_EQ(world.health(1), Health::undecided);
  for (const Sent& sent : world.sent) {
    EXPECT_EQ(sent.probe.destination, ip("10.0.1.9"));
  }
}

TEST(HcEngine, DownTargetBecomesUndecidedToo) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(20s);
  ASSERT_EQ(world.health(1), Health::down);
  world.all_blocked = "no route to 10.0.0.9";
  world.paths_changed();
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.state(1).reason, "ping: no route to 10.0.0.9");
}

TEST(HcEngine, ReturnOfTheLinkStartsTheCheckWithinASecond) {
  World world;
  world.all_blocked = "own link down (network 1)";
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(100s);
  EXPECT_TRUE(world.sent.empty());
  EXPECT_EQ(world.health(1), Health::undecided);
  world.all_blocked.clear();
  world.paths_changed();
  const Time back = world.now;
  EXPECT_EQ(world.state(1).reason, "ping: waiting for the first answer");
  world.run(20s);
  EXPECT_LE(world.sent.front().at, back + 1s);
  EXPECT_EQ(world.health(1), Health::down);  // the timeout counts from the new first probe
  EXPECT_EQ(world.state(1).since, world.sent.front().at + 10s);
}

TEST(HcEngine, AnswerFromBeforeTheLossOfTheLinkIsStray) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(4s);
  world.all_blocked = "own link down (network 1)";
  world.paths_changed();
  EXPECT_EQ(world.answer(world.last_probe()), AnswerResult::stray);
  EXPECT_EQ(world.health(1), Health::undecided);
}

TEST(HcEngine, UnchangedPathsChangeNothing) {
  World world;
  world.answers = everything;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(4s);
  const Time next = world.engine.poll_at();
  world.changes.clear();
  for (int i = 0; i < 100; ++i) {
    world.paths_changed();
  }
  EXPECT_EQ(world.engine.poll_at(), next);
  EXPECT_TRUE(world.changes.empty());
}

TEST(HcEngine, CheckWithoutAddressStaysUndecided) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping6})});
  world.run(100s);
  EXPECT_TRUE(world.sent.empty());
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.state(1).reason, "ping6: no ipaddr6");
}

TEST(HcEngine, BlockedMeansThatNoUndecidedCheckCanBeMade) {
  World world;
  world.configure(
      {target(1, "10.0.0.9", {ping, check(CheckKind::tcpopen, 3s, 10s, 80)}), target(2, "10.0.0.8", {ping6})});
  EXPECT_FALSE(world.state(1).is_blocked) << "an answer or a timeout will come";
  EXPECT_TRUE(world.state(2).is_blocked) << "no address";
  world.all_blocked = "own link down (network 1)";
  world.paths_changed();
  EXPECT_TRUE(world.state(1).is_blocked);
  world.all_blocked.clear();
  world.paths_changed();
  EXPECT_FALSE(world.state(1).is_blocked);
  world.run(20s);
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_FALSE(world.state(1).is_blocked);
}

// --- reload ---

TEST(HcEngineReload, UnchangedChecksKeepStateAndSchedule) {
  World world;
  world.answers = everything;
  world.configure({target(1, "10.0.0.9", {ping}), target(2, "10.0.1.9", {ping})});
  world.run(10s);
  const SubjectState before = world.state(1);
  const Time next = world.engine.poll_at();
  world.changes.clear();
  world.configure({target(1, "10.0.0.9", {ping}), target(2, "10.0.1.9", {ping})});
  EXPECT_EQ(world.state(1), before);
  EXPECT_EQ(world.engine.poll_at(), next);
  EXPECT_TRUE(world.changes.empty());
  EXPECT_TRUE(world.removed.empty());
}

TEST(HcEngineReload, OutstandingProbeIsStillAnsweredAfterAReload) {
  World world;
  world.configure({target(1, "10.0.0.9", {check(CheckKind::tcpopen, 3s, 10s, 80)})});
  world.run(3s);
  world.configure({target(1, "10.0.0.9", {check(CheckKind::tcpopen, 3s, 10s, 80)}), target(2, "10.0.0.8", {ping})});
  EXPECT_EQ(world.answer(world.sent.front().probe), AnswerResult::success);
  EXPECT_EQ(world.health(1), Health::up);
}

TEST(HcEngineReload, NewIntervalAndTimeoutKeepTheHealth) {
  World world;
  world.answers = everything;
  world.configure({target(1, "10.0.0.9", {check(CheckKind::ping, 100s, 300s)})});
  world.run(101s);
  ASSERT_EQ(world.health(1), Health::up);
  world.configure({target(1, "10.0.0.9", {check(CheckKind::ping, 1s, 2s)})});
  EXPECT_EQ(world.health(1), Health::up);
  world.sent.clear();
  world.changes.clear();
  world.run(1100ms);
  EXPECT_FALSE(world.sent.empty()) << "the old interval still counts";
  world.run(10s);
  EXPECT_TRUE(world.changes.empty()) << "the last success is older than the new timeout, but that is no failure";
}

TEST(HcEngineReload, NewAddressStartsAgainUndecided) {
  World world;
  world.answers = everything;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(4s);
  const Probe old = world.last_probe();
  world.configure({target(1, "10.0.0.8", {ping})});
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.answer(old), AnswerResult::stray);
}

TEST(HcEngineReload, AddedCheckMakesUndecidedUntilItAnswers) {
  World world;
  world.answers = everything;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(4s);
  world.configure({target(1, "10.0.0.9", {ping, check(CheckKind::tcpopen, 3s, 10s, 80)})});
  EXPECT_EQ(world.health(1), Health::undecided);
  world.run(4s);
  EXPECT_EQ(world.health(1), Health::up);
}

TEST(HcEngineReload, RemovedCheckNoLongerHoldsTheTargetDown) {
  World world;
  world.answers = [](const Probe& probe) { return probe.type == ProbeType::echo; };
  world.configure({target(1, "10.0.0.9", {ping, check(CheckKind::tcpopen, 3s, 10s, 80)})});
  world.run(20s);
  ASSERT_EQ(world.health(1), Health::down);
  world.configure({target(1, "10.0.0.9", {ping})});
  EXPECT_EQ(world.health(1), Health::up);
}

TEST(HcEngineReload, RemovedTargetIsTakenBackAndNotProbed) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping}), target(2, "10.0.0.8", {ping, check(CheckKind::agent, 3s, 10s, 9)})});
  world.run(4s);
  world.configure({target(1, "10.0.0.9", {ping})});
  EXPECT_EQ(world.removed, std::vector<SubjectId>{2});
  EXPECT_EQ(world.engine.state(2), nullptr);
  world.sent.clear();
  world.run(60s);
  for (const Sent& sent : world.sent) {
    EXPECT_EQ(sent.probe.destination, ip("10.0.0.9"));
  }
}

TEST(HcEngineReload, ReusedSlotDoesNotTakeTheFormerTargetsAnswers) {
  World world;
  world.configure({target(1, "10.0.0.9", {ping})});
  world.run(4s);
  const Probe old = world.last_probe();
  world.configure({});
  world.configure({target(2, "10.0.0.9", {ping})});
  world.run(4s);
  ASSERT_EQ(world.last_probe().slot, old.slot);
  EXPECT_NE(world.answer(old), AnswerResult::success);
  EXPECT_EQ(world.health(2), Health::undecided);
}

TEST(HcEngine, ThousandTargetsWithThreeChecksLoseNoProbe) {
  World world;
  world.answers = everything;
  std::vector<SubjectConfig> targets;
  for (SubjectId id = 1; id <= 1024; ++id) {
    targets.push_back(target(id, "10.0.0.9",
                             {ping, check(CheckKind::tcpopen, 3s, 10s, 80), check(CheckKind::agent, 3s, 10s, 10000)}));
  }
  world.configure(targets);
  world.run(60s);
  for (SubjectId id = 1; id <= 1024; ++id) {
    ASSERT_EQ(world.health(id), Health::up);
  }
  const double expected = 1024 * 3 * 20;
  EXPECT_GT(static_cast<double>(world.sent.size()), expected * 0.95);
  EXPECT_LT(static_cast<double>(world.sent.size()), expected * 1.05);
}

}  // namespace
}  // namespace trivet::hc
