// The checks of all targets and of the gateway: when to probe, what an answer means, who is up.
//
// Sans-IO: time, randomness and paths are arguments; what to do comes back as Actions. Thread: control.
//
// One check:
//
//                      an answer                       T since the first probe without success
//      undecided ------------------------> up          undecided ------------------------------> down
//      down      ------------------------> up          up -- T since the last success ---------> down
//      any       -- the path to the address is gone (own link down, no route, no source address) --> undecided
//
// While the path is gone nothing is sent; when it returns the check starts as if it were new. A subject (target or
// gateway) is down when one of its checks is down, else undecided when one is undecided, else up; without checks up.
//
// Times: probes are sent every interval +- 10 %; the first one at a random point of the interval (after the return of
// a path: of at most a second). A TCP SYN is repeated after 1, 2, 4... seconds (RFC 6298 section 2) within the
// interval. Bounds: each check remembers its last 2 to 16 attempts (as many as fit into T); an answer to an older one
// is stray.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hc/config.h"
#include "hc/probe.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/random.h"
#include "trivet/time.h"
#include "trivet/topics/health.h"

namespace trivet::hc {

// How probes to an address leave this node, or why they cannot.
struct Path {
  bool usable = false;
  IpAddress source;
  NetworkId network = 0;
  std::string reason;  // when not usable: "own link down (network 2)"
  bool operator==(const Path&) const = default;
};
using PathFinder = std::function<Path(const IpAddress& destination)>;

struct SubjectState {
  Health health = Health::undecided;
  std::string reason;
  Time since;
  std::int64_t agent_value = -1;  // of the first agent check that is up; -1 = none
  Time last_answer;               // the oldest of its checks' last answers; epoch = one has never been answered
  bool is_blocked = false;        // undecided, and no probe can leave for any check that is
  bool operator==(const SubjectState&) const = default;
};

struct SubjectChange {
  SubjectId subject = 0;
  bool is_new = false;                // first state of a subject that did not exist before
  Health former = Health::undecided;  // equal to the present one when only reason, value or last answer changed
};

struct Actions {
  std::vector<Probe> probes;
  std::vector<Segment> segments;
  std::vector<SubjectChange> changes;  // read the state with Engine::state()
  std::vector<SubjectId> removed;
  void clear();
};

// One check as `show checks` prints it.
struct CheckStatus {
  SubjectId subject = 0;
  CheckConfig config;
  std::optional<IpAddress> address;
  Health health = Health::undecided;
  std::string reason;
  Time since;
  Time last_answer;  // epoch = never
  std::optional<Duration> round_trip;
  Time next_probe = never;
  std::int64_t value = -1;
};

class Engine {
 public:
  // `echo_id` marks this node's echo requests.
  explicit Engine(std::uint16_t echo_id) : echo_id_(echo_id) {}

  // First start and reload alike. A check whose kind, port and address stay keeps its state and takes over interval and
  // timeout; others start undecided.
  void configure(const Config& config, const PathFinder& path, Time now, Random& random, Actions& actions);
  // To be called when routes, links or own addresses may have changed.
  void update_paths(const PathFinder& path, Time now, Random& random, Actions& actions);
  // Sends the gateway's probes at once, if none has been sent within the last 100 ms.
  void probe_gateway(Time now, Random& random, Actions& actions);

  [[nodiscard]] Time poll_at() const;
  void on_time(Time now, Random& random, Actions& actions);

  AnswerResult on_echo(const EchoAnswer& answer, Time now, Actions& actions);
  AnswerResult on_segment(const TcpAnswer& answer, Time now, Actions& actions);
  AnswerResult on_agent(const AgentAnswer& answer, Time now, Actions& actions);
  AnswerResult on_error(const ErrorAnswer& answer, Time now, Actions& actions);

  // Null when there is no such subject.
  [[nodiscard]] const SubjectState* state(SubjectId subject) const;
  [[nodiscard]] std::vector<CheckStatus> status(std::optional<SubjectId> subject = {}) const;  // by subject
  [[nodiscard]] std::uint16_t echo_id() const { return echo_id_; }

 private:
  using Slot = std::uint32_t;

  struct Attempt {
    bool open = false;  // sent and without answer
    Probe probe;
    Time sent;
  };

  struct Check {
    SubjectId subject = 0;
    bool in_use = false;
    bool has_success = false;  // since the last start
    Health health = Health::undecided;
    Failure failure = Failure::none;  // of the newest attempt that somebody refused
    CheckConfig config;
    std::optional<IpAddress> destination;
    std::uint16_t sequence = 0;
    Path path;
    Time since;
    std::optional<Time> waiting_since;  // first probe since the last start
    Time last_success;                  // meaningful when has_success
    Time last_answer;                   // epoch = never; survives a lost path
    std::optional<Duration> round_trip;
    std::int64_t value = -1;
    Time next_probe = never;
    Time retransmit = never;
    Duration retransmit_gap{};
    std::vector<Attempt> attempts;  // ring
    std::size_t newest = 0;
    Time queued = never;  // where it stands in queue_
  };

  struct Subject {
    std::vector<Slot> checks;
    SubjectState state;
    bool is_published = false;
  };

  // A TCP or UDP exchange as the network sees it.
  struct Flow {
    IpAddress remote;
    std::uint16_t remote_port = 0;
    std::uint16_t local_port = 0;
    ProbeType type = ProbeType::tcp;
    bool operator==(const Flow&) const = default;
  };
  struct FlowHash {
    std::size_t operator()(const Flow& flow) const noexcept;
  };

  // Schedule and state: engine.cpp
  Slot take_slot();
  void release_check(Slot slot);
  void resize_window(Check& check);
  std::vector<Slot> match_checks(const SubjectConfig& wanted, std::vector<Slot> present, Time now);
  void set_path(Slot slot, Path path, Time now, Random& random, Duration spread);
  void forget_attempts(Check& check);
  void send_probe(Slot slot, Time now, Random& random, Actions& actions);
  void retransmit(Slot slot, Time now, Actions& actions);
  bool choose_port(Probe& probe, Random& random) const;
  void set_health(Check& check, Health health, Time now);
  void serve(Slot slot, Time now, Random& random, Actions& actions);
  void reschedule(Slot slot);
  void evaluate(SubjectId subject, Time now, Actions& actions);
  [[nodiscard]] static Time deadline(const Check& check);
  [[nodiscard]] static std::string reason(const Check& check);
  [[nodiscard]] SubjectState combine(const Subject& subject) const;

  // Answers: answers.cpp
  struct Found {
    Slot slot = 0;
    Attempt* attempt = nullptr;
  };
  std::optional<Found> find_flow(const IpAddress& remote, std::uint16_t remote_port, std::uint16_t local_port,
                                 ProbeType type);
  Attempt* find_echo(Slot slot, std::uint16_t sequence);
  void close_attempt(Attempt& attempt);
  void succeed(Slot slot, Attempt& attempt, std::int64_t value, Time now, Actions& actions);
  void fail(Slot slot, Attempt& attempt, Failure failure, Time now, Actions& actions);

  std::uint16_t echo_id_;
  std::vector<Check> checks_;
  std::vector<Slot> free_slots_;
  std::map<SubjectId, Subject> subjects_;
  std::set<std::pair<Time, Slot>> queue_;  // one entry for each check that has something to do
  std::unordered_map<Flow, std::pair<Slot, std::size_t>, FlowHash> flows_;  // to slot and place in its ring
  Time last_gateway_request_;
  bool has_gateway_request_ = false;
};

}  // namespace trivet::hc
