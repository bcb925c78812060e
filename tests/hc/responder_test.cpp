// The agent's decisions in virtual time: who is answered, with what, how often.
#include "hc/agent/responder.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

namespace trivet::hc::agent {
namespace {

using namespace std::chrono_literals;
using agent_wire::Answer;
using agent_wire::Request;

struct ResponderTest : ::testing::Test {
  Peer peer(std::uint16_t port) const {
    Peer made;
    auto* address = reinterpret_cast<sockaddr_in*>(&made.remote);
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    made.remote_length = sizeof(sockaddr_in);
    return made;
  }
  void request(std::uint64_t nonce, std::uint16_t port = 61000) {
    responder.on_datagram(peer(port), agent_wire::encode(Request{nonce}), now, replies);
  }
  void value(std::optional<std::int64_t> given) {
    responder.value_started(now);
    responder.on_value(given, now, replies);
  }
  Answer answer(std::size_t i) const { return agent_wire::parse_answer(replies.at(i).bytes).value_or(Answer{}); }

  Responder responder;
  std::vector<Reply> replies;
  Time now{1000s};
};

TEST_F(ResponderTest, WantsAValueAtStart) { EXPECT_LE(responder.value_wanted_at(), now); }

TEST_F(ResponderTest, AnswersWithTheNonceAndTheValueToWhoAsked) {
  value(42);
  request(7, 61234);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(answer(0), (Answer{7, 42}));
  EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in&>(replies[0].to.remote).sin_port), 61234);
  EXPECT_EQ(replies[0].bytes.size(), agent_wire::message_size);
}

TEST_F(ResponderTest, RequestsBeforeTheFirstValueWaitForIt) {
  request(1);
  request(2);
  EXPECT_TRUE(replies.empty());
  value(5);
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(answer(0), (Answer{1, 5}));
  EXPECT_EQ(answer(1), (Answer{2, 5}));
}

TEST_F(ResponderTest, NoAnswerCarriesAValueOlderThanTenSeconds) {
  value(5);
  now += 10s;
  request(1);
  EXPECT_EQ(replies.size(), 1U);
  now += 1ms;
  request(2);
  EXPECT_EQ(replies.size(), 1U);
  value(6);
  ASSERT_EQ(replies.size(), 2U);
  EXPECT_EQ(answer(1), (Answer{2, 6}));
}

TEST_F(ResponderTest, FailedScriptIsAnsweredWithoutAValue) {
  value(5);
  value(std::nullopt);
  request(1);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(answer(0), (Answer{1, std::nullopt}));
}

TEST_F(ResponderTest, FetchesAtMostOnceASecondAndOnlyWhenAsked) {
  value(5);
  EXPECT_EQ(responder.value_wanted_at(), never);
  request(1);
  EXPECT_EQ(responder.value_wanted_at(), now + 1s);
  responder.value_started(now + 1s);
  request(2);
  EXPECT_EQ(responder.value_wanted_at(), never) << "one is on its way";
  responder.on_value(6, now + 1500ms, replies);
  EXPECT_EQ(responder.value_wanted_at(), now + 2s);
}

TEST_F(ResponderTest, IgnoresWhatIsNoRequest) {
  value(5);
  for (std::size_t length = 0; length < 64; ++length) {
    const std::vector<std::uint8_t> zeros(length);
    responder.on_datagram(peer(1), zeros, now, replies);
  }
  responder.on_datagram(peer(1), agent_wire::encode(Answer{1, 1}), now, replies);
  EXPECT_TRUE(replies.empty());
  EXPECT_EQ(responder.statistics().ignored, 65U);
}

TEST_F(ResponderTest, AnswersAThousandASecond) {
  value(5);
  for (std::uint64_t i = 0; i < 5000; ++i) {
    request(i);
  }
  EXPECT_EQ(replies.size(), 1000U);
  EXPECT_EQ(responder.statistics().limited, 4000U);
  now += 100ms;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    request(i);
  }
  EXPECT_EQ(replies.size(), 1100U);
}

TEST_F(ResponderTest, WaitingRequestsAreBounded) {
  for (std::uint64_t i = 0; i < 500; ++i) {
    request(i);
  }
  value(5);
  EXPECT_EQ(replies.size(), Responder::max_waiting);
}

TEST(ParseValue, TakesOneIntegerThatIsNotNegative) {
  EXPECT_EQ(parse_value("0"), 0);
  EXPECT_EQ(parse_value("42\n"), 42);
  EXPECT_EQ(parse_value(" \t17 \r\n"), 17);
  EXPECT_EQ(parse_value("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  for (const char* text : {"", "\n", "-1", "+1", "1.5", "0x10", "12 13", "12a", "9223372036854775808", "up"}) {
    EXPECT_EQ(parse_value(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace trivet::hc::agent
