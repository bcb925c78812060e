// Bounds of what egress does beside sending.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "trivet/time.h"

namespace trivet::core {

struct EgressLimits {
  std::size_t parked_packets = 512;  // that wait for neighbours, in all
  std::size_t parked_per_neighbor = 32;
  Duration park_timeout = std::chrono::seconds{3};
  std::uint32_t icmp_errors_per_second = 100;
  std::uint32_t icmp_error_burst = 50;
};

}  // namespace trivet::core
