#include "slb/engine.h"

#include <algorithm>
#include <span>
#include <utility>

#include "slb/engine_path.h"
#include "slb/schedulers/first.h"
#include "slb/schedulers/hash.h"
#include "slb/schedulers/random.h"
#include "slb/schedulers/rr.h"
#include "slb/schedulers/session.h"
#include "trivet/net/hash.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

using path::forward_salt;
using path::refuse;
using path::reverse_salt;
using wire::ip_protocol::tcp;

// A full table is searched this far for entries to give up before a session is refused: far once a millisecond, else
// only as far as a flood of new sessions can be afforded.
constexpr std::uint32_t reclaim_records = 512;
constexpr std::uint32_t reclaim_records_again = 32;
// Longer than senders keep their fragments apart; identifications come again (RFC 6864 section 3.1).
constexpr std::uint32_t fragment_memory = 15'000;  // milliseconds
// Targets whose reverse key is asked for before a session is refused: bounds the work that one packet can cause.
constexpr unsigned max_tries = 32;

// Nobody can be answered there (RFC 1812 section 5.3.7, RFC 4291 sections 2.5.2, 2.5.3 and 2.7). The door lets some of
// them pass: an unspecified source asks for an address, and class E (RFC 1112 section 4) is somebody's private matter.
bool is_bad_source(const Ipv4Address& source) {
  return source.is_unspecified() || source.is_loopback() || source.bytes[0] >= 224;
}
bool is_bad_source(const Ipv6Address& source) {
  if (source.is_multicast()) return true;
  // The first 15 bytes of :: and ::1 are zero.
  const auto [high, low] = words_of(source);
  return high == 0 && (low & ~words_of(Ipv6Address{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff}}).second) == 0 &&
         source.bytes[15] <= 1;
}

// Never leaves its link, so its replies would not either (RFC 3927 section 2.7, RFC 4291 section 2.5.6).
bool is_link_local(const Ipv4Address& address) { return address.bytes[0] == 169 && address.bytes[1] == 254; }
bool is_link_local(const Ipv6Address& address) { return address.is_link_local(); }

}  // namespace

Engine::Engine(Sizes sizes, std::uint64_t seed, std::shared_ptr<Traffic> traffic)
    : seed_(seed),
      random_(seed ^ forward_salt),
      traffic_(std::move(traffic)),
      servers_(traffic_->servers.data()),
      targets_(traffic_->targets.data()),
      table4_(sizes.sessions4),
      table6_(sizes.sessions6),
      bindings_(max_bindings),
      rotations_(max_servers + 1) {}

void Engine::use(const Directory& directory, const ForwardingState* forwarding) noexcept {
  directory_ = &directory;
  forwarding_ = forwarding;
  if (directory.version == version_) return;
  version_ = directory.version;
  for (std::size_t i = 0; i < directory.bindings.size(); ++i) {
    BindingState& state = bindings_[i];
    const Binding& binding = directory.bindings[i];
    if (state.epoch != binding.epoch) {
      take_from(servers_[state.server].sessions, state.sessions);
      take_from(targets_[state.target].sessions, state.sessions);
      tally_.removed += state.sessions;
      state = BindingState{};
      state.epoch = binding.epoch;
    }
    state.server = binding.server;
    state.target = binding.target;
  }
}

template <class Address>
bool Engine::is_claimed(const Binding& binding, const Facts<Address>& facts, std::uint8_t forms,
                        std::uint32_t now) noexcept {
  Facts<Address> reply{.source = binding.template target_address<Address>(),
                       .destination = facts.source,
                       .destination_port = facts.source_port,
                       .protocol = facts.protocol,
                       .has_ports = facts.has_ports};
  if (facts.has_ports) reply.source_port = binding.target_port != 0 ? binding.target_port : facts.destination_port;
  for (std::uint8_t left = forms; left != 0; left &= static_cast<std::uint8_t>(left - 1)) {
    const auto form = static_cast<std::uint8_t>(left & -left);
    if (form == reply_form::port && !reply.has_ports) continue;
    const Key<Address> key = reply_key(reply, form);
    if (find_reverse(reply.source, key, reverse_hash(reply.source, key), now) != nullptr) return true;
  }
  return false;
}

template <class Address>
Engine::RefusedFragment& Engine::refused_fragment(const Facts<Address>& facts, std::uint64_t& datagram) noexcept {
  const auto [source_high, source_low] = words_of(facts.source);
  const auto [high, low] = words_of(facts.destination);
  const std::uint64_t source = fold_multiply(source_high ^ seed_, source_low ^ reverse_salt);
  const std::uint64_t both = fold_multiply(high ^ source, low ^ seed_ ^ forward_salt);
  datagram = fold_multiply(both ^ facts.fragment_id, seed_ ^ reverse_salt) | 1U;
  return refused_fragments_[(datagram >> 8U) % refused_fragments_.size()];
}

template <class Address>
Action<Address> Engine::refuse_fragment(const Facts<Address>& facts, std::uint32_t now) noexcept {
  std::uint64_t datagram = 0;
  RefusedFragment& slot = refused_fragment(facts, datagram);
  slot = {.datagram = datagram, .seen = now};
  return refuse(Refusal::fragment);
}

// Without ports a later fragment cannot be told from the target's own traffic, but by the first one that was refused;
// or by the client's session, where that takes in every port.
template <class Address>
Action<Address> Engine::later_fragment_of_target(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  const Facts<Address>& facts = lookup.facts;
  std::uint64_t datagram = 0;
  const RefusedFragment& slot = refused_fragment(facts, datagram);
  if (slot.datagram == datagram && now - slot.seen < fragment_memory) return refuse(Refusal::fragment);
  for (const std::uint8_t form : {reply_form::protocol, reply_form::any}) {
    if ((lookup.reply_forms & form) == 0) continue;
    const Key<Address> key = reply_key(facts, form);
    if (find_reverse(facts.source, key, reverse_hash(facts.source, key), now) != nullptr) {
      return refuse(Refusal::fragment);
    }
  }
  return {};
}

Pick Engine::pick(const Service& service, std::size_t count, const std::vector<BindingId>& ids,
                  std::uint64_t client) noexcept {
  const std::span<const Candidate> candidates{candidates_.data(), count};
  switch (service.method) {
    case Method::rr: {
      const std::span<std::int64_t> credits{credits_.data(), count};
      for (std::size_t i = 0; i < count; ++i) credits[i] = bindings_[ids[i]].credit;
      const Pick picked = pick_round_robin(candidates, credits);
      for (std::size_t i = 0; i < count; ++i) bindings_[ids[i]].credit = credits[i];
      return picked;
    }
    case Method::random:
      return pick_random(candidates, random_);
    case Method::hash:
      return pick_hash(candidates, client);
    case Method::first:
      return pick_first(candidates);
    case Method::session:
      return pick_least_sessions(candidates, rotations_[service.number]);
  }
  return {};
}

template <class Address>
Refusal Engine::refusal_of_source(const Address& source) const noexcept {
  if (is_bad_source(source)) return Refusal::bad_source;
  if (is_link_local(source)) return Refusal::link_local;
  // A packet of ours that comes back, or a forgery.
  if (forwarding_ != nullptr && forwarding_->find_address(source) != nullptr) return Refusal::own_source;
  return Refusal::none;
}

template <class Address>
Action<Address> Engine::refuse_forward(const Lookup<Address>& lookup) const noexcept {
  const Facts<Address>& facts = lookup.facts;
  if (const Refusal refusal = refusal_of_source(facts.source); refusal != Refusal::none) return refuse(refusal);
  if (facts.part != Part::whole) return refuse(Refusal::fragment);
  return refuse(facts.icmp == Icmp::error ? Refusal::icmp_error : Refusal::no_service);
}

template <class Address>
Action<Address> Engine::begin_session(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  const Facts<Address>& facts = lookup.facts;
  if (const Refusal refusal = refusal_of_source(facts.source); refusal != Refusal::none) return refuse(refusal);
  const Service& service = *lookup.service;
  const bool is_tcp = facts.has_ports && facts.protocol == tcp;
  // In the middle of a connection only `hash` knows where it went, on this node or on the one before a takeover.
  if (is_tcp && !opens_connection(facts.tcp_flags)) {
    const bool may_join =
        service.method == Method::hash && (facts.tcp_flags & (wire::TcpHeader::rst | wire::TcpHeader::syn)) == 0;
    if (!may_join) return refuse(Refusal::no_session);
  }
  if (facts.icmp == Icmp::other) return refuse(Refusal::no_session);

  const std::vector<BindingId>& ids = service.bindings<Address>();
  const std::size_t count = std::min(ids.size(), candidates_.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Binding& binding = directory_->bindings[ids[i]];
    const std::uint64_t sessions = targets_[binding.target].sessions.load(std::memory_order_relaxed);
    candidates_[i] = {.identity = binding.identity,
                      .sessions = static_cast<std::uint32_t>(sessions),
                      .weight = binding.weight,
                      .usable = binding.usable};
  }
  const std::uint64_t client = service.method == Method::hash ? hash_address(facts.source) : 0;

  Session<Address> draft{};
  draft.client = facts.source;
  if (service.session_id == SessionId::connection) {
    draft.rest = {facts.source_port, facts.destination_port, facts.protocol};
  }
  draft.state = SessionState::idle;
  if (is_tcp && service.session_id == SessionId::connection) {
    draft.state = opens_connection(facts.tcp_flags) ? SessionState::syn_sent : SessionState::joined;
  }

  Refusal refusal = Refusal::no_target;
  for (unsigned tries = 0; tries < max_tries; ++tries) {
    const Pick picked = pick(service, count, ids, client);
    if (!picked) break;
    const Binding& binding = directory_->bindings[ids[*picked]];
    if (binding.dsr) return create(lookup, ids[*picked], draft, 0, now);
    const Address& target = binding.template target_address<Address>();
    const Key<Address> reply{.client = draft.client, .rest = reverse_rest(binding, draft)};
    const std::uint32_t hash = reverse_hash(target, reply);
    if (find_reverse(target, reply, hash, now) == nullptr &&
        !is_claimed(binding, facts, binding.foreign_forms<Address>(), now)) {
      return create(lookup, ids[*picked], draft, hash, now);
    }
    refusal = Refusal::session_conflict;
    candidates_[*picked].usable = false;
  }
  return refuse(refusal);
}

template <class Address>
Action<Address> Engine::create(const Lookup<Address>& lookup, BindingId id, const Session<Address>& draft,
                               std::uint32_t reverse, std::uint32_t now) noexcept {
  SessionTable<Address>& sessions = sessions_of<Address>();
  const Binding& binding = directory_->bindings[id];
  Session<Address>* session = sessions.insert(lookup.hash, reverse);
  if (session == nullptr) {
    make_room<Address>(std::is_same_v<Address, Ipv4Address> ? cursor4_ : cursor6_, now);
    session = sessions.insert(lookup.hash, reverse);
  }
  if (session == nullptr) return refuse(Refusal::session_table_full);
  session->client = draft.client;
  session->rest = draft.rest;
  session->state = draft.state;
  session->binding = id;
  session->epoch = binding.epoch;
  session->created = now;
  ++bindings_[id].sessions;
  add_to(servers_[binding.server].sessions, 1);
  add_to(targets_[binding.target].sessions, 1);
  ++tally_.created;
  return send_to_target(*session, binding, lookup.facts, now);
}

template <class Address>
void Engine::remove(Session<Address>& session) noexcept {
  BindingState& state = bindings_[session.binding];
  // Sessions of an older epoch left the counts when the epoch did.
  if (session.epoch == state.epoch) {
    --state.sessions;
    take_from(servers_[state.server].sessions, 1);
    take_from(targets_[state.target].sessions, 1);
  }
  sessions_of<Address>().erase(session);
}

template <class Address>
void Engine::make_room(std::uint32_t& cursor, std::uint32_t now) noexcept {
  const std::uint32_t records = reclaimed_at_ == now ? reclaim_records_again : reclaim_records;
  reclaimed_at_ = now;
  SessionTable<Address>& sessions = sessions_of<Address>();
  const std::uint32_t begin = cursor;
  sweep_table<Address>(cursor, now, records);
  if (sessions.size() < sessions.capacity()) return;
  // The same records once more, now in the cache.
  Session<Address>* oldest = nullptr;
  for (std::uint32_t i = 0, at = begin; i < std::min(records, sessions.high_water()); ++i, ++at) {
    if (at >= sessions.high_water()) at = 0;
    Session<Address>& session = sessions.record(at);
    if (!is_half_open(session.state)) continue;
    if (oldest == nullptr || now - session.created > now - oldest->created) oldest = &session;
  }
  if (oldest == nullptr) return;
  ++tally_.evicted;
  remove(*oldest);
}

template <class Address>
void Engine::sweep_table(std::uint32_t& cursor, std::uint32_t now, std::uint32_t records) noexcept {
  SessionTable<Address>& sessions = sessions_of<Address>();
  const std::uint32_t count = std::min(records, sessions.high_water());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (cursor >= sessions.high_water()) cursor = 0;
    Session<Address>& session = sessions.record(cursor++);
    if (session.state == SessionState::none) continue;
    const bool is_gone = !is_current(session);
    if (!is_gone && !has_expired(session, now)) continue;
    if (!is_gone) ++tally_.expired;
    remove(session);
  }
}

void Engine::sweep(std::uint32_t now, std::uint32_t records) noexcept {
  sweep_table<Ipv4Address>(cursor4_, now, records);
  sweep_table<Ipv6Address>(cursor6_, now, records);
}

// What the packet path leaves to this file, and the path itself for who does not inline it.
template Action<Ipv4Address> Engine::begin_session(const Lookup<Ipv4Address>&, std::uint32_t) noexcept;
template Action<Ipv6Address> Engine::begin_session(const Lookup<Ipv6Address>&, std::uint32_t) noexcept;
template Action<Ipv4Address> Engine::refuse_forward(const Lookup<Ipv4Address>&) const noexcept;
template Action<Ipv6Address> Engine::refuse_forward(const Lookup<Ipv6Address>&) const noexcept;
template bool Engine::is_claimed(const Binding&, const Facts<Ipv4Address>&, std::uint8_t, std::uint32_t) noexcept;
template bool Engine::is_claimed(const Binding&, const Facts<Ipv6Address>&, std::uint8_t, std::uint32_t) noexcept;
template Action<Ipv4Address> Engine::refuse_fragment(const Facts<Ipv4Address>&, std::uint32_t) noexcept;
template Action<Ipv6Address> Engine::refuse_fragment(const Facts<Ipv6Address>&, std::uint32_t) noexcept;
template Action<Ipv4Address> Engine::later_fragment_of_target(const Lookup<Ipv4Address>&, std::uint32_t) noexcept;
template Action<Ipv6Address> Engine::later_fragment_of_target(const Lookup<Ipv6Address>&, std::uint32_t) noexcept;
template void Engine::remove(Session<Ipv4Address>&) noexcept;
template void Engine::remove(Session<Ipv6Address>&) noexcept;
template void Engine::classify(Lookup<Ipv4Address>&) const noexcept;
template void Engine::classify(Lookup<Ipv6Address>&) const noexcept;
template Action<Ipv4Address> Engine::decide(const Lookup<Ipv4Address>&, std::uint32_t) noexcept;
template Action<Ipv6Address> Engine::decide(const Lookup<Ipv6Address>&, std::uint32_t) noexcept;

}  // namespace trivet::slb
