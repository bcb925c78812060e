#include "core/pipeline/transmit_queues.h"

#include <span>

namespace trivet::core {

void TransmitQueues::swap(std::vector<Queue>& queues) noexcept {
  flush();
  queues_.swap(queues);
  index_.fill(0);
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    if (queues_[i].interface <= max_interfaces) index_[queues_[i].interface] = static_cast<std::uint16_t>(i + 1);
  }
}

void TransmitQueues::flush(Queue& queue) noexcept {
  if (queue.count == 0) return;
  queue.port->transmit(*pool_, std::span<Packet* const>(queue.packets).first(queue.count));
  queue.count = 0;
}

void TransmitQueues::flush() noexcept {
  for (Queue& queue : queues_) flush(queue);
}

}  // namespace trivet::core
