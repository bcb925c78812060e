#include "core/pipeline/shared_state.h"

#include <utility>

namespace trivet::core {

SharedState::SharedState(MetricsRegistry& metrics, std::size_t workers, std::size_t neighbor_capacity,
                         std::uint64_t seed)
    : metrics_(&metrics),
      reasons_(CoreReasons::declare(metrics)),
      neighbors_(neighbor_capacity, seed),
      forwarding_owner_(std::make_shared<const ForwardingState>(ForwardingState::Parts{})),
      filter_owner_(std::make_shared<const DoorFilter>()),
      forwarding_(forwarding_owner_.get()),
      filter_(filter_owner_.get()),
      epochs_(workers) {}

void SharedState::publish_forwarding(std::shared_ptr<const ForwardingState> next) {
  forwarding_.store(next.get(), std::memory_order_release);
  forwarding_version_.fetch_add(1, std::memory_order_release);  // after it: see forwarding_version()
  epochs_.retire(std::exchange(forwarding_owner_, std::move(next)));
}

void SharedState::publish_filter(std::shared_ptr<const DoorFilter> next) {
  filter_.store(next.get(), std::memory_order_release);
  epochs_.retire(std::exchange(filter_owner_, std::move(next)));
}

}  // namespace trivet::core
