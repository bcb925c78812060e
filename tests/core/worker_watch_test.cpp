// A worker that finishes no run is noticed; one that sleeps, or has not been started, is not mistaken for it.
#include "core/app/worker_watch.h"

#include <gtest/gtest.h>

namespace trivet::core {
namespace {

using std::chrono::milliseconds;

class WorkerWatchTest : public ::testing::Test {
 protected:
  // One look later.
  std::optional<std::size_t> look(std::vector<std::uint64_t> runs) {
    now_ += WorkerWatch::interval;
    return watch_.look(runs, now_);
  }
  WorkerWatch watch_{2};
  Time now_{};
};

TEST_F(WorkerWatchTest, AStuckWorkerIsNamed) {
  std::uint64_t lively = 5;
  EXPECT_EQ(look({lively, 8}), std::nullopt);
  for (unsigned i = 1; i < WorkerWatch::patience; ++i) EXPECT_EQ(look({++lively, 8}), std::nullopt);
  EXPECT_EQ(look({++lively, 8}), 1U);
}

TEST_F(WorkerWatchTest, EverySignOfLifeCounts) {
  std::uint64_t slow = 1;
  for (int i = 0; i < 100; ++i) {
    if (i % 3 == 0) ++slow;
    EXPECT_EQ(look({slow, 1000U + static_cast<std::uint64_t>(i)}), std::nullopt);
  }
}

TEST_F(WorkerWatchTest, WhatHasNeverRunIsNotStuck) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(look({0, 0}), std::nullopt);
}

TEST_F(WorkerWatchTest, LooksCountNotTime) {
  EXPECT_EQ(look({3, 3}), std::nullopt);
  now_ += std::chrono::hours{1};  // the whole machine stood still
  EXPECT_EQ(look({3, 3}), std::nullopt);
  const Time next = watch_.poll_at();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(watch_.look({3, 3}, now_ + milliseconds{1}), std::nullopt) << "not due yet";
  }
  EXPECT_EQ(watch_.poll_at(), next);
}

}  // namespace
}  // namespace trivet::core
