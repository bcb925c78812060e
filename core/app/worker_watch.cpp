#include "core/app/worker_watch.h"

namespace trivet::core {

std::optional<std::size_t> WorkerWatch::look(const std::vector<std::uint64_t>& runs, Time now) {
  if (now < next_) return std::nullopt;
  next_ = now + interval;
  std::optional<std::size_t> stuck;
  for (std::size_t number = 0; number < workers_.size(); ++number) {
    Seen& seen = workers_[number];
    const bool shows_life = runs[number] == 0 || runs[number] != seen.runs;
    seen.misses = shows_life ? 0 : seen.misses + 1;
    seen.runs = runs[number];
    if (seen.misses >= patience && !stuck) stuck = number;
  }
  return stuck;
}

}  // namespace trivet::core
