#include "slb/worker.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

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

template <class Header, class Address>
void gather_ports(const Header& header, Facts<Address>& facts) {
  // Both read before one is stored: the compiler cannot know that facts do not lie over packets.
  const std::uint16_t source_port = header.source_port;
  const std::uint16_t destination_port = header.destination_port;
  facts.source_port = source_port;
  facts.destination_port = destination_port;
  facts.has_ports = true;
}

template <class Address>
const auto& header_of(const Packet& packet) {
  if constexpr (std::is_same_v<Address, Ipv4Address>) {
    return packet.ipv4();
  } else {
    return packet.ipv6();
  }
}

// What facts of all packets have in common.
template <class Address>
void gather(const Packet& packet, Facts<Address>& facts) {
  const std::uint32_t bytes = packet.length - packet.l3_offset;
  const bool to_node = packet.is(packet_class::own | packet_class::virtual_ip);
  const std::uint8_t protocol = packet.protocol;
  const auto& header = header_of<Address>(packet);
  facts.source = header.source;
  facts.destination = header.destination;
  facts.protocol = protocol;
  facts.to_node = to_node;
  facts.bytes = bytes;
}

// Fragments, ICMP, and what has no ports.
template <class Address>
void gather_rare(const Packet& packet, Facts<Address>& facts) {
  facts.source_port = 0;
  facts.destination_port = 0;
  facts.tcp_flags = 0;
  facts.has_ports = false;
  facts.part = Part::whole;
  facts.icmp = Icmp::none;
  if (packet.is(packet_class::fragment)) {
    facts.part = packet.l4_offset == 0 ? Part::later_fragment : Part::first_fragment;
    facts.fragment_id = fragment_id(packet);
  }
  if (packet.is(packet_class::tcp)) {
    gather_ports(packet.tcp(), facts);
    facts.tcp_flags = packet.tcp().flags;
  } else if (packet.is(packet_class::udp)) {
    gather_ports(packet.udp(), facts);
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

void BalancerWorker::process(Batch& batch) noexcept {
  if (engine_ == nullptr) return;
  engine_->use(directory_.get(), &batch.forwarding());
  const std::uint32_t now = milliseconds(batch.now());
  last_seen_ = now;
  classify(batch);
  fetch(lane4_);
  fetch(lane6_);
  decide(batch, now);
  sweep(now, sweep_most_a_batch);
  count_changes();
}

void BalancerWorker::classify(const Batch& batch) noexcept {
  lane4_.size = 0;
  lane6_.size = 0;
  for (std::uint64_t left = batch.pending().mask(); left != 0;) {
    left = classify_run(batch, left, lane4_);
    left = classify_run(batch, left, lane6_);
  }
}

template <class Address>
std::uint64_t BalancerWorker::classify_run(const Batch& batch, std::uint64_t places, Lane<Address>& lane) noexcept {
  // Neighbour discovery and group membership to a service address are not the service's.
  constexpr PacketClass local =
      packet_class::nd | packet_class::mld | packet_class::igmp | packet_class::vrrp | packet_class::multicast;
  constexpr bool is_v4 = std::is_same_v<Address, Ipv4Address>;
  constexpr PacketClass family = is_v4 ? packet_class::ipv4 : packet_class::ipv6;
  constexpr PacketClass other_family = is_v4 ? packet_class::ipv6 : packet_class::ipv4;
  auto* seat = lane.seats.data() + lane.size;
  for (; places != 0; places &= places - 1) {
    const auto at = static_cast<std::size_t>(std::countr_zero(places));
    const Packet& packet = batch.packet(at);
    if (packet.is(local)) continue;
    if (!packet.is(family)) {
      if (packet.is(other_family)) break;
      continue;
    }
    // Packets that are none of ours leave their seat to the next one.
    if (!look_up(packet, seat->lookup)) continue;
    seat->place = static_cast<std::uint8_t>(at);
    ++seat;
  }
  lane.size = static_cast<std::size_t>(seat - lane.seats.data());
  return places;
}

// False for packets that are none of ours.
template <class Address>
bool BalancerWorker::look_up(const Packet& packet, Lookup<Address>& lookup) noexcept {
  if (packet.is(packet_class::fragment) || !packet.is(packet_class::tcp | packet_class::udp)) {
    return look_up_rare(packet, lookup);
  }
  Facts<Address>& facts = lookup.facts;
  std::uint8_t tcp_flags = 0;
  if (packet.is(packet_class::tcp)) {
    tcp_flags = packet.tcp().flags;
    gather_ports(packet.tcp(), facts);
  } else {
    gather_ports(packet.udp(), facts);
  }
  gather(packet, facts);
  facts.tcp_flags = tcp_flags;
  facts.part = Part::whole;
  facts.icmp = Icmp::none;
  facts.has_ports = true;
  return engine_->classify(lookup);
}

template <class Address>
bool BalancerWorker::look_up_rare(const Packet& packet, Lookup<Address>& lookup) noexcept {
  gather(packet, lookup.facts);
  gather_rare(packet, lookup.facts);
  return engine_->classify(lookup);
}

template <class Address>
void BalancerWorker::fetch(Lane<Address>& lane) noexcept {
  const Engine& engine = *engine_;
  const auto seats = std::span(lane.seats).first(lane.size);
  for (const auto& seat : seats) engine.fetch_buckets(seat.lookup);
  for (auto& seat : seats) engine.match(seat.lookup);
  for (const auto& seat : seats) engine.fetch_record(seat.lookup);
}

// One after the other, in the order of the batch: what an earlier packet begins, a later one finds.
void BalancerWorker::decide(Batch& batch, std::uint32_t now) noexcept {
  Sent sent;
  std::size_t at4 = 0;
  std::size_t at6 = 0;
  while (at4 < lane4_.size || at6 < lane6_.size) {
    const std::size_t end4 = lane4_.before(at6 < lane6_.size ? lane6_.seats[at6].place : Batch::capacity, at4);
    decide_run(batch, lane4_, at4, end4, now, sent);
    at4 = end4;
    const std::size_t end6 = lane6_.before(at4 < lane4_.size ? lane4_.seats[at4].place : Batch::capacity, at6);
    decide_run(batch, lane6_, at6, end6, now, sent);
    at6 = end6;
  }
  if (sent.to_targets != 0) context_.counters().add(handles_.to_targets, sent.to_targets);
  if (sent.to_clients != 0) context_.counters().add(handles_.to_clients, sent.to_clients);
}

template <class Address>
void BalancerWorker::decide_run(Batch& batch, const Lane<Address>& lane, std::size_t begin, std::size_t end,
                                std::uint32_t now, Sent& sent) noexcept {
  Engine& engine = *engine_;
  Sent sent_now;
  for (const auto& seat : std::span(lane.seats).subspan(begin, end - begin)) {
    const std::size_t place = seat.place;
    engine.decide(seat.lookup, now, [&](const Action<Address>& action) { apply(batch, place, action, sent_now); });
  }
  sent.to_targets += sent_now.to_targets;
  sent.to_clients += sent_now.to_clients;
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
