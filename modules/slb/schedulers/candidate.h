// What every scheduler is shown: the targets of one server that take new sessions, in their order, as values.
//
// Thread: any; pure. A scheduler returns the place of the candidate that takes the new session, or nothing when all are
// passed over or there are none. State (turns, rotation), randomness and hashes are arguments. It looks at a few
// candidates only, however many there are; `hash` alone looks at each of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace trivet::slb {

struct Candidate {
  std::uint64_t identity = 0;  // hash of what the target is: the same on every node, whatever its place in the list
  std::uint64_t salt = 0;      // of what `hash` draws for it; see salt_of()
  std::uint32_t end = 0;       // sum of the weights up to here, its own included
  std::uint16_t weight = 1;    // not 0

  [[nodiscard]] std::uint32_t begin() const { return end - weight; }
  bool operator==(const Candidate&) const = default;
};

// Hashes of hashes, for draws that have nothing to do with each other.
constexpr std::uint64_t salt_of(std::uint64_t identity) noexcept {
  std::uint64_t z = (identity ^ (identity >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

inline void add_candidate(std::vector<Candidate>& candidates, std::uint64_t identity, std::uint16_t weight) {
  const std::uint32_t sum = candidates.empty() ? 0 : candidates.back().end;
  candidates.push_back({.identity = identity, .salt = salt_of(identity), .end = sum + weight, .weight = weight});
}

using Pick = std::optional<std::size_t>;

// Places of candidates that one session cannot have, ascending. A few: who has found so many gives up.
class PassedOver {
 public:
  static constexpr std::size_t most = 32;

  // There is room, and it is not there yet.
  void add(std::size_t place) noexcept {
    auto* const at = std::lower_bound(places_.begin(), places_.begin() + count_, place);
    std::move_backward(at, places_.begin() + count_, places_.begin() + count_ + 1);
    *at = static_cast<std::uint16_t>(place);
    ++count_;
  }
  [[nodiscard]] bool has(std::size_t place) const noexcept {
    return std::binary_search(places_.begin(), places_.begin() + count_, place);
  }
  [[nodiscard]] std::span<const std::uint16_t> places() const noexcept {
    return std::span(places_).first(static_cast<std::size_t>(count_));
  }

 private:
  std::array<std::uint16_t, most> places_{};
  std::ptrdiff_t count_ = 0;
};

}  // namespace trivet::slb
