// What bngagent does with a datagram: answer now, answer when the value is there, or ignore it.
//
// Pure: time is an argument, nothing is sent here. Thread: the agent's one.
// Bounds: answers are limited to 1,000 a second (burst 1,000), waiting requests to 64. An answer has the size of the
// request, goes only to where a valid request came from, and never carries a value older than 10 s.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hc/agent_wire.h"
#include "trivet/time.h"

namespace trivet::hc::agent {

// Who asked, and through which of this host's addresses: the answer must come from there.
struct Peer {
  sockaddr_storage remote{};
  socklen_t remote_length = 0;
  std::array<std::uint8_t, 16> local{};  // IPv4: the first four bytes
  unsigned interface = 0;                // link-local addresses only
  bool has_local = false;
};

struct Reply {
  Peer to;
  agent_wire::Bytes bytes{};
};

struct Statistics {
  std::uint64_t answered = 0;
  std::uint64_t ignored = 0;  // not a valid request
  std::uint64_t limited = 0;  // over the limit
};

class Responder {
 public:
  static constexpr Duration value_age = std::chrono::seconds(10);
  static constexpr Duration value_gap = std::chrono::seconds(1);  // at most one new value in this time
  static constexpr std::uint32_t answers_per_second = 1000;
  static constexpr std::size_t max_waiting = 64;

  void on_datagram(const Peer& peer, std::span<const std::uint8_t> bytes, Time now, std::vector<Reply>& replies);

  // When a new value should be fetched: after a request, but not more often than once in value_gap; once at start.
  [[nodiscard]] Time value_wanted_at() const;
  void value_started(Time now);
  // The value that was fetched; none: there is none. Answers all that waited for it.
  void on_value(std::optional<std::int64_t> value, Time now, std::vector<Reply>& replies);

  [[nodiscard]] const Statistics& statistics() const { return statistics_; }

 private:
  struct Waiting {
    Peer peer;
    std::uint64_t nonce = 0;
  };

  [[nodiscard]] bool take_token(Time now);
  void answer(const Peer& peer, std::uint64_t nonce, std::vector<Reply>& replies);

  std::optional<std::int64_t> value_;
  std::optional<Time> value_taken_;
  std::optional<Time> last_start_;
  bool is_wanted_ = true;
  bool is_running_ = false;
  std::vector<Waiting> waiting_;
  std::uint32_t tokens_ = answers_per_second;
  Time refilled_;
  Statistics statistics_;
};

// Text that a script has printed, as a value: one decimal integer from 0 to 2^63 - 1, blanks and line ends around it.
[[nodiscard]] std::optional<std::int64_t> parse_value(std::string_view text);

}  // namespace trivet::hc::agent
