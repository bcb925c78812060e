#include "slb/schedulers/rr.h"

namespace trivet::slb {

Pick pick_round_robin(std::span<const Candidate> candidates, std::span<std::int64_t> credits) noexcept {
  std::int64_t total = 0;
  Pick best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].takes_sessions()) {
      // Neither a debt nor a claim survives an absence: who comes back starts like a new one.
      credits[i] = 0;
      continue;
    }
    total += candidates[i].weight;
    credits[i] += candidates[i].weight;
    if (!best || credits[i] > credits[*best]) best = i;
  }
  if (best) credits[*best] -= total;
  return best;
}

}  // namespace trivet::slb
