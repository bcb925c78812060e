// Configuration of the balancer: servers and targets as typed values.
//
// Thread: control; plain values. declare_keys() names every key that this module owns; parse() reads a checked view
// (keys `name`, `ipaddr`, `ipaddr6`, `port`, `protocol` of targets are the core's). Anything that is wrong goes to
// `problems`; what parse() returns is meaningful only when there are no errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trivet/config.h"
#include "trivet/net/address.h"
#include "trivet/result.h"
#include "trivet/setup.h"
#include "trivet/time.h"
#include "trivet/topics/health.h"

namespace trivet::slb {

inline constexpr std::uint32_t max_servers = 1024;
inline constexpr std::uint32_t max_targets = 4096;
inline constexpr std::size_t max_bindings = 16384;              // pairs of a server and one of its targets
inline constexpr std::uint32_t default_max_sessions = 1048576;  // a family and node

enum class Method : std::uint8_t { rr, random, hash, first, session };

// What a session is: all traffic of a client address to a server, or one connection.
enum class SessionId : std::uint8_t { client, connection };  // src, src+port

[[nodiscard]] std::string_view to_string(Method method);
[[nodiscard]] std::string_view protocol_name(std::uint8_t protocol);  // "tcp", "udp", "any" for 0, else "other"

struct ServerConfig {
  ServerId number = 0;
  std::string name;
  std::optional<Ipv4Address> address4;
  std::optional<Ipv6Address> address6;
  std::uint16_t port = 0;     // 0 = every port
  std::uint8_t protocol = 0;  // IP protocol number; 0 = with a port: TCP and UDP, without: every protocol
  SessionId session_id = SessionId::client;
  Method method = Method::rr;
  std::vector<TargetId> targets;  // in the order given, no duplicates
  Duration session_timeout{};     // its own `stimeout`, else the node's
  bool has_own_timeout = false;   // `stimeout` is given: it holds for UDP flows, too
  LifeCycle state = LifeCycle::defined;
  bool has_open_reference = false;

  [[nodiscard]] bool takes_everything() const { return port == 0 && protocol == 0; }
  [[nodiscard]] bool is_active() const {
    return state == LifeCycle::enabled && !has_open_reference && (address4.has_value() || address6.has_value());
  }
  bool operator==(const ServerConfig&) const = default;
};

struct TargetConfig {
  TargetId number = 0;
  std::string name;
  std::optional<Ipv4Address> address4;
  std::optional<Ipv6Address> address6;
  std::uint16_t port = 0;     // 0 = the server's
  std::uint8_t protocol = 0;  // 0 = the server's
  SessionId session_id = SessionId::client;
  bool dsr = false;
  std::uint16_t weight = 1;  // 0 = takes no new sessions
  LifeCycle state = LifeCycle::defined;
  bool operator==(const TargetConfig&) const = default;
};

struct Config {
  std::vector<ServerConfig> servers;  // by number
  std::vector<TargetConfig> targets;  // by number
  std::uint32_t max_sessions = default_max_sessions;

  [[nodiscard]] const TargetConfig* target(TargetId number) const;
  bool operator==(const Config&) const = default;
};

// True when the target can stand behind the server: same family, no contradicting protocol.
[[nodiscard]] bool fits(const ServerConfig& server, const TargetConfig& target);

void declare_keys(Setup& setup);
[[nodiscard]] Config parse(const ConfigView& view, Problems& problems);

}  // namespace trivet::slb
