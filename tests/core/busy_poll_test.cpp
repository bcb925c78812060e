#include "core/app/busy_poll.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <utility>

namespace trivet::core {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A worker in virtual time: a look takes 1 us, and who sleeps finds work `waking` after it has come.
class Worker {
 public:
  explicit Worker(Duration waking = microseconds{50}) : waking_(waking) {}

  struct Spent {
    int found_looking = 0;
    int found_asleep = 0;
    Duration looked{};  // in vain and not
    Duration longest_look{};
  };

  // Work comes this long after the last was found.
  void work_after(Duration gap) {
    const Time comes = now_ + gap;
    const Time began = now_;
    bool slept = false;
    while (now_ < comes) {
      if (poll_.look_again(now_, false)) {
        now_ += microseconds{1};
        continue;
      }
      spent_.looked += now_ - began;
      spent_.longest_look = std::max(spent_.longest_look, now_ - began);
      slept = true;
      now_ = comes + waking_;
    }
    if (!slept) spent_.looked += now_ - began;
    (slept ? spent_.found_asleep : spent_.found_looking) += 1;
    EXPECT_TRUE(poll_.look_again(now_, true)) << "more may wait behind what was found";
  }
  void many(int count, Duration gap) {
    for (int i = 0; i < count; ++i) work_after(gap);
  }
  // Since the last call.
  Spent spent() { return std::exchange(spent_, {}); }
  [[nodiscard]] Time now() const { return now_; }

 private:
  Duration waking_;
  BusyPoll poll_;
  Time now_{};
  Spent spent_;
};

TEST(BusyPoll, WhatComesNowAndThenIsWaitedForAsleep) {
  Worker worker;
  worker.many(100, milliseconds{10});
  const auto spent = worker.spent();
  EXPECT_EQ(spent.found_asleep, 100);
  EXPECT_EQ(spent.looked, Duration{0});
}

TEST(BusyPoll, WhatComesSoonIsFoundLooking) {
  Worker worker;
  worker.many(10, microseconds{40});
  EXPECT_LE(worker.spent().found_asleep, 6);
  worker.many(1000, microseconds{40});
  EXPECT_EQ(worker.spent().found_looking, 1000);
}

TEST(BusyPoll, QuestionAndAnswerOfHostsThatSleepThemselvesAreFoundLooking) {
  Worker worker{microseconds{90}};
  worker.many(10, microseconds{45});
  worker.spent();
  worker.many(1000, microseconds{45});
  EXPECT_EQ(worker.spent().found_looking, 1000);
}

TEST(BusyPoll, NeverLooksLongerThanTheWindow) {
  Worker worker;
  worker.many(100, microseconds{20});
  worker.spent();
  worker.work_after(seconds{1});
  const auto spent = worker.spent();
  EXPECT_EQ(spent.looked, BusyPoll::window);
}

TEST(BusyPoll, StopsLookingWhenTrafficBecomesSparse) {
  Worker worker;
  worker.many(1000, microseconds{20});
  worker.spent();
  worker.many(1000, milliseconds{1});
  const auto spent = worker.spent();
  EXPECT_EQ(spent.found_asleep, 1000);
  EXPECT_LE(spent.looked, 3 * BusyPoll::window) << "of a whole second";
}

// Just beyond the window, where each look is in vain but each sleep ends soon.
TEST(BusyPoll, GapsBeyondTheWindowMakeItLookNowAndThenOnly) {
  Worker worker;
  const Time began = worker.now();
  worker.many(10'000, microseconds{60});
  const double share = to_seconds(worker.spent().looked) / to_seconds(worker.now() - began);
  EXPECT_LE(share, 0.15);
}

TEST(BusyPoll, APauseAfterABurstDoesNotEndLooking) {
  Worker worker;
  worker.many(20, microseconds{20});
  worker.spent();
  for (int burst = 0; burst < 100; ++burst) {
    worker.work_after(milliseconds{5});
    worker.many(4, microseconds{20});
  }
  const auto spent = worker.spent();
  EXPECT_EQ(spent.found_asleep, 100);
  EXPECT_EQ(spent.found_looking, 400);
}

TEST(BusyPoll, ReturnsAtOnceToRunAgainAfterWork) {
  BusyPoll poll;
  EXPECT_FALSE(poll.look_again(Time{}, false)) << "nothing has come yet";
  EXPECT_TRUE(poll.look_again(Time{} + seconds{1}, true));
  EXPECT_FALSE(poll.look_again(Time{} + seconds{1}, false)) << "once is no reason to look";
}

// Whatever the traffic: what is looked for in vain stays a small part of what sleeping would have saved.
TEST(BusyPoll, RandomTrafficLooksForLongOnlyWhereWorkIsFound) {
  for (const auto mean :
       {microseconds{10}, microseconds{30}, microseconds{100}, microseconds{300}, microseconds{1000}}) {
    SCOPED_TRACE(mean.count());
    Worker worker;
    std::mt19937_64 generator{7};
    std::exponential_distribution<double> gaps{1.0 / static_cast<double>(Duration{mean}.count())};
    const Time began = worker.now();
    for (int i = 0; i < 20'000; ++i) worker.work_after(Duration{static_cast<Duration::rep>(gaps(generator))});
    const auto spent = worker.spent();
    EXPECT_LE(spent.longest_look, BusyPoll::window + microseconds{1});
    const double share = to_seconds(spent.looked) / to_seconds(worker.now() - began);
    if (mean <= microseconds{10}) {
      EXPECT_GE(spent.found_looking, 19'000);
    }
    if (mean >= microseconds{300}) {
      EXPECT_LE(share, 0.05);
    }
    std::cout << "mean gap " << mean.count() << " us: looks " << share * 100 << " % of the time, finds "
              << spent.found_looking << ", asleep " << spent.found_asleep << '\n';
  }
}

}  // namespace
}  // namespace trivet::core
