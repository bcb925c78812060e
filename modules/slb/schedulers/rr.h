// Method `rr`: (weighted) round robin, smooth.
//
// Each round every candidate earns its weight; the richest takes the session and pays the sum of all weights. In a run
// of sum-of-weights sessions each candidate gets exactly its weight, spread out evenly; equal weights take turns.
#pragma once

#include "slb/schedulers/candidate.h"

namespace trivet::slb {

// `credits` is the method's memory, one number a candidate, 0 at first; as long as `candidates`.
[[nodiscard]] Pick pick_round_robin(std::span<const Candidate> candidates, std::span<std::int64_t> credits) noexcept;

}  // namespace trivet::slb
