// How many workers a node in a test has: what its configuration says, at least TRIVET_TEST_WORKERS of the environment.
//
// So all tests of a module run with several workers, too, without each saying so.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>

#include "core/app/worker_count.h"
#include "core/pipeline/exchange.h"

namespace trivet::testkit {

inline std::size_t test_workers(const std::string& config_text) {
  const char* const least = std::getenv("TRIVET_TEST_WORKERS");
  const std::size_t given = least == nullptr ? 1 : static_cast<std::size_t>(std::strtoul(least, nullptr, 10));
  return std::clamp<std::size_t>(given, core::configured_workers(config_text, "test.conf"), core::max_workers);
}

}  // namespace trivet::testkit
