#include "slb/schedulers/first.h"

namespace trivet::slb {

Pick pick_first(std::span<const Candidate> candidates, const PassedOver& passed_over) noexcept {
  std::size_t place = 0;
  for (const std::uint16_t passed : passed_over.places()) {
    if (passed != place) break;
    ++place;
  }
  return place < candidates.size() ? Pick{place} : Pick{};
}

}  // namespace trivet::slb
