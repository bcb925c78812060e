#include "core/pipeline/core_reasons.h"

namespace trivet::core {

CoreReasons CoreReasons::declare(MetricsRegistry& registry) {
  const auto reason = [&](const char* name, const char* help) {
    return registry.add_drop_reason("core", name, help).value_or(DropReason{});
  };
  CoreReasons reasons;
  for (std::size_t i = 1; i < door_drops.size(); ++i) reasons.door[i] = reason(door_drops[i].name, door_drops[i].help);
  reasons.end_of_chain = reason("end-of-chain", "no module decided about the packet");
  reasons.invalid_verdict = reason("invalid-verdict", "a module's verdict makes no sense for the packet");
  reasons.not_handed_over = reason("not-handed-over", "a module took a buffer and did not hand it over");
  reasons.punt_queue_full = reason("punt-queue-full", "the control thread does not keep up with punted packets");
  reasons.punt_too_long = reason("punt-too-long", "a packet for the control thread is longer than a slot of its queue");
  reasons.no_buffer = reason("no-buffer", "the worker's packet buffers are used up");
  reasons.own_destination = reason("own-destination", "a packet for an address of this node was to be forwarded");
  reasons.unroutable = reason("unroutable", "source or destination is of a kind that is never forwarded");
  reasons.hop_limit = reason("hop-limit", "the hop limit is used up");
  reasons.no_route = reason("no-route", "there is no route to the destination");
  reasons.no_link = reason("no-link", "no interface on the way out is up");
  reasons.too_big = reason("too-big", "larger than the MTU of the way out, and not to be fragmented");
  reasons.park_full = reason("park-full", "too many packets wait for the resolution of neighbours");
  reasons.neighbor_unresolved = reason("neighbor-unresolved", "the neighbour does not answer");
  reasons.neighbor_rate_limited =
      reason("neighbor-rate-limited", "others' traffic asks for too many unknown neighbours at once");
  reasons.not_master = reason("not-master", "a packet of the master waited for its neighbour until the role was lost");
  reasons.no_interface = reason("no-interface", "the packet was to leave through an interface that is not there");
  reasons.bad_frame = reason("bad-frame", "a frame to transmit is too short or longer than the MTU");
  reasons.control_queue_full = reason("control-queue-full", "the worker does not keep up with the node's own frames");
  reasons.icmp_rate_limited = reason("icmp-rate-limited", "an ICMP error was not sent because of the rate limit");
  reasons.worker_queue_full =
      reason("worker-queue-full", "the worker to which the packet belongs does not keep up with what others receive");
  reasons.icmp_no_source =
      reason("icmp-no-source", "an ICMP error was not sent: the network has no real address of that family");
  return reasons;
}

}  // namespace trivet::core
