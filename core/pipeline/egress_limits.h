// Bounds of what egress does beside sending.
#pragma once

#include <algorithm>
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

  // What one of several workers may do, so that all together do what these limits say: rates are divided. What waits
  // is bounded for each worker, as its buffers are.
  [[nodiscard]] EgressLimits share_of(std::size_t workers) const {
    const auto part = [workers](std::uint32_t whole) {
      return std::max<std::uint32_t>(1, whole / static_cast<std::uint32_t>(std::max<std::size_t>(workers, 1)));
    };
    EgressLimits share = *this;
    share.stranger_searches_per_second = part(stranger_searches_per_second);
    share.stranger_search_burst = part(stranger_search_burst);
    share.icmp_errors_per_second = part(icmp_errors_per_second);
    share.icmp_error_burst = part(icmp_error_burst);
    return share;
  }
};

}  // namespace trivet::core
