#include "slb/schedulers/random.h"

namespace trivet::slb {

Pick pick_random(std::span<const Candidate> candidates, Random& random) noexcept {
  std::uint64_t total = 0;
  for (const Candidate& candidate : candidates) {
    if (candidate.takes_sessions()) total += candidate.weight;
  }
  if (total == 0) return {};
  std::uint64_t left = random.below(total);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].takes_sessions()) continue;
    if (left < candidates[i].weight) return i;
    left -= candidates[i].weight;
  }
  return {};
}

}  // namespace trivet::slb
