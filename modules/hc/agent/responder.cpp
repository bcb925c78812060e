#include "hc/agent/responder.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace trivet::hc::agent {

bool Responder::take_token(Time now) {
  constexpr Duration gap = Duration(std::chrono::seconds(1)) / answers_per_second;
  const Duration::rep earned = (now - refilled_) / gap;
  refilled_ += earned * gap;
  tokens_ = static_cast<std::uint32_t>(std::min<Duration::rep>(tokens_ + earned, answers_per_second));
  if (tokens_ == 0) {
    return false;
  }
  --tokens_;
  return true;
}

void Responder::answer(const Peer& peer, std::uint64_t nonce, std::vector<Reply>& replies) {
  replies.push_back({peer, agent_wire::encode(agent_wire::Answer{nonce, value_})});
  ++statistics_.answered;
}

void Responder::on_datagram(const Peer& peer, std::span<const std::uint8_t> bytes, Time now,
                            std::vector<Reply>& replies) {
  const auto request = agent_wire::parse_request(bytes);
  if (!request) {
    ++statistics_.ignored;
    return;
  }
  if (!take_token(now)) {
    ++statistics_.limited;
    return;
  }
  is_wanted_ = true;
  if (value_taken_ && now - *value_taken_ <= value_age) {
    answer(peer, request->nonce, replies);
  } else if (waiting_.size() < max_waiting) {
    waiting_.push_back({peer, request->nonce});
  } else {
    ++statistics_.limited;
  }
}

Time Responder::value_wanted_at() const {
  if (!is_wanted_ || is_running_) {
    return never;
  }
  return last_start_ ? *last_start_ + value_gap : Time{};
}

void Responder::value_started(Time now) {
  is_wanted_ = false;
  is_running_ = true;
  last_start_ = now;
}

void Responder::on_value(std::optional<std::int64_t> value, Time now, std::vector<Reply>& replies) {
  is_running_ = false;
  value_ = value;
  value_taken_ = now;
  for (const Waiting& waiting : waiting_) {
    answer(waiting.peer, waiting.nonce, replies);
  }
  waiting_.clear();
}

std::optional<std::int64_t> parse_value(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) {
    return std::nullopt;
  }
  text = text.substr(first, text.find_last_not_of(blanks) - first + 1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

}  // namespace trivet::hc::agent
