// A bounded ring between two threads: one writes, one reads, neither locks nor allocates.
//
// Slots are made once and stay: the writer fills the slot that begin_push() returns and then commits it, the reader
// uses front() in place and then pops it. Capacity: rounded up to a power of two.
//
// In batches: the writer stages values, which the reader does not see before publish(); the reader takes several at
// once. Either costs one store that the other thread's cache has to fetch. A ring is written either way, not both.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace trivet::core {

template <class T>
class SpscRing {
 public:
  explicit SpscRing(std::size_t capacity)
      : mask_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity) - 1), slots_(std::make_unique<T[]>(mask_ + 1)) {}
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;
  ~SpscRing() = default;

  [[nodiscard]] std::size_t capacity() const noexcept { return mask_ + 1; }

  // --- writing thread ---
  // The slot to fill; null when the ring is full. Without commit_push() nothing has happened.
  [[nodiscard]] T* begin_push() noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - known_head_ > mask_) {
      known_head_ = head_.load(std::memory_order_acquire);
      if (tail - known_head_ > mask_) return nullptr;
    }
    return &slots_[tail & mask_];
  }
  void commit_push() noexcept { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  [[nodiscard]] bool push(const T& value) noexcept {
    T* const slot = begin_push();
    if (slot == nullptr) return false;
    *slot = value;
    commit_push();
    return true;
  }
  // False when the ring is full of what the reader has not taken and what is staged.
  [[nodiscard]] bool stage(const T& value) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed) + staged_;
    if (tail - known_head_ > mask_) {
      known_head_ = head_.load(std::memory_order_acquire);
      if (tail - known_head_ > mask_) return false;
    }
    slots_[tail & mask_] = value;
    ++staged_;
    return true;
  }
  // Shows the reader everything that is staged. False when that is nothing.
  bool publish() noexcept {
    if (staged_ == 0) return false;
    tail_.store(tail_.load(std::memory_order_relaxed) + staged_, std::memory_order_release);
    staged_ = 0;
    return true;
  }

  // --- reading thread ---
  // The oldest slot; null when the ring is empty. The reader's until pop().
  [[nodiscard]] T* front() noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == known_tail_) {
      known_tail_ = tail_.load(std::memory_order_acquire);
      if (head == known_tail_) return nullptr;
    }
    return &slots_[head & mask_];
  }
  void pop() noexcept { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  // Moves the oldest values out, as many as there are and `out` has room for. Returns how many.
  std::size_t take(std::span<T> out) noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (known_tail_ - head < out.size()) known_tail_ = tail_.load(std::memory_order_acquire);
    const std::size_t count = std::min<std::size_t>(known_tail_ - head, out.size());
    if (count == 0) return 0;
    for (std::size_t i = 0; i < count; ++i) out[i] = slots_[(head + i) & mask_];
    head_.store(head + count, std::memory_order_release);
    return count;
  }

  // Before the threads start: every slot, to prepare it.
  template <class Function>
  void prepare_slots(Function&& function) {
    for (std::size_t i = 0; i <= mask_; ++i) function(slots_[i], i);
  }

 private:
  std::size_t mask_;
  std::unique_ptr<T[]> slots_;
  // Each thread's fields on cache lines of their own.
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t known_head_ = 0;  // writer's copy
  std::uint64_t staged_ = 0;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t known_tail_ = 0;  // reader's copy
};

}  // namespace trivet::core
