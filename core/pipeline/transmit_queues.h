// Frames on their way out, collected per interface and handed to the port as one burst.
//
// Thread: worker. A queued packet belongs to the queue until the port takes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/io/packet_io.h"
#include "core/pipeline/packet_pool.h"
#include "trivet/packet.h"

namespace trivet::core {

class TransmitQueues {
 public:
  static constexpr std::size_t burst = 64;

  struct Queue {
    InterfaceId interface = 0;
    PacketPort* port = nullptr;
    std::size_t count = 0;
    std::array<Packet*, burst> packets{};
  };

  explicit TransmitQueues(PacketPool& pool) : pool_(&pool) {}

  // Exchanges the queues for others, after sending what waits in them. Allocates nothing.
  void swap(std::vector<Queue>& queues) noexcept;
  [[nodiscard]] const std::vector<Queue>& queues() const { return queues_; }
  [[nodiscard]] bool has(InterfaceId interface) const noexcept {
    return interface <= max_interfaces && index_[interface] != 0;
  }
  // The interface is there. Sends the burst when it is full.
  void push(InterfaceId interface, Packet* packet) noexcept {
    Queue& queue = queues_[index_[interface] - std::size_t{1}];
    queue.packets[queue.count++] = packet;
    if (queue.count == burst) flush(queue);
  }
  void flush() noexcept;

 private:
  void flush(Queue& queue) noexcept;

  PacketPool* pool_;
  std::vector<Queue> queues_;
  std::array<std::uint16_t, max_interfaces + 1> index_{};  // by interface: place in queues_ + 1
};

}  // namespace trivet::core
