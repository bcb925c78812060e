#include "slb/tcp_state.h"

#include <gtest/gtest.h>

#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

using enum SessionState;
constexpr std::uint8_t syn = wire::TcpHeader::syn;
constexpr std::uint8_t ack = wire::TcpHeader::ack;
constexpr std::uint8_t fin = wire::TcpHeader::fin;
constexpr std::uint8_t rst = wire::TcpHeader::rst;
constexpr std::uint8_t psh = wire::TcpHeader::psh;

struct Step {
  Side from;
  int flags;
  SessionState then;
};

SessionState run(SessionState state, std::initializer_list<Step> steps, Visibility seen = Visibility::both_ways) {
  for (const Step& step : steps) {
    state = next_state(state, static_cast<std::uint8_t>(step.flags), step.from, seen);
    EXPECT_EQ(state, step.then) << to_string(state) << " instead of " << to_string(step.then);
  }
  return state;
}

TEST(TcpState, AnOrdinaryConnectionClosedByTheClient) {
  run(syn_sent, {{Side::target, syn | ack, syn_received},
                 {Side::client, ack, established},
                 {Side::client, psh | ack, established},
                 {Side::target, psh | ack, established},
                 {Side::client, fin | ack, fin_client},
                 {Side::target, ack, fin_client},
                 {Side::target, psh | ack, fin_client},
                 {Side::target, fin | ack, closed},
                 {Side::client, ack, closed}});
}

TEST(TcpState, AConnectionClosedByTheTargetFirst) {
  run(established, {{Side::target, fin | ack, fin_target},
                    {Side::target, fin | ack, fin_target},
                    {Side::client, fin | ack, closed}});
}

TEST(TcpState, SynIsRepeatedWithoutProgressAndWithoutHarm) {
  run(syn_sent, {{Side::client, syn, syn_sent},
                 {Side::client, ack, syn_sent},
                 {Side::target, syn | ack, syn_received},
                 {Side::target, syn | ack, syn_received},
                 {Side::client, syn, syn_received}});
}

TEST(TcpState, ASynInAnEstablishedConnectionDoesNotDisturbIt) {
  run(established, {{Side::client, syn, established}, {Side::target, syn | ack, established}});
}

TEST(TcpState, ResetFromEitherSideInEveryLiveState) {
  for (const SessionState state :
       {syn_sent, syn_received, joined, established, fin_client, fin_target, reset, reset_client, reset_target}) {
    EXPECT_EQ(next_state(state, rst, Side::client, Visibility::both_ways), reset);
    EXPECT_EQ(next_state(state, rst | ack, Side::target, Visibility::both_ways), reset);
  }
}

TEST(TcpState, AFinBehindAResetThatWasNotHeededCounts) {
  run(established, {{Side::target, rst | ack, reset},
                    {Side::client, ack, reset_client},
                    {Side::target, fin | ack, fin_target},
                    {Side::client, fin | ack, closed}});
}

TEST(TcpState, AResetThatNeitherSideHeedsIsForgotten) {
  run(established, {{Side::client, rst, reset},
                    {Side::client, psh | ack, reset_client},
                    {Side::client, ack, reset_client},
                    {Side::target, psh | ack, established},
                    {Side::client, ack, established}});
  run(established, {{Side::target, rst | ack, reset},
                    {Side::target, ack, reset_target},
                    {Side::client, fin | ack, fin_client},
                    {Side::client, fin | ack, fin_client}});
  run(syn_sent,
      {{Side::target, rst | ack, reset}, {Side::target, syn | ack, reset_target}, {Side::client, ack, established}});
}

TEST(TcpState, AResetThatOneSideAnswersWithAResetStays) {
  run(established, {{Side::client, rst, reset},
                    {Side::target, psh | ack, reset_target},
                    {Side::client, rst, reset},
                    {Side::target, psh | ack, reset_target}});
  run(reset, {{Side::client, ack, reset_client}, {Side::client, ack, reset_client}}, Visibility::client_only);
}

TEST(TcpState, ASynThatReusesAHalfClosedConnectionStartsOver) {
  run(fin_client,
      {{Side::client, syn, syn_sent}, {Side::target, syn | ack, syn_received}, {Side::client, ack, established}});
}

TEST(TcpState, DirectReturnSeesTheClientOnly) {
  run(syn_sent,
      {{Side::client, ack, established}, {Side::client, fin | ack, fin_client}, {Side::client, ack, fin_client}},
      Visibility::client_only);
  EXPECT_TRUE(may_be_replaced(fin_client, Visibility::client_only));
  EXPECT_FALSE(may_be_replaced(fin_client, Visibility::both_ways));
}

TEST(TcpState, AJoinedConnectionIsEstablishedByTheTargetsAnswerOnly) {
  run(joined, {{Side::client, ack, joined}, {Side::client, psh | ack, joined}, {Side::target, ack, established}});
  run(joined, {{Side::target, rst, reset}});
}

TEST(TcpState, IdleEntriesFollowNoFlags) {
  for (const int flags : {int{syn}, int{fin | ack}, int{rst}}) {
    EXPECT_EQ(next_state(idle, static_cast<std::uint8_t>(flags), Side::client, Visibility::both_ways), idle);
  }
}

TEST(TcpState, OnlySynAloneOpensAConnection) {
  EXPECT_TRUE(opens_connection(syn));
  EXPECT_TRUE(opens_connection(static_cast<std::uint8_t>(syn | psh | 0xc0)));  // with data, with ECN (RFC 3168)
  for (const int flags : {0, int{ack}, syn | ack, syn | rst, syn | fin, int{rst}, fin | ack}) {
    EXPECT_FALSE(opens_connection(static_cast<std::uint8_t>(flags))) << flags;
  }
}

TEST(TcpState, OnlyClosedAndResetEntriesMayBeReplaced) {
  for (const SessionState state : {idle, syn_sent, syn_received, joined, established, fin_client, fin_target}) {
    EXPECT_FALSE(may_be_replaced(state, Visibility::both_ways)) << to_string(state);
  }
  EXPECT_TRUE(may_be_replaced(closed, Visibility::both_ways));
  for (const SessionState state : {reset, reset_client, reset_target}) {
    EXPECT_TRUE(may_be_replaced(state, Visibility::both_ways));
  }
}

TEST(TcpState, TimeoutsOfEachState) {
  constexpr std::uint32_t idle_time = 600'000;
  EXPECT_EQ(timeout_of(idle, idle_time), idle_time);
  EXPECT_EQ(timeout_of(established, idle_time), idle_time);
  EXPECT_EQ(timeout_of(syn_sent, idle_time), 60'000U);
  EXPECT_EQ(timeout_of(joined, idle_time), 60'000U);
  EXPECT_EQ(timeout_of(fin_client, idle_time), 120'000U);
  EXPECT_EQ(timeout_of(fin_target, 5'000), 5'000U) << "never longer than the session timeout";
  EXPECT_EQ(timeout_of(closed, idle_time), 10'000U);
  for (const SessionState state : {reset, reset_client, reset_target}) EXPECT_EQ(timeout_of(state, idle_time), 10'000U);
}

}  // namespace
}  // namespace trivet::slb
