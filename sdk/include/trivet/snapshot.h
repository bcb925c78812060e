// Immutable snapshots from the control thread to the workers: a raw pointer and a grace period.
//
// Thread: publish() control, get() workers (during a batch) and control. What get() returns lives until the end of
// the batch; on the control thread until the next publish(). Old values are freed by the core when every worker has
// finished the batch it was in (Host::retire).
#pragma once

#include <atomic>
#include <memory>

#include "trivet/host.h"

namespace trivet {

template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::unique_ptr<const T> first) : current_(first.release()) {}
  Snapshot() : Snapshot(std::make_unique<const T>()) {}
  ~Snapshot() { delete current_.load(std::memory_order_relaxed); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  [[nodiscard]] const T& get() const noexcept { return *current_.load(std::memory_order_acquire); }

  void publish(Host& host, std::unique_ptr<const T> next) {
    std::shared_ptr<const T> old(current_.exchange(next.release(), std::memory_order_acq_rel));
    host.retire(std::move(old));
  }

 private:
  std::atomic<const T*> current_;
};

}  // namespace trivet
