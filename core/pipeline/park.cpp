#include "core/pipeline/park.h"

#include <bit>

#include "trivet/net/hash.h"

namespace trivet::core {

Park::Park(std::size_t packets, std::size_t per_neighbor, Duration timeout)
    : per_neighbor_(per_neighbor),
      timeout_(timeout),
      nodes_(packets),
      queues_(packets),
      chains_(std::bit_ceil(packets < 2 ? std::size_t{2} : packets), none) {
  for (std::size_t i = packets; i-- > 0;) {
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

Park::Index Park::open(NetworkId network, const IpAddress& address, Time now) noexcept {
  const Index index = free_queue_;
  if (index == none || free_node_ == none) return none;
  Queue& queue = queues_[index];
  free_queue_ = queue.next_in_chain;
  queue = Queue{};
  queue.network = network;
  queue.address = address;
  queue.deadline = now + timeout_;
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
  return index;
}

bool Park::add(Index index, const Parked& parked) noexcept {
  Queue& queue = queues_[index];
  if (free_node_ == none || queue.count >= per_neighbor_) return false;
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
  return parked;
}

void Park::close(Index index) noexcept {
  Queue& queue = queues_[index];
  Index* link = &chains_[chain_of(queue.network, queue.address)];
  while (*link != index) link = &queues_[*link].next_in_chain;
  *link = queue.next_in_chain;
  (queue.older != none ? queues_[queue.older].younger : oldest_) = queue.younger;
  (queue.younger != none ? queues_[queue.younger].older : youngest_) = queue.older;
  queue.next_in_chain = free_queue_;
  free_queue_ = index;
}

}  // namespace trivet::core
