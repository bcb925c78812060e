// Sessions, packets and bytes of each server and target, as one worker counts them.
//
// One writer (the worker), readers on any thread: relaxed atomics, each number exact, a set of them no snapshot.
// "in" is from clients to targets. Numbers outlive reloads.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "slb/config.h"

namespace trivet::slb {

struct TrafficCells {
  std::atomic<std::uint64_t> sessions{0};
  std::atomic<std::uint64_t> packets_in{0};
  std::atomic<std::uint64_t> bytes_in{0};
  std::atomic<std::uint64_t> packets_out{0};
  std::atomic<std::uint64_t> bytes_out{0};
};

struct Traffic {
  Traffic() : servers(max_servers + 1), targets(max_targets + 1) {}

  std::vector<TrafficCells> servers;  // by number
  std::vector<TrafficCells> targets;
};

// Adds without a locked instruction: there is one writer.
inline void add_to(std::atomic<std::uint64_t>& cell, std::uint64_t amount) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}
inline void take_from(std::atomic<std::uint64_t>& cell, std::uint64_t amount) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) - amount, std::memory_order_relaxed);
}

// One packet of so many bytes.
inline void count_in(TrafficCells& cells, std::uint64_t bytes) noexcept {
  add_to(cells.packets_in, 1);
  add_to(cells.bytes_in, bytes);
}
inline void count_out(TrafficCells& cells, std::uint64_t bytes) noexcept {
  add_to(cells.packets_out, 1);
  add_to(cells.bytes_out, bytes);
}

struct TrafficSum {
  std::uint64_t sessions = 0;
  std::uint64_t packets_in = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t packets_out = 0;
  std::uint64_t bytes_out = 0;

  void add(const TrafficCells& cells) {
    sessions += cells.sessions.load(std::memory_order_relaxed);
    packets_in += cells.packets_in.load(std::memory_order_relaxed);
    bytes_in += cells.bytes_in.load(std::memory_order_relaxed);
    packets_out += cells.packets_out.load(std::memory_order_relaxed);
    bytes_out += cells.bytes_out.load(std::memory_order_relaxed);
  }
};

}  // namespace trivet::slb
