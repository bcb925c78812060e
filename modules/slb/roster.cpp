#include "slb/roster.h"

#include <utility>

namespace trivet::slb {

std::uint16_t LoadLists::add(std::vector<TargetId> targets, std::vector<std::uint16_t> weights) {
  const auto [entry, is_new] =
      numbers_.emplace(Key{std::move(targets), std::move(weights)}, static_cast<std::uint16_t>(lists_.size()));
  if (!is_new) return entry->second;
  std::uint32_t offset = 0;
  if (!lists_.empty()) offset = lists_.back().offset + static_cast<std::uint32_t>(lists_.back().targets.size());
  lists_.push_back({.targets = entry->first.first, .weights = entry->first.second, .offset = offset});
  return entry->second;
}

void LoadLists::finish() {
  numbers_.clear();
  std::vector<std::vector<LoadSeat>> seats_of(max_targets + 1);
  for (std::size_t list = 0; list < lists_.size(); ++list) {
    for (std::size_t place = 0; place < lists_[list].targets.size(); ++place) {
      seats_of[lists_[list].targets[place]].push_back(
          {.list = static_cast<std::uint16_t>(list), .place = static_cast<std::uint16_t>(place)});
    }
  }
  first_seat_.assign(1, 0);
  for (const std::vector<LoadSeat>& seats : seats_of) {
    seats_.insert(seats_.end(), seats.begin(), seats.end());
    first_seat_.push_back(static_cast<std::uint32_t>(seats_.size()));
  }
}

}  // namespace trivet::slb
