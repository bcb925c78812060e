// Bounds of what egress does beside sending.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "trivet/time.h"

namespace trivet::core {

struct EgressLimits {
  std::size_t parked_packets = 512;    // that wait for neighbours, in all; at most a quarter of the worker's buffers
  std::size_t parked_strangers = 384;  // of these, caused by others' traffic; the rest is for the node's own
  std::size_t parked_per_neighbor = 32;
  // RFC 6583: a scan of unused addresses makes a queue for each, and a search for each.
  std::size_t stranger_neighbors = 256;  // waited for at a time; the oldest makes room
  std::uint32_t stranger_searches_per_second = 256;
  std::uint32_t stranger_search_burst = 256;
  Duration park_timeout = std::chrono::seconds{3};
  // Of "too big" on its own, and of all others together: a scan must not silence path MTU discovery.
  std::uint32_t icmp_errors_per_second = 100;
  std::uint32_t icmp_error_burst = 50;
};

}  // namespace trivet::core
