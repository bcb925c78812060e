// The part of the engine that every packet goes through, for who is to inline it: engine.h says what it does.
//
// Thread: that of the engine. What is rare is in engine.cpp.
#pragma once

#include <cstdint>

#include "slb/directory.h"
#include "slb/engine.h"
#include "slb/session_table.h"
#include "slb/tcp_state.h"
#include "trivet/net/words.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {

namespace path {

inline constexpr std::uint64_t forward_salt = 0xa0761d6478bd642fULL;
inline constexpr std::uint64_t reverse_salt = 0xe7037ed1a0b428dbULL;

// Becomes an Action of either family.
struct Refused {
  Refusal refusal;
  template <class Address>
  operator Action<Address>() const noexcept {  // NOLINT(google-explicit-constructor)
    return {.outcome = Outcome::drop, .refusal = refusal};
  }
};
inline Refused refuse(Refusal refusal) noexcept { return {refusal}; }

template <class Address>
bool is_tracked(const Session<Address>& session) {
  return session.state != SessionState::idle;
}

// The most specific one of the forms, of which there is one.
inline std::uint8_t first_of(std::uint8_t forms) { return static_cast<std::uint8_t>(forms & -forms); }

inline std::uint32_t to_32(std::uint64_t wide) { return static_cast<std::uint32_t>(wide ^ (wide >> 32U)); }

}  // namespace path

template <class Address>
std::uint64_t Engine::forward_rest(const Service& service, const Facts<Address>& facts) noexcept {
  if (service.session_id == SessionId::client) return 0;
  return FlowRest::number(facts.source_port, facts.destination_port, facts.protocol);
}

template <class Address>
std::uint64_t Engine::reverse_rest(const Binding& binding, const Session<Address>& session) noexcept {
  const FlowRest& rest = session.rest;
  if (binding.session_id == SessionId::client) return FlowRest::number(0, binding.target_port, binding.protocol);
  if (binding.target_port == 0 ||
      (rest.protocol != wire::ip_protocol::tcp && rest.protocol != wire::ip_protocol::udp)) {
    return rest.number();
  }
  return FlowRest::number(rest.client_port, binding.target_port, rest.protocol);
}

template <class Address>
std::uint64_t Engine::reply_rest(const Facts<Address>& facts, std::uint8_t form) noexcept {
  if (form == reply_form::connection) {
    return FlowRest::number(facts.destination_port, facts.source_port, facts.protocol);
  }
  constexpr unsigned with_port = reply_form::port_protocol | reply_form::port;
  constexpr unsigned with_protocol = reply_form::port_protocol | reply_form::protocol;
  return FlowRest::number(0, (form & with_port) != 0 ? facts.source_port : std::uint16_t{0},
                          (form & with_protocol) != 0 ? facts.protocol : std::uint8_t{0});
}

template <class Address>
std::uint32_t Engine::forward_hash(ServerId server, const Address& client, std::uint64_t key_rest) const noexcept {
  const auto [high, low] = words_of(client);
  const std::uint64_t mixed = fold_multiply(high ^ seed_, low ^ path::forward_salt);
  const std::uint64_t rest = (std::uint64_t{server} << 40U) | key_rest;
  return path::to_32(fold_multiply(mixed ^ rest, seed_ ^ path::reverse_salt)) & ~1U;
}

template <class Address>
std::uint32_t Engine::reverse_hash(const Address& target, const Address& client_address,
                                   std::uint64_t key_rest) const noexcept {
  const auto [high, low] = words_of(client_address);
  const auto [target_high, target_low] = words_of(target);
  const std::uint64_t client = fold_multiply(high ^ seed_, low ^ path::reverse_salt);
  const std::uint64_t both = fold_multiply(target_high ^ client, target_low ^ seed_ ^ path::forward_salt);
  return path::to_32(fold_multiply(both ^ key_rest, seed_ ^ path::forward_salt)) | 1U;
}

template <class Address>
bool Engine::classify(Lookup<Address>& lookup) const noexcept {
  const Facts<Address>& facts = lookup.facts;
  if (facts.to_node) {
    const Service* const service =
        facts.has_ports ? directory_->find_exact(facts.destination, facts.destination_port, facts.protocol) : nullptr;
    if (service == nullptr) return classify_in_general(lookup);
    aim_forward(lookup, *service);
    return true;
  }
  return classify_reply(lookup);
}

template <class Address>
void Engine::aim_forward(Lookup<Address>& lookup, const Service& service) const noexcept {
  lookup.direction = Direction::forward;
  lookup.service = &service;
  lookup.rest = forward_rest(service, lookup.facts);
  table<Address>().aim(lookup.probe, forward_hash(service.number, lookup.facts.source, lookup.rest));
}

template <class Address>
bool Engine::classify_reply(Lookup<Address>& lookup) const noexcept {
  const std::uint8_t* const forms = directory_->index<Address>().reply_forms.find({lookup.facts.source});
  if (forms == nullptr) {
    lookup.direction = Direction::neither;
    return false;
  }
  lookup.direction = Direction::reverse;
  lookup.reply_forms = *forms;
  lookup.rest = reply_rest(lookup.facts, path::first_of(*forms));
  table<Address>().aim(lookup.probe, reverse_hash(lookup.facts.source, lookup.facts.destination, lookup.rest));
  return true;
}

// Nearly every packet is in the middle of a session that the first record with the tag stands for. It is found here, as
// decide_in_general() would find it.
template <class Address, class Take>
void Engine::decide(const Lookup<Address>& lookup, std::uint32_t now, Take&& take) noexcept {
  const Facts<Address>& facts = lookup.facts;
  Session<Address>* const session = sessions_of<Address>().candidate(lookup.probe);
  if (session != nullptr && facts.has_ports && facts.part == Part::whole && !has_expired(*session, now)) {
    const Binding& binding = directory_->bindings[session->binding];
    if (lookup.direction == Direction::forward) {
      if (is_of(*session, binding, lookup) && !opens_connection(facts.tcp_flags) &&
          (facts.protocol == wire::ip_protocol::tcp || binding.more_specific_forms<Address>() == 0)) {
        return take(send_to_target(*session, binding, facts, now));
      }
    } else if (lookup.direction == Direction::reverse &&
               is_answered_by(*session, binding, facts.source, facts.destination, lookup.rest)) {
      return take(send_to_client(*session, binding, facts, now));
    }
  }
  take(decide_in_general(lookup, now));
}

template <class Address>
Action<Address> Engine::decide(const Lookup<Address>& lookup, std::uint32_t now) noexcept {
  Action<Address> decided;
  decide(lookup, now, [&](const Action<Address>& action) { decided = action; });
  return decided;
}

template <class Address>
bool Engine::is_of(const Session<Address>& session, const Binding& binding, const Lookup<Address>& lookup) noexcept {
  return session.client == lookup.facts.source && session.rest.number() == lookup.rest && lookup.service != nullptr &&
         session.epoch == binding.epoch && binding.server == lookup.service->number;
}

template <class Address>
bool Engine::is_answered_by(const Session<Address>& session, const Binding& binding, const Address& target,
                            const Address& client, std::uint64_t rest) noexcept {
  return session.has_reverse && session.client == client && session.epoch == binding.epoch &&
         reverse_rest(binding, session) == rest && binding.template target_address<Address>() == target;
}

template <class Address>
Action<Address> Engine::send_to_target(Session<Address>& session, const Binding& binding, const Facts<Address>& facts,
                                       std::uint32_t now) noexcept {
  touch(session, binding, facts, Side::client, now);
  count_in(servers_[binding.server], facts.bytes);
  count_in(targets_[binding.target], facts.bytes);
  return {.outcome = binding.dsr ? Outcome::to_target_dsr : Outcome::to_target,
          .refusal = Refusal::none,
          .port = binding.target_port != 0 ? binding.target_port : facts.destination_port,
          .delta = binding.template to_target<Address>(),
          .address = &binding.template target_address<Address>()};
}

template <class Address>
Action<Address> Engine::send_to_client(Session<Address>& session, const Binding& binding, const Facts<Address>& facts,
                                       std::uint32_t now) noexcept {
  touch(session, binding, facts, Side::target, now);
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
void Engine::touch(Session<Address>& session, const Binding& binding, const Facts<Address>& facts, Side from,
                   std::uint32_t now) noexcept {
  if (session.state == SessionState::established && is_plain(facts.tcp_flags)) {
    session.expires = now + binding.idle_timeout;
    return;
  }
  if (!path::is_tracked(session)) {
    session.expires =
        now + (session.rest.protocol == wire::ip_protocol::udp ? binding.flow_timeout : binding.idle_timeout);
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

}  // namespace trivet::slb
