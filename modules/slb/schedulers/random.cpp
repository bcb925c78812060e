#include "slb/schedulers/random.h"

namespace trivet::slb {

Pick pick_random(std::span<const Candidate> candidates, const PassedOver& passed_over, Random& random) noexcept {
  if (candidates.empty()) return {};
  std::uint64_t total = candidates.back().end;
  for (const std::uint16_t passed : passed_over.places()) total -= candidates[passed].weight;
  if (total == 0) return {};
  // Drawn among those that are left, then moved to where that one stands among all.
  std::uint64_t drawn = random.below(total);
  for (const std::uint16_t passed : passed_over.places()) {
    if (drawn >= candidates[passed].begin()) drawn += candidates[passed].weight;
  }
  const auto found = std::ranges::upper_bound(candidates, drawn, {}, &Candidate::end);
  return static_cast<std::size_t>(found - candidates.begin());
}

}  // namespace trivet::slb
