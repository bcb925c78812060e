// A token bucket: at most `burst` at once, at most `rate` a second in the long run. Time is an argument.
//
// Thread: one owner.
#pragma once

#include <algorithm>
#include <cstdint>

#include "trivet/time.h"

namespace trivet::core {

class TokenBucket {
 public:
  // Full at the beginning. A rate of 0 allows nothing.
  TokenBucket(std::uint32_t rate, std::uint32_t burst) noexcept
      : cost_(rate == 0 ? Duration{0} : Duration{std::chrono::seconds{1}} / rate),
        limit_(cost_ * burst),
        credit_(limit_) {}

  [[nodiscard]] bool allow(Time now) noexcept {
    if (now > last_) {
      // Never more than the limit is added, so that a long pause does not overflow.
      credit_ = std::min(limit_, credit_ + std::min(limit_, now - last_));
      last_ = now;
    }
    if (cost_ == Duration{0} || credit_ < cost_) return false;
    credit_ -= cost_;
    return true;
  }

 private:
  Duration cost_;  // of one, in time
  Duration limit_;
  Duration credit_;
  Time last_{};
};

}  // namespace trivet::core
