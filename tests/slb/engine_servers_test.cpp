// Servers and targets: sharing, conflicts, health, drain, reload, servers without port or protocol, methods, counts.
#include <gtest/gtest.h>

#include <array>

#include "engine_world.h"
#include "scheduler_lists.h"
#include "slb/engine.h"

namespace trivet::slb {
namespace {

using namespace std::chrono_literals;
using wire::ip_protocol::tcp;
using wire::ip_protocol::udp;

template <class Net>
using EngineServersTest = EngineTest<Net>;
TYPED_TEST_SUITE(EngineServersTest, Families, );

TYPED_TEST(EngineServersTest, TwoServersShareATargetAsLongAsRepliesCanBeToldApart) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  Config config = this->config();
  config.servers.push_back(server_config(2, Net::vip2, 8080, tcp, {1, 2}));
  World world(config);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t1));
  // The same ports through the other server: at target 1 both would be the same connection.
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 8080, flag::syn))),
            this->target(Net::t2));
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4001, Net::vip2, 8080, flag::syn))).substr(0, 6),
            "target");
  EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack))), this->reply());
  EXPECT_EQ(text_of(world.send(this->from(Net::t2, Net::alice, 4000, flag::syn_ack))),
            "client " + std::string{Net::vip2} + " 8080");
}

TYPED_TEST(EngineServersTest, WithoutAnotherTargetAConflictIsRefused) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  Config config = this->config();
  config.servers[0].targets = {1};
  config.servers.push_back(server_config(2, Net::vip2, 8080, tcp, {1}));
  World world(config);
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  const auto other = tcp_facts<Address>(Net::alice, 4000, Net::vip2, 8080, flag::syn);
  EXPECT_EQ(text_of(world.send(other)), drop_text(Refusal::session_conflict));
  world.advance(60s);
  EXPECT_EQ(text_of(world.send(other)), this->target(Net::t1)) << "an expired session holds nothing";
}

// Server 1 with sessionid src on `port` and `protocol`, server 2 with src+port on TCP port 80; both use target 1 as it
// is. A connection of Alice to either is the same connection at the target.
Config mixed_config(const char* vip, const char* vip2, const char* t1, const char* t2, std::uint16_t port,
                    std::uint8_t protocol, std::vector<TargetId> targets) {
  Config config;
  config.servers = {server_config(1, vip, port, protocol, targets, SessionId::client),
                    server_config(2, vip2, 80, tcp, targets, SessionId::connection)};
  config.targets = {target_config(1, t1, 0), target_config(2, t2, 0)};
  return config;
}
struct Wildcard {
  std::uint16_t port;
  std::uint8_t protocol;
};
constexpr std::array wildcards{Wildcard{80, tcp}, Wildcard{80, 0}, Wildcard{0, tcp}, Wildcard{0, 0}};

TYPED_TEST(EngineServersTest, AConnectionYieldsToTheSessionOfItsClientWithAnotherServer) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  for (const auto& [port, protocol] : wildcards) {
    World world(mixed_config(Net::vip, Net::vip2, Net::t1, Net::t2, port, protocol, {1, 2}));
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn, 80))), this->target(Net::t1));
    EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 80, flag::syn))),
              this->target(Net::t2))
        << "another target";
    EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack))),
              this->reply(port == 0 ? 80 : port));
    World alone(mixed_config(Net::vip, Net::vip2, Net::t1, Net::t2, port, protocol, {1}));
    EXPECT_EQ(text_of(alone.send(this->to_vip(Net::alice, 4000, flag::syn, 80))), this->target(Net::t1));
    EXPECT_EQ(text_of(alone.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 80, flag::syn))),
              drop_text(Refusal::session_conflict));
    EXPECT_EQ(text_of(alone.send(tcp_facts<Address>(Net::bob, 4000, Net::vip2, 80, flag::syn))), this->target(Net::t1));
    EXPECT_EQ(alone.engine->sessions(), 2U);
  }
}

TYPED_TEST(EngineServersTest, ASessionOfAClientYieldsToItsConnectionWithAnotherServer) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  for (const auto& [port, protocol] : wildcards) {
    World world(mixed_config(Net::vip, Net::vip2, Net::t1, Net::t2, port, protocol, {1, 2}));
    EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 80, flag::syn))),
              this->target(Net::t1));
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn, 80))), this->target(Net::t2));
    World alone(mixed_config(Net::vip, Net::vip2, Net::t1, Net::t2, port, protocol, {1}));
    EXPECT_EQ(text_of(alone.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 80, flag::syn))),
              this->target(Net::t1));
    EXPECT_EQ(text_of(alone.send(this->to_vip(Net::alice, 4000, flag::syn, 80))), drop_text(Refusal::session_conflict));
    EXPECT_EQ(alone.engine->sessions(), 1U);
    // From another port it is another connection, and the session that it begins takes in no other's later on.
    EXPECT_EQ(text_of(alone.send(this->to_vip(Net::alice, 4001, flag::syn, 80))), this->target(Net::t1));
    EXPECT_EQ(text_of(alone.send(this->to_vip(Net::alice, 4000, flag::syn, 80))), drop_text(Refusal::session_conflict));
    EXPECT_EQ(text_of(alone.send(this->to_vip(Net::alice, 4001, flag::ack, 80))), this->target(Net::t1));
    EXPECT_EQ(text_of(alone.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack))),
              "client " + std::string{Net::vip2} + " 80");
    EXPECT_EQ(text_of(alone.send(this->from(Net::t1, Net::alice, 4001, flag::syn_ack))), this->reply(80));
  }
}

TYPED_TEST(EngineServersTest, SessionsOfClientsInDifferentFormsShareNoFlow) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  for (const auto& [port, protocol] : wildcards) {
    for (const auto& [port2, protocol2] : wildcards) {
      if (port == port2 && protocol == protocol2) continue;
      Config config = mixed_config(Net::vip, Net::vip2, Net::t1, Net::t2, port, protocol, {1});
      config.servers[1] = server_config(2, Net::vip2, port2, protocol2, {1}, SessionId::client);
      World world(config);
      EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn, 80))), this->target(Net::t1));
      EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 80, flag::syn))),
                drop_text(Refusal::session_conflict));
      EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack))), this->reply(80));
    }
  }
}

TYPED_TEST(EngineServersTest, FormsThatShareNoPortOrProtocolDoNotConflict) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  Config config = mixed_config(Net::vip, Net::vip2, Net::t1, Net::t2, 53, udp, {1});
  config.servers.push_back(server_config(3, Net::vip2, 443, tcp, {1}, SessionId::client));
  World world(config);
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 80, flag::syn))), this->target(Net::t1));
  EXPECT_EQ(text_of(world.send(udp_facts<Address>(Net::alice, 4000, Net::vip, 53))), this->target(Net::t1, 53));
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4000, Net::vip2, 443, flag::syn))),
            this->target(Net::t1, 443));
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::alice, 4001, Net::vip2, 80, flag::syn))), this->target(Net::t1));
}

TYPED_TEST(EngineServersTest, ATargetThatGoesDownLosesItsSessionsAtOnce) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  (void)world.send(this->to_vip(Net::alice, 4001, flag::syn));
  world.health(1, Health::down);
  EXPECT_EQ(world.target_sessions(1), 0U);
  EXPECT_EQ(world.target_sessions(2), 1U);
  EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::ack))), "pass");
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t2));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4001, flag::syn))), this->target(Net::t2)) << "untouched";
  world.health(1, Health::up);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t2))
      << "nothing comes back";
  world.engine->sweep(world.now, 100);
  EXPECT_EQ(world.engine->sessions(), 2U) << "the dead record was freed";
  EXPECT_EQ(world.target_sessions(1), 0U) << "and not counted twice";
}

TYPED_TEST(EngineServersTest, AnUndecidedTargetTakesNothingNewAndKeepsWhatItHas) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  world.health(1, Health::undecided);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t1));
  for (std::uint16_t port = 4001; port < 4010; ++port) {
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, port, flag::syn))), this->target(Net::t2));
  }
  world.health(2, Health::undecided);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 5000, flag::syn))), drop_text(Refusal::no_target));
}

TYPED_TEST(EngineServersTest, ADisabledTargetDrains) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  world.config.targets[0].state = LifeCycle::registered;
  world.configure();
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t1));
  EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack))), this->reply());
  for (std::uint16_t port = 4001; port < 4010; ++port) {
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, port, flag::syn))), this->target(Net::t2));
  }
  world.config.targets[0].state = LifeCycle::defined;
  world.configure();
  EXPECT_EQ(world.target_sessions(1), 0U) << "unregistered: gone";
}

TYPED_TEST(EngineServersTest, AReloadTouchesOnlyWhatItChanges) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  Config config = this->config();
  config.servers.push_back(server_config(2, Net::vip2, 53, udp, {1}));
  World world(config);
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  (void)world.send(this->to_vip(Net::alice, 4001, flag::syn));
  (void)world.send(udp_facts<Address>(Net::alice, 4002, Net::vip2, 53));
  world.configure();
  EXPECT_EQ(world.server_sessions(1), 2U) << "the same again";
  world.config.servers[0].method = Method::random;
  world.config.targets[0].weight = 7;
  world.config.targets[0].name = "renamed";
  world.configure();
  EXPECT_EQ(world.server_sessions(1), 2U) << "method, weight and name do not touch sessions";
  world.config.targets[1].port = 81;
  world.configure();
  EXPECT_EQ(world.target_sessions(2), 0U) << "another port is another target";
  EXPECT_EQ(world.target_sessions(1), 2U);
  world.config.servers[0].targets = {2};
  world.configure();
  EXPECT_EQ(world.server_sessions(1), 0U);
  EXPECT_EQ(world.server_sessions(2), 1U);
  EXPECT_EQ(world.target_sessions(1), 1U);
  world.config.servers.pop_back();
  world.configure();
  EXPECT_EQ(world.server_sessions(2), 0U);
  EXPECT_EQ(text_of(world.send(udp_facts<Address>(Net::alice, 4002, Net::vip2, 53))), "pass");
}

TYPED_TEST(EngineServersTest, ANumberThatIsUsedAgainInheritsNoSessions) {
  using Net = TypeParam;
  World world(this->config());
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  world.config.servers[0].targets = {2};
  world.configure();
  world.config.servers[0].targets = {2, 1};
  world.configure();
  EXPECT_EQ(world.target_sessions(1), 0U);
  EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::syn_ack))), "pass");
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))).substr(0, 6), "target");
}

TYPED_TEST(EngineServersTest, DirectReturnForwardsUnchangedAndFollowsTheClientsSide) {
  using Net = TypeParam;
  Config config = this->config();
  config.targets[0].dsr = config.targets[1].dsr = true;
  config.targets[0].port = config.targets[1].port = 0;
  World world(config);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), "dsr " + std::string{Net::t1});
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::ack))), "dsr " + std::string{Net::t1});
  EXPECT_EQ(text_of(world.send(this->from(Net::t1, Net::alice, 4000, flag::ack))), "pass") << "its own traffic";
  world.advance(599s);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::fin))), "dsr " + std::string{Net::t1});
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), "dsr " + std::string{Net::t2})
      << "ports used again after the client's FIN";
}

TYPED_TEST(EngineServersTest, UdpFlowsHaveTheirOwnIdleTime) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  World world(this->config(SessionId::connection, Method::rr, udp, 53));
  const auto query = udp_facts<Address>(Net::alice, 4000, Net::vip, 53);
  EXPECT_EQ(text_of(world.send(query)), this->target(Net::t1));
  world.advance(119s);
  EXPECT_EQ(text_of(world.send(udp_facts<Address>(Net::t1, 80, Net::alice, 4000))), this->reply(53));
  world.advance(119s);
  EXPECT_EQ(text_of(world.send(query)), this->target(Net::t1));
  world.advance(120s);
  EXPECT_EQ(text_of(world.send(query)), this->target(Net::t2));
}

TYPED_TEST(EngineServersTest, AnIdleTimeOfTheServersOwnHoldsForUdpFlows) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  Config config = this->config(SessionId::connection, Method::rr, udp, 53);
  config.servers[0].has_own_timeout = true;
  World world(config);
  const auto query = udp_facts<Address>(Net::alice, 4000, Net::vip, 53);
  EXPECT_EQ(text_of(world.send(query)), this->target(Net::t1));
  world.advance(599s);
  EXPECT_EQ(text_of(world.send(udp_facts<Address>(Net::t1, 80, Net::alice, 4000))), this->reply(53));
  world.advance(599s);
  EXPECT_EQ(text_of(world.send(query)), this->target(Net::t1));
  world.advance(600s);
  EXPECT_EQ(text_of(world.send(query)), this->target(Net::t2));
}

TYPED_TEST(EngineServersTest, AServerWithoutPortAndProtocolTakesEverythingByClientAddress) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  World world(this->config(SessionId::client, Method::rr, 0, 0));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn, 22))), this->target(Net::t1, 22));
  EXPECT_EQ(text_of(world.send(udp_facts<Address>(Net::alice, 4000, Net::vip, 53))), this->target(Net::t1, 53));
  EXPECT_EQ(text_of(world.send(other_facts<Address>(Net::alice, Net::vip, 47))), this->target(Net::t1, 0));
  EXPECT_EQ(text_of(world.send(other_facts<Address>(Net::alice, Net::vip, 1, Icmp::echo_request))),
            this->target(Net::t1, 0));
  EXPECT_EQ(text_of(world.send(other_facts<Address>(Net::bob, Net::vip, 1, Icmp::other))),
            drop_text(Refusal::no_session));
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::t1, 22, Net::alice, 4000, flag::syn_ack))), this->reply(22));
  EXPECT_EQ(text_of(world.send(other_facts<Address>(Net::t1, Net::alice, 47))), this->reply(0));
  EXPECT_EQ(world.engine->sessions(), 1U);
}

TYPED_TEST(EngineServersTest, AServerWithoutPortKeyedByConnectionTellsPortsApart) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  World world(this->config(SessionId::connection, Method::rr, tcp, 0));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn, 22))), this->target(Net::t1, 22));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn, 23))), this->target(Net::t2, 23));
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::t1, 22, Net::alice, 4000, flag::syn_ack))), this->reply(22));
  EXPECT_EQ(text_of(world.send(tcp_facts<Address>(Net::t1, 23, Net::alice, 4000, flag::syn_ack))), "pass");
}

TYPED_TEST(EngineServersTest, TheMostSpecificServerOfAnAddressTakesThePacket) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  Config config;
  config.targets = {target_config(1, Net::t1, 0), target_config(2, Net::t2, 0)};
  config.servers = {server_config(1, Net::vip, 0, 0, {2}, SessionId::client),
                    server_config(2, Net::vip, 80, tcp, {1}, SessionId::client)};
  World world(config);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 1, flag::syn, 80))), this->target(Net::t1, 80));
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 1, flag::syn, 81))), this->target(Net::t2, 81));
  EXPECT_EQ(text_of(world.send(udp_facts<Address>(Net::alice, 1, Net::vip, 80))), this->target(Net::t2, 80));
}

TYPED_TEST(EngineServersTest, LeastSessionsFollowsWhatEndsAsWell) {
  using Net = TypeParam;
  World world(this->config(SessionId::connection, Method::session));
  for (std::uint16_t port = 1; port <= 10; ++port) (void)world.send(this->to_vip(Net::alice, port, flag::syn));
  EXPECT_EQ(world.target_sessions(1), 5U);
  EXPECT_EQ(world.target_sessions(2), 5U);
  for (std::uint16_t port = 1; port <= 10; ++port) {
    (void)world.send(this->from(Net::t2, Net::alice, port, flag::rst));  // only those of target 2 exist there
  }
  world.advance(10s);
  world.engine->sweep(world.now, 100);
  EXPECT_EQ(world.target_sessions(2), 0U);
  for (std::uint16_t port = 11; port <= 15; ++port) {
    EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, port, flag::syn))), this->target(Net::t2));
  }
}

// Three servers, two of them with the same list: whatever begins, ends, goes or changes, the next session goes where a
// walk through the counts of the moment says.
TYPED_TEST(EngineServersTest, LeastSessionsSeesWhatOtherServersDo) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  const auto with_last = [](std::string address, unsigned digit) {
    address.back() = static_cast<char>('0' + digit);
    return address;
  };
  const auto address_of_target = [&](TargetId number) { return with_last(Net::t1, number); };
  const std::array<std::string, 4> vips{"", Net::vip, Net::vip2, with_last(Net::vip2, 3)};
  Config config;
  for (ServerId number = 1; number <= 3; ++number) {
    const std::vector<TargetId> targets =
        number == 2 ? std::vector<TargetId>{7, 3, 5, 4} : std::vector<TargetId>{1, 2, 3, 4, 5};
    config.servers.push_back(
        server_config(number, vips[number], 8080, tcp, targets, SessionId::connection, Method::session));
  }
  for (TargetId number = 1; number <= 7; ++number) {
    config.targets.push_back(target_config(number, address_of_target(number), 80));
  }
  World world(config, {.sessions4 = 5000, .sessions6 = 5000});
  Random random(37);
  std::array<std::uint32_t, 4> rotations{};
  std::uint16_t port = 0;
  for (int step = 0; step < 6000; ++step) {
    const auto number = static_cast<ServerId>(1 + random.below(3));
    const auto target = static_cast<TargetId>(1 + random.below(7));
    switch (random.below(16)) {
      case 0:
        world.health(target, static_cast<Health>(random.below(3)));
        break;
      case 1:
        world.config.targets[target - 1U].weight = static_cast<std::uint16_t>(random.below(4));
        world.configure();
        break;
      case 2:
        world.advance(std::chrono::milliseconds(random.below(6000)));
        world.engine->sweep(world.now, 100);
        break;
      default: {
        const ServerConfig& server = world.config.servers[number - 1U];
        List list;
        for (const TargetId one : server.targets) {
          list.push_back({.sessions = static_cast<std::uint32_t>(world.target_sessions(one)),
                          .weight = world.config.targets[one - 1U].weight,
                          .usable = world.registry.health(one) == Health::up});
        }
        const Pick expected = plain::least_sessions(list, rotations[number]);
        const auto action = world.send(tcp_facts<Address>(Net::alice, ++port, vips[number], 8080, flag::syn));
        ASSERT_EQ(text_of(action),
                  expected ? this->target(address_of_target(server.targets[*expected])) : drop_text(Refusal::no_target))
            << step;
        break;
      }
    }
  }
}

TYPED_TEST(EngineServersTest, WeightZeroTakesNothingNew) {
  using Net = TypeParam;
  for (const Method method : {Method::rr, Method::random, Method::hash, Method::first, Method::session}) {
    Config config = this->config(SessionId::connection, method);
    config.targets[0].weight = 0;
    World world(config);
    for (std::uint16_t port = 1; port <= 20; ++port) {
      EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, port, flag::syn))), this->target(Net::t2));
    }
  }
}

TYPED_TEST(EngineServersTest, TimeThatWrapsEndsNoSession) {
  using Net = TypeParam;
  World world(this->config());
  world.now = 0xffffffffU - 5'000;
  (void)world.send(this->to_vip(Net::alice, 4000, flag::syn));
  world.advance(50s);
  world.engine->sweep(world.now, 100);
  EXPECT_EQ(text_of(world.send(this->to_vip(Net::alice, 4000, flag::syn))), this->target(Net::t1));
  world.advance(60s);
  world.engine->sweep(world.now, 100);
  EXPECT_EQ(world.engine->sessions(), 0U);
}

TYPED_TEST(EngineServersTest, CountsStayExactInARandomRun) {
  using Net = TypeParam;
  using Address = typename Net::Address;
  Config config = this->config(SessionId::connection, Method::random);
  config.servers.push_back(server_config(2, Net::vip2, 53, udp, {1, 2}, SessionId::client));
  World world(config, {.sessions4 = 64, .sessions6 = 64});
  Random random(4);
  for (int step = 0; step < 30'000; ++step) {
    const auto port = static_cast<std::uint16_t>(1 + random.below(60));
    const std::string client = random.below(2) == 0 ? Net::alice : Net::bob;
    constexpr std::array flags{flag::syn, flag::ack, flag::fin, flag::rst, flag::syn};
    switch (random.below(6)) {
      case 0:
      case 1:
        (void)world.send(this->to_vip(client, port, flags[random.below(flags.size())]));
        break;
      case 2:
        (void)world.send(this->from(random.below(2) == 0 ? Net::t1 : Net::t2, client, port, flag::fin));
        break;
      case 3:
        (void)world.send(udp_facts<Address>(client, port, Net::vip2, 53));
        break;
      case 4:
        world.health(static_cast<TargetId>(1 + random.below(2)), static_cast<Health>(random.below(3)));
        break;
      default:
        world.advance(std::chrono::milliseconds(random.below(4000)));
        break;
    }
    if (step % 7 == 0) world.engine->sweep(world.now, 5);
    if (step % 100 != 0) continue;
    const auto& table = world.engine->template table<Address>();
    std::array<std::uint64_t, 3> by_target{};
    for (std::uint32_t i = 0; i < table.high_water(); ++i) {
      const auto& session = table.record(i);
      if (session.state == SessionState::none) continue;
      const Binding& binding = world.directory->bindings[session.binding];
      if (binding.epoch == session.epoch) ++by_target[binding.target];
    }
    ASSERT_EQ(world.target_sessions(1), by_target[1]);
    ASSERT_EQ(world.target_sessions(2), by_target[2]);
    ASSERT_EQ(world.server_sessions(1) + world.server_sessions(2), by_target[1] + by_target[2]);
  }
  world.advance(700s);
  world.engine->sweep(world.now, 64);
  EXPECT_EQ(world.engine->sessions(), 0U);
  EXPECT_EQ(world.target_sessions(1) + world.target_sessions(2), 0U);
}

}  // namespace
}  // namespace trivet::slb
