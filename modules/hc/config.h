// What hc reads from the configuration: which subjects (targets, the gateway) have which checks.
//
// Thread: control; values. declare_keys() is the only place that knows the syntax; read_config() turns a checked view
// into values and says what is odd about them. The core has checked every number against its range before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/config.h"
#include "trivet/net/address.h"
#include "trivet/result.h"
#include "trivet/time.h"

namespace trivet::hc {

enum class CheckKind : std::uint8_t { ping, ping6, tcpopen, tcpopen6, agent, agent6 };

inline constexpr CheckKind all_check_kinds[] = {CheckKind::ping,     CheckKind::ping6, CheckKind::tcpopen,
                                                CheckKind::tcpopen6, CheckKind::agent, CheckKind::agent6};

[[nodiscard]] std::string_view to_string(CheckKind kind);  // the key's name
[[nodiscard]] Family family_of(CheckKind kind);
[[nodiscard]] bool has_port(CheckKind kind);
[[nodiscard]] bool is_agent(CheckKind kind);

struct CheckConfig {
  CheckKind kind = CheckKind::ping;
  std::uint16_t port = 0;  // 0 for kinds without
  Duration interval{};     // between two probes, before jitter
  Duration timeout{};      // so long without any success: down
  bool operator==(const CheckConfig&) const = default;
};

// "ping6", "agent6 10000"
[[nodiscard]] std::string label(const CheckConfig& check);

// What is checked: 0 = the gateway, else the number of the target.
using SubjectId = std::uint32_t;
inline constexpr SubjectId gateway_subject = 0;

// "gateway", "target 7"
[[nodiscard]] std::string subject_name(SubjectId id);

struct SubjectConfig {
  SubjectId id = gateway_subject;
  std::optional<Ipv4Address> address4;
  std::optional<Ipv6Address> address6;
  std::vector<CheckConfig> checks;  // no two of the same kind and port
  bool operator==(const SubjectConfig&) const = default;

  // The address that checks of this kind go to, if the subject has one of that family.
  [[nodiscard]] std::optional<IpAddress> address_for(CheckKind kind) const;
};

struct Config {
  std::vector<SubjectConfig> subjects;  // the gateway first (always there), then targets by number
  bool operator==(const Config&) const = default;
};

inline constexpr std::size_t max_checks_per_subject = 16;

[[nodiscard]] std::vector<KeySpec> declare_keys();

// Targets that are only defined (neither registered nor enabled) are no subjects: nothing is sent to them. A disabled
// but registered target is checked, so that draining sessions and a later `enable` meet a known state.
[[nodiscard]] Config read_config(const ConfigView& view, Problems& problems);

}  // namespace trivet::hc
