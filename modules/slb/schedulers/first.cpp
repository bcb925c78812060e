#include "slb/schedulers/first.h"

namespace trivet::slb {

Pick pick_first(std::span<const Candidate> candidates) noexcept {
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].takes_sessions()) return i;
  }
  return {};
}

}  // namespace trivet::slb
