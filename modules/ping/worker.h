// The data path: turns echo requests around in place, or answers in fragments.
//
// Thread: one worker. Sources: RFC 792 and RFC 1122 section 3.2.2.6 (echo), RFC 4443 section 4, RFC 8200 section 4.5.
//
// A request for an address that is not answered for now passes. What is answered: destination an own address (scope
// master: while master and with answers_echo), source a host, not this node, sent to this node alone (no broadcast
// frame), checksum right, within the limit. The answer: addresses swapped, hop limit 64, no options and extension
// headers. Answers that are larger than the MTU of their way out are cut here (IPv6, and what came in fragments) or by
// egress (other IPv4).
#pragma once

#include <cstdint>
#include <span>

#include "ping/config.h"
#include "ping/echo.h"
#include "ping/rate_limit.h"
#include "ping/reassembly.h"
#include "trivet/module.h"
#include "trivet/snapshot.h"

namespace trivet::ping {

struct DropReasons {
  DropReason bad_source;
  DropReason not_unicast;
  DropReason bad_checksum;
  DropReason rate_limited;
  DropReason fragment_invalid;
  DropReason fragment_overlap;
  DropReason no_buffer;
};

struct Counters {
  Counter answers;
  Counter reassembled;
  Counter reassembly_timeouts;
};

class PingWorker final : public PacketWorker<PingWorker> {
 public:
  // `worker_count`: the limit is shared evenly.
  PingWorker(WorkerContext& context, const Snapshot<Config>& config, std::size_t worker_count,
             const DropReasons& reasons, const Counters& counters);

  Verdict on_packet(Packet& packet, Batch& batch) noexcept;
  void tick(Time now) noexcept override;

 private:
  Verdict on_request(Packet& packet, const Batch& batch) noexcept;
  Verdict on_fragment(Packet& packet, const Batch& batch) noexcept;
  // Nothing decided (next), or why the packet is dropped.
  Verdict admit(const Packet& packet, const ForwardingState& node) noexcept;
  bool within_limit(Time now) noexcept;
  // `message`: what the fragments make, of which `last` is one. Answers in new packets; changes the message.
  Verdict answer_whole(const Packet& last, const Batch& batch, std::span<std::uint8_t> message,
                       std::uint32_t id) noexcept;
  // Sends a whole reply in as many packets as it needs, where the request came from.
  Verdict answer_in_pieces(const Piece& shape, std::span<const std::uint8_t> message, std::size_t mtu,
                           const Packet& request) noexcept;

  WorkerContext& context_;
  const Snapshot<Config>& config_;
  std::uint32_t worker_count_;
  DropReasons reasons_;
  Counters counters_;
  RateLimit limit_;
  Reassembly reassembly_;
};

}  // namespace trivet::ping
