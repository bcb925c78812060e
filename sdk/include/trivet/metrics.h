// Counters: declared by name, counted per worker without sharing, summed when read.
//
// Thread: WorkerCounters by its worker; reading sums over all (relaxed, each counter is exact, a set is not a
// snapshot).
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace trivet {

// Handle given by Setup::counter().
struct Counter {
  std::uint16_t id = 0;
};

// One thread's cells. One writer; readers on other threads.
class CounterCells {
 public:
  explicit CounterCells(std::size_t size) : cells_(size) {}
  void add(Counter counter, std::uint64_t amount = 1) noexcept {
    auto& cell = cells_[counter.id];
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t read(Counter counter) const noexcept {
    return cells_[counter.id].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t size() const noexcept { return cells_.size(); }

 private:
  std::vector<std::atomic<std::uint64_t>> cells_;
};

}  // namespace trivet
