// Configuration of the module: two keys of `set`, and the neighbours that other sections name.
//
// Thread: control; values. The core has checked ranges before parse_config() reads them.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "trivet/config.h"
#include "trivet/net/address.h"
#include "trivet/time.h"

namespace trivet::arp {

struct Config {
  // Silence of a virtual MAC on an interface after which it is announced again; zero = never.
  Duration refresh = std::chrono::seconds(2);
  // Bound of the neighbour cache.
  std::size_t cache_entries = 8192;
  // Targets and the gateway: a scan must not keep them from being found.
  std::set<IpAddress> neighbors;
  bool operator==(const Config&) const = default;
};

// The keys that the module declares, and the one place where their defaults stand as text.
[[nodiscard]] std::vector<KeySpec> config_keys();

// Reads a checked configuration; keys that are not given have their defaults.
[[nodiscard]] Config parse_config(const ConfigView& config);

}  // namespace trivet::arp
