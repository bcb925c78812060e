// The drop reasons of the pipeline, the door's included, declared as module "core".
//
// Thread: values after declare().
#pragma once

#include <array>
#include <cstddef>

#include "core/metrics/registry.h"
#include "core/pipeline/door.h"
#include "trivet/verdict.h"

namespace trivet::core {

struct CoreReasons {
  std::array<DropReason, static_cast<std::size_t>(DoorDrop::count)> door{};  // [none] is unspecified
  DropReason end_of_chain;                                                   // no module decided
  DropReason invalid_verdict;        // a verdict that makes no sense for this packet
  DropReason not_handed_over;        // a module acquired the packet and forgot it
  DropReason punt_queue_full;        // the control thread does not keep up
  DropReason punt_too_long;          // longer than a slot of the punt queue
  DropReason no_buffer;              // the worker's packet pool is used up
  DropReason own_destination;        // forward: to an address of this node
  DropReason unroutable;             // forward: multicast, broadcast, loopback, link-local or unspecified address
  DropReason hop_limit;              // forward: hop limit is used up
  DropReason no_route;               // no route to the destination
  DropReason no_link;                // the way out has no interface that is up
  DropReason too_big;                // larger than the MTU, and not to be fragmented
  DropReason park_full;              // too many packets wait for neighbours
  DropReason neighbor_unresolved;    // the neighbour does not answer
  DropReason neighbor_rate_limited;  // too many unknown neighbours are asked for at once
  DropReason not_master;             // parked while master, and this node is master no more
  DropReason no_interface;           // transmit: no such interface
  DropReason bad_frame;              // transmit: shorter than an Ethernet header, or longer than the MTU
  DropReason control_queue_full;     // a frame of the control thread: the worker does not keep up
  DropReason icmp_rate_limited;      // an ICMP error that was not sent, because of the rate limit
  DropReason worker_queue_full;      // the worker that owns the packet does not keep up with those who receive for it
  DropReason icmp_no_source;         // an ICMP error that was not sent: no real address to send it from

  [[nodiscard]] DropReason of(DoorDrop drop) const { return door[static_cast<std::size_t>(drop)]; }

  // Declares them all. Fails only when the registry is full, which a fresh one is not.
  [[nodiscard]] static CoreReasons declare(MetricsRegistry& registry);
};

}  // namespace trivet::core
