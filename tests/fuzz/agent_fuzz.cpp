// Links: trivet_hc trivet_sdk
//
// Everything that hc and bngagent read from strangers: agent requests and answers, echo replies, TCP segments, ICMP
// errors with their quotations. What is accepted must be written again as the same bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "hc/agent_wire.h"
#include "hc/wire.h"

namespace {

using namespace trivet;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check_agent(std::span<const std::uint8_t> bytes) {
  if (const auto request = hc::agent_wire::parse_request(bytes)) {
    require(std::ranges::equal(hc::agent_wire::encode(*request), bytes));
  }
  if (const auto answer = hc::agent_wire::parse_answer(bytes)) {
    require(std::ranges::equal(hc::agent_wire::encode(*answer), bytes));
  }
}

void check_answers(std::span<const std::uint8_t> bytes, const IpAddress& source, const IpAddress& destination) {
  if (const auto answer = hc::wire::parse_agent_answer(source, destination, bytes)) {
    require(answer->value >= -1 && bytes.size() >= 8 + hc::agent_wire::message_size);
  }
  if (hc::wire::parse_echo_reply(source, destination, bytes)) {
    require(bytes.size() == 8 + hc::wire::echo_payload_size);
  }
  if (hc::wire::parse_segment(source, destination, bytes)) {
    require(bytes.size() >= 20);
  }
  if (const auto error = hc::wire::parse_icmp_error(source.family(), bytes)) {
    require(error->quoted.destination.family() == source.family());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> bytes(data, size);
  check_agent(bytes);
  const IpAddress v4 = Ipv4Address::from_number(0x0a000001);
  const IpAddress v6 = Ipv6Address{{0x20, 0x01, 0x0d, 0xb8}};
  check_answers(bytes, v4, v4);
  check_answers(bytes, v6, v6);
  return 0;
}
