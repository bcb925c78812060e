// Several VRRP engines on simulated cables with virtual time: the interfaces of one number share a segment.
//
// A model of the health checks answers for the gateway: a probe every three seconds, at once on request, down after ten
// seconds without an answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "trivet/time.h"
#include "vrrp/engine.h"

namespace trivet::vrrp {

// The virtual router of the example pair: interfaces 1 and 3 carry it, eth2, eth3 and the gateway are tracked.
[[nodiscard]] Config pair_config();
[[nodiscard]] Time at(double seconds);

class Lan {
 public:
  explicit Lan(std::size_t nodes, const Config& config = pair_config());

  // Powers a node up, with all its links and its gateway as they were set; a new engine.
  void start(std::size_t node);
  void stop(std::size_t node);   // in order: priority 0
  void crash(std::size_t node);  // without a word

  void set_link(std::size_t node, InterfaceId interface, bool up);
  void set_gateway(std::size_t node, bool answers);
  void set_targets(std::size_t node, Health health);
  void configure(std::size_t node, const Config& config);

  void run_until(Time end);
  void run(double seconds) { run_until(now_ + from_seconds(seconds)); }

  // Which advertisements get lost: called for each on each interface.
  std::function<bool(std::size_t from, std::size_t to, InterfaceId interface)> loses;
  Duration delay = std::chrono::microseconds(100);
  // Called after every event.
  std::function<void()> observer;

  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] bool alive(std::size_t node) const { return nodes_[node].engine != nullptr; }
  [[nodiscard]] bool link(std::size_t node, InterfaceId interface) const { return nodes_[node].links.at(interface); }
  [[nodiscard]] Engine& engine(std::size_t node) { return *nodes_[node].engine; }
  [[nodiscard]] Role role(std::size_t node) const;
  [[nodiscard]] std::vector<std::size_t> masters() const;
  // The only master; -1 when there is none or more than one.
  [[nodiscard]] int master() const;
  [[nodiscard]] std::uint64_t count(std::size_t node, Tally tally) const;

  struct Change {
    Time when{};
    std::size_t node = 0;
    Role role = Role::init;
    std::string reason;
  };
  [[nodiscard]] const std::vector<Change>& changes() const { return changes_; }
  void forget_changes() { changes_.clear(); }
  [[nodiscard]] const std::vector<std::string>& notices(std::size_t node) const { return nodes_[node].notices; }

 private:
  struct Node {
    Config config;
    Attachment attachment;
    std::unique_ptr<Engine> engine;
    std::map<InterfaceId, bool> links{{1, true}, {2, true}, {3, true}};
    bool gateway_answers = true;
    Health targets = Health::up;
    Health gateway = Health::undecided;
    Time last_answer{};
    Time checking_since{};
    std::uint64_t life = 0;  // of the engine, so that late events of an older one are void
    std::map<Tally, std::uint64_t> counts;
    std::vector<std::string> notices;
  };

  void carry_out(std::size_t node, const Actions& actions);
  void deliver(std::size_t from, const SendAdvert& action);
  void probe_gateway(std::size_t node, bool periodic);
  void judge_gateway(std::size_t node);

  Time now_ = at(100);
  std::vector<Node> nodes_;
  std::multimap<Time, std::function<void()>> events_;
  std::vector<Change> changes_;
};

}  // namespace trivet::vrrp
