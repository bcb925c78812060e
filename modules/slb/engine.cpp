#include "slb/engine.h"

#include <algorithm>
#include <span>
#include <utility>

#include "slb/engine_path.h"
#include "slb/schedulers/first.h"
#include "slb/schedulers/hash.h"
#include "slb/schedulers/random.h"
#include "trivet/net/hash.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

using path::forward_salt;
using path::is_tracked;
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
constexpr std::size_t max_tries = PassedOver::most;

// Of rosters and of load lists: one for each family of each server, with each of its bindings.
constexpr std::size_t max_load_lists = 2 * std::size_t{max_servers};
constexpr std::size_t max_seats = 2 * max_bindings;

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
      rotations_(max_servers + 1),
      load_versions_(max_load_lists),
      loads_(max_seats),
      load_winners_(2 * max_seats) {
  for (std::vector<Line>& lines : lines_) lines.resize(max_servers + 1);
  for (std::vector<Turn>& turns : turns_) turns.resize(max_bindings);
  queues_.resize(max_seats);
}

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
      for (std::vector<Turn>& turns : turns_) turns[i] = Turn{};
    }
    state.server = binding.server;
    state.target = binding.target;
  }
}

template <class Address>
bool Engine::classify_in_general(Lookup<Address>& lookup) const noexcept {
  const Facts<Address>& facts = lookup.facts;
  if (!directory_->is_server(facts.destination)) return classify_reply(lookup);
  const Service* const service =
      directory_->find_service(facts.destination, facts.destination_port, facts.protocol, facts.has_ports);
  if (service != nullptr) {
    aim_forward(lookup, *service);
    return true;
  }
  // It is refused before the table is asked.
  lookup.direction = Direction::forward;
  lookup.service = nullptr;
  table<Address>().aim(lookup.probe, 0);
  return true;
}

template <class Address>
Session<Address>* Engine::find_forward(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  Session<Address>* session = sessions_of<Address>().find(lookup.probe, [&](const Session<Address>& record) {
    return record.forward_hash == lookup.probe.hash && is_of(record, directory_->bindings[record.binding], lookup);
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
  return find_reverse(target, key, table<Address>().probe(hash), now);
}

template <class Address>
Session<Address>* Engine::find_reverse(const Address& target, const Key<Address>& key,
                                       const typename SessionTable<Address>::Probe& probe, std::uint32_t now) noexcept {
  Session<Address>* session = sessions_of<Address>().find(probe, [&](const Session<Address>& record) {
    return record.reverse_hash == probe.hash &&
           is_answered_by(record, directory_->bindings[record.binding], target, key.client, key.rest);
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
    const Key<Address> key{.client = reply.destination, .rest = reply_rest(reply, form)};
    if (find_reverse(reply.source, key, reverse_hash(reply.source, key.client, key.rest), now) != nullptr) return true;
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
    const Key<Address> key{.client = facts.destination, .rest = reply_rest(facts, form)};
    if (find_reverse(facts.source, key, reverse_hash(facts.source, key.client, key.rest), now) != nullptr) {
      return refuse(Refusal::fragment);
    }
  }
  return {};
}

Pick Engine::pick_by_turn(const Service& service, const Roster& roster, const PassedOver& passed_over) noexcept {
  Line& line = lines_[roster.line][service.number];
  std::vector<Turn>& turns = turns_[roster.line];
  const std::span<WaitingTurn> queue = std::span(queues_).subspan(roster.offset, roster.takers.size());
  if (line.version != version_) {
    line.version = version_;
    line_up_turns(roster.candidates, roster.takers, turns, queue, line.now);
  }
  return pick_round_robin(queue, turns, passed_over, line.now);
}

LoadTree Engine::tree_of(const LoadList& list) noexcept {
  const std::size_t size = list.targets.size();
  return {std::span(loads_).subspan(list.offset, size),
          std::span(load_winners_).subspan(std::size_t{2} * list.offset, 2 * size)};
}

LoadTree Engine::load_tree(const Roster& roster) noexcept {
  const LoadList& list = directory_->load_lists.list(roster.load_list);
  LoadTree tree = tree_of(list);
  if (load_versions_[roster.load_list] == version_) return tree;
  load_versions_[roster.load_list] = version_;
  for (std::size_t i = 0; i < list.targets.size(); ++i) {
    loads_[list.offset + i] = {.sessions = sessions_of_target(list.targets[i]), .weight = list.weights[i]};
  }
  tree.build();
  return tree;
}

void Engine::update_loads(TargetId target) noexcept {
  for (const LoadSeat& seat : directory_->load_lists.seats(target)) {
    if (load_versions_[seat.list] != version_) continue;
    tree_of(directory_->load_lists.list(seat.list)).set_sessions(seat.place, sessions_of_target(target));
  }
}

Pick Engine::pick(const Service& service, const Roster& roster, const PassedOver& passed_over,
                  std::uint64_t client) noexcept {
  switch (service.method) {
    case Method::rr:
      return pick_by_turn(service, roster, passed_over);
    case Method::random:
      return pick_random(roster.candidates, passed_over, random_);
    case Method::hash:
      return pick_hash(roster.candidates, passed_over, client);
    case Method::first:
      return pick_first(roster.candidates, passed_over);
    case Method::session:
      break;
  }
  // Who is passed over takes none for a moment.
  LoadTree tree = load_tree(roster);
  for (const std::uint16_t place : passed_over.places()) tree.set_weight(place, 0);
  const Pick picked = pick_least_sessions(tree, rotations_[service.number]);
  for (const std::uint16_t place : passed_over.places()) tree.set_weight(place, roster.candidates[place].weight);
  return picked;
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

  const Roster& roster = directory_->roster<Address>(service);
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
  PassedOver passed_over;
  for (std::size_t tries = 0; tries < max_tries; ++tries) {
    const Pick picked = pick(service, roster, passed_over, client);
    if (!picked) break;
    const BindingId id = roster.takers[*picked];
    const Binding& binding = directory_->bindings[id];
    if (binding.dsr) return create(lookup, id, draft, 0, now);
    const Address& target = binding.template target_address<Address>();
    const Key<Address> reply{.client = draft.client, .rest = reverse_rest(binding, draft)};
    const std::uint32_t hash = reverse_hash(target, reply.client, reply.rest);
    if (find_reverse(target, reply, hash, now) == nullptr &&
        !is_claimed(binding, facts, binding.foreign_forms<Address>(), now)) {
      return create(lookup, id, draft, hash, now);
    }
    refusal = Refusal::session_conflict;
    passed_over.add(*picked);
  }
  return refuse(refusal);
}

template <class Address>
Action<Address> Engine::create(const Lookup<Address>& lookup, BindingId id, const Session<Address>& draft,
                               std::uint32_t reverse, std::uint32_t now) noexcept {
  SessionTable<Address>& sessions = sessions_of<Address>();
  const Binding& binding = directory_->bindings[id];
  Session<Address>* session = sessions.insert(lookup.probe.hash, reverse);
  if (session == nullptr) {
    make_room<Address>(std::is_same_v<Address, Ipv4Address> ? cursor4_ : cursor6_, now);
    session = sessions.insert(lookup.probe.hash, reverse);
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
  update_loads(binding.target);
  ++tally_.created;
  return send_to_target(*session, binding, lookup.facts, now);
}

template <class Address>
Action<Address> Engine::forward(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  const Facts<Address>& facts = lookup.facts;
  if (facts.part != Part::whole || facts.icmp == Icmp::error || lookup.service == nullptr) {
    return refuse_forward(lookup);
  }
  Session<Address>* session = find_forward(lookup, now);
  const bool opens = opens_connection(facts.tcp_flags);
  if (opens && session != nullptr && is_tracked(*session) &&
      may_be_replaced(session->state, session->has_reverse ? Visibility::both_ways : Visibility::client_only)) {
    ++tally_.replaced;
    remove(*session);
    session = nullptr;
  }
  if (session == nullptr) return begin_session(lookup, now);
  // A session of a client takes in flows that begin later. One of them may be what another server's session already is
  // at the target.
  const Binding& binding = directory_->bindings[session->binding];
  const std::uint8_t rivals = binding.more_specific_forms<Address>();
  if (rivals != 0 && (facts.protocol != wire::ip_protocol::tcp || opens) && is_claimed(binding, facts, rivals, now)) {
    return refuse(Refusal::session_conflict);
  }
  return send_to_target(*session, binding, facts, now);
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
    const std::uint8_t form = path::first_of(left);
    if (form == reply_form::port && !facts.has_ports) continue;
    const Key<Address> key{.client = facts.destination, .rest = reply_rest(facts, form)};
    session = left == lookup.reply_forms
                  ? find_reverse(facts.source, key, lookup.probe, now)
                  : find_reverse(facts.source, key, reverse_hash(facts.source, key.client, key.rest), now);
  }
  if (session == nullptr) return {};
  if (facts.part != Part::whole) return refuse_fragment(facts, now);
  return send_to_client(*session, directory_->bindings[session->binding], facts, now);
}

template <class Address>
Action<Address> Engine::decide_in_general(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
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
void Engine::remove(Session<Address>& session) noexcept {
  BindingState& state = bindings_[session.binding];
  // Sessions of an older epoch left the counts when the epoch did.
  if (session.epoch == state.epoch) {
    --state.sessions;
    take_from(servers_[state.server].sessions, 1);
    take_from(targets_[state.target].sessions, 1);
    update_loads(state.target);
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
template bool Engine::classify_in_general(Lookup<Ipv4Address>&) const noexcept;
template bool Engine::classify_in_general(Lookup<Ipv6Address>&) const noexcept;
template Action<Ipv4Address> Engine::decide_in_general(const Lookup<Ipv4Address>&, std::uint32_t) noexcept;
template Action<Ipv6Address> Engine::decide_in_general(const Lookup<Ipv6Address>&, std::uint32_t) noexcept;
template bool Engine::classify(Lookup<Ipv4Address>&) const noexcept;
template bool Engine::classify(Lookup<Ipv6Address>&) const noexcept;
template Action<Ipv4Address> Engine::decide(const Lookup<Ipv4Address>&, std::uint32_t) noexcept;
template Action<Ipv6Address> Engine::decide(const Lookup<Ipv6Address>&, std::uint32_t) noexcept;

}  // namespace trivet::slb
