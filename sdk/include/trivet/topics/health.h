// Topics about health: targets and the gateway. Written by `hc`.
//
// TargetHealth: keyed state, one value a target. Without a writer every target is up.
// GatewayHealth: state. Without a writer the gateway is up.
// GatewayCheckRequest: event; a reader asks `hc` for a fresh answer from the gateway now (vrrp, before it outbids).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trivet/event.h"
#include "trivet/time.h"

namespace trivet {

using TargetId = std::uint16_t;  // number of the target in the configuration, 1..4096
using ServerId = std::uint16_t;  // number of the server in the configuration, 1..1024

enum class Health : std::uint8_t { undecided, up, down };

// Undecided has two kinds: an answer or a timeout is on its way, or no probe can leave (is_blocked: own link down, no
// route, no source address), so that there is nothing to wait for.

struct TargetHealth {
  static constexpr std::string_view topic = "trivet.target_health/1";
  static constexpr TopicKind kind = TopicKind::state;

  TargetId target = 0;
  Health health = Health::undecided;
  std::string reason;             // "ping6: no answer for 10 s"
  std::int64_t agent_value = -1;  // last value of its agent; -1 = none
  Time since{};
  bool is_blocked = false;  // undecided only: no probe can leave

  [[nodiscard]] std::string key() const { return std::to_string(target); }
  bool operator==(const TargetHealth&) const = default;
};

struct GatewayHealth {
  static constexpr std::string_view topic = "trivet.gateway/1";
  static constexpr TopicKind kind = TopicKind::state;

  Health health = Health::undecided;
  std::string reason;
  Time since{};
  Time last_answer{};       // the oldest of its checks' last answers, so both families are fresh; epoch = never
  bool is_blocked = false;  // undecided only: no probe can leave
  bool operator==(const GatewayHealth&) const = default;
};

struct GatewayCheckRequest {
  static constexpr std::string_view topic = "trivet.gateway_check_request/1";
  static constexpr TopicKind kind = TopicKind::event;
};

[[nodiscard]] constexpr std::string_view to_string(Health health) {
  switch (health) {
    case Health::undecided:
      return "undecided";
    case Health::up:
      return "up";
    case Health::down:
      return "down";
  }
  return "?";
}

}  // namespace trivet
