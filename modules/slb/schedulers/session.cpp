#include "slb/schedulers/session.h"

namespace trivet::slb {

Pick pick_least_sessions(std::span<const Candidate> candidates, std::uint32_t& rotation) noexcept {
  Pick best;
  if (candidates.empty()) return best;
  std::size_t i = rotation % candidates.size();
  for (std::size_t seen = 0; seen < candidates.size(); ++seen) {
    const Candidate& candidate = candidates[i];
    if (candidate.takes_sessions()) {
      // (sessions + 1) / weight, compared crosswise: 33 bits times 16 bits.
      const bool better = !best || (std::uint64_t{candidate.sessions} + 1) * candidates[*best].weight <
                                       (std::uint64_t{candidates[*best].sessions} + 1) * candidate.weight;
      if (better) best = i;
    }
    i = i + 1 == candidates.size() ? 0 : i + 1;
  }
  if (best) rotation = static_cast<std::uint32_t>(*best + 1);
  return best;
}

}  // namespace trivet::slb
