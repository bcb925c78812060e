#include "core/pipeline/epochs.h"

#include <utility>

namespace trivet::core {

Epochs::Epochs(std::size_t workers) : workers_(workers), cells_(std::make_unique<Cell[]>(workers)) {}

void Epochs::retire(std::shared_ptr<const void> value) {
  const std::uint64_t epoch = now_.fetch_add(1, std::memory_order_acq_rel) + 1;
  retired_.push_back({epoch, std::move(value)});
}

std::size_t Epochs::collect() {
  if (retired_.empty()) return 0;
  std::uint64_t oldest = now_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < workers_; ++i) {
    // Adding nothing is a write all the same: it puts this look into the order of the worker's entries.
    const std::uint64_t seen = cells_[i].seen.fetch_add(0, std::memory_order_acq_rel);
    if (seen != 0 && seen < oldest) oldest = seen;
  }
  while (!retired_.empty() && retired_.front().epoch <= oldest) {
    // The value's destructor may retire something itself.
    const Retired entry = std::move(retired_.front());
    retired_.pop_front();
  }
  return retired_.size();
}

}  // namespace trivet::core
