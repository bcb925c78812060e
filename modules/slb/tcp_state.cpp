#include "slb/tcp_state.h"

#include <algorithm>

namespace trivet::slb {
namespace {

using wire::TcpHeader;

bool has(std::uint8_t flags, std::uint8_t flag) { return (flags & flag) != 0; }

SessionState after_fin(SessionState state, Side from) {
  const SessionState mine = from == Side::client ? SessionState::fin_client : SessionState::fin_target;
  const SessionState theirs = from == Side::client ? SessionState::fin_target : SessionState::fin_client;
  return state == theirs ? SessionState::closed : mine;
}

SessionState after_syn(SessionState state, std::uint8_t flags, Side from) {
  const bool half_closed = state == SessionState::fin_client || state == SessionState::fin_target;
  if (from == Side::client && !has(flags, TcpHeader::ack)) return half_closed ? SessionState::syn_sent : state;
  if (from == Side::target && has(flags, TcpHeader::ack) && state == SessionState::syn_sent) {
    return SessionState::syn_received;
  }
  return state;
}

SessionState after_reset(SessionState state, Side from) {
  const SessionState mine = from == Side::client ? SessionState::reset_client : SessionState::reset_target;
  return state == SessionState::reset || state == mine ? mine : SessionState::established;
}

}  // namespace

SessionState next_state(SessionState state, std::uint8_t tcp_flags, Side from, Visibility seen) noexcept {
  if (state == SessionState::none || state == SessionState::idle || state == SessionState::closed) return state;
  if (has(tcp_flags, TcpHeader::rst)) return SessionState::reset;
  if (is_reset(state)) {
    const SessionState next = after_reset(state, from);
    return next == SessionState::established && has(tcp_flags, TcpHeader::fin) ? after_fin(next, from) : next;
  }
  if (has(tcp_flags, TcpHeader::syn)) return after_syn(state, tcp_flags, from);
  if (has(tcp_flags, TcpHeader::fin)) return after_fin(state, from);
  if (state == SessionState::joined) return from == Side::target ? SessionState::established : state;
  if (from == Side::client && has(tcp_flags, TcpHeader::ack)) {
    if (state == SessionState::syn_received) return SessionState::established;
    if (state == SessionState::syn_sent && seen == Visibility::client_only) return SessionState::established;
  }
  return state;
}

bool may_be_replaced(SessionState state, Visibility seen) noexcept {
  return state == SessionState::closed || is_reset(state) ||
         (state == SessionState::fin_client && seen == Visibility::client_only);
}

std::uint32_t timeout_of(SessionState state, std::uint32_t idle) noexcept {
  switch (state) {
    case SessionState::none:
      return 0;
    case SessionState::idle:
    case SessionState::established:
      return idle;
    case SessionState::syn_sent:
    case SessionState::syn_received:
    case SessionState::joined:
      return syn_timeout;
    case SessionState::fin_client:
    case SessionState::fin_target:
      return std::min(idle, half_closed_timeout);
    case SessionState::closed:
    case SessionState::reset:
    case SessionState::reset_client:
    case SessionState::reset_target:
      return closed_timeout;
  }
  return 0;
}

std::string_view to_string(SessionState state) {
  switch (state) {
    case SessionState::none:
      return "none";
    case SessionState::idle:
      return "idle";
    case SessionState::syn_sent:
      return "syn-sent";
    case SessionState::syn_received:
      return "syn-received";
    case SessionState::joined:
      return "joined";
    case SessionState::established:
      return "established";
    case SessionState::fin_client:
      return "fin-client";
    case SessionState::fin_target:
      return "fin-target";
    case SessionState::closed:
      return "closed";
    case SessionState::reset:
    case SessionState::reset_client:
    case SessionState::reset_target:
      return "reset";
  }
  return "?";
}

}  // namespace trivet::slb
