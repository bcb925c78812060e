// The half of the engine that judges what came back.
#include "hc/engine.h"
#include "trivet/wire/headers.h"

namespace trivet::hc {
namespace {

using trivet::wire::TcpHeader;

// RFC 9293 section 3.10.7.1: a segment for no connection is answered with a reset at its acknowledgement number.
Segment reset_for(const TcpAnswer& answer) {
  Segment segment;
  segment.source = answer.destination;
  segment.destination = answer.source;
  segment.local_port = answer.local_port;
  segment.remote_port = answer.remote_port;
  segment.sequence = answer.acknowledgement;
  segment.flags = TcpHeader::rst;
  return segment;
}

}  // namespace

std::optional<Engine::Found> Engine::find_flow(const IpAddress& remote, std::uint16_t remote_port,
                                               std::uint16_t local_port, ProbeType type) {
  const auto found = flows_.find({remote, remote_port, local_port, type});
  if (found == flows_.end()) {
    return std::nullopt;
  }
  const auto [slot, place] = found->second;
  return Found{slot, &checks_[slot].attempts[place]};
}

Engine::Attempt* Engine::find_echo(Slot slot, std::uint16_t sequence) {
  if (slot >= checks_.size() || !checks_[slot].in_use || has_port(checks_[slot].config.kind)) {
    return nullptr;
  }
  for (Attempt& attempt : checks_[slot].attempts) {
    if (attempt.open && attempt.probe.echo_sequence == sequence) {
      return &attempt;
    }
  }
  return nullptr;
}

void Engine::close_attempt(Attempt& attempt) {
  if (attempt.open && attempt.probe.type != ProbeType::echo) {
    const Probe& probe = attempt.probe;
    flows_.erase({probe.destination, probe.remote_port, probe.local_port, probe.type});
  }
  attempt.open = false;
}

void Engine::succeed(Slot slot, Attempt& attempt, std::int64_t value, Time now, Actions& actions) {
  Check& check = checks_[slot];
  check.round_trip = now - attempt.sent;
  close_attempt(attempt);
  check.last_success = now;
  check.has_success = true;
  check.last_answer = now;
  check.failure = Failure::none;
  check.value = value;
  set_health(check, Health::up, now);
  reschedule(slot);
  evaluate(check.subject, now, actions);
}

void Engine::fail(Slot slot, Attempt& attempt, Failure failure, Time now, Actions& actions) {
  Check& check = checks_[slot];
  close_attempt(attempt);
  check.failure = failure;
  evaluate(check.subject, now, actions);
}

AnswerResult Engine::on_echo(const EchoAnswer& answer, Time now, Actions& actions) {
  if (answer.echo_id != echo_id_) {
    return AnswerResult::stray;
  }
  Attempt* attempt = find_echo(answer.slot, answer.echo_sequence);
  if (attempt == nullptr || attempt->probe.destination != answer.source ||
      attempt->probe.source != answer.destination) {
    return AnswerResult::stray;
  }
  if (attempt->probe.nonce != answer.nonce) {
    return AnswerResult::wrong_nonce;
  }
  succeed(answer.slot, *attempt, -1, now, actions);
  return AnswerResult::success;
}

// RFC 9293 section 3.10.7.3 (SYN-SENT), without simultaneous open. A success is acknowledged, so that the connection
// has been open on both sides, and reset, so that neither side keeps state.
AnswerResult Engine::on_segment(const TcpAnswer& answer, Time now, Actions& actions) {
  const bool is_ack = (answer.flags & TcpHeader::ack) != 0;
  const bool is_reset = (answer.flags & TcpHeader::rst) != 0;
  const bool is_syn = (answer.flags & TcpHeader::syn) != 0;
  const auto found = find_flow(answer.source, answer.remote_port, answer.local_port, ProbeType::tcp);
  if (!found || found->attempt->probe.source != answer.destination) {
    if (is_ack && !is_reset) {
      actions.segments.push_back(reset_for(answer));
    }
    return AnswerResult::stray;
  }
  if (!is_ack) {
    return AnswerResult::malformed;
  }
  const std::uint32_t expected = found->attempt->probe.sequence + 1;
  if (answer.acknowledgement != expected) {
    if (!is_reset) {
      actions.segments.push_back(reset_for(answer));
    }
    return AnswerResult::wrong_nonce;
  }
  if (is_reset) {
    fail(found->slot, *found->attempt, Failure::refused, now, actions);
    return AnswerResult::failed;
  }
  if (!is_syn) {
    return AnswerResult::malformed;
  }
  Segment segment = reset_for(answer);
  segment.acknowledgement = answer.sequence + 1;
  segment.flags = TcpHeader::ack;
  actions.segments.push_back(segment);
  segment.flags = TcpHeader::rst | TcpHeader::ack;
  actions.segments.push_back(segment);
  succeed(found->slot, *found->attempt, -1, now, actions);
  return AnswerResult::success;
}

AnswerResult Engine::on_agent(const AgentAnswer& answer, Time now, Actions& actions) {
  const auto found = find_flow(answer.source, answer.remote_port, answer.local_port, ProbeType::agent);
  if (!found || found->attempt->probe.source != answer.destination) {
    return AnswerResult::stray;
  }
  if (found->attempt->probe.nonce != answer.nonce) {
    return AnswerResult::wrong_nonce;
  }
  if (answer.value < 0) {
    fail(found->slot, *found->attempt, Failure::no_value, now, actions);
    return AnswerResult::failed;
  }
  succeed(found->slot, *found->attempt, answer.value, now, actions);
  return AnswerResult::success;
}

AnswerResult Engine::on_error(const ErrorAnswer& answer, Time now, Actions& actions) {
  const Probe& quoted = answer.quoted;
  Found found;
  if (answer.type == ProbeType::echo) {
    found.slot = quoted.slot;
    found.attempt =
        answer.has_payload && quoted.echo_id == echo_id_ ? find_echo(quoted.slot, quoted.echo_sequence) : nullptr;
    if (found.attempt != nullptr && found.attempt->probe.nonce != quoted.nonce) {
      return AnswerResult::wrong_nonce;
    }
  } else if (const auto flow = find_flow(quoted.destination, quoted.remote_port, quoted.local_port, answer.type)) {
    found = *flow;
    if (answer.type == ProbeType::tcp && found.attempt->probe.sequence != quoted.sequence) {
      return AnswerResult::wrong_nonce;
    }
  }
  if (found.attempt == nullptr || found.attempt->probe.destination != quoted.destination ||
      found.attempt->probe.source != quoted.source) {
    return AnswerResult::stray;
  }
  checks_[found.slot].failure = answer.failure;
  evaluate(checks_[found.slot].subject, now, actions);
  return AnswerResult::failed;
}

}  // namespace trivet::hc
