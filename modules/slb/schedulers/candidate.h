// What every scheduler is shown: the targets of one server in their order, as values.
//
// Thread: any; pure. A scheduler is a function over a list of candidates that returns the place of the one that takes
// the new session, or nothing when nobody may. State (credits, rotation), randomness and hashes are arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace trivet::slb {

struct Candidate {
  std::uint64_t identity = 0;  // hash of what the target is: the same on every node, whatever its place in the list
  std::uint32_t sessions = 0;  // that the target has now
  std::uint16_t weight = 1;
  bool usable = true;

  [[nodiscard]] bool takes_sessions() const { return usable && weight != 0; }
};

using Pick = std::optional<std::size_t>;

}  // namespace trivet::slb
