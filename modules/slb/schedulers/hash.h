// Method `hash`: the client's address decides, by weighted rendezvous hashing.
//
// Every candidate draws a number from (client, identity), distributed so that the smallest is this candidate's with a
// probability in proportion to its weight; the smallest wins. A client moves only when its own target goes, or to a
// target that comes. The order of the list has no say, and integers alone decide, so all nodes agree.
#pragma once

#include "slb/schedulers/candidate.h"

namespace trivet::slb {

// `client` is a hash of the client's address that is the same on every node.
[[nodiscard]] Pick pick_hash(std::span<const Candidate> candidates, const PassedOver& passed_over,
                             std::uint64_t client) noexcept;

// -log2((value + 1) / 2^64) with 24 fractional bits; error below 2^-16. For pick_hash() and its tests.
[[nodiscard]] std::uint64_t negative_log2(std::uint64_t value) noexcept;

}  // namespace trivet::slb
