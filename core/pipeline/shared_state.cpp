#include "core/pipeline/shared_state.h"

#include <utility>

namespace trivet::core {

SharedState::SharedState(MetricsRegistry& metrics, std::size_t workers, std::size_t neighbor_capacity,
                         std::uint64_t seed)
    : metrics_(&metrics),
      reasons_(CoreReasons::declare(metrics)),
      neighbors_(neighbor_capacity, seed),
      facts_owner_(std::make_shared<const Facts>(
          Facts{.forwarding = std::make_shared<const ForwardingState>(ForwardingState::Parts{}),
                .filter = std::make_shared<const DoorFilter>(),
                .version = 1})),
      facts_(facts_owner_.get()),
      epochs_(workers) {}

void SharedState::publish_forwarding(std::shared_ptr<const ForwardingState> next) {
  publish({.forwarding = std::move(next), .filter = facts_owner_->filter});
}

void SharedState::publish_filter(std::shared_ptr<const DoorFilter> next) {
  publish({.forwarding = facts_owner_->forwarding, .filter = std::move(next)});
}

void SharedState::publish(Facts next) {
  next.version = facts_owner_->version + 1;
  auto owner = std::make_shared<const Facts>(std::move(next));
  facts_.store(owner.get(), std::memory_order_release);
  epochs_.retire(std::exchange(facts_owner_, std::move(owner)));
}

}  // namespace trivet::core
