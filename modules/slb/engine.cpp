#include "slb/engine.h"

#include <algorithm>
#include <span>
#include <utility>

#include "slb/schedulers/first.h"
#include "slb/schedulers/hash.h"
#include "slb/schedulers/random.h"
#include "slb/schedulers/rr.h"
#include "slb/schedulers/session.h"
#include "trivet/net/hash.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

using wire::ip_protocol::tcp;
using wire::ip_protocol::udp;

constexpr std::uint64_t forward_salt = 0xa0761d6478bd642fULL;
constexpr std::uint64_t reverse_salt = 0xe7037ed1a0b428dbULL;
// A full table is searched this far for entries to give up before a session is refused: far once a millisecond, else
// only as far as a flood of new sessions can be afforded.
constexpr std::uint32_t reclaim_records = 512;
constexpr std::uint32_t reclaim_records_again = 32;
// Longer than senders keep their fragments apart; identifications come again (RFC 6864 section 3.1).
constexpr std::uint32_t fragment_memory = 15'000;  // milliseconds
// Targets whose reverse key is asked for before a session is refused: bounds the work that one packet can cause.
constexpr unsigned max_tries = 32;

// Becomes an Action of either family.
struct Refused {
  Refusal refusal;
  template <class Address>
  operator Action<Address>() const noexcept {  // NOLINT(google-explicit-constructor)
    return {.outcome = Outcome::drop, .refusal = refusal};
  }
};
Refused refuse(Refusal refusal) noexcept { return {refusal}; }

template <class Address>
bool is_tracked(const Session<Address>& session) {
  return session.state != SessionState::idle;
}

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

std::uint32_t to_32(std::uint64_t wide) { return static_cast<std::uint32_t>(wide ^ (wide >> 32U)); }

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

void Engine::use(const Directory& directory) noexcept {
  directory_ = &directory;
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
Engine::Key<Address> Engine::forward_key(const Service& service, const Facts<Address>& facts) noexcept {
  if (service.session_id == SessionId::client) return {.client = facts.source};
  return {.client = facts.source, .rest = rest_of(facts.source_port, facts.destination_port, facts.protocol)};
}

template <class Address>
std::uint64_t Engine::reverse_rest(const Binding& binding, const Session<Address>& session) noexcept {
  if (binding.session_id == SessionId::client) return rest_of(0, binding.target_port, binding.protocol);
  const bool has_ports = session.protocol == tcp || session.protocol == udp;
  const std::uint16_t port = binding.target_port != 0 ? binding.target_port : session.server_port;
  return rest_of(session.client_port, has_ports ? port : std::uint16_t{0}, session.protocol);
}

template <class Address>
Engine::Key<Address> Engine::reply_key(const Facts<Address>& facts, std::uint8_t form) noexcept {
  constexpr unsigned with_port = reply_form::connection | reply_form::port_protocol | reply_form::port;
  constexpr unsigned with_protocol = reply_form::connection | reply_form::port_protocol | reply_form::protocol;
  const std::uint16_t none = 0;
  return {.client = facts.destination,
          .rest = rest_of(form == reply_form::connection ? facts.destination_port : none,
                          (form & with_port) != 0 ? facts.source_port : none,
                          (form & with_protocol) != 0 ? facts.protocol : std::uint8_t{0})};
}

template <class Address>
std::uint32_t Engine::forward_hash(ServerId server, const Key<Address>& key) const noexcept {
  const auto [high, low] = words_of(key.client);
  const std::uint64_t client = fold_multiply(high ^ seed_, low ^ forward_salt);
  const std::uint64_t rest = (std::uint64_t{server} << 40U) | key.rest;
  return to_32(fold_multiply(client ^ rest, seed_ ^ reverse_salt)) & ~1U;
}

template <class Address>
std::uint32_t Engine::reverse_hash(const Address& target, const Key<Address>& key) const noexcept {
  const auto [high, low] = words_of(key.client);
  const auto [target_high, target_low] = words_of(target);
  const std::uint64_t client = fold_multiply(high ^ seed_, low ^ reverse_salt);
  const std::uint64_t both = fold_multiply(target_high ^ client, target_low ^ seed_ ^ forward_salt);
  return to_32(fold_multiply(both ^ key.rest, seed_ ^ forward_salt)) | 1U;
}

template <class Address>
void Engine::classify(Lookup<Address>& lookup) const noexcept {
  const Facts<Address>& facts = lookup.facts;
  lookup.direction = Direction::neither;
  lookup.refusal = Refusal::none;
  lookup.service = nullptr;
  if (facts.has_ports) {
    lookup.service = directory_->find_exact(facts.destination, facts.destination_port, facts.protocol);
  }
  if (lookup.service != nullptr || directory_->is_server(facts.destination)) {
    lookup.direction = Direction::forward;
    if (is_bad_source(facts.source)) lookup.refusal = Refusal::bad_source;
    if (is_link_local(facts.source)) lookup.refusal = Refusal::link_local;
    if (lookup.refusal != Refusal::none) return;
    if (lookup.service == nullptr) {
      lookup.service =
          directory_->find_service(facts.destination, facts.destination_port, facts.protocol, facts.has_ports);
    }
    // Without a service it is refused before the table is asked.
    lookup.hash =
        lookup.service == nullptr ? 0 : forward_hash(lookup.service->number, forward_key(*lookup.service, facts));
  } else {
    const std::uint8_t* const forms = directory_->index<Address>().reply_forms.find({facts.source});
    if (forms == nullptr) return;
    lookup.direction = Direction::reverse;
    lookup.reply_forms = *forms;
    const auto first = static_cast<std::uint8_t>(*forms & -*forms);
    lookup.hash = reverse_hash(facts.source, reply_key(facts, first));
  }
  lookup.probe = table<Address>().probe(lookup.hash);
}

template <class Address>
Action<Address> Engine::decide(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  switch (lookup.direction) {
    case Direction::neither:
      return {};
    case Direction::forward:
      return forward(lookup, now);
    case Direction::reverse:
      return reverse(lookup, now);
  }
  return {};
}

template <class Address>
Session<Address>* Engine::find_forward(const Lookup<Address>& lookup, const Key<Address>& key,
                                       std::uint32_t now) noexcept {
  Session<Address>* session = sessions_of<Address>().find(lookup.probe, [&](const Session<Address>& record) {
    if (record.forward_hash != lookup.hash || !(record.client == key.client) ||
        rest_of(record.client_port, record.server_port, record.protocol) != key.rest) {
      return false;
    }
    const Binding& binding = directory_->bindings[record.binding];
    return record.epoch == binding.epoch && binding.server == lookup.service->number;
  });
  if (session != nullptr && has_expired(*session, now)) {
    ++tally_.expired;
    remove(*session);
    session = nullptr;
  }
  return session;
}

template <class Address>
Session<Address>* Engine::find_reverse(const Address& target, const Key<Address>& key, std::uint32_t hash,
                                       std::uint32_t now) noexcept {
  return find_reverse(target, key, hash, table<Address>().probe(hash), now);
}

template <class Address>
Session<Address>* Engine::find_reverse(const Address& target, const Key<Address>& key, std::uint32_t hash,
                                       const typename SessionTable<Address>::Probe& probe, std::uint32_t now) noexcept {
  Session<Address>* session = sessions_of<Address>().find(probe, [&](const Session<Address>& record) {
    if (record.reverse_hash != hash || !record.has_reverse || !(record.client == key.client)) return false;
    const Binding& binding = directory_->bindings[record.binding];
    return record.epoch == binding.epoch && reverse_rest(binding, record) == key.rest &&
           binding.template target_address<Address>() == target;
  });
  if (session != nullptr && has_expired(*session, now)) {
    ++tally_.expired;
    remove(*session);
    session = nullptr;
  }
  return session;
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
Action<Address> Engine::forward(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  const Facts<Address>& facts = lookup.facts;
  if (lookup.refusal != Refusal::none) return refuse(lookup.refusal);
  if (facts.part != Part::whole) return refuse(Refusal::fragment);
  if (facts.icmp == Icmp::error) return refuse(Refusal::icmp_error);
  if (lookup.service == nullptr) return refuse(Refusal::no_service);
  const Key<Address> key = forward_key(*lookup.service, facts);
  Session<Address>* session = find_forward(lookup, key, now);
  if (session != nullptr && is_tracked(*session) && opens_connection(facts.tcp_flags) &&
      may_be_replaced(session->state, session->has_reverse ? Visibility::both_ways : Visibility::client_only)) {
    ++tally_.replaced;
    remove(*session);
    session = nullptr;
  }
  if (session == nullptr) return begin_session(lookup, key, now);
  // A session of a client takes in flows that begin later. One of them may be what another server's session already is
  // at the target.
  const Binding& binding = directory_->bindings[session->binding];
  const std::uint8_t rivals = binding.more_specific_forms<Address>();
  if (rivals != 0 && (facts.protocol != tcp || opens_connection(facts.tcp_flags)) &&
      is_claimed(binding, facts, rivals, now)) {
    return refuse(Refusal::session_conflict);
  }
  return send_to_target(*session, facts, now);
}

template <class Address>
Action<Address> Engine::send_to_target(Session<Address>& session, const Facts<Address>& facts,
                                       std::uint32_t now) noexcept {
  const Binding& binding = directory_->bindings[session.binding];
  touch(session, facts, Side::client, now);
  count_in(servers_[binding.server], facts.bytes);
  count_in(targets_[binding.target], facts.bytes);
  return {.outcome = binding.dsr ? Outcome::to_target_dsr : Outcome::to_target,
          .refusal = Refusal::none,
          .port = binding.target_port != 0 ? binding.target_port : facts.destination_port,
          .delta = binding.template to_target<Address>(),
          .address = &binding.template target_address<Address>()};
}

template <class Address>
Action<Address> Engine::reverse(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  const Facts<Address>& facts = lookup.facts;
  if (facts.part == Part::later_fragment) return later_fragment_of_target(lookup, now);
  // Errors carry what they are about inside: they cannot be told from the target's own traffic.
  if (facts.icmp == Icmp::error) return {};
  Session<Address>* session = nullptr;
  for (std::uint8_t left = lookup.reply_forms; left != 0 && session == nullptr;
       left &= static_cast<std::uint8_t>(left - 1)) {
    const auto form = static_cast<std::uint8_t>(left & -left);
    if (form == reply_form::port && !facts.has_ports) continue;
    const Key<Address> key = reply_key(facts, form);
    session = left == lookup.reply_forms ? find_reverse(facts.source, key, lookup.hash, lookup.probe, now)
                                         : find_reverse(facts.source, key, reverse_hash(facts.source, key), now);
  }
  if (session == nullptr) return {};
  if (facts.part != Part::whole) {
    std::uint64_t datagram = 0;
    RefusedFragment& slot = refused_fragment(facts, datagram);
    slot = {.datagram = datagram, .seen = now};
    return refuse(Refusal::fragment);
  }
  const Binding& binding = directory_->bindings[session->binding];
  touch(*session, facts, Side::target, now);
  count_out(servers_[binding.server], facts.bytes);
  count_out(targets_[binding.target], facts.bytes);
  // Sessions of a server that takes every port keep it: target and server port are the same.
  return {.outcome = Outcome::to_client,
          .refusal = Refusal::none,
          .port = binding.server_port != 0 ? binding.server_port : facts.source_port,
          .delta = binding.template to_client<Address>(),
          .address = &binding.template server_address<Address>()};
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

template <class Address>
void Engine::touch(Session<Address>& session, const Facts<Address>& facts, Side from, std::uint32_t now) noexcept {
  const Binding& binding = directory_->bindings[session.binding];
  if (session.state == SessionState::established && is_plain(facts.tcp_flags)) {
    session.expires = now + binding.idle_timeout;
    return;
  }
  if (!is_tracked(session)) {
    session.expires = now + (session.protocol == udp ? binding.flow_timeout : binding.idle_timeout);
    return;
  }
  const SessionState before = session.state;
  session.state =
      next_state(before, facts.tcp_flags, from, session.has_reverse ? Visibility::both_ways : Visibility::client_only);
  // A closed connection is not kept by its last acknowledgements, nor a reset one by more resets.
  if (before == SessionState::closed) return;
  if (is_reset(before) && (facts.tcp_flags & wire::TcpHeader::rst) != 0) return;
  session.expires = now + timeout_of(session.state, binding.idle_timeout);
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
Action<Address> Engine::begin_session(const Lookup<Address>& lookup, const Key<Address>& key,
                                      std::uint32_t now) noexcept {
  const Facts<Address>& facts = lookup.facts;
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
  draft.client = key.client;
  if (service.session_id == SessionId::connection) {
    draft.client_port = facts.source_port;
    draft.server_port = facts.destination_port;
    draft.protocol = facts.protocol;
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
  session->client_port = draft.client_port;
  session->server_port = draft.server_port;
  session->protocol = draft.protocol;
  session->state = draft.state;
  session->binding = id;
  session->epoch = binding.epoch;
  session->created = now;
  ++bindings_[id].sessions;
  add_to(servers_[binding.server].sessions, 1);
  add_to(targets_[binding.target].sessions, 1);
  ++tally_.created;
  return send_to_target(*session, lookup.facts, now);
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

template void Engine::classify(Lookup<Ipv4Address>&) const noexcept;
template void Engine::classify(Lookup<Ipv6Address>&) const noexcept;
template Action<Ipv4Address> Engine::decide(const Lookup<Ipv4Address>&, std::uint32_t) noexcept;
template Action<Ipv6Address> Engine::decide(const Lookup<Ipv6Address>&, std::uint32_t) noexcept;

}  // namespace trivet::slb
