// Sees that forwarding workers are alive: one that does not finish a run for more than a second is stuck.
// That is sooner than a peer misses advertisements, so a node whose worker 0 hangs has left before there is another
// master.
//
// A worker that sleeps is woken for each look, so it shows a sign of life whatever the traffic. Looks are counted, not
// time: a machine that has been paused as a whole finds nobody stuck when it goes on. A worker that has never run is
// not watched: its thread has not been started yet.
// Thread: control. Time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "trivet/time.h"

namespace trivet::core {

class WorkerWatch {
 public:
  static constexpr Duration interval = std::chrono::milliseconds{500};
  static constexpr unsigned patience = 3;  // looks in a row without a finished run

  explicit WorkerWatch(std::size_t workers) : workers_(workers) {}

  [[nodiscard]] Time poll_at() const noexcept { return next_; }
  // `runs` of each worker so far. The number of a worker that is stuck; none. Does nothing before poll_at().
  std::optional<std::size_t> look(const std::vector<std::uint64_t>& runs, Time now);

 private:
  struct Seen {
    std::uint64_t runs = 0;
    unsigned misses = 0;
  };
  std::vector<Seen> workers_;
  Time next_{};
};

}  // namespace trivet::core
