// Configuration of the module: one key of `set`.
//
// Thread: control; values.
#pragma once

#include <cstdint>
#include <vector>

#include "trivet/config.h"

namespace trivet::ping {

struct Config {
  // Echo answers a second, of the whole node.
  std::uint32_t answers_per_second = 10000;
  bool operator==(const Config&) const = default;
};

// The keys that the module declares, and the one place where their defaults stand as text.
[[nodiscard]] std::vector<KeySpec> config_keys();

// Reads the `set` section of a checked configuration; keys that are not given have their defaults.
[[nodiscard]] Config parse_config(const SectionView& settings);

}  // namespace trivet::ping
