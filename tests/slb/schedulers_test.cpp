#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "scheduler_lists.h"

namespace trivet::slb {
namespace {

List with_weights(const std::vector<std::uint16_t>& weights) {
  List list;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    list.push_back({.identity = 0x1000 + 77 * i, .sessions = 0, .weight = weights[i], .usable = true});
  }
  return list;
}

std::uint64_t sum_of(const List& list) {
  std::uint64_t sum = 0;
  for (const Listed& candidate : list) sum += candidate.takes_sessions() ? candidate.weight : 0;
  return sum;
}

// A list of 1 to 12 candidates: some weightless, some unusable.
List random_list(Random& random) {
  List list(1 + random.below(12));
  for (Listed& candidate : list) {
    candidate = {.identity = random(),
                 .sessions = static_cast<std::uint32_t>(random.below(50)),
                 .weight = static_cast<std::uint16_t>(random.below(6)),
                 .usable = random.below(4) != 0};
  }
  return list;
}

TEST(RoundRobin, EqualWeightsTakeTurns) {
  const auto list = with_weights({1, 1, 1});
  RoundRobin robin(3);
  std::vector<std::size_t> picks;
  for (int i = 0; i < 6; ++i) picks.push_back(robin.pick(list).value());
  EXPECT_EQ(picks, (std::vector<std::size_t>{0, 1, 2, 0, 1, 2}));
}

TEST(RoundRobin, AHeavyTargetIsSpreadOutAndNotServedInARow) {
  const auto list = with_weights({4, 1, 1});
  RoundRobin robin(3);
  std::vector<std::size_t> picks;
  for (int i = 0; i < 6; ++i) picks.push_back(robin.pick(list).value());
  EXPECT_EQ(std::count(picks.begin(), picks.end(), 0U), 4);
  EXPECT_NE(picks[2], 0U) << "the others come in the middle";
}

TEST(RoundRobin, EveryCycleGivesEachTargetExactlyItsWeightWhateverTheWeights) {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    const auto list = random_list(random);
    const std::uint64_t total = sum_of(list);
    RoundRobin robin(list.size());
    for (int cycle = 0; cycle < 3; ++cycle) {
      std::vector<std::uint64_t> counts(list.size());
      for (std::uint64_t i = 0; i < total; ++i) ++counts[robin.pick(list).value()];
      for (std::size_t i = 0; i < list.size(); ++i) {
        ASSERT_EQ(counts[i], list[i].takes_sessions() ? list[i].weight : 0U);
      }
    }
  }
}

TEST(RoundRobin, TheReturnOfATargetBringsNoBurst) {
  auto list = with_weights({1, 1});
  RoundRobin robin(2);
  list[1].usable = false;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(robin.pick(list), Pick{0});
  list[1].usable = true;
  std::vector<int> counts(2);
  for (int i = 0; i < 10; ++i) ++counts[robin.pick(list).value()];
  EXPECT_EQ(counts, (std::vector<int>{5, 5}));
}

TEST(RandomMethod, SharesFollowTheWeightsWithinFourSigma) {
  auto list = with_weights({1, 2, 5, 0, 8});
  list[4].usable = false;
  Random random(11);
  std::vector<double> counts(list.size());
  constexpr int draws = 80000;
  for (int i = 0; i < draws; ++i) counts[pick_random(list, random).value()] += 1;
  for (const std::size_t i : {0U, 1U, 2U}) {
    const double p = list[i].weight / 8.0;
    EXPECT_NEAR(counts[i], draws * p, 4 * std::sqrt(draws * p * (1 - p))) << i;
  }
  EXPECT_EQ(counts[3], 0);
  EXPECT_EQ(counts[4], 0);
}

TEST(HashMethod, LogarithmAgreesWithTheLibrary) {
  Random random(3);
  EXPECT_EQ(negative_log2(~std::uint64_t{0}), 0U);
  EXPECT_EQ(negative_log2(0), std::uint64_t{64} << 24U);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t value = random() >> random.below(64);
    const double exact = 64.0 - std::log2(static_cast<double>(value) + 1.0);
    ASSERT_NEAR(static_cast<double>(negative_log2(value)) * 0x1p-24, exact, 0x1p-16) << value;
  }
}

TEST(HashMethod, SharesFollowTheWeightsWithinFourSigma) {
  const auto list = with_weights({1, 2, 5});
  Random random(5);
  std::vector<double> counts(3);
  constexpr int clients = 80000;
  for (int i = 0; i < clients; ++i) counts[pick_hash(list, random()).value()] += 1;
  for (std::size_t i = 0; i < 3; ++i) {
    const double p = list[i].weight / 8.0;
    EXPECT_NEAR(counts[i], clients * p, 4 * std::sqrt(clients * p * (1 - p))) << i;
  }
}

TEST(HashMethod, TheOrderOfTheListDoesNotMatter) {
  Random random(13);
  for (int round = 0; round < 2000; ++round) {
    auto list = random_list(random);
    const std::uint64_t client = random();
    const Pick before = pick_hash(list, client);
    const std::uint64_t identity = before ? list[*before].identity : 0;
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
    const Pick after = pick_hash(list, client);
    ASSERT_EQ(before.has_value(), after.has_value());
    if (after) {
      ASSERT_EQ(list[*after].identity, identity);
    }
  }
}

TEST(HashMethod, OnlyTheClientsOfATargetThatGoesMove) {
  auto list = with_weights({3, 1, 2, 2});
  Random random(17);
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t client = random();
    const std::size_t before = pick_hash(list, client).value();
    list[2].usable = false;
    const std::size_t after = pick_hash(list, client).value();
    list[2].usable = true;
    if (before != 2) {
      ASSERT_EQ(after, before);
    } else {
      ASSERT_NE(after, 2U);
    }
  }
}

TEST(FirstMethod, TakesTheFirstThatTakesSessions) {
  auto list = with_weights({0, 1, 9});
  EXPECT_EQ(pick_first(list), Pick{1});
  list[1].usable = false;
  EXPECT_EQ(pick_first(list), Pick{2});
  list[2].usable = false;
  EXPECT_EQ(pick_first(list), Pick{});
}

TEST(SessionMethod, FewestSessionsInProportionToTheWeightWin) {
  auto list = with_weights({1, 2, 1});
  list[0].sessions = 3;
  list[1].sessions = 5;  // (5 + 1) / 2 = 3
  list[2].sessions = 3;  // (3 + 1) / 1 = 4
  std::uint32_t rotation = 0;
  EXPECT_EQ(pick_least_sessions(list, rotation), Pick{1});
}

TEST(SessionMethod, TiesRotate) {
  const auto list = with_weights({1, 1, 1});
  std::uint32_t rotation = 0;
  std::vector<std::size_t> picks;
  for (int i = 0; i < 6; ++i) picks.push_back(pick_least_sessions(list, rotation).value());
  EXPECT_EQ(picks, (std::vector<std::size_t>{0, 1, 2, 0, 1, 2}));
}

TEST(SessionMethod, FillingUpEndsInProportionToTheWeights) {
  Random random(19);
  for (int round = 0; round < 100; ++round) {
    auto list = random_list(random);
    for (Listed& candidate : list) candidate.sessions = 0;
    const std::uint64_t total = sum_of(list);
    if (total == 0) continue;
    std::uint32_t rotation = 0;
    for (std::uint64_t i = 0; i < total * 10; ++i) ++list[pick_least_sessions(list, rotation).value()].sessions;
    for (const Listed& candidate : list) {
      ASSERT_EQ(candidate.sessions, candidate.takes_sessions() ? candidate.weight * 10U : 0U);
    }
  }
}

// A longer list: some weightless, some unusable, some passed over; weights of all sizes.
List long_list(Random& random) {
  List list(1 + random.below(100));
  const std::uint64_t weights = std::uint64_t{2} << random.below(16);
  std::size_t passed_over = 0;
  for (Listed& one : list) {
    one = {.identity = random(),
           .sessions = static_cast<std::uint32_t>(random.below(20)),
           .weight = static_cast<std::uint16_t>(random.below(weights)),
           .usable = random.below(8) != 0};
    one.passed_over = one.takes_sessions() && random.below(6) == 0 && passed_over++ < PassedOver::most;
  }
  return list;
}

TEST(AllMethods, PickAsAPlainWalkThroughTheListDoes) {
  Random random(29);
  for (std::uint64_t round = 0; round < 60; ++round) {
    List list = long_list(random);
    ASSERT_EQ(pick_first(list), plain::first(list));
    Random one(round);
    Random other(round);
    for (int i = 0; i < 50; ++i) {
      ASSERT_EQ(pick_random(list, one), plain::random(list, other));
      const std::uint64_t client = random();
      ASSERT_EQ(pick_hash(list, client), plain::hash(list, client));
    }
    auto rotation = static_cast<std::uint32_t>(random.below(1000));
    std::uint32_t plain_rotation = rotation;
    for (int i = 0; i < 50; ++i) {
      const Pick pick = pick_least_sessions(list, rotation);
      ASSERT_EQ(pick, plain::least_sessions(list, plain_rotation));
      if (pick) ++list[*pick].sessions;
    }
    RoundRobin robin(list.size());
    plain::RoundRobin plain_robin(list.size());
    for (int i = 0; i < 300; ++i) ASSERT_EQ(robin.pick(list), plain_robin.pick(list)) << i;
    for (Listed& one_target : list) one_target.passed_over = false;
    for (int i = 0; i < 300; ++i) ASSERT_EQ(robin.pick(list), plain_robin.pick(list)) << i;
  }
}

// One tree through many changes, beside a walk through the loads.
TEST(SessionMethod, ATreeThatIsKeptUpPicksLikeOneThatIsMadeAnew) {
  Random random(31);
  for (std::size_t size = 1; size < 70; ++size) {
    List list(size);
    for (Listed& one : list) one.weight = static_cast<std::uint16_t>(1 + random.below(5));
    Takers takers(list);
    std::vector<std::uint16_t> winners(2 * size);
    LoadTree tree(takers.loads, winners);
    tree.build();
    std::uint32_t rotation = 0;
    std::uint32_t plain_rotation = 0;
    for (int i = 0; i < 500; ++i) {
      const Pick pick = pick_least_sessions(tree, rotation);
      ASSERT_EQ(pick, plain::least_sessions(list, plain_rotation));
      tree.set_sessions(*pick, ++list[*pick].sessions);
      const std::size_t other = random.below(size);
      list[other].sessions = static_cast<std::uint32_t>(random.below(40));
      tree.set_sessions(other, list[other].sessions);
    }
  }
}

TEST(RoundRobin, GoesOnWhereItWasWhenSomebodyElseComesOrGoes) {
  List list(5);
  list[4].usable = false;
  RoundRobin robin(list.size());
  for (const std::size_t expected : {0U, 1U, 2U, 3U, 0U, 1U}) ASSERT_EQ(robin.pick(list), Pick{expected});
  list[4].usable = true;
  std::vector<int> counts(list.size());
  for (int i = 0; i < 10; ++i) ++counts[robin.pick(list).value()];
  EXPECT_EQ(counts, (std::vector<int>{2, 2, 2, 2, 2}));
  list[0].usable = false;
  for (int i = 0; i < 8; ++i) ++counts[robin.pick(list).value()];
  EXPECT_EQ(counts, (std::vector<int>{2, 4, 4, 4, 4}));
}

TEST(RoundRobin, SharesStayExactWhenTimeWraps) {
  const Takers takers(with_weights({1, 2, 3}));
  std::vector<Turn> turns(3);
  std::vector<WaitingTurn> queue(3);
  TurnTime now = ~TurnTime{0} - (TurnTime{1} << 45U);
  line_up_turns(takers.candidates, takers.places, turns, queue, now);
  for (int round = 0; round < 100; ++round) {
    std::vector<int> counts(3);
    for (int i = 0; i < 6; ++i) ++counts[pick_round_robin(queue, turns, {}, now).value()];
    ASSERT_EQ(counts, (std::vector<int>{1, 2, 3})) << round;
    // Whoever comes or goes: those that stay go on.
    line_up_turns(takers.candidates, takers.places, turns, queue, now);
  }
  EXPECT_LT(now, TurnTime{1} << 48U) << "it has wrapped";
}

// Every method, every list: a pick is usable, and there is one whenever somebody is.
TEST(AllMethods, PickOnlyWhoTakesSessionsAndSomebodyWheneverThereIsOne) {
  Random random(23);
  for (int round = 0; round < 3000; ++round) {
    const auto list = random_list(random);
    const bool any = std::any_of(list.begin(), list.end(), [](const Listed& c) { return c.takes_sessions(); });
    RoundRobin robin(list.size());
    auto rotation = static_cast<std::uint32_t>(random());
    for (const Pick pick : {robin.pick(list), pick_random(list, random), pick_hash(list, random()), pick_first(list),
                            pick_least_sessions(list, rotation)}) {
      ASSERT_EQ(pick.has_value(), any);
      if (pick) {
        ASSERT_TRUE(list[*pick].takes_sessions());
      }
    }
  }
}

TEST(AllMethods, NobodyIsPickedFromAnEmptyList) {
  Random random(1);
  std::uint32_t rotation = 5;
  EXPECT_EQ(RoundRobin(0).pick({}), Pick{});
  EXPECT_EQ(pick_random(List{}, random), Pick{});
  EXPECT_EQ(pick_hash(List{}, 1), Pick{});
  EXPECT_EQ(pick_first(List{}), Pick{});
  EXPECT_EQ(pick_least_sessions(List{}, rotation), Pick{});
}

}  // namespace
}  // namespace trivet::slb
