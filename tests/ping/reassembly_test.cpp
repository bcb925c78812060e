#include "ping/reassembly.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "ping/config.h"
#include "ping/rate_limit.h"
#include "trivet/random.h"

namespace trivet::ping {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Outcome = Reassembly::Outcome;
using Bytes = std::vector<std::uint8_t>;

Time at(Duration since_start) { return Time{} + since_start; }

Bytes counting(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return bytes;
}

FragmentKey key_of(std::uint32_t id, std::uint8_t host = 9) {
  return {Ipv4Address{{10, 0, 0, host}}, Ipv4Address{{10, 0, 0, 1}}, id};
}

class ReassemblyTest : public testing::Test {
 protected:
  Outcome add(std::size_t offset, std::size_t size, bool more, std::uint32_t id = 1, std::uint8_t host = 9,
              Time now = {}) {
    return reassembly.add(key_of(id, host), {offset, more, std::span(whole).subspan(offset, size)}, now);
  }
  bool has_whole(std::size_t size) { return std::ranges::equal(reassembly.packet(), std::span(whole).first(size)); }
  Bytes whole = counting(70000);
  Reassembly reassembly;
};

TEST_F(ReassemblyTest, PutsFragmentsTogetherInEveryOrder) {
  std::vector<std::size_t> order(5);
  std::iota(order.begin(), order.end(), 0U);
  std::uint32_t id = 0;
  do {
    ++id;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::size_t n = order[i];
      const Outcome outcome = add(n * 16, n == 4 ? 13 : 16, n != 4, id);
      ASSERT_EQ(outcome, i == 4 ? Outcome::complete : Outcome::stored);
    }
    ASSERT_TRUE(has_whole(77));
  } while (std::ranges::next_permutation(order).found);
  EXPECT_EQ(reassembly.pending(), 0U);
}

TEST_F(ReassemblyTest, TakesTheLargestPacketInTheSmallestFragments) {
  for (std::size_t offset = 0; offset + 8 < 65535; offset += 8) ASSERT_EQ(add(offset, 8, true), Outcome::stored);
  EXPECT_EQ(add(65528, 7, false), Outcome::complete);
  EXPECT_TRUE(has_whole(65535));
}

TEST_F(ReassemblyTest, RefusesWhatCannotBe) {
  EXPECT_EQ(add(0, 12, true), Outcome::invalid) << "not a multiple of 8 and not the last";
  EXPECT_EQ(add(0, 0, true), Outcome::invalid);
  EXPECT_EQ(add(8, 0, false), Outcome::invalid);
  EXPECT_EQ(add(65528, 8, false), Outcome::invalid) << "65,536 bytes";
  EXPECT_EQ(reassembly.add(key_of(1), {4, true, std::span(whole).first(8)}, Time{}), Outcome::invalid);
  EXPECT_EQ(reassembly.pending(), 0U) << "what is void takes no room";
}

TEST_F(ReassemblyTest, OverlapVoidsTheWholePacketUntilItsTimeIsUp) {
  EXPECT_EQ(add(0, 16, true), Outcome::stored);
  EXPECT_EQ(add(8, 16, true), Outcome::overlap);
  EXPECT_EQ(add(16, 8, true), Outcome::overlap) << "would have fitted";
  EXPECT_EQ(add(24, 8, false), Outcome::overlap);
  EXPECT_EQ(reassembly.expire(at(seconds(30))), 0U) << "it was not lost, it was dropped";
  EXPECT_EQ(add(0, 16, true, 1, 9, at(seconds(30))), Outcome::stored);
}

TEST_F(ReassemblyTest, ExactCopiesAreIgnoredOtherBytesAreAnOverlap) {
  EXPECT_EQ(add(0, 16, true), Outcome::stored);
  EXPECT_EQ(add(0, 16, true), Outcome::duplicate);
  EXPECT_EQ(add(16, 5, false), Outcome::complete);
  EXPECT_EQ(add(0, 16, true, 2), Outcome::stored);
  EXPECT_EQ(reassembly.add(key_of(2), {0, true, std::span(whole).subspan(1, 16)}, Time{}), Outcome::overlap);
}

TEST_F(ReassemblyTest, ContradictionsAboutTheEndVoidThePacket) {
  EXPECT_EQ(add(16, 8, false, 1), Outcome::stored);
  EXPECT_EQ(add(32, 8, false, 1), Outcome::overlap) << "a second end";
  EXPECT_EQ(add(16, 8, false, 2), Outcome::stored);
  EXPECT_EQ(add(24, 8, true, 2), Outcome::overlap) << "behind the end";
  EXPECT_EQ(add(32, 8, true, 3), Outcome::stored);
  EXPECT_EQ(add(8, 8, false, 3), Outcome::overlap) << "an end before what is there";
  EXPECT_EQ(add(16, 8, false, 4), Outcome::stored);
  EXPECT_EQ(add(8, 16, true, 4), Outcome::overlap) << "up to the end, with more to come";
}

TEST_F(ReassemblyTest, IncompletePacketsAreGivenUpAfter30And60Seconds) {
  const FragmentKey key6{Ipv6Address{{1}}, Ipv6Address{{2}}, 1};
  EXPECT_EQ(add(0, 16, true), Outcome::stored);
  EXPECT_EQ(reassembly.add(key6, {0, true, std::span(whole).first(8)}, Time{}), Outcome::stored);
  EXPECT_EQ(reassembly.expire(at(milliseconds(29999))), 0U);
  EXPECT_EQ(reassembly.expire(at(seconds(30))), 1U);
  EXPECT_EQ(reassembly.pending(), 1U);
  EXPECT_EQ(reassembly.expire(at(seconds(60))), 1U);
  EXPECT_EQ(reassembly.pending(), 0U);
}

TEST_F(ReassemblyTest, OneSourceHasAShareAndTheOldestMakesRoom) {
  for (std::uint32_t id = 1; id <= 100; ++id) {
    EXPECT_EQ(add(0, 8, true, id, 9, at(seconds(1)) + milliseconds(id)), Outcome::stored);
  }
  EXPECT_EQ(reassembly.pending(), Reassembly::per_source);
  EXPECT_EQ(add(8, 8, false, 100, 9, at(seconds(2))), Outcome::complete) << "the youngest is still there";
  for (std::uint8_t host = 10; host < 60; ++host) {
    EXPECT_EQ(add(0, 8, true, 1, host, at(seconds(3)) + milliseconds(host)), Outcome::stored);
  }
  EXPECT_EQ(reassembly.pending(), Reassembly::slots);
  EXPECT_EQ(add(8, 8, false, 1, 59, at(seconds(4))), Outcome::complete);
}

TEST_F(ReassemblyTest, DifferentKeysDoNotMix) {
  EXPECT_EQ(add(0, 8, true, 1, 9), Outcome::stored);
  EXPECT_EQ(add(8, 8, false, 2, 9), Outcome::stored);
  EXPECT_EQ(add(8, 8, false, 1, 10), Outcome::stored);
  EXPECT_EQ(add(8, 8, false, 1, 9), Outcome::complete);
}

TEST_F(ReassemblyTest, RandomFragmentsNeverYieldAnythingButTheirBytes) {
  Random random(5);
  int completed = 0;
  for (int i = 0; i < 200000; ++i) {
    const std::size_t offset = random.below(8) * 8;
    const bool more = random.below(4) != 0;
    const std::size_t size = more ? 8 * (1 + random.below(3)) : 1 + random.below(20);
    const Outcome outcome = add(offset, size, more, static_cast<std::uint32_t>(random.below(6)),
                                static_cast<std::uint8_t>(random.below(6)), at(milliseconds(i * 20)));
    if (outcome == Outcome::complete) {
      ++completed;
      ASSERT_TRUE(has_whole(reassembly.packet().size()));
    }
    (void)reassembly.expire(at(milliseconds(i * 20)));
    ASSERT_LE(reassembly.pending(), Reassembly::slots);
  }
  EXPECT_GT(completed, 1000);
}

TEST(RateLimit, GivesATenthOfASecondAsBurstAndThenTheRate) {
  RateLimit limit(1000);
  int taken = 0;
  while (limit.take(at(seconds(1)))) ++taken;
  EXPECT_EQ(taken, 100);
  for (int ms = 1; ms <= 1000; ++ms) {
    while (limit.take(at(seconds(1) + milliseconds(ms)))) ++taken;
  }
  EXPECT_EQ(taken, 1100);
}

TEST(RateLimit, LimitsBelowTenASecondStillLetOneThrough) {
  RateLimit limit(1);
  EXPECT_TRUE(limit.take(at(seconds(1))));
  EXPECT_FALSE(limit.take(at(milliseconds(1999))));
  EXPECT_TRUE(limit.take(at(seconds(2))));
}

TEST(PingConfig, HasADefaultAndReadsItsKey) {
  SectionView settings;
  EXPECT_EQ(parse_config(settings).answers_per_second, 10000U);
  settings.parameters.push_back({"pinglimit", {{std::int64_t{5}}}, {}});
  EXPECT_EQ(parse_config(settings).answers_per_second, 5U);
}

}  // namespace
}  // namespace trivet::ping
