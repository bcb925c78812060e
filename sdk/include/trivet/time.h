// Time as a value. Nothing in the SDK or in a module reads a clock: every handler is told what time it is.
//
// Thread: any. Units: nanoseconds since the node started its clock (monotonic, never wall time).
#pragma once

#include <chrono>
#include <cstdint>

namespace trivet {

using Duration = std::chrono::nanoseconds;

// A clock without now(): code that wants the time must take it as an argument.
struct NodeClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<NodeClock, Duration>;
  static constexpr bool is_steady = true;
};

using Time = NodeClock::time_point;

// "No deadline": later than every time that can be reached.
inline constexpr Time never = Time::max();

[[nodiscard]] constexpr double to_seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

[[nodiscard]] constexpr Duration from_seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

}  // namespace trivet
