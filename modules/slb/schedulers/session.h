// Method `session`: the candidate with the fewest sessions in proportion to its weight, counting the one to come.
//
// Ties rotate, so that equal candidates fill evenly instead of the first one leading. The lesser of each two, of each
// four and so on are kept: a pick, and a change of one candidate's sessions, costs as many steps as there are such
// levels.
#pragma once

#include "slb/schedulers/candidate.h"

namespace trivet::slb {

struct Load {
  std::uint32_t sessions = 0;  // that the candidate has now
  std::uint16_t weight = 0;    // 0: takes none
};

// The loads of some candidates in their order, in memory of its user: `loads` one for each candidate, `winners` two for
// each. A view, made anew for each use.
class LoadTree {
 public:
  LoadTree(std::span<Load> loads, std::span<std::uint16_t> winners) noexcept : loads_(loads), winners_(winners) {}

  // After `loads` were filled.
  void build() noexcept;
  void set_sessions(std::size_t place, std::uint32_t sessions) noexcept;
  void set_weight(std::size_t place, std::uint16_t weight) noexcept;
  // The least loaded of `begin` to before `end`, of equal ones the first.
  [[nodiscard]] Pick least(std::size_t begin, std::size_t end) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return loads_.size(); }
  // True when the load at one place, with one session more, is less than that at the other.
  [[nodiscard]] bool is_less(std::size_t one, std::size_t other) const noexcept;

 private:
  void replay(std::size_t place) noexcept;
  [[nodiscard]] std::uint16_t winner_of(std::size_t node) const noexcept;

  std::span<Load> loads_;
  std::span<std::uint16_t> winners_;  // by node: node 1 is the root, the children of n are 2n and 2n + 1
};

// `rotation` is the method's memory: where the search begins, 0 at first.
[[nodiscard]] Pick pick_least_sessions(const LoadTree& tree, std::uint32_t& rotation) noexcept;

}  // namespace trivet::slb
