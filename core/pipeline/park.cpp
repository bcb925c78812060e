#include "core/pipeline/park.h"

#include <bit>

#include "trivet/net/hash.h"

namespace trivet::core {

Park::Park(const Limits& limits, Duration timeout)
    : limits_(limits),
      timeout_(timeout),
      nodes_(limits.packets),
      queues_(limits.packets),
      chains_(std::bit_ceil(limits.packets < 2 ? std::size_t{2} : limits.packets), none) {
  for (std::size_t i = limits.packets; i-- > 0;) {
    nodes_[i].next = free_node_;
    free_node_ = static_cast<Index>(i);
    queues_[i].next_in_chain = free_queue_;
    free_queue_ = static_cast<Index>(i);
  }
}

std::size_t Park::chain_of(NetworkId network, const IpAddress& address) const noexcept {
  return static_cast<std::size_t>(hash_address(address, network)) & (chains_.size() - 1);
}

Park::Index Park::find(NetworkId network, const IpAddress& address) const noexcept {
  for (Index i = chains_[chain_of(network, address)]; i != none; i = queues_[i].next_in_chain) {
    if (queues_[i].network == network && queues_[i].address == address) return i;
  }
  return none;
}

bool Park::has_room_for_packet(ParkShare share) const noexcept {
  return free_node_ != none && (share == ParkShare::reserved || stranger_count_ < limits_.strangers);
}

bool Park::has_room_for_queue(ParkShare share) const noexcept {
  return free_queue_ != none && has_room_for_packet(share) &&
         (share == ParkShare::reserved || stranger_queues_ < limits_.stranger_neighbors);
}

void Park::link_stranger(Index index) noexcept {
  Queue& queue = queues_[index];
  queue.older_stranger = youngest_stranger_;
  (youngest_stranger_ != none ? queues_[youngest_stranger_].younger_stranger : oldest_stranger_) = index;
  youngest_stranger_ = index;
  ++stranger_queues_;
}

void Park::unlink_stranger(Index index) noexcept {
  const Queue& queue = queues_[index];
  (queue.older_stranger != none ? queues_[queue.older_stranger].younger_stranger : oldest_stranger_) =
      queue.younger_stranger;
  (queue.younger_stranger != none ? queues_[queue.younger_stranger].older_stranger : youngest_stranger_) =
      queue.older_stranger;
  --stranger_queues_;
}

Park::Index Park::open(NetworkId network, const IpAddress& address, ParkShare share, Time now) noexcept {
  if (!has_room_for_queue(share)) return none;
  const Index index = free_queue_;
  Queue& queue = queues_[index];
  free_queue_ = queue.next_in_chain;
  queue = Queue{};
  queue.network = network;
  queue.address = address;
  queue.deadline = now + timeout_;
  queue.share = share;
  Index& chain = chains_[chain_of(network, address)];
  queue.next_in_chain = chain;
  chain = index;
  queue.older = youngest_;
  if (youngest_ != none) {
    queues_[youngest_].younger = index;
  } else {
    oldest_ = index;
  }
  youngest_ = index;
  if (share == ParkShare::strangers) link_stranger(index);
  return index;
}

bool Park::add(Index index, const Parked& parked) noexcept {
  Queue& queue = queues_[index];
  if (parked.share == ParkShare::reserved && queue.share == ParkShare::strangers) {
    unlink_stranger(index);
    queue.share = ParkShare::reserved;
  }
  // What strangers have filled has room for the node's own.
  const std::size_t limit = limits_.per_neighbor * (parked.share == ParkShare::reserved ? 2 : 1);
  if (!has_room_for_packet(parked.share) || queue.count >= limit) return false;
  if (is_large(*parked.packet) && large_count_ >= limits_.large) return false;
  const Index node = free_node_;
  free_node_ = nodes_[node].next;
  nodes_[node] = {parked, none};
  if (queue.last != none) {
    nodes_[queue.last].next = node;
  } else {
    queue.first = node;
  }
  queue.last = node;
  ++queue.count;
  ++count_;
  if (parked.share == ParkShare::strangers) ++stranger_count_;
  if (is_large(*parked.packet)) ++large_count_;
  return true;
}

Park::Parked Park::take(Index index) noexcept {
  Queue& queue = queues_[index];
  const Index node = queue.first;
  if (node == none) return {};
  const Parked parked = nodes_[node].parked;
  queue.first = nodes_[node].next;
  if (queue.first == none) queue.last = none;
  nodes_[node].next = free_node_;
  free_node_ = node;
  --queue.count;
  --count_;
  if (parked.share == ParkShare::strangers) --stranger_count_;
  if (is_large(*parked.packet)) --large_count_;
  return parked;
}

void Park::close(Index index) noexcept {
  Queue& queue = queues_[index];
  Index* link = &chains_[chain_of(queue.network, queue.address)];
  while (*link != index) link = &queues_[*link].next_in_chain;
  *link = queue.next_in_chain;
  if (queue.share == ParkShare::strangers) unlink_stranger(index);
  (queue.older != none ? queues_[queue.older].younger : oldest_) = queue.younger;
  (queue.younger != none ? queues_[queue.younger].older : youngest_) = queue.older;
  queue.next_in_chain = free_queue_;
  free_queue_ = index;
}

}  // namespace trivet::core
