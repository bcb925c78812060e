// Method `session`: the candidate with the fewest sessions in proportion to its weight, counting the one to come.
//
// Ties rotate, so that equal candidates fill evenly instead of the first one leading.
#pragma once

#include "slb/schedulers/candidate.h"

namespace trivet::slb {

// `rotation` is the method's memory: where the search begins, 0 at first.
[[nodiscard]] Pick pick_least_sessions(std::span<const Candidate> candidates, std::uint32_t& rotation) noexcept;

}  // namespace trivet::slb
