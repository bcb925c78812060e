// A batch: up to 64 packets that meet the chain together, and what has been decided about them.
//
// Ownership: the core's; a worker sees it for the time of one call. Thread: that worker.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "trivet/packet.h"
#include "trivet/time.h"
#include "trivet/verdict.h"

namespace trivet {

class ForwardingState;

class Batch {
 public:
  static constexpr std::size_t capacity = 64;

  // Iterates the set bits of a mask: `for (std::size_t i : batch.pending()) ...`.
  class Indices {
   public:
    class Iterator {
     public:
      explicit constexpr Iterator(std::uint64_t mask) : mask_(mask) {}
      constexpr std::size_t operator*() const { return static_cast<std::size_t>(std::countr_zero(mask_)); }
      constexpr Iterator& operator++() {
        mask_ &= mask_ - 1;
        return *this;
      }
      constexpr bool operator==(const Iterator&) const = default;

     private:
      std::uint64_t mask_;
    };
    explicit constexpr Indices(std::uint64_t mask) : mask_(mask) {}
    [[nodiscard]] constexpr Iterator begin() const { return Iterator{mask_}; }
    [[nodiscard]] constexpr Iterator end() const { return Iterator{0}; }
    [[nodiscard]] constexpr std::uint64_t mask() const { return mask_; }

   private:
    std::uint64_t mask_;
  };

  // The packets that this module asked for (by class) and that nobody has decided yet. Valid during the call.
  [[nodiscard]] Indices pending() const { return Indices{pending_}; }
  [[nodiscard]] Packet& packet(std::size_t index) { return *packets_[index]; }
  [[nodiscard]] const Packet& packet(std::size_t index) const { return *packets_[index]; }
  // Setting next() again is allowed and means the same as not deciding.
  void decide(std::size_t index, Verdict verdict) {
    verdicts_[index] = verdict;
    decided_ |= std::uint64_t{1} << index;
  }
  [[nodiscard]] Verdict verdict(std::size_t index) const { return verdicts_[index]; }
  [[nodiscard]] Time now() const { return now_; }
  // Role, addresses, routes, interfaces as they are for this batch. Do not keep references behind the call.
  [[nodiscard]] const ForwardingState& forwarding() const { return *forwarding_; }

  // --- for the core and for tests: how a batch is filled and driven ---
  void reset(Time now, const ForwardingState& forwarding) {
    size_ = 0;
    pending_ = 0;
    decided_ = 0;
    now_ = now;
    forwarding_ = &forwarding;
  }
  void push(Packet& packet) {
    packets_[size_] = &packet;
    verdicts_[size_] = Verdict::next();
    ++size_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  void set_pending(std::uint64_t mask) { pending_ = mask; }
  // The packets that decide() was called for since the last reset() or take_decided().
  [[nodiscard]] Indices take_decided() {
    const std::uint64_t decided = decided_;
    decided_ = 0;
    return Indices{decided};
  }

 private:
  std::array<Packet*, capacity> packets_{};
  std::array<Verdict, capacity> verdicts_{};
  std::size_t size_ = 0;
  std::uint64_t pending_ = 0;
  Time now_{};
  const ForwardingState* forwarding_ = nullptr;
  std::uint64_t decided_ = 0;
};

}  // namespace trivet
