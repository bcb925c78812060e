// What the effective priority depends on: links, the gateway, and whether every check has an answer.
//
// Sans-IO: a value that is told facts. Thread: control. Rules:
// - effective priority = priority - trackval of every tracked link that is down - trackval of the gateway unless it is
//   up, at least 1. A link that nobody has reported is down; an undecided gateway counts as down; its two address
//   families count once, because GatewayHealth is one.
// - priority 255 is the address owner's: it ignores tracking. Without `tracking enable` nothing is subtracted.
// - without a writer of GatewayHealth or TargetHealth the gateway is up and everything is decided.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "trivet/packet.h"
#include "trivet/time.h"
#include "trivet/topics/health.h"
#include "vrrp/config.h"

namespace trivet::vrrp {

// One line of what `show vrrp` lists under "tracked".
struct TrackedItem {
  std::string name;   // "eth2", "gateway"
  std::string state;  // "up", "down", "undecided"
  std::uint8_t penalty = 0;
  bool counts = false;  // subtracted now
  bool operator==(const TrackedItem&) const = default;
};

class Tracker {
 public:
  // Priority, tracking and trackvals; facts are kept.
  void configure(const Config& config) { config_ = config; }

  void set_link(InterfaceId interface, bool up) { links_[interface] = up; }
  void set_gateway(Health health, Time last_answer);
  void clear_gateway();  // nobody checks it any more: up
  void set_target(const std::string& key, Health health);
  void clear_target(const std::string& key) { undecided_targets_.erase(key); }

  [[nodiscard]] bool link_up(InterfaceId interface) const;
  [[nodiscard]] std::uint8_t effective_priority() const;
  [[nodiscard]] std::vector<TrackedItem> items() const;  // links by number, then the gateway
  [[nodiscard]] std::string lowered_by() const;          // "eth2 down, gateway undecided"; empty when nothing counts

  // Every check has an answer, up or down.
  [[nodiscard]] bool all_decided() const { return undecided_targets_.empty() && gateway_ != Health::undecided; }
  // Our claim that the tracked gateway is up rests on its last answer, so it can be asked for a fresh one. An up
  // gateway that never answered has no checks.
  [[nodiscard]] bool gateway_can_be_asked() const;
  [[nodiscard]] Time last_gateway_answer() const { return last_answer_; }

 private:
  [[nodiscard]] bool tracks() const;

  Config config_;
  std::map<InterfaceId, bool> links_;
  std::set<std::string> undecided_targets_;
  Health gateway_ = Health::up;
  Time last_answer_;
};

}  // namespace trivet::vrrp
