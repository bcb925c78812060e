// Who takes new sessions, for each server, as the engine chooses among them. Parts of the directory's snapshot.
//
// A roster is one server's takers: bindings of usable targets with weight. A load list is the same as targets, for
// `method session`: servers with the same takers share one, for a target's sessions count whatever server they are of;
// so what a change of them costs does not grow with the servers that share a list.
// Constant once built; built by the registry on the control thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "slb/config.h"
#include "slb/schedulers/candidate.h"
#include "slb/session_table.h"

namespace trivet::slb {

struct Roster {
  std::vector<BindingId> takers;      // in the order of the configuration
  std::vector<Candidate> candidates;  // the same as schedulers see them
  std::uint32_t offset = 0;           // of its share of memory that has a place for each taker of each roster
  std::uint16_t line = 0;             // 0: of its server's IPv4 takers, or of all; 1: of IPv6 takers that are others
  std::uint16_t load_list = 0;        // method session: place among the lists
};

struct LoadList {
  std::vector<TargetId> targets;
  std::vector<std::uint16_t> weights;
  std::uint32_t offset = 0;  // as that of a roster
};

// A target's place in a load list.
struct LoadSeat {
  std::uint16_t list = 0;
  std::uint16_t place = 0;
};

class LoadLists {
 public:
  // Returns the list of just these targets and weights.
  std::uint16_t add(std::vector<TargetId> targets, std::vector<std::uint16_t> weights);
  // After the last one.
  void finish();

  [[nodiscard]] const LoadList& list(std::size_t number) const noexcept { return lists_[number]; }
  // Wherever the target is.
  [[nodiscard]] std::span<const LoadSeat> seats(TargetId target) const noexcept {
    if (target + std::size_t{1} >= first_seat_.size()) return {};
    return std::span(seats_).subspan(first_seat_[target], first_seat_[target + 1U] - first_seat_[target]);
  }

 private:
  using Key = std::pair<std::vector<TargetId>, std::vector<std::uint16_t>>;

  std::vector<LoadList> lists_;
  std::map<Key, std::uint16_t> numbers_;
  std::vector<std::uint32_t> first_seat_;  // by target, and one more
  std::vector<LoadSeat> seats_;
};

}  // namespace trivet::slb
