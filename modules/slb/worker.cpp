#include "slb/worker.h"

#include <algorithm>
#include <cstring>

#include "trivet/forwarding.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

// The whole table is looked at within about this time; one call looks at so many records at most.
constexpr std::uint32_t sweep_period = 4000;  // milliseconds
constexpr std::uint32_t sweep_least = 64;
constexpr std::uint32_t sweep_most = 16384;
constexpr std::uint32_t sweep_pause = 100;  // milliseconds

Icmp icmp_kind(const Packet& packet) {
  const std::uint8_t type = packet.icmp().type;
  if (packet.is(packet_class::icmpv6)) {
    if (type < 128) return Icmp::error;
    return type == wire::icmpv6_type::echo_request ? Icmp::echo_request : Icmp::other;
  }
  constexpr std::uint8_t source_quench = 4;
  constexpr std::uint8_t parameter_problem = 12;
  if (type == wire::icmp_type::unreachable || type == wire::icmp_type::redirect ||
      type == wire::icmp_type::time_exceeded || type == source_quench || type == parameter_problem) {
    return Icmp::error;
  }
  return type == wire::icmp_type::echo_request ? Icmp::echo_request : Icmp::other;
}

std::uint32_t fragment_id(const Packet& packet) {
  if (packet.is(packet_class::ipv4)) return packet.ipv4().id;
  const auto bytes = packet.frame().subspan(packet.fragment_header_offset);
  wire::Ipv6FragmentHeader header;
  if (bytes.size() < sizeof header) return 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header.id;
}

template <class Address>
Facts<Address> facts_of(const Packet& packet, const Address& source, const Address& destination) {
  Facts<Address> facts{.source = source,
                       .destination = destination,
                       .protocol = packet.protocol,
                       .bytes = static_cast<std::uint32_t>(packet.l3_bytes().size())};
  if (packet.is(packet_class::fragment)) {
    facts.part = packet.l4_offset == 0 ? Part::later_fragment : Part::first_fragment;
    facts.fragment_id = fragment_id(packet);
  }
  if (packet.is(packet_class::tcp)) {
    facts.source_port = packet.tcp().source_port;
    facts.destination_port = packet.tcp().destination_port;
    facts.tcp_flags = packet.tcp().flags;
    facts.has_ports = true;
  } else if (packet.is(packet_class::udp)) {
    facts.source_port = packet.udp().source_port;
    facts.destination_port = packet.udp().destination_port;
    facts.has_ports = true;
  } else if (packet.is(packet_class::icmp | packet_class::icmpv6)) {
    facts.icmp = icmp_kind(packet);
  }
  return facts;
}

// A packet of ours that comes back, or a forgery.
template <class Address>
void refuse_own_source(Lookup<Address>& lookup, const ForwardingState& forwarding) {
  if (lookup.direction != Direction::forward || lookup.refusal != Refusal::none) return;
  if (forwarding.find_address(lookup.facts.source) != nullptr) lookup.refusal = Refusal::own_source;
}

}  // namespace

BalancerWorker::BalancerWorker(WorkerContext& context, const Snapshot<Directory>& directory, const Handles& handles)
    : context_(context), directory_(directory), handles_(handles) {}

const Engine* BalancerWorker::engine() noexcept {
  if (engine_ != nullptr) engine_->use(directory_.get());
  return engine_.get();
}

void BalancerWorker::classify(const Packet& packet, const ForwardingState& forwarding, Work& work) noexcept {
  work.kind = Work::Kind::none;
  // Neighbour discovery and group membership to a service address are not the service's.
  constexpr PacketClass local =
      packet_class::nd | packet_class::mld | packet_class::igmp | packet_class::vrrp | packet_class::multicast;
  if (packet.is(local)) return;
  if (packet.is(packet_class::ipv4)) {
    work.lookup4 = engine_->classify(facts_of(packet, packet.ipv4().source, packet.ipv4().destination));
    if (work.lookup4.direction == Direction::neither) return;
    refuse_own_source(work.lookup4, forwarding);
    work.kind = Work::Kind::ipv4;
    engine_->prefetch_buckets(work.lookup4);
  } else if (packet.is(packet_class::ipv6)) {
    work.lookup6 = engine_->classify(facts_of(packet, packet.ipv6().source, packet.ipv6().destination));
    if (work.lookup6.direction == Direction::neither) return;
    refuse_own_source(work.lookup6, forwarding);
    work.kind = Work::Kind::ipv6;
    engine_->prefetch_buckets(work.lookup6);
  }
}

void BalancerWorker::process(Batch& batch) noexcept {
  if (engine_ == nullptr) return;
  engine_->use(directory_.get());
  const std::uint32_t now = milliseconds(batch.now());
  last_seen_ = now;
  for (const std::size_t i : batch.pending()) classify(batch.packet(i), batch.forwarding(), work_[i]);
  for (const std::size_t i : batch.pending()) {
    if (work_[i].kind == Work::Kind::ipv4) engine_->prefetch_records(work_[i].lookup4);
    if (work_[i].kind == Work::Kind::ipv6) engine_->prefetch_records(work_[i].lookup6);
  }
  // One after the other: what an earlier packet of the batch begins, a later one finds.
  for (const std::size_t i : batch.pending()) {
    if (work_[i].kind == Work::Kind::ipv4) apply(batch, i, engine_->decide(work_[i].lookup4, now));
    if (work_[i].kind == Work::Kind::ipv6) apply(batch, i, engine_->decide(work_[i].lookup6, now));
  }
  count_changes();
}

void BalancerWorker::apply(Batch& batch, std::size_t at, const Action& action) noexcept {
  Packet& packet = batch.packet(at);
  switch (action.outcome) {
    case Outcome::pass:
      return;
    case Outcome::drop:
      batch.decide(at, Verdict::drop(handles_.drops[static_cast<std::size_t>(action.refusal)]));
      return;
    case Outcome::to_target:
      rewrite_destination(packet, action.address, action.port);
      context_.counters().add(handles_.to_targets);
      break;
    case Outcome::to_target_dsr:
      packet.next_hop = action.address;
      packet.has_next_hop = true;
      context_.counters().add(handles_.to_targets);
      break;
    case Outcome::to_client:
      rewrite_source(packet, action.address, action.port);
      context_.counters().add(handles_.to_clients);
      break;
  }
  batch.decide(at, Verdict::forward());
}

void BalancerWorker::tick(Time time) noexcept {
  if (engine_ == nullptr) return;
  engine_->use(directory_.get());
  const std::uint32_t now = milliseconds(time);
  last_seen_ = now;
  const std::uint32_t elapsed = std::min(now - swept_at_, sweep_period);
  const auto due = static_cast<std::uint32_t>(std::uint64_t{engine_->high_water()} * elapsed / sweep_period);
  if (due >= sweep_least || elapsed >= sweep_pause) {
    swept_at_ = now;
    engine_->sweep(now, std::clamp(due, sweep_least, sweep_most));
  }
  count_changes();
}

void BalancerWorker::count_changes() noexcept {
  const Engine::Tally& tally = engine_->tally();
  CounterCells& counters = context_.counters();
  if (tally.created != counted_.created) counters.add(handles_.sessions_created, tally.created - counted_.created);
  if (tally.expired != counted_.expired) counters.add(handles_.sessions_expired, tally.expired - counted_.expired);
  if (tally.removed != counted_.removed) counters.add(handles_.sessions_removed, tally.removed - counted_.removed);
  if (tally.replaced != counted_.replaced) counters.add(handles_.sessions_replaced, tally.replaced - counted_.replaced);
  if (tally.evicted != counted_.evicted) counters.add(handles_.sessions_evicted, tally.evicted - counted_.evicted);
  counted_ = tally;
}

}  // namespace trivet::slb
