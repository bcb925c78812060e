#include "slb/schedulers/rr.h"

namespace trivet::slb {
namespace {

// So fine that turns of different weights (65535 at most) that are not at one time differ.
constexpr unsigned round_bits = 40;
constexpr TurnTime round_length = TurnTime{1} << round_bits;

TurnTime time_of(const Turn& turn) noexcept {
  return turn.round + ((2 * TurnTime{turn.taken} + 1) << (round_bits - 1)) / turn.weight;
}

bool is_later(const WaitingTurn& one, const WaitingTurn& other) noexcept {
  if (one.at != other.at) return static_cast<std::int64_t>(one.at - other.at) > 0;
  return one.place > other.place;
}

}  // namespace

void line_up_turns(std::span<const Candidate> candidates, std::span<const std::uint16_t> slots, std::span<Turn> turns,
                   std::span<WaitingTurn> queue, TurnTime now) noexcept {
  for (std::size_t place = 0; place < candidates.size(); ++place) {
    Turn& turn = turns[slots[place]];
    // A turn that is gone by was missed.
    const bool goes_on = turn.weight == candidates[place].weight && time_of(turn) - now <= round_length;
    if (!goes_on) turn = {.round = now, .taken = 0, .weight = candidates[place].weight};
    queue[place] = {.at = time_of(turn), .place = static_cast<std::uint16_t>(place), .turn = slots[place]};
  }
  std::ranges::make_heap(queue, is_later);
}

Pick pick_round_robin(std::span<WaitingTurn> queue, std::span<Turn> turns, const PassedOver& passed_over,
                      TurnTime& now) noexcept {
  // Those at the head that cannot be had stand aside for a moment, at the queue's end.
  std::size_t left = queue.size();
  while (left != 0 && passed_over.has(queue.front().place)) {
    std::ranges::pop_heap(queue.first(left), is_later);
    --left;
  }
  Pick picked;
  if (left != 0) {
    std::ranges::pop_heap(queue.first(left), is_later);
    WaitingTurn& next = queue[left - 1];
    picked = next.place;
    now = next.at;
    Turn& turn = turns[next.turn];
    if (++turn.taken == turn.weight) {
      turn.taken = 0;
      turn.round += round_length;
    }
    next.at = time_of(turn);
    --left;
  }
  while (left != queue.size()) std::ranges::push_heap(queue.first(++left), is_later);
  return picked;
}

}  // namespace trivet::slb
