// Method `rr`: (weighted) round robin, smooth.
//
// Time goes by in rounds. In each round a candidate of weight w has w turns, in the middles of w equal parts of it: at
// (2k + 1) / 2w. Sessions go to the turns in the order of time, equal times in the order of the list. So in a round
// each candidate gets exactly its weight, spread out evenly; equal weights take turns. Who comes, comes back or has
// another weight begins a round of its own now, without a claim or a debt from before.
//
// The next turn of everybody waits in a heap: a pick costs as much as the heap is deep.
#pragma once

#include "slb/schedulers/candidate.h"

namespace trivet::slb {

// A point in time, in fractions of a round; wraps.
using TurnTime = std::uint64_t;

// The method's memory of one candidate. Zero is who has not been there yet.
struct Turn {
  TurnTime round = 0;       // when its round began
  std::uint32_t taken = 0;  // turns in it
  std::uint16_t weight = 0;
};

struct WaitingTurn {
  TurnTime at = 0;
  std::uint16_t place = 0;  // of the candidate
  std::uint16_t turn = 0;   // its place among `turns`
};

// Begins to serve these candidates: fills `queue`, which is as long as they are. `slots`: for each candidate its place
// among `turns`, which stays the same as long as it is there. `now`: the time that picks have got to.
void line_up_turns(std::span<const Candidate> candidates, std::span<const std::uint16_t> slots, std::span<Turn> turns,
                   std::span<WaitingTurn> queue, TurnTime now) noexcept;

// The candidates are those that are lined up. Takes the turn, even if nothing comes of it.
[[nodiscard]] Pick pick_round_robin(std::span<WaitingTurn> queue, std::span<Turn> turns, const PassedOver& passed_over,
                                    TurnTime& now) noexcept;

}  // namespace trivet::slb
