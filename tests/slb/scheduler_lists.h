// Lists of targets, usable and not, and each scheduler over such a list: as the engine asks it, and in plain words, one
// target after the other. Both answer with places of the list.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "slb/schedulers/first.h"
#include "slb/schedulers/hash.h"
#include "slb/schedulers/random.h"
#include "slb/schedulers/rr.h"
#include "slb/schedulers/session.h"
#include "trivet/random.h"

namespace trivet::slb {

struct Listed {
  std::uint64_t identity = 0;
  std::uint32_t sessions = 0;
  std::uint16_t weight = 1;
  bool usable = true;
  bool passed_over = false;  // by the session that is to be placed; only among those that take sessions

  [[nodiscard]] bool takes_sessions() const { return usable && weight != 0; }
  [[nodiscard]] bool may_be_picked() const { return takes_sessions() && !passed_over; }
};
using List = std::vector<Listed>;

// Those of a list that take sessions, as schedulers see them.
struct Takers {
  explicit Takers(const List& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!list[i].takes_sessions()) continue;
      if (list[i].passed_over) passed_over.add(places.size());
      places.push_back(static_cast<std::uint16_t>(i));
      loads.push_back({.sessions = list[i].sessions, .weight = list[i].weight});
      add_candidate(candidates, list[i].identity, list[i].weight);
    }
  }
  [[nodiscard]] Pick in_list(Pick pick) const { return pick ? Pick{places.at(*pick)} : pick; }

  std::vector<std::uint16_t> places;
  std::vector<Candidate> candidates;
  std::vector<Load> loads;
  PassedOver passed_over;
};

inline Pick pick_first(const List& list) {
  const Takers takers(list);
  return takers.in_list(pick_first(takers.candidates, takers.passed_over));
}
inline Pick pick_random(const List& list, Random& random) {
  const Takers takers(list);
  return takers.in_list(pick_random(takers.candidates, takers.passed_over, random));
}
inline Pick pick_hash(const List& list, std::uint64_t client) {
  const Takers takers(list);
  return takers.in_list(pick_hash(takers.candidates, takers.passed_over, client));
}
inline Pick pick_least_sessions(const List& list, std::uint32_t& rotation) {
  Takers takers(list);
  std::vector<std::uint16_t> winners(2 * takers.loads.size());
  LoadTree tree(takers.loads, winners);
  tree.build();
  for (const std::uint16_t place : takers.passed_over.places()) tree.set_weight(place, 0);
  return takers.in_list(pick_least_sessions(tree, rotation));
}

// Round robin has a memory, and lines up anew when the list's takers have changed.
class RoundRobin {
 public:
  explicit RoundRobin(std::size_t size) : turns_(size) {}
  Pick pick(const List& list) {
    const Takers takers(list);
    if (takers.candidates != lined_up_) {
      lined_up_ = takers.candidates;
      queue_.assign(lined_up_.size(), {});
      line_up_turns(lined_up_, takers.places, turns_, queue_, now_);
    }
    return takers.in_list(pick_round_robin(queue_, turns_, takers.passed_over, now_));
  }

 private:
  std::vector<Turn> turns_;  // by place in the list
  std::vector<WaitingTurn> queue_;
  std::vector<Candidate> lined_up_;
  TurnTime now_ = 0;
};

namespace plain {

inline Pick first(const List& list) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].may_be_picked()) return i;
  }
  return {};
}

inline Pick random(const List& list, Random& random) {
  std::uint64_t total = 0;
  for (const Listed& one : list) total += one.may_be_picked() ? one.weight : 0;
  if (total == 0) return {};
  std::uint64_t left = random.below(total);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].may_be_picked()) continue;
    if (left < list[i].weight) return i;
    left -= list[i].weight;
  }
  return {};
}

inline Pick hash(const List& list, std::uint64_t client) {
  Pick best;
  const auto draw_of = [&](std::size_t i) { return negative_log2(salt_of(client ^ salt_of(list[i].identity))); };
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].may_be_picked()) continue;
    const std::uint64_t mine = best ? draw_of(i) * list[*best].weight : 0;
    const std::uint64_t theirs = best ? draw_of(*best) * list[i].weight : 1;
    if (mine < theirs || (mine == theirs && list[i].identity < list[*best].identity)) best = i;
  }
  return best;
}

// `rotation` counts takers, as the scheduler's does.
inline Pick least_sessions(const List& list, std::uint32_t& rotation) {
  std::vector<std::size_t> takers;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].takes_sessions()) takers.push_back(i);
  }
  Pick best;
  for (std::size_t seen = 0; seen < takers.size(); ++seen) {
    const std::size_t place = (rotation + seen) % takers.size();
    const Listed& one = list[takers[place]];
    if (one.passed_over) continue;
    const auto ratio_is_less = [&](const Listed& a, const Listed& b) {
      return (std::uint64_t{a.sessions} + 1) * b.weight < (std::uint64_t{b.sessions} + 1) * a.weight;
    };
    if (!best || ratio_is_less(one, list[takers[*best]])) best = place;
  }
  if (!best) return {};
  rotation = static_cast<std::uint32_t>(*best + 1);
  return takers[*best];
}

// Of a list that stays as it is: who has the earliest turn, (2 * taken + 1) / (2 * weight) rounds from the start.
class RoundRobin {
 public:
  explicit RoundRobin(std::size_t size) : taken_(size) {}
  Pick pick(const List& list) {
    Pick best;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!list[i].may_be_picked()) continue;
      if (!best || (2 * taken_[i] + 1) * list[*best].weight < (2 * taken_[*best] + 1) * list[i].weight) best = i;
    }
    if (best) ++taken_[*best];
    return best;
  }

 private:
  std::vector<std::uint64_t> taken_;
};

}  // namespace plain
}  // namespace trivet::slb
