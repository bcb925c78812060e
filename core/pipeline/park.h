// Packets that wait for a neighbour: one queue for each (network, address), bounded in all and for each.
//
// Two shares: strangers (neighbours that only others' traffic asks for) have bounds of their own, so that a scan of
// unused addresses leaves room for the reserved share. The oldest queue of a stranger can be found, to make room.
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

// Whose idea it was: reserved is what the node sends of its own accord, and what goes to a next hop that the
// configuration or a module names; strangers is what others' packets bring about, answers to them included.
enum class ParkShare : std::uint8_t { strangers, reserved };

class Park {
 public:
  using Index = std::uint32_t;
  static constexpr Index none = 0xffffffffU;

  struct Limits {
    std::size_t packets = 0;             // in all
    std::size_t strangers = 0;           // packets of that share
    std::size_t per_neighbor = 0;        // as many again of the reserved share
    std::size_t stranger_neighbors = 0;  // queues of that share
    std::size_t large = 0;               // packets in buffers of more than large_above bytes
    std::size_t large_above = 0;
  };

  struct Parked {
    Packet* packet = nullptr;
    Origin origin = Origin::forwarded;
    InterfaceId interface = 0;  // to leave through this one; 0 = the neighbour's
    ParkShare share = ParkShare::strangers;
  };
  struct Queue {
    NetworkId network = 0;
    IpAddress address;
    Time deadline{};
    std::uint32_t version = 0;  // of the neighbour's entry when the queue was opened
    bool is_reported = false;   // NeighborWanted is on its way
    ParkShare share = ParkShare::strangers;
    std::size_t count = 0;
    // Links, the park's own.
    Index first = none, last = none, next_in_chain = none, older = none, younger = none;
    Index older_stranger = none, younger_stranger = none;
  };

  Park(const Limits& limits, Duration timeout);

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] Index find(NetworkId network, const IpAddress& address) const noexcept;
  // True when one more queue of that share, with one packet, has room.
  [[nodiscard]] bool has_room_for_queue(ParkShare share) const noexcept;
  // True when one more packet of that share has room in all.
  [[nodiscard]] bool has_room_for_packet(ParkShare share) const noexcept;
  // An empty queue for a neighbour that has none; none when the share has no room.
  [[nodiscard]] Index open(NetworkId network, const IpAddress& address, ParkShare share, Time now) noexcept;
  // False when the queue or the share is full. A queue with a reserved packet is no stranger's any more.
  [[nodiscard]] bool add(Index queue, const Parked& parked) noexcept;
  // The oldest packet of the queue, taken out; null when it is empty.
  [[nodiscard]] Parked take(Index queue) noexcept;
  // The queue is empty.
  void close(Index queue) noexcept;
  [[nodiscard]] Queue& at(Index queue) noexcept { return queues_[queue]; }
  [[nodiscard]] const Queue& at(Index queue) const noexcept { return queues_[queue]; }
  // Queues by age: the oldest one, then at(queue).younger.
  [[nodiscard]] Index oldest() const noexcept { return oldest_; }
  [[nodiscard]] Index oldest_stranger() const noexcept { return oldest_stranger_; }
  [[nodiscard]] Time next_deadline() const noexcept { return oldest_ == none ? never : queues_[oldest_].deadline; }

 private:
  struct Node {
    Parked parked;
    Index next = none;
  };
  [[nodiscard]] bool is_large(const Packet& packet) const noexcept { return packet.capacity > limits_.large_above; }
  [[nodiscard]] std::size_t chain_of(NetworkId network, const IpAddress& address) const noexcept;
  void link_stranger(Index queue) noexcept;
  void unlink_stranger(Index queue) noexcept;

  Limits limits_;
  Duration timeout_;
  std::size_t count_ = 0;
  std::size_t stranger_count_ = 0;   // packets
  std::size_t stranger_queues_ = 0;  // queues
  std::size_t large_count_ = 0;
  std::vector<Node> nodes_;
  std::vector<Queue> queues_;
  std::vector<Index> chains_;  // hash table of queues
  Index free_node_ = none;
  Index free_queue_ = none;
  Index oldest_ = none;
  Index youngest_ = none;
  Index oldest_stranger_ = none;
  Index youngest_stranger_ = none;
};

}  // namespace trivet::core
