// A limit of so many a second, with what a tenth of a second gives as burst.
//
// Thread: one owner. Sans-IO; does not allocate.
#pragma once

#include <algorithm>
#include <cstdint>

#include "trivet/time.h"

namespace trivet::ping {

class RateLimit {
 public:
  explicit RateLimit(std::uint32_t per_second) { set(per_second); }

  // Above zero. What has been saved up stays, as far as the new limit allows it.
  void set(std::uint32_t per_second) {
    if (per_second == per_second_) return;
    const bool is_first = per_second_ == 0;
    per_second_ = per_second;
    interval_ = Duration{std::chrono::seconds(1)} / per_second;
    burst_ = std::max<Duration>(std::chrono::milliseconds(100), interval_);
    credit_ = is_first ? burst_ : std::min(credit_, burst_);
  }

  // Takes one; false when there is none.
  [[nodiscard]] bool take(Time now) noexcept {
    if (now > last_) {
      credit_ = std::min(burst_, credit_ + std::min(burst_, now - last_));
      last_ = now;
    }
    if (credit_ < interval_) return false;
    credit_ -= interval_;
    return true;
  }

 private:
  std::uint32_t per_second_ = 0;
  Duration interval_{};  // credit that one costs
  Duration burst_{};
  Duration credit_{};
  Time last_;
};

}  // namespace trivet::ping
