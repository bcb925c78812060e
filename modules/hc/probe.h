// What travels between engine and wire: probes to send, and answers that came, as plain values.
//
// Thread: control; values. Ports and sequence numbers in host order.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "trivet/net/address.h"

namespace trivet::hc {

// Local ports of TCP and UDP probes: above the usual ephemeral range, so that a capture shows at once what they are.
inline constexpr std::uint16_t first_local_port = 61000;
inline constexpr std::uint16_t last_local_port = 64999;

[[nodiscard]] constexpr bool is_local_port(std::uint16_t port) {
  return port >= first_local_port && port <= last_local_port;
}

enum class ProbeType : std::uint8_t { echo, tcp, agent };

// One attempt of one check.
struct Probe {
  ProbeType type = ProbeType::echo;
  IpAddress source;
  IpAddress destination;
  std::uint16_t local_port = 0;   // tcp, agent
  std::uint16_t remote_port = 0;  // tcp, agent
  std::uint16_t echo_id = 0;
  std::uint16_t echo_sequence = 0;
  std::uint32_t slot = 0;      // echo: which check, comes back in the payload
  std::uint64_t nonce = 0;     // echo, agent
  std::uint32_t sequence = 0;  // tcp: initial sequence number
  bool operator==(const Probe&) const = default;
};

// A TCP segment without payload that follows an answer.
struct Segment {
  IpAddress source;
  IpAddress destination;
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;
  std::uint8_t flags = 0;
  bool operator==(const Segment&) const = default;
};

struct EchoAnswer {
  IpAddress source;       // who answers
  IpAddress destination;  // this node
  std::uint16_t echo_id = 0;
  std::uint16_t echo_sequence = 0;
  std::uint32_t slot = 0;
  std::uint64_t nonce = 0;
  bool operator==(const EchoAnswer&) const = default;
};

struct TcpAnswer {
  IpAddress source;
  IpAddress destination;
  std::uint16_t remote_port = 0;
  std::uint16_t local_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;
  std::uint8_t flags = 0;
  bool operator==(const TcpAnswer&) const = default;
};

struct AgentAnswer {
  IpAddress source;
  IpAddress destination;
  std::uint16_t remote_port = 0;
  std::uint16_t local_port = 0;
  std::uint64_t nonce = 0;
  std::int64_t value = -1;  // -1: the agent has none
  bool operator==(const AgentAnswer&) const = default;
};

// Why a probe had no success, as far as somebody said so.
enum class Failure : std::uint8_t {
  none,
  refused,
  port_unreachable,
  host_unreachable,
  network_unreachable,
  prohibited,
  time_exceeded,
  unreachable,  // any other code
  no_value,     // the agent answered that its script gives no value
};

[[nodiscard]] constexpr std::string_view to_string(Failure failure) {
  switch (failure) {
    case Failure::none:
      return "no answer";
    case Failure::refused:
      return "refused";
    case Failure::port_unreachable:
      return "port unreachable";
    case Failure::host_unreachable:
      return "host unreachable";
    case Failure::network_unreachable:
      return "network unreachable";
    case Failure::prohibited:
      return "administratively prohibited";
    case Failure::time_exceeded:
      return "hop limit exceeded on the way";
    case Failure::unreachable:
      return "unreachable";
    case Failure::no_value:
      return "the agent has no value";
  }
  return "?";
}

// An ICMP error and the probe that it quotes.
struct ErrorAnswer {
  Failure failure = Failure::unreachable;
  ProbeType type = ProbeType::echo;
  Probe quoted;  // what the quotation shows of it; echo: slot and nonce only if has_payload
  bool has_payload = false;
  bool operator==(const ErrorAnswer&) const = default;
};

// What became of a received packet; each has a counter.
enum class AnswerResult : std::uint8_t {
  success,
  failed,  // a valid answer that is no success: refused, unreachable, no value
  bad_checksum,
  malformed,
  wrong_nonce,  // nonce or acknowledgement number of no probe of ours
  stray,        // no probe waits for it: late, duplicate, or not asked for
};

}  // namespace trivet::hc
