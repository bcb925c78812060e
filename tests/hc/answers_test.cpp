// What the engine accepts as an answer, and what it says back.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine_world.h"
#include "hc/engine.h"

namespace trivet::hc {
namespace {

using namespace testing;
using trivet::wire::TcpHeader;

// A world in which one check has just sent its first probe.
struct OneCheck : World {
  explicit OneCheck(CheckKind kind, std::uint16_t port = 0) {
    configure({target(1, family_of(kind) == Family::ipv4 ? "10.0.0.9" : "2001:db8::9", {check(kind, 3s, 10s, port)})});
    run_to(engine.poll_at());
    EXPECT_EQ(sent.size(), 1U);
    probe = last_probe();
  }
  Probe probe;
};

TEST(HcAnswers, EchoProbeCarriesIdSlotAndNonceFromTheRealAddress) {
  const OneCheck v4(CheckKind::ping);
  EXPECT_EQ(v4.probe.type, ProbeType::echo);
  EXPECT_EQ(v4.probe.source, own4);
  EXPECT_EQ(v4.probe.echo_id, echo_id);
  EXPECT_NE(v4.probe.nonce, 0U);
  const OneCheck v6(CheckKind::ping6);
  EXPECT_EQ(v6.probe.source, own6);
}

TEST(HcAnswers, EchoReplyMustMatchInEveryField) {
  OneCheck world(CheckKind::ping);
  const EchoAnswer good = World::echo_answer(world.probe);
  EchoAnswer answer = good;
  answer.source = ip("10.0.0.8");
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.destination = ip("10.0.0.2");
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.echo_id ^= 1;
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  ++answer.echo_sequence;
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.slot = 4000000000;
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.nonce ^= 1;
  EXPECT_EQ(world.give(answer), AnswerResult::wrong_nonce);
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.give(good), AnswerResult::success);
  EXPECT_EQ(world.health(1), Health::up);
}

TEST(HcAnswers, EchoReplyForTheSlotOfAnotherKindIsStray) {
  OneCheck world(CheckKind::tcpopen, 80);
  EchoAnswer answer = World::echo_answer(world.probe);
  answer.echo_id = echo_id;
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
}

TEST(HcAnswers, LocalPortsStayInTheirRangeAndChange) {
  World world;
  world.configure(
      {target(1, "10.0.0.9", {check(CheckKind::tcpopen, 1s, 10s, 80), check(CheckKind::agent, 1s, 10s, 9)})});
  world.run(100s);
  std::vector<std::uint16_t> ports;
  for (const Sent& sent : world.sent) {
    EXPECT_TRUE(is_local_port(sent.probe.local_port));
    ports.push_back(sent.probe.local_port);
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
  EXPECT_GT(ports.size(), 150U);
}

TEST(HcAnswers, SynAckIsSuccessAndTheConnectionIsAcknowledgedAndReset) {
  OneCheck world(CheckKind::tcpopen6, 80);
  EXPECT_EQ(world.give(World::tcp_answer(world.probe, TcpHeader::syn | TcpHeader::ack)), AnswerResult::success);
  EXPECT_EQ(world.health(1), Health::up);
  const std::uint32_t next = world.probe.sequence + 1;
  ASSERT_EQ(world.segments.size(), 2U);
  EXPECT_EQ(world.segments[0],
            (Segment{own6, ip("2001:db8::9"), world.probe.local_port, 80, next, 0x70000001, TcpHeader::ack}));
  EXPECT_EQ(world.segments[1], (Segment{own6, ip("2001:db8::9"), world.probe.local_port, 80, next, 0x70000001,
                                        TcpHeader::rst | TcpHeader::ack}));
}

TEST(HcAnswers, SynAckWithAWrongAcknowledgementIsResetAndNoSuccess) {
  OneCheck world(CheckKind::tcpopen, 80);
  TcpAnswer answer = World::tcp_answer(world.probe, TcpHeader::syn | TcpHeader::ack);
  answer.acknowledgement += 5;
  EXPECT_EQ(world.give(answer), AnswerResult::wrong_nonce);
  EXPECT_EQ(world.health(1), Health::undecided);
  ASSERT_EQ(world.segments.size(), 1U);
  EXPECT_EQ(world.segments[0].flags, TcpHeader::rst);
  EXPECT_EQ(world.segments[0].sequence, answer.acknowledgement);
  EXPECT_EQ(world.answer(world.probe), AnswerResult::success) << "the attempt must still be open";
}

TEST(HcAnswers, ResetMeansRefusedOnlyWithTheRightAcknowledgement) {
  OneCheck world(CheckKind::tcpopen, 80);
  TcpAnswer answer = World::tcp_answer(world.probe, TcpHeader::rst | TcpHeader::ack);
  --answer.acknowledgement;
  EXPECT_EQ(world.give(answer), AnswerResult::wrong_nonce);
  answer = World::tcp_answer(world.probe, TcpHeader::rst);
  EXPECT_EQ(world.give(answer), AnswerResult::malformed);
  EXPECT_TRUE(world.segments.empty()) << "a reset is never answered";
  EXPECT_EQ(world.state(1).reason, "tcpopen 80: waiting for the first answer");
  EXPECT_EQ(world.give(World::tcp_answer(world.probe, TcpHeader::rst | TcpHeader::ack)), AnswerResult::failed);
  EXPECT_EQ(world.state(1).reason, "tcpopen 80: refused");
}

TEST(HcAnswers, RefusedIsNoSuccessAndGoesDownAfterTheTimeout) {
  OneCheck world(CheckKind::tcpopen, 80);
  const Time first = world.now;
  std::size_t seen = 0;
  while (world.now < first + 12s) {
    world.run(100ms);
    for (; seen < world.sent.size(); ++seen) {
      world.give(World::tcp_answer(world.sent[seen].probe, TcpHeader::rst | TcpHeader::ack));
    }
  }
  EXPECT_EQ(world.health(1), Health::down);
  EXPECT_EQ(world.state(1).since, first + 10s);
  EXPECT_EQ(world.state(1).reason, "tcpopen 80: refused, no success for 10 s");
}

TEST(HcAnswers, SynIsRepeatedAfterOneSecondWithTheSameNumbers) {
  World world;
  world.configure({target(1, "10.0.0.9", {check(CheckKind::tcpopen, 10s, 30s, 80)})});
  world.run_to(world.engine.poll_at());
  const Time first = world.now;
  world.run(8s);
  ASSERT_EQ(world.sent.size(), 4U);  // at 0, 1, 3, 7 seconds
  EXPECT_EQ(world.sent[1].at, first + 1s);
  EXPECT_EQ(world.sent[2].at, first + 3s);
  EXPECT_EQ(world.sent[3].at, first + 7s);
  for (const Sent& sent : world.sent) {
    EXPECT_EQ(sent.probe, world.sent.front().probe);
  }
}

TEST(HcAnswers, AnsweredSynIsNotRepeated) {
  World world;
  world.answers = [](const Probe&) { return true; };
  world.configure({target(1, "10.0.0.9", {check(CheckKind::tcpopen, 10s, 30s, 80)})});
  world.run_to(world.engine.poll_at());
  world.run(8s);
  EXPECT_EQ(world.sent.size(), 1U);
}

TEST(HcAnswers, SegmentThatNobodyWaitsForIsReset) {
  OneCheck world(CheckKind::tcpopen, 80);
  world.answer(world.probe);
  world.segments.clear();
  EXPECT_EQ(world.answer(world.probe), AnswerResult::stray);  // the SYN-ACK again
  ASSERT_EQ(world.segments.size(), 1U);
  EXPECT_EQ(world.segments[0].flags, TcpHeader::rst);
  EXPECT_EQ(world.segments[0].sequence, world.probe.sequence + 1);
  world.segments.clear();
  EXPECT_EQ(world.give(World::tcp_answer(world.probe, TcpHeader::rst | TcpHeader::ack)), AnswerResult::stray);
  EXPECT_TRUE(world.segments.empty());
}

TEST(HcAnswers, DataOrFinInPlaceOfASynAckIsNoSuccess) {
  OneCheck world(CheckKind::tcpopen, 80);
  EXPECT_EQ(world.give(World::tcp_answer(world.probe, TcpHeader::ack)), AnswerResult::malformed);
  EXPECT_EQ(world.give(World::tcp_answer(world.probe, TcpHeader::fin | TcpHeader::ack)), AnswerResult::malformed);
  EXPECT_EQ(world.give(World::tcp_answer(world.probe, TcpHeader::syn)), AnswerResult::malformed);
  EXPECT_EQ(world.health(1), Health::undecided);
}

TEST(HcAnswers, AgentAnswerMustMatchAddressPortsAndNonce) {
  OneCheck world(CheckKind::agent6, 10000);
  const AgentAnswer good = World::agent_answer(world.probe, 5);
  AgentAnswer answer = good;
  answer.source = ip("2001:db8::8");
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.remote_port = 10001;
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.local_port ^= 1;
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.destination = ip("2001:db8::2");
  EXPECT_EQ(world.give(answer), AnswerResult::stray);
  answer = good;
  answer.nonce ^= 1;
  EXPECT_EQ(world.give(answer), AnswerResult::wrong_nonce);
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.give(good), AnswerResult::success);
  EXPECT_EQ(world.state(1).agent_value, 5);
}

TEST(HcAnswers, AgentWithoutAValueIsNoSuccess) {
  OneCheck world(CheckKind::agent, 10000);
  EXPECT_EQ(world.give(World::agent_answer(world.probe, -1)), AnswerResult::failed);
  EXPECT_EQ(world.state(1).reason, "agent 10000: the agent has no value");
  world.run(11s);
  EXPECT_EQ(world.health(1), Health::down);
}

TEST(HcAnswers, IcmpErrorGivesAReasonButDecidesNothing) {
  OneCheck world(CheckKind::agent, 10000);
  EXPECT_EQ(world.give(World::error_answer(world.probe, Failure::port_unreachable)), AnswerResult::failed);
  EXPECT_EQ(world.health(1), Health::undecided);
  EXPECT_EQ(world.state(1).reason, "agent 10000: port unreachable");
  EXPECT_EQ(world.answer(world.probe), AnswerResult::success) << "an error may be forged; the answer still counts";
  EXPECT_EQ(world.state(1).reason, "all checks good");
}

TEST(HcAnswers, IcmpErrorMustQuoteAProbeThatIsOut) {
  for (const CheckKind kind : {CheckKind::ping, CheckKind::tcpopen, CheckKind::agent}) {
    OneCheck world(kind, has_port(kind) ? 80 : 0);
    const ErrorAnswer good = World::error_answer(world.probe, Failure::host_unreachable);
    ErrorAnswer error = good;
    error.quoted.source = ip("10.0.0.2");
    EXPECT_EQ(world.give(error), AnswerResult::stray);
    error = good;
    error.quoted.destination = ip("10.0.0.8");
    EXPECT_EQ(world.give(error), AnswerResult::stray);
    if (kind == CheckKind::ping) {
      error = good;
      error.has_payload = false;
      EXPECT_EQ(world.give(error), AnswerResult::stray);
      error = good;
      error.quoted.nonce ^= 1;
      EXPECT_EQ(world.give(error), AnswerResult::wrong_nonce);
    }
    if (kind == CheckKind::tcpopen) {
      error = good;
      error.quoted.sequence ^= 1;
      EXPECT_EQ(world.give(error), AnswerResult::wrong_nonce);
    }
    EXPECT_EQ(world.give(good), AnswerResult::failed);
  }
}

}  // namespace
}  // namespace trivet::hc
