// Method `random`: each candidate with a probability in proportion to its weight.
#pragma once

#include "slb/schedulers/candidate.h"
#include "trivet/random.h"

namespace trivet::slb {

[[nodiscard]] Pick pick_random(std::span<const Candidate> candidates, Random& random) noexcept;

}  // namespace trivet::slb
