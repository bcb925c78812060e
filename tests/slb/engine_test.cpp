// Sessions and connections: what a packet meets on its way through one server.
#include "slb/engine.h"

#include <gtest/gtest.h>

#include "engine_world.h"

namespace trivet::slb {
namespace {

using namespace std::chrono_literals;
using wire::ip_protocol::udp;

TYPED_TEST_SUITE(EngineTest, Families, );

TYPED_TEST(EngineTest, AConnectionGoesToOneTargetAndItsRepliesComeBackFromTheServer) {
  using Net = TypeParam;
  World world(this->config());
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t1));
  EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack))), this->reply());
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::ack))), this->target(Net::t1));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4001, flag::syn))), this->target(Net::t2))
      << "the next one turns";
  EXPECT_EQ(world.engine->sessions(), 2U);
  EXPECT_EQ(world.server_sessions(1), 2U);
  EXPECT_EQ(world.target_sessions(1), 1U);
  EXPECT_EQ(world.traffic->servers[1].packets_in.load(), 3U);
  EXPECT_EQ(world.traffic->servers[1].bytes_out.load(), 60U);
  EXPECT_EQ(world.traffic->targets[2].packets_in.load(), 1U);
}

TYPED_TEST(EngineTest, SourceKeyKeepsAllConnectionsOfAClientTogether) {
  using Net = TypeParam;
  World world(this->config(SessionId::client));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t1));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4001, flag::syn))), this->target(Net::t1));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::bob, 4000, flag::syn))), this->target(Net::t2));
  EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4001, flag::syn_ack))), this->reply());
  EXPECT_EQ(world.engine->sessions(), 2U);
}

TYPED_TEST(EngineTest, OneFinOrResetNeverEndsASourceKeyedSession) {
  using Net = TypeParam;
  World world(this->config(SessionId::client));
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  (void)world.send(this->to_vip(Net::alice, 4000, flag::fin));
  (void)world.send(this->from(Net::t1, Net::alice, 4000, flag::fin));
  (void)world.send(this->to_vip(Net::alice, 4001, flag::rst));
  world.advance(599s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4002, flag::syn))), this->target(Net::t1));
  world.advance(600s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4003, flag::syn))), this->target(Net::t2)) << "idle for 600 s";
}

TYPED_TEST(EngineTest, AClosedConnectionLeavesAfterTenSecondsAndCannotBeKeptAlive) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  (void)world.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack));
  (void)world.send(this->to_vip(Net::alice, 4000, flag::ack));
  (void)world.send(this->to_vip(Net::alice, 4000, flag::fin));
  (void)world.send(this->from(Net::t1, Net::alice, 4000, flag::fin));
  world.advance(9s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::ack))), this->target(Net::t1));
  world.advance(1s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::ack))), drop_text(Refusal::no_session));
  EXPECT_EQ(world.engine->sessions(), 0U);
  EXPECT_EQ(world.target_sessions(1), 0U);
}

TYPED_TEST(EngineTest, ASynThatReusesPortsOfAClosingConnectionOpensANewOne) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  (void)world.send(this->from(Net::t1, Net::alice, 4000, flag::rst));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t2)) << "balanced anew";
  EXPECT_EQ(world.engine->sessions(), 1U);
  EXPECT_EQ(world.engine->tally().replaced, 1U);
  EXPECT_EQ(world.target_sessions(1), 0U);
  EXPECT_EQ(world.target_sessions(2), 1U);
}

TYPED_TEST(EngineTest, ARepeatedSynStaysWithItsTarget) {
  using Net = TypeParam;
  World world(this->config());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t1));
    world.advance(1s);
  }
  EXPECT_EQ(world.engine->sessions(), 1U);
}

TYPED_TEST(EngineTest, AForgedResetDoesNotEndAConnectionThatGoesOn) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  (void)world.send(this->to_vip(Net::alice, 4000, flag::rst));
  for (int i = 0; i < 5; ++i) {
    world.advance(9s);
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::ack))), this->target(Net::t1));
  }
  world.advance(9s);
  (void)world.send(this->to_vip(Net::alice, 4000, flag::rst));
  world.advance(1s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::ack))), drop_text(Refusal::no_session))
      << "resets keep nothing alive";
}

TYPED_TEST(EngineTest, HalfOpenConnectionsLeaveAfterAMinute) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  world.advance(60s);
  world.engine->sweep(world.now, 100);
  EXPECT_EQ(world.engine->sessions(), 0U);
  EXPECT_EQ(world.engine->tally().expired, 1U);
}

TYPED_TEST(EngineTest, WithoutASessionOnlySynIsBalanced) {
  using Net = TypeParam;
  for (const SessionId session_id : {SessionId::client, SessionId::connection}) {
    World world(this->config(session_id));
    for (const std::uint8_t flags : {flag::ack, flag::syn_ack, flag::fin, flag::rst, std::uint8_t{0}}) {
      EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flags))), drop_text(Refusal::no_session));
    }
    EXPECT_EQ(world.engine->sessions(), 0U);
  }
}

TYPED_TEST(EngineTest, HashJoinsAConnectionInItsMiddleAtTheSameTargetButNotAReset) {
  using Net = TypeParam;
  World before(this->config(SessionId::connection, Method::hash));
  World after(this->config(SessionId::connection, Method::hash));
  for (std::uint16_t port = 4000; port < 4032; ++port) {
    const std::string there = text_of(before.send(this->to_vip(Net::alice, port, flag::syn)));
    EXPECT_EQ(text_of(after.send(this->to_vip(Net::alice, port, flag::ack))), there);
  }
  EXPECT_EQ(text_of(after.send(this->to_vip(Net::bob, 1, flag::rst))), drop_text(Refusal::no_session));
  EXPECT_EQ(text_of(after.send(this->to_vip(Net::bob, 1, flag::syn_ack))), drop_text(Refusal::no_session));
  after.advance(60s);
  after.engine->sweep(after.now, 100);
  EXPECT_EQ(after.engine->sessions(), 0U) << "an unanswered one does not stay";
}

TYPED_TEST(EngineTest, RepliesAndOwnTrafficOfTargetsWithoutASessionPassAndCreateNone) {
  using Net = TypeParam;
  World world(this->config());
  for (const std::uint8_t flags : {flag::syn, flag::syn_ack, flag::ack, flag::rst}) {
    EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flags))), "pass");
  }
  EXPECT_EQ(text_of(world.send(tcp_facts<typename Net::Address>(Net::alice, 1, Net::bob, 2, flag::syn))), "pass");
  EXPECT_EQ(world.engine->sessions(), 0U);
}

TYPED_TEST(EngineTest, ReplyFromAnotherPortOfTheTargetIsItsOwnTraffic) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  EXPECT_EQ(text_of(world.send(tcp_facts<typename Net::Address>(Net::t1, 81, Net::alice, 4000, flag::ack))), "pass");
  EXPECT_EQ(text_of(world.send(udp_facts<typename Net::Address>(Net::t1, 80, Net::alice, 4000))), "pass");
  EXPECT_EQ(text_of(world.send(this->from(Net::t2, Net::alice, 4000, flag::ack))), "pass");
}

TYPED_TEST(EngineTest, APortThatNobodyServesIsNoService) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  World world(this->config());
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn, 8081))), drop_text(Refusal::no_service));
  EXPECT_EQ(text_of(world.send(udp_facts<Address>(Net::alice, 4000, Net::vip, 8080))), drop_text(Refusal::no_service));
  EXPECT_EQ(text_of(world.send(other_facts<Address>(Net::alice, Net::vip, 47))), drop_text(Refusal::no_service));
}

TYPED_TEST(EngineTest, SourcesThatNobodyCanBeAnsweredAtBeginNothing) {
  using Net = TypeParam;
  struct Row {
    const char* source;
    Refusal refusal;
  };
  constexpr bool is_v4 = std::is_same_v<typename Net::Address, Ipv4Address>;
  const std::vector<Row> rows =
      is_v4 ? std::vector<Row>{{"0.0.0.0", Refusal::bad_source},         {"127.0.0.1", Refusal::bad_source},
                               {"224.0.0.1", Refusal::bad_source},       {"240.0.0.1", Refusal::bad_source},
                               {"255.255.255.255", Refusal::bad_source}, {"169.254.7.7", Refusal::link_local}}
            : std::vector<Row>{{"::", Refusal::bad_source},
                               {"::1", Refusal::bad_source},
                               {"ff02::1", Refusal::bad_source},
                               {"fe80::7", Refusal::link_local},
                               {"febf::7", Refusal::link_local}};
  for (const SessionId session_id : {SessionId::client, SessionId::connection}) {
    World world(this->config(session_id, Method::hash));
    for (const Row& row : rows) {
      for (const std::uint8_t flags : {flag::syn, flag::ack}) {
        EXPECT_EQ(text_of(world.send(this->to_vip(row.source, 4000, flags))), drop_text(row.refusal)) << row.source;
      }
    }
    EXPECT_EQ(world.engine->sessions(), 0U);
  }
}

TYPED_TEST(EngineTest, FragmentsAndErrorsToAServiceAreRefusedByName) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  World world(this->config());
  auto facts = this->to_vip(Net::alice, 4000, flag::syn);
  for (const Part part : {Part::first_fragment, Part::later_fragment}) {
    facts.part = part;
    EXPECT_EQ(text_of(world.send(facts)), drop_text(Refusal::fragment));
  }
  EXPECT_EQ(text_of(world.send(other_facts<Address>(Net::alice, Net::vip, 1, Icmp::error))),
            drop_text(Refusal::icmp_error));
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  auto answer = this->from(Net::t1, Net::alice, 4000, flag::ack);
  answer.part = Part::first_fragment;
  EXPECT_EQ(text_of(world.send(answer)), drop_text(Refusal::fragment));
}

// As the door gives it: without ports.
template <class Address>
Facts<Address> later_part(std::string_view source, std::string_view destination, std::uint32_t id) {
  Facts<Address> facts = other_facts<Address>(source, destination, wire::ip_protocol::udp);
  facts.part = Part::later_fragment;
  facts.fragment_id = id;
  return facts;
}

TYPED_TEST(EngineTest, LaterFragmentsOfAReplyFollowTheFirst) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  World world(this->config(SessionId::connection, Method::rr, udp, 53));
  (void)world.send(udp_facts<Address>(Net::alice, 4000, Net::vip, 53));
  auto first = udp_facts<Address>(Net::t1, 80, Net::alice, 4000);
  first.part = Part::first_fragment;
  first.fragment_id = 7;
  EXPECT_EQ(text_of(world.send(first)), drop_text(Refusal::fragment));
  EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::alice, 7))), drop_text(Refusal::fragment));
  EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::alice, 7))), drop_text(Refusal::fragment));
  // The target's own datagrams, to whomever.
  EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::alice, 8))), "pass");
  EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::bob, 7))), "pass");
  EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t2, Net::alice, 7))), "pass");
  auto own = udp_facts<Address>(Net::t1, 5000, Net::alice, 53);
  own.part = Part::first_fragment;
  own.fragment_id = 9;
  EXPECT_EQ(text_of(world.send(own)), "pass");
  EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::alice, 9))), "pass");
  world.advance(15s);
  EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::alice, 7))), "pass") << "identifications come again";
}

TYPED_TEST(EngineTest, LaterFragmentsOfATargetThatIsAllTheClientsAreRepliesWhateverComesFirst) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  for (const std::uint8_t protocol : {std::uint8_t{0}, udp}) {
    World world(this->config(SessionId::client, Method::rr, protocol, 0));
    (void)world.send(udp_facts<Address>(Net::alice, 4000, Net::vip, 53));
    EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::alice, 7))), drop_text(Refusal::fragment));
    EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t1, Net::bob, 7))), "pass");
    EXPECT_EQ(text_of(world.send(later_part<Address>(Net::t2, Net::alice, 7))), "pass");
  }
}

// A connection of a client whose handshake is over. Which target it went to.
template <class Net>
std::string establish(World& world, std::uint16_t port) {
  using Address = typename Net::Address;
  const std::string target = text_of(world.send(tcp_facts<Address>(Net::alice, port, Net::vip, 8080, flag::syn)));
  (void)world.send(tcp_facts<Address>(Net::t1, 80, Net::alice, port, flag::syn_ack));
  (void)world.send(tcp_facts<Address>(Net::t2, 80, Net::alice, port, flag::syn_ack));
  (void)world.send(tcp_facts<Address>(Net::alice, port, Net::vip, 8080, flag::ack));
  return target;
}

TYPED_TEST(EngineTest, AFullTableRefusesNewSessionsAndServesTheOldOnes) {
  using Net = TypeParam;
  World world(this->config(), {.sessions4 = 16, .sessions6 = 16});
  for (std::uint16_t port = 1; port <= 16; ++port) (void)establish<Net>(world, port);
  EXPECT_EQ(world.engine->sessions(), 16U);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 99, flag::syn))), drop_text(Refusal::session_table_full));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 1, flag::syn))), this->target(Net::t1));
  EXPECT_EQ(world.target_sessions(1) + world.target_sessions(2), 16U);
  EXPECT_EQ(world.engine->tally().evicted, 0U);
  world.advance(600s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 99, flag::syn))).substr(0, 6), "target")
      << "dead entries make room when it is needed, before a sweep comes";
  EXPECT_EQ(world.engine->tally().evicted, 0U);
}

TYPED_TEST(EngineTest, AFloodOfSynKeepsNobodyOutAndEndsNoConnection) {
  using Net = TypeParam;
  World world(this->config(), {.sessions4 = 64, .sessions6 = 64});
  std::vector<std::string> targets;
  for (std::uint16_t port = 1; port <= 8; ++port) targets.push_back(establish<Net>(world, port));
  // Many in one millisecond; half of them answered by their target. None is ever acknowledged.
  for (std::uint16_t port = 1; port <= 2000; ++port) {
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::bob, port, flag::syn))).substr(0, 6), "target");
    if (port % 2 == 0) {
      (void)world.send(this->from(Net::t1, Net::bob, port, flag::syn_ack));
      (void)world.send(this->from(Net::t2, Net::bob, port, flag::syn_ack));
    }
    if (port % 500 == 0) world.advance(1ms);
  }
  EXPECT_EQ(world.engine->sessions(), 64U);
  EXPECT_EQ(world.engine->tally().evicted, 2000U - 56U);
  EXPECT_EQ(establish<Net>(world, 99).substr(0, 6), "target") << "a newcomer gets in";
  for (std::uint16_t port = 1; port <= 8; ++port) {
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, port, flag::ack))), targets[port - 1U]);
  }
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 99, flag::ack))).substr(0, 6), "target");
  EXPECT_EQ(world.target_sessions(1) + world.target_sessions(2), 64U);
}

TYPED_TEST(EngineTest, OfHalfOpenEntriesTheOldestIsGivenUp) {
  using Net = TypeParam;
  World world(this->config(SessionId::connection, Method::first), {.sessions4 = 16, .sessions6 = 16});
  for (std::uint16_t port = 1; port <= 16; ++port) {
    (void)world.send(this->to_vip(Net::alice, port, flag::syn));
    world.advance(10ms);
  }
  for (std::uint16_t port = 17; port <= 20; ++port) (void)world.send(this->to_vip(Net::alice, port, flag::syn));
  for (std::uint16_t port = 1; port <= 20; ++port) {
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, port, flag::ack))),
              port <= 4 ? drop_text(Refusal::no_session) : this->target(Net::t1))
        << port;
  }
}

TYPED_TEST(EngineTest, AForgedResetThatBothSidesIgnoreLeavesTheConnectionAsItWas) {
  using Net = TypeParam;
  World world(this->config());
  (void)establish<Net>(world, 4000);
  (void)world.send(this->to_vip(Net::alice, 4000, flag::rst));
  (void)world.send(this->from(Net::t1, Net::alice, 4000, flag::ack));
  (void)world.send(this->to_vip(Net::alice, 4000, flag::ack));
  world.advance(599s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::ack))), this->target(Net::t1));
}

}  // namespace
}  // namespace trivet::slb
