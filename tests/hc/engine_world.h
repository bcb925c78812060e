// A world for the engine: virtual time, seeded randomness, targets that answer or do not.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hc/engine.h"
#include "trivet/wire/headers.h"

namespace trivet::hc::testing {

using namespace std::chrono_literals;

inline constexpr std::uint16_t echo_id = 0x4242;
inline const IpAddress own4 = *parse_ip("10.0.0.1");
inline const IpAddress own6 = *parse_ip("2001:db8::1");

inline IpAddress ip(const char* text) { return *parse_ip(text); }

inline CheckConfig check(CheckKind kind, Duration interval, Duration timeout, std::uint16_t port = 0) {
  return {kind, port, interval, timeout};
}

inline SubjectConfig target(SubjectId id, const char* address, std::vector<CheckConfig> checks) {
  SubjectConfig subject;
  subject.id = id;
  const IpAddress parsed = ip(address);
  if (parsed.is_v4()) {
    subject.address4 = parsed.v4();
  } else {
    subject.address6 = parsed.v6();
  }
  subject.checks = std::move(checks);
  return subject;
}

struct Sent {
  Time at{};
  Probe probe;
};

struct Change {
  Time at{};
  SubjectId subject = 0;
  Health health = Health::undecided;
  std::string reason;
};

class World {
 public:
  explicit World(std::uint64_t seed = 1) : random(seed) {}

  void configure(std::vector<SubjectConfig> subjects) {
    Config config;
    if (subjects.empty() || subjects.front().id != gateway_subject) {
      config.subjects.push_back({});
    }
    config.subjects.insert(config.subjects.end(), subjects.begin(), subjects.end());
    engine.configure(config, finder(), now, random, actions);
    collect();
  }
  void paths_changed() {
    engine.update_paths(finder(), now, random, actions);
    collect();
  }
  void probe_gateway() {
    engine.probe_gateway(now, random, actions);
    collect();
  }
  // Serves every deadline up to `end` in order; `answers` sees each probe when it is sent.
  void run_to(Time end) {
    while (engine.poll_at() <= end) {
      EXPECT_GE(engine.poll_at(), now) << "a deadline in the past";
      now = std::max(now, engine.poll_at());
      engine.on_time(now, random, actions);
      EXPECT_GT(engine.poll_at(), now) << "a deadline that has been served is still there";
      collect();
    }
    now = end;
  }
  void run(Duration duration) { run_to(now + duration); }

  AnswerResult answer(const Probe& probe, std::int64_t value = 7) {
    AnswerResult result = AnswerResult::stray;
    switch (probe.type) {
      case ProbeType::echo:
        result = engine.on_echo(echo_answer(probe), now, actions);
        break;
      case ProbeType::tcp:
        result = engine.on_segment(tcp_answer(probe, wire::TcpHeader::syn | wire::TcpHeader::ack), now, actions);
        break;
      case ProbeType::agent:
        result = engine.on_agent(agent_answer(probe, value), now, actions);
        break;
    }
    collect();
    return result;
  }
  AnswerResult give(const EchoAnswer& given) { return collected(engine.on_echo(given, now, actions)); }
  AnswerResult give(const TcpAnswer& given) { return collected(engine.on_segment(given, now, actions)); }
  AnswerResult give(const AgentAnswer& given) { return collected(engine.on_agent(given, now, actions)); }
  AnswerResult give(const ErrorAnswer& given) { return collected(engine.on_error(given, now, actions)); }

  static EchoAnswer echo_answer(const Probe& probe) {
    return {probe.destination, probe.source, probe.echo_id, probe.echo_sequence, probe.slot, probe.nonce};
  }
  static TcpAnswer tcp_answer(const Probe& probe, int flags) {
    return {probe.destination,
            probe.source,
            probe.remote_port,
            probe.local_port,
            0x70000000,
            probe.sequence + 1,
            static_cast<std::uint8_t>(flags)};
  }
  static AgentAnswer agent_answer(const Probe& probe, std::int64_t value) {
    return {probe.destination, probe.source, probe.remote_port, probe.local_port, probe.nonce, value};
  }
  static ErrorAnswer error_answer(const Probe& probe, Failure failure) { return {failure, probe.type, probe, true}; }

  [[nodiscard]] const SubjectState& state(SubjectId subject) const { return *engine.state(subject); }
  [[nodiscard]] Health health(SubjectId subject) const { return state(subject).health; }
  [[nodiscard]] const Probe& last_probe() const { return sent.back().probe; }

  Engine engine{echo_id};
  Random random;
  Time now{};
  Actions actions;
  std::map<IpAddress, std::string> blocked;  // destination -> reason; empty address: everything
  std::string all_blocked;
  std::vector<Sent> sent;
  std::vector<Segment> segments;
  std::vector<Change> changes;
  std::vector<SubjectId> removed;
  std::function<bool(const Probe&)> answers;  // answers at once where it says true

 private:
  PathFinder finder() {
    return [this](const IpAddress& destination) {
      Path path;
      const auto found = blocked.find(destination);
      path.reason = found != blocked.end() ? found->second : all_blocked;
      path.usable = path.reason.empty();
      path.source = destination.is_v4() ? own4 : own6;
      return path;
    };
  }
  AnswerResult collected(AnswerResult result) {
    collect();
    return result;
  }
  void collect() {
    Actions taken = std::exchange(actions, {});
    for (const SubjectChange& change : taken.changes) {
      const SubjectState& present = state(change.subject);
      changes.push_back({now, change.subject, present.health, present.reason});
    }
    segments.insert(segments.end(), taken.segments.begin(), taken.segments.end());
    removed.insert(removed.end(), taken.removed.begin(), taken.removed.end());
    for (const Probe& probe : taken.probes) {
      sent.push_back({now, probe});
    }
    for (const Probe& probe : taken.probes) {
      if (answers && answers(probe)) {
        EXPECT_EQ(answer(probe), AnswerResult::success);
      }
    }
  }
};

}  // namespace trivet::hc::testing
