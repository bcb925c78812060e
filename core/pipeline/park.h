// Packets that wait for a neighbour: one queue for each (network, address), bounded in all and for each.
//
// Thread: worker. All memory is taken at construction. The park holds packets for the caller, it never releases one.
// All queues have the same timeout, counted from their first packet, so the oldest queue is the next to end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/time.h"

namespace trivet::core {

// Whose packet it is: one that passes through (hop limit, ICMP errors), or this node's own.
enum class Origin : std::uint8_t { forwarded, originated };

class Park {
 public:
  using Index = std::uint32_t;
  static constexpr Index none = 0xffffffffU;

  struct Parked {
    Packet* packet = nullptr;
    Origin origin = Origin::forwarded;
    InterfaceId interface = 0;  // to leave through this one; 0 = the neighbour's
  };
  struct Queue {
    NetworkId network = 0;
    IpAddress address;
    Time deadline{};
    std::uint32_t version = 0;  // of the neighbour's entry when the queue was opened
    bool is_reported = false;   // NeighborWanted is on its way
    std::size_t count = 0;
    // Links, the park's own.
    Index first = none, last = none, next_in_chain = none, older = none, younger = none;
  };

  Park(std::size_t packets, std::size_t per_neighbor, Duration timeout);

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] Index find(NetworkId network, const IpAddress& address) const noexcept;
  // An empty queue for a neighbour that has none; none when the park is full.
  [[nodiscard]] Index open(NetworkId network, const IpAddress& address, Time now) noexcept;
  // False when the queue or the park is full.
  [[nodiscard]] bool add(Index queue, const Parked& parked) noexcept;
  // The oldest packet of the queue, taken out; null when it is empty.
  [[nodiscard]] Parked take(Index queue) noexcept;
  // The queue is empty.
  void close(Index queue) noexcept;
  [[nodiscard]] Queue& at(Index queue) noexcept { return queues_[queue]; }
  [[nodiscard]] const Queue& at(Index queue) const noexcept { return queues_[queue]; }
  // Queues by age: the oldest one, then at(queue).younger.
  [[nodiscard]] Index oldest() const noexcept { return oldest_; }
  [[nodiscard]] Time next_deadline() const noexcept { return oldest_ == none ? never : queues_[oldest_].deadline; }

 private:
  struct Node {
    Parked parked;
    Index next = none;
  };
  [[nodiscard]] std::size_t chain_of(NetworkId network, const IpAddress& address) const noexcept;

  std::size_t per_neighbor_;
  Duration timeout_;
  std::size_t count_ = 0;
  std::vector<Node> nodes_;
  std::vector<Queue> queues_;
  std::vector<Index> chains_;  // hash table of queues
  Index free_node_ = none;
  Index free_queue_ = none;
  Index oldest_ = none;
  Index youngest_ = none;
};

}  // namespace trivet::core
