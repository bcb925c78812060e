// What all workers of a node share: metrics, neighbours, grace periods, and the snapshots that control publishes.
//
// Thread: publish functions control; get functions workers during a run, and control. Made before the workers and
// destroyed after they have ended.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/metrics/registry.h"
#include "core/pipeline/core_reasons.h"
#include "core/pipeline/door.h"
#include "core/pipeline/epochs.h"
#include "core/pipeline/neighbor_table.h"
#include "trivet/forwarding.h"

namespace trivet::core {

inline constexpr std::size_t default_neighbors = 16384;

class SharedState {
 public:
  // `metrics` lives longer. Declares the core's drop reasons in it. Begins with an empty ForwardingState (no interface,
  // no address: everything is dropped at the door) and an empty DoorFilter. `seed`: of the neighbours' table.
  SharedState(MetricsRegistry& metrics, std::size_t workers, std::size_t neighbor_capacity = default_neighbors,
              std::uint64_t seed = 0);
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;
  ~SharedState() = default;

  // The next batch of every worker sees it; the former is freed by epochs().collect() when nobody can.
  void publish_forwarding(std::shared_ptr<const ForwardingState> next);
  void publish_filter(std::shared_ptr<const DoorFilter> next);

  // Both snapshots as one, so that a worker which takes them together has what belongs together.
  struct Facts {
    std::shared_ptr<const ForwardingState> forwarding;
    std::shared_ptr<const DoorFilter> filter;
    std::uint64_t version = 0;  // another one with each publication
  };
  [[nodiscard]] const Facts& facts() const noexcept { return *facts_.load(std::memory_order_acquire); }
  [[nodiscard]] const ForwardingState& forwarding() const noexcept { return *facts().forwarding; }
  [[nodiscard]] const DoorFilter& filter() const noexcept { return *facts().filter; }
  [[nodiscard]] std::shared_ptr<const ForwardingState> forwarding_owner() const { return facts_owner_->forwarding; }

  [[nodiscard]] MetricsRegistry& metrics() { return *metrics_; }
  [[nodiscard]] const CoreReasons& reasons() const { return reasons_; }
  [[nodiscard]] NeighborTable& neighbors() { return neighbors_; }
  [[nodiscard]] Epochs& epochs() { return epochs_; }

 private:
  void publish(Facts next);

  MetricsRegistry* metrics_;
  CoreReasons reasons_;
  NeighborTable neighbors_;
  std::shared_ptr<const Facts> facts_owner_;
  std::atomic<const Facts*> facts_;
  Epochs epochs_;
};

}  // namespace trivet::core
