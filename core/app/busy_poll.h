// Whether a worker that has run out of work looks again, or sleeps.
//
// To wake a thread takes 5 us, and 50 us and more where its core has gone idle below a hypervisor. A frame that comes
// while the worker still looks does not wait for that. So the worker looks on for a short while after the last work,
// but only where this has been worth it of late: where the next work has mostly come within that while, or so soon
// after the worker had gone to sleep that it would have. Decision record 16 has the numbers. Thread: the worker's.
#pragma once

#include "trivet/time.h"

namespace trivet::core {

class BusyPoll {
 public:
  // Looks on for so long after the last work, at most.
  static constexpr Duration window = std::chrono::microseconds{50};
  // Who has slept sees work later by what it takes to wake him: work that comes within this counts as soon enough.
  static constexpr Duration soon_after_sleep = 3 * window;

  // After each run: when it began, and whether it found work. True: run again (with nothing found, let others have the
  // core first). False: sleep.
  [[nodiscard]] bool look_again(Time now, bool found) noexcept;

 private:
  void found_after(Duration gap) noexcept;

  // Looks while above 0. How it is counted is in found_after().
  int trust_ = least_trust;
  static constexpr int least_trust = -4;
  static constexpr int most_trust = 8;
  static constexpr int miss = 3;

  enum class Since { work, looking, sleep };
  Since since_ = Since::sleep;  // what the last run has led to
  Time last_work_{};
};

}  // namespace trivet::core
