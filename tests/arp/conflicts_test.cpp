#include "arp/conflicts.h"

#include <gtest/gtest.h>

#include <chrono>

namespace trivet::arp {
namespace {

using std::chrono::seconds;

Time at(Duration since_start) { return Time{} + since_start; }

Claim claim(std::uint32_t claimant, bool defend = true) {
  MacAddress mac{{2, 0, 0, 0, 0, 0}};
  mac.bytes[4] = static_cast<std::uint8_t>(claimant >> 8U);
  mac.bytes[5] = static_cast<std::uint8_t>(claimant);
  return {Ipv4Address{{10, 0, 0, 1}}, mac, 1, false, defend};
}

TEST(ConflictMonitor, LogsTheFirstClaimAtOnceAndLaterOnesOnceAMinute) {
  ConflictMonitor monitor;
  EXPECT_TRUE(monitor.claimed(claim(1), at(seconds(0))).log);
  for (int i = 1; i < 60; ++i) EXPECT_FALSE(monitor.claimed(claim(1), at(seconds(i))).log) << i;
  const auto reaction = monitor.claimed(claim(1), at(seconds(60)));
  EXPECT_TRUE(reaction.log);
  EXPECT_EQ(reaction.repeated, 60U);
}

TEST(ConflictMonitor, AnotherClaimantIsLoggedAtOnce) {
  ConflictMonitor monitor;
  (void)monitor.claimed(claim(1), at(seconds(0)));
  EXPECT_TRUE(monitor.claimed(claim(2), at(seconds(1))).log);
}

TEST(ConflictMonitor, DefendsAnAddressAtMostEveryTenSecondsWhoeverClaimsIt) {
  ConflictMonitor monitor;
  EXPECT_TRUE(monitor.claimed(claim(1), at(seconds(0))).defend);
  EXPECT_FALSE(monitor.claimed(claim(1), at(seconds(9))).defend);
  EXPECT_FALSE(monitor.claimed(claim(2), at(seconds(9))).defend);
  EXPECT_TRUE(monitor.claimed(claim(2), at(seconds(10))).defend);
}

TEST(ConflictMonitor, DoesNotDefendWhatMustNotBeDefended) {
  ConflictMonitor monitor;
  EXPECT_FALSE(monitor.claimed(claim(1, false), at(seconds(0))).defend);
}

TEST(ConflictMonitor, IsBoundedAndForgetsTheLongestSilent) {
  ConflictMonitor monitor;
  for (std::uint32_t i = 0; i < 1000; ++i) (void)monitor.claimed(claim(i), at(seconds(1)) + Duration{i});
  EXPECT_EQ(monitor.size(), ConflictMonitor::capacity);
  EXPECT_EQ(monitor.claimed(claim(999), at(seconds(2))).repeated, 2U) << "still known";
  EXPECT_EQ(monitor.claimed(claim(0), at(seconds(2))).repeated, 1U) << "forgotten long ago";
}

TEST(ConflictMonitor, MadeUpClaimantsDoNotFillTheLog) {
  ConflictMonitor monitor;
  const auto lines_at = [&monitor](Duration when) {
    unsigned lines = 0;
    for (std::uint32_t i = 0; i < 10000; ++i) lines += monitor.claimed(claim(i), at(when)).log ? 1U : 0U;
    return lines;
  };
  EXPECT_EQ(lines_at(seconds(0)), ConflictMonitor::lines);
  EXPECT_EQ(lines_at(seconds(59)), 0U);
  EXPECT_EQ(lines_at(seconds(60)), ConflictMonitor::lines);
}

}  // namespace
}  // namespace trivet::arp
