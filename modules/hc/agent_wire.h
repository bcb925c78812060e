// The agent protocol: how hc asks bngagent for a value. docs/agent-protocol.md describes it for other implementations.
//
// One UDP datagram each way, both of 24 bytes, so that an answer is never larger than what asked for it:
//
//      0        4        5      6        7          8        16       24
//      | magic  | version| kind | status | reserved | nonce  | value  |
//      | "TVAG" | 1      | 1/2  | 0/1    | 0        | 64 bit | 64 bit |
//
// Thread: any; pure. Every field is checked on receipt; anything unexpected is refused with the reason.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

namespace trivet::hc::agent_wire {

inline constexpr std::size_t message_size = 24;
inline constexpr std::uint32_t magic = 0x54564147;  // "TVAG"
inline constexpr std::uint8_t version = 1;

using Bytes = std::array<std::uint8_t, message_size>;

struct Request {
  std::uint64_t nonce = 0;
  bool operator==(const Request&) const = default;
};

struct Answer {
  std::uint64_t nonce = 0;
  std::optional<std::int64_t> value;  // never negative; none: the agent lives but has no value
  bool operator==(const Answer&) const = default;
};

enum class Fault : std::uint8_t {
  wrong_size,
  wrong_magic,
  wrong_version,
  wrong_kind,
  wrong_status,
  not_zero,
  negative
};

[[nodiscard]] std::string_view to_string(Fault fault);

[[nodiscard]] Bytes encode(const Request& request);
[[nodiscard]] Bytes encode(const Answer& answer);  // a negative value is sent as "no value"
[[nodiscard]] std::expected<Request, Fault> parse_request(std::span<const std::uint8_t> bytes);
[[nodiscard]] std::expected<Answer, Fault> parse_answer(std::span<const std::uint8_t> bytes);

}  // namespace trivet::hc::agent_wire
