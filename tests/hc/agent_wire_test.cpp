#include "hc/agent_wire.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace trivet::hc::agent_wire {
namespace {

constexpr std::uint64_t nonce = 0x0102030405060708ULL;

const Bytes golden_request{'T', 'V', 'A', 'G', 1, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0};
const Bytes golden_answer{'T', 'V', 'A', 'G', 1, 2, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0x30, 0x39};
const Bytes golden_no_value{'T', 'V', 'A', 'G', 1, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0};

TEST(AgentWire, RequestHasTheDocumentedBytes) { EXPECT_EQ(encode(Request{nonce}), golden_request); }

TEST(AgentWire, AnswerHasTheDocumentedBytes) {
  EXPECT_EQ(encode(Answer{nonce, 12345}), golden_answer);
  EXPECT_EQ(encode(Answer{nonce, std::nullopt}), golden_no_value);
}

TEST(AgentWire, NegativeValueIsSentAsNoValue) { EXPECT_EQ(encode(Answer{nonce, -5}), golden_no_value); }

TEST(AgentWire, BothDirectionsReadWhatTheOtherWrites) {
  EXPECT_EQ(parse_request(golden_request), Request{nonce});
  EXPECT_EQ(parse_answer(golden_answer), (Answer{nonce, 12345}));
  EXPECT_EQ(parse_answer(golden_no_value), (Answer{nonce, std::nullopt}));
  const Answer largest{~nonce, std::numeric_limits<std::int64_t>::max()};
  EXPECT_EQ(parse_answer(encode(largest)), largest);
}

TEST(AgentWire, EveryOtherLengthIsRefused) {
  for (std::size_t length = 0; length < 64; ++length) {
    std::vector<std::uint8_t> request(golden_request.begin(), golden_request.end());
    std::vector<std::uint8_t> answer(golden_answer.begin(), golden_answer.end());
    request.resize(length);
    answer.resize(length);
    if (length == message_size) {
      EXPECT_TRUE(parse_request(request));
      EXPECT_TRUE(parse_answer(answer));
      continue;
    }
    EXPECT_EQ(parse_request(request), std::unexpected(Fault::wrong_size)) << length;
    EXPECT_EQ(parse_answer(answer), std::unexpected(Fault::wrong_size)) << length;
  }
}

TEST(AgentWire, NeitherDirectionTakesTheOther) {
  EXPECT_EQ(parse_request(golden_answer), std::unexpected(Fault::wrong_kind));
  EXPECT_EQ(parse_answer(golden_request), std::unexpected(Fault::wrong_kind));
}

struct Damage {
  std::size_t at;
  std::uint8_t value;
  Fault request;
  Fault answer;
};

TEST(AgentWire, EveryFieldIsChecked) {
  const Damage damages[] = {
      {0, 't', Fault::wrong_magic, Fault::wrong_magic},   {3, 0, Fault::wrong_magic, Fault::wrong_magic},
      {4, 0, Fault::wrong_version, Fault::wrong_version}, {4, 2, Fault::wrong_version, Fault::wrong_version},
      {5, 0, Fault::wrong_kind, Fault::wrong_kind},       {5, 3, Fault::wrong_kind, Fault::wrong_kind},
      {6, 2, Fault::not_zero, Fault::wrong_status},       {6, 1, Fault::not_zero, Fault::not_zero},
      {7, 1, Fault::not_zero, Fault::not_zero},           {16, 0x80, Fault::not_zero, Fault::negative},
  };
  for (const Damage& damage : damages) {
    Bytes request = golden_request;
    Bytes answer = golden_answer;
    request[damage.at] = damage.value;
    answer[damage.at] = damage.value;
    EXPECT_EQ(parse_request(request), std::unexpected(damage.request)) << damage.at;
    EXPECT_EQ(parse_answer(answer), std::unexpected(damage.answer)) << damage.at;
  }
}

TEST(AgentWire, RequestCarriesNothingBesideTheNonce) {
  Bytes request = golden_request;
  request[23] = 1;
  EXPECT_EQ(parse_request(request), std::unexpected(Fault::not_zero));
}

}  // namespace
}  // namespace trivet::hc::agent_wire
