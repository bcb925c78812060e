#include "hc/engine.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "trivet/net/hash.h"

namespace trivet::hc {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t smallest_window = 2;
constexpr std::size_t largest_window = 16;
constexpr Duration return_spread = 1s;
constexpr Duration first_retransmit = 1s;
constexpr Duration gateway_request_gap = 100ms;
constexpr int port_tries = 32;

Duration random_part(Duration whole, Random& random) {
  return Duration(static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(whole.count()) + 1)));
}

// 90 % to 110 % of the interval.
Duration jittered(Duration interval, Random& random) {
  return interval - interval / 10 + random_part(interval / 5, random);
}

std::string seconds_text(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g s", to_seconds(duration));
  return text;
}

ProbeType type_of(CheckKind kind) {
  if (!has_port(kind)) {
    return ProbeType::echo;
  }
  return is_agent(kind) ? ProbeType::agent : ProbeType::tcp;
}

}  // namespace

void Actions::clear() {
  probes.clear();
  segments.clear();
  changes.clear();
  removed.clear();
}

std::size_t Engine::FlowHash::operator()(const Flow& flow) const noexcept {
  const std::uint64_t ports = (std::uint64_t{flow.remote_port} << 32U) | (std::uint64_t{flow.local_port} << 16U) |
                              static_cast<std::uint64_t>(flow.type);
  return static_cast<std::size_t>(hash_address(flow.remote, ports));
}

// --- configuration ---

Engine::Slot Engine::take_slot() {
  if (free_slots_.empty()) {
    checks_.emplace_back();
    return static_cast<Slot>(checks_.size() - 1);
  }
  const Slot slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void Engine::release_check(Slot slot) {
  Check& check = checks_[slot];
  forget_attempts(check);
  if (check.queued != never) {
    queue_.erase({check.queued, slot});
  }
  check = Check{};
  free_slots_.push_back(slot);
}

// As many attempts as are sent within the timeout can still be answered in time.
void Engine::resize_window(Check& check) {
  const auto fitting = static_cast<std::size_t>(check.config.timeout / check.config.interval) + 1;
  const std::size_t size = std::clamp(fitting, smallest_window, largest_window);
  if (size != check.attempts.size()) {
    forget_attempts(check);
    check.attempts.assign(size, {});
    check.newest = 0;
  }
}

// The slots for the wanted checks in their order: those of `present` that have the same kind, port and address, else
// new ones. What is left of `present` is released.
std::vector<Engine::Slot> Engine::match_checks(const SubjectConfig& wanted, std::vector<Slot> present, Time now) {
  std::vector<Slot> slots;
  for (const CheckConfig& config : wanted.checks) {
    const std::optional<IpAddress> destination = wanted.address_for(config.kind);
    const auto same = std::find_if(present.begin(), present.end(), [&](Slot slot) {
      const Check& check = checks_[slot];
      return check.config.kind == config.kind && check.config.port == config.port && check.destination == destination;
    });
    Slot slot = 0;
    if (same != present.end()) {
      slot = *same;
      present.erase(same);
      Check& check = checks_[slot];
      if (check.config != config && check.waiting_since) {
        check.waiting_since = now;  // the new timeout counts from now: the old interval may have been longer
        check.last_success = now;
      }
      check.config = config;
    } else {
      slot = take_slot();
      Check& check = checks_[slot];
      check.in_use = true;
      check.subject = wanted.id;
      check.config = config;
      check.destination = destination;
      check.since = now;
    }
    resize_window(checks_[slot]);
    slots.push_back(slot);
  }
  for (const Slot slot : present) {
    release_check(slot);
  }
  return slots;
}

void Engine::configure(const Config& config, const PathFinder& path, Time now, Random& random, Actions& actions) {
  std::map<SubjectId, Subject> former = std::exchange(subjects_, {});
  for (const SubjectConfig& wanted : config.subjects) {
    Subject& subject = subjects_[wanted.id];
    const auto old = former.find(wanted.id);
    std::vector<Slot> present;
    if (old != former.end()) {
      subject = std::move(old->second);
      former.erase(old);
      present = std::exchange(subject.checks, {});
    }
    subject.checks = match_checks(wanted, std::move(present), now);
  }
  for (const auto& [id, subject] : former) {
    for (const Slot slot : subject.checks) {
      release_check(slot);
    }
    actions.removed.push_back(id);
  }
  for (const auto& [id, subject] : subjects_) {
    for (const Slot slot : subject.checks) {
      Check& check = checks_[slot];
      Path found = check.destination ? path(*check.destination) : Path{};
      if (!check.destination) {
        found.reason = family_of(check.config.kind) == Family::ipv4 ? "no ipaddr" : "no ipaddr6";
      }
      // A check that goes on with a shorter interval does not wait for the end of the longer one.
      if (check.next_probe != never && check.next_probe > now + check.config.interval) {
        check.next_probe = now + jittered(check.config.interval, random);
      }
      set_path(slot, std::move(found), now, random, check.config.interval);
    }
    evaluate(id, now, actions);
  }
}

void Engine::update_paths(const PathFinder& path, Time now, Random& random, Actions& actions) {
  for (const auto& [id, subject] : subjects_) {
    for (const Slot slot : subject.checks) {
      Check& check = checks_[slot];
      if (check.destination) {
        set_path(slot, path(*check.destination), now, random, std::min(check.config.interval, return_spread));
      }
    }
    evaluate(id, now, actions);
  }
}

void Engine::set_path(Slot slot, Path path, Time now, Random& random, Duration spread) {
  Check& check = checks_[slot];
  const bool was_usable = check.path.usable;
  if (was_usable && path.usable && path.source != check.path.source) {
    forget_attempts(check);  // their answers would go to an address that is no longer ours
  }
  check.path = std::move(path);
  if (check.path.usable && !was_usable) {
    check.next_probe = now + random_part(spread, random);
  } else if (!check.path.usable && was_usable) {
    forget_attempts(check);
    check.next_probe = never;
    check.waiting_since.reset();
    check.has_success = false;
    check.failure = Failure::none;
    check.value = -1;
    set_health(check, Health::undecided, now);
  }
  reschedule(slot);
}

void Engine::forget_attempts(Check& check) {
  for (Attempt& attempt : check.attempts) {
    close_attempt(attempt);
  }
  check.retransmit = never;
}

// --- schedule ---

Time Engine::poll_at() const { return queue_.empty() ? never : queue_.begin()->first; }

void Engine::on_time(Time now, Random& random, Actions& actions) {
  while (!queue_.empty() && queue_.begin()->first <= now) {
    serve(queue_.begin()->second, now, random, actions);
  }
}

Time Engine::deadline(const Check& check) {
  if (!check.waiting_since || check.health == Health::down) {
    return never;
  }
  return (check.has_success ? check.last_success : *check.waiting_since) + check.config.timeout;
}

void Engine::reschedule(Slot slot) {
  Check& check = checks_[slot];
  const Time at = std::min({check.next_probe, check.retransmit, deadline(check)});
  if (at == check.queued) {
    return;
  }
  if (check.queued != never) {
    queue_.erase({check.queued, slot});
  }
  if (at != never) {
    queue_.insert({at, slot});
  }
  check.queued = at;
}

// Every branch moves the time that has come into the future, so on_time() ends.
void Engine::serve(Slot slot, Time now, Random& random, Actions& actions) {
  Check& check = checks_[slot];
  if (deadline(check) <= now) {
    set_health(check, Health::down, now);
    evaluate(check.subject, now, actions);
  }
  if (check.next_probe <= now) {
    send_probe(slot, now, random, actions);
    check.next_probe = now + jittered(check.config.interval, random);
  } else if (check.retransmit <= now) {
    retransmit(slot, now, actions);
  }
  reschedule(slot);
}

void Engine::send_probe(Slot slot, Time now, Random& random, Actions& actions) {
  Check& check = checks_[slot];
  Probe probe;
  probe.type = type_of(check.config.kind);
  probe.source = check.path.source;
  probe.destination = *check.destination;
  probe.remote_port = check.config.port;
  probe.nonce = random();
  if (!check.waiting_since) {
    check.waiting_since = now;
  }
  const std::size_t place = (check.newest + 1) % check.attempts.size();
  close_attempt(check.attempts[place]);
  if (probe.type == ProbeType::echo) {
    probe.slot = slot;
    probe.echo_id = echo_id_;
    probe.echo_sequence = ++check.sequence;
  } else {
    probe.sequence = probe.type == ProbeType::tcp ? static_cast<std::uint32_t>(random()) : 0;
    if (!choose_port(probe, random)) {
      return;  // all ports to this very service are waiting for answers; the next interval tries again
    }
    flows_[{probe.destination, probe.remote_port, probe.local_port, probe.type}] = {slot, place};
  }
  check.attempts[place] = {true, probe, now};
  check.newest = place;
  check.retransmit_gap = first_retransmit;
  check.retransmit = probe.type == ProbeType::tcp ? now + first_retransmit : never;
  actions.probes.push_back(probe);
}

bool Engine::choose_port(Probe& probe, Random& random) const {
  constexpr std::uint64_t ports = last_local_port - first_local_port + 1;
  for (int i = 0; i < port_tries; ++i) {
    probe.local_port = static_cast<std::uint16_t>(first_local_port + random.below(ports));
    if (!flows_.contains({probe.destination, probe.remote_port, probe.local_port, probe.type})) {
      return true;
    }
  }
  return false;
}

void Engine::retransmit(Slot slot, Time now, Actions& actions) {
  Check& check = checks_[slot];
  const Attempt& attempt = check.attempts[check.newest];
  check.retransmit = never;
  if (!attempt.open) {
    return;
  }
  actions.probes.push_back(attempt.probe);
  check.retransmit_gap *= 2;
  check.retransmit = now + check.retransmit_gap;
}

void Engine::probe_gateway(Time now, Random& random, Actions& actions) {
  const auto gateway = subjects_.find(gateway_subject);
  if (gateway == subjects_.end() || (has_gateway_request_ && now < last_gateway_request_ + gateway_request_gap)) {
    return;
  }
  has_gateway_request_ = true;
  last_gateway_request_ = now;
  for (const Slot slot : gateway->second.checks) {
    Check& check = checks_[slot];
    if (check.path.usable) {
      send_probe(slot, now, random, actions);
      check.next_probe = now + jittered(check.config.interval, random);
      reschedule(slot);
    }
  }
}

// --- health ---

void Engine::set_health(Check& check, Health health, Time now) {
  if (check.health != health) {
    check.health = health;
    check.since = now;
  }
}

std::string Engine::reason(const Check& check) {
  switch (check.health) {
    case Health::up:
      return "answered";
    case Health::down: {
      const std::string timeout = seconds_text(check.config.timeout);
      return check.failure == Failure::none ? "no answer for " + timeout
                                            : std::string(to_string(check.failure)) + ", no success for " + timeout;
    }
    case Health::undecided:
      if (!check.path.usable) {
        return check.path.reason;
      }
      return check.failure == Failure::none ? std::string("waiting for the first answer")
                                            : std::string(to_string(check.failure));
  }
  return {};
}

SubjectState Engine::combine(const Subject& subject) const {
  SubjectState state;
  state.health = Health::up;
  state.reason = subject.checks.empty() ? "no checks" : "all checks good";
  state.last_answer = subject.checks.empty() ? Time{} : never;
  bool waits = false;
  for (const Slot slot : subject.checks) {
    const Check& check = checks_[slot];
    waits = waits || (check.health == Health::undecided && check.path.usable);
    const bool is_worse = check.health == Health::down
                              ? state.health != Health::down
                              : check.health == Health::undecided && state.health == Health::up;
    if (is_worse) {
      state.health = check.health;
      state.reason = label(check.config) + ": " + reason(check);
    }
    if (state.agent_value < 0 && check.health == Health::up) {
      state.agent_value = check.value;
    }
    state.last_answer = std::min(state.last_answer, check.last_answer);
  }
  state.is_blocked = state.health == Health::undecided && !waits;
  return state;
}

void Engine::evaluate(SubjectId id, Time now, Actions& actions) {
  Subject& subject = subjects_.at(id);
  SubjectState state = combine(subject);
  const Health former = subject.state.health;
  state.since = subject.is_published && former == state.health ? subject.state.since : now;
  // The last answer alone is news only for the gateway, whose freshness others wait for.
  SubjectState compared = state;
  if (id != gateway_subject) {
    compared.last_answer = subject.state.last_answer;
  }
  const bool is_news = !subject.is_published || compared != subject.state;
  subject.state = std::move(state);
  if (is_news) {
    actions.changes.push_back({id, !subject.is_published, former});
    subject.is_published = true;
  }
}

const SubjectState* Engine::state(SubjectId subject) const {
  const auto found = subjects_.find(subject);
  return found == subjects_.end() ? nullptr : &found->second.state;
}

std::vector<CheckStatus> Engine::status(std::optional<SubjectId> only) const {
  std::vector<CheckStatus> list;
  for (const auto& [id, subject] : subjects_) {
    if (only && *only != id) {
      continue;
    }
    for (const Slot slot : subject.checks) {
      const Check& check = checks_[slot];
      list.push_back({id, check.config, check.destination, check.health, reason(check), check.since, check.last_answer,
                      check.round_trip, check.next_probe, check.value});
    }
  }
  return list;
}

}  // namespace trivet::hc
