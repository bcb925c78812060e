#include "slb/worker.h"

#include <algorithm>
#include <cstring>

#include "slb/engine_path.h"
#include "trivet/forwarding.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

// The whole table is looked at within about this time; one call looks at so many records at most.
constexpr std::uint32_t sweep_period = 4000;  // milliseconds
constexpr std::uint32_t sweep_least = 64;
constexpr std::uint32_t sweep_most = 16384;
constexpr std::uint32_t sweep_most_a_batch = 256;
constexpr std::uint32_t sweep_pause = 100;  // milliseconds

[[gnu::noinline]] Icmp icmp_kind(const Packet& packet) {
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

[[gnu::noinline]] std::uint32_t fragment_id(const Packet& packet) {
  if (packet.is(packet_class::ipv4)) return packet.ipv4().id;
  const auto bytes = packet.frame().subspan(packet.fragment_header_offset);
  wire::Ipv6FragmentHeader header;
  if (bytes.size() < sizeof header) return 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header.id;
}

template <class Address>
void gather(const Packet& packet, const Address& source, const Address& destination, Facts<Address>& facts) {
  facts.source = source;
  facts.destination = destination;
  facts.source_port = 0;
  facts.destination_port = 0;
  facts.protocol = packet.protocol;
  facts.tcp_flags = 0;
  facts.has_ports = false;
  facts.to_node = packet.is(packet_class::own | packet_class::virtual_ip);
  facts.part = Part::whole;
  facts.icmp = Icmp::none;
  facts.bytes = packet.length - packet.l3_offset;
  if (packet.is(packet_class::fragment)) {
    facts.part = packet.l4_offset == 0 ? Part::later_fragment : Part::first_fragment;
    facts.fragment_id = fragment_id(packet);
  }
  if (packet.is(packet_class::tcp)) {
    const wire::TcpHeader& tcp = packet.tcp();
    facts.source_port = tcp.source_port;
    facts.destination_port = tcp.destination_port;
    facts.tcp_flags = tcp.flags;
    facts.has_ports = true;
  } else if (packet.is(packet_class::udp)) {
    const wire::UdpHeader& udp = packet.udp();
    facts.source_port = udp.source_port;
    facts.destination_port = udp.destination_port;
    facts.has_ports = true;
  } else if (packet.is(packet_class::icmp | packet_class::icmpv6)) {
    facts.icmp = icmp_kind(packet);
  }
}

}  // namespace

BalancerWorker::BalancerWorker(WorkerContext& context, const Snapshot<Directory>& directory, const Handles& handles)
    : context_(context), directory_(directory), handles_(handles) {}

const Engine* BalancerWorker::engine() noexcept {
  if (engine_ != nullptr) engine_->use(directory_.get());
  return engine_.get();
}

BalancerWorker::Kind BalancerWorker::classify(const Packet& packet, std::size_t at) noexcept {
  // Neighbour discovery and group membership to a service address are not the service's.
  constexpr PacketClass local =
      packet_class::nd | packet_class::mld | packet_class::igmp | packet_class::vrrp | packet_class::multicast;
  if (packet.is(local)) return Kind::none;
  if (packet.is(packet_class::ipv4)) {
    const wire::Ipv4Header& header = packet.ipv4();
    return look_up(packet, header.source, header.destination, lookups4_[at]) ? Kind::ipv4 : Kind::none;
  }
  if (packet.is(packet_class::ipv6)) {
    const wire::Ipv6Header& header = packet.ipv6();
    return look_up(packet, header.source, header.destination, lookups6_[at]) ? Kind::ipv6 : Kind::none;
  }
  return Kind::none;
}

// False for packets that are none of ours.
template <class Address>
bool BalancerWorker::look_up(const Packet& packet, const Address& source, const Address& destination,
                             Lookup<Address>& lookup) noexcept {
  gather(packet, source, destination, lookup.facts);
  engine_->classify(lookup);
  return lookup.direction != Direction::neither;
}

void BalancerWorker::process(Batch& batch) noexcept {
  if (engine_ == nullptr) return;
  engine_->use(directory_.get(), &batch.forwarding());
  const std::uint32_t now = milliseconds(batch.now());
  last_seen_ = now;
  for (const std::size_t i : batch.pending()) kinds_[i] = classify(batch.packet(i), i);
  const auto for_each_lookup = [&](auto&& step) {
    for (const std::size_t i : batch.pending()) {
      if (kinds_[i] == Kind::ipv4) step(lookups4_[i]);
      if (kinds_[i] == Kind::ipv6) step(lookups6_[i]);
    }
  };
  for_each_lookup([&](const auto& lookup) { engine_->fetch_buckets(lookup); });
  for_each_lookup([&](auto& lookup) { engine_->match(lookup); });
  for_each_lookup([&](const auto& lookup) { engine_->fetch_record(lookup); });
  // One after the other: what an earlier packet of the batch begins, a later one finds.
  Sent sent;
  for (const std::size_t i : batch.pending()) {
    if (kinds_[i] == Kind::ipv4) apply(batch, i, engine_->decide(lookups4_[i], now), sent);
    if (kinds_[i] == Kind::ipv6) apply(batch, i, engine_->decide(lookups6_[i], now), sent);
  }
  if (sent.to_targets != 0) context_.counters().add(handles_.to_targets, sent.to_targets);
  if (sent.to_clients != 0) context_.counters().add(handles_.to_clients, sent.to_clients);
  sweep(now, sweep_most_a_batch);
  count_changes();
}

template <class Address>
void BalancerWorker::apply(Batch& batch, std::size_t at, const Action<Address>& action, Sent& sent) noexcept {
  Packet& packet = batch.packet(at);
  switch (action.outcome) {
    case Outcome::pass:
      return;
    case Outcome::drop:
      batch.decide(at, Verdict::drop(handles_.drops[static_cast<std::size_t>(action.refusal)]));
      return;
    case Outcome::to_target:
      rewrite_destination(packet, *action.address, action.port, action.delta);
      ++sent.to_targets;
      break;
    case Outcome::to_target_dsr:
      packet.next_hop = *action.address;
      packet.has_next_hop = true;
      ++sent.to_targets;
      break;
    case Outcome::to_client:
      rewrite_source(packet, *action.address, action.port, action.delta);
      ++sent.to_clients;
      break;
  }
  batch.decide(at, Verdict::forward());
}

void BalancerWorker::tick(Time time) noexcept {
  if (engine_ == nullptr) return;
  engine_->use(directory_.get());
  const std::uint32_t now = milliseconds(time);
  last_seen_ = now;
  sweep(now, sweep_most);
  count_changes();
}

// Of the table so much as the time since the last sweep asks for, so that the counts of sessions stay right: a little
// with each batch, what is left with the ticks.
void BalancerWorker::sweep(std::uint32_t now, std::uint32_t most) noexcept {
  const std::uint32_t elapsed = std::min(now - swept_at_, sweep_period);
  const auto due = static_cast<std::uint32_t>(std::uint64_t{engine_->high_water()} * elapsed / sweep_period);
  if (due < sweep_least && elapsed < sweep_pause) return;
  const std::uint32_t count = std::clamp(due, sweep_least, most);
  // What this call cannot do is left to the next ones.
  swept_at_ = due <= count ? now : now - elapsed + static_cast<std::uint32_t>(std::uint64_t{elapsed} * count / due);
  engine_->sweep(now, count);
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
