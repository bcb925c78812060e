// Grace periods: when nothing that a worker might still read is left, old snapshots are freed.
//
// A worker encloses each run in enter() and leave(); between runs it holds nothing, so a sleeping worker delays
// nobody. The control thread unlinks a value (stores the pointer to its successor), retires it, and collect() frees it
// once every worker has left the run that it was in.
//
// Why this is right: a worker's enter() and collect() both change the worker's cell by read-modify-write, so one comes
// first. If collect() does, the worker sees all that the control thread wrote before, hence the new pointer; if the
// worker does, collect() sees it inside with an older number and keeps the value.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

namespace trivet::core {

class Epochs {
 public:
  explicit Epochs(std::size_t workers);
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;
  ~Epochs() = default;  // frees what is left: the workers have ended

  // --- worker `number` ---
  void enter(std::size_t number) noexcept {
    cells_[number].seen.exchange(now_.load(std::memory_order_acquire), std::memory_order_acq_rel);
  }
  void leave(std::size_t number) noexcept { cells_[number].seen.store(0, std::memory_order_release); }

  // --- control thread ---
  // Frees `value` (drops this reference) when no worker can see it any more. Has been unlinked before.
  void retire(std::shared_ptr<const void> value);
  // Frees what can be freed; returns how much still waits. Call it now and then while it returns more than 0.
  std::size_t collect();

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> seen{0};  // 0 = outside of a run
  };
  struct Retired {
    std::uint64_t epoch = 0;
    std::shared_ptr<const void> value;
  };
  std::size_t workers_;
  std::unique_ptr<Cell[]> cells_;
  std::atomic<std::uint64_t> now_{1};
  std::deque<Retired> retired_;
};

}  // namespace trivet::core
