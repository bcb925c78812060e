// Method `first`: the first usable candidate takes everything; the next ones stand by.
#pragma once

#include "slb/schedulers/candidate.h"

namespace trivet::slb {

[[nodiscard]] Pick pick_first(std::span<const Candidate> candidates, const PassedOver& passed_over) noexcept;

}  // namespace trivet::slb
