// Method `random`: each candidate with a probability in proportion to its weight.
#pragma once

#include "slb/schedulers/candidate.h"
#include "trivet/random.h"

namespace trivet::slb {

// One draw, and a search among the sums of weights.
[[nodiscard]] Pick pick_random(std::span<const Candidate> candidates, const PassedOver& passed_over,
                               Random& random) noexcept;

}  // namespace trivet::slb
