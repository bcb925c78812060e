#include "slb/schedulers/session.h"

namespace trivet::slb {

bool LoadTree::is_less(std::size_t one, std::size_t other) const noexcept {
  const Load& a = loads_[one];
  const Load& b = loads_[other];
  if (a.weight == 0) return false;
  // (sessions + 1) / weight, compared crosswise: 33 bits times 16 bits.
  return b.weight == 0 || (std::uint64_t{a.sessions} + 1) * b.weight < (std::uint64_t{b.sessions} + 1) * a.weight;
}

std::uint16_t LoadTree::winner_of(std::size_t node) const noexcept {
  const std::uint16_t left = winners_[2 * node];
  const std::uint16_t right = winners_[2 * node + 1];
  return is_less(right, left) ? right : left;
}

void LoadTree::build() noexcept {
  for (std::size_t i = 0; i < size(); ++i) winners_[size() + i] = static_cast<std::uint16_t>(i);
  for (std::size_t node = size(); node-- > 1;) winners_[node] = winner_of(node);
}

void LoadTree::replay(std::size_t place) noexcept {
  for (std::size_t node = (size() + place) / 2; node != 0; node /= 2) winners_[node] = winner_of(node);
}

void LoadTree::set_sessions(std::size_t place, std::uint32_t sessions) noexcept {
  loads_[place].sessions = sessions;
  replay(place);
}

void LoadTree::set_weight(std::size_t place, std::uint16_t weight) noexcept {
  loads_[place].weight = weight;
  replay(place);
}

Pick LoadTree::least(std::size_t begin, std::size_t end) const noexcept {
  // From both ends inwards; the left one must stay the first of equals.
  Pick left;
  Pick right;
  for (std::size_t from = begin + size(), to = end + size(); from < to; from /= 2, to /= 2) {
    if (from % 2 != 0) {
      const std::uint16_t found = winners_[from++];
      if (!left || is_less(found, *left)) left = found;
    }
    if (to % 2 != 0) {
      const std::uint16_t found = winners_[--to];
      if (!right || !is_less(*right, found)) right = found;
    }
  }
  const Pick best = !left || (right && is_less(*right, *left)) ? right : left;
  return best && loads_[*best].weight != 0 ? best : Pick{};
}

Pick pick_least_sessions(const LoadTree& tree, std::uint32_t& rotation) noexcept {
  if (tree.size() == 0) return {};
  const std::size_t begin = rotation % tree.size();
  Pick best = tree.least(begin, tree.size());
  const Pick before = tree.least(0, begin);
  if (before && (!best || tree.is_less(*before, *best))) best = before;
  if (best) rotation = static_cast<std::uint32_t>(*best + 1);
  return best;
}

}  // namespace trivet::slb
