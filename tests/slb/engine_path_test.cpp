// The packet path finds nearly all sessions at its first look and leaves the rest to the general way: both must decide
// alike. A look-up that was not matched with the table goes the general way always.
#include "slb/engine_path.h"

#include <gtest/gtest.h>

#include "engine_world.h"
#include "trivet/random.h"

namespace trivet::slb {
namespace {

using wire::ip_protocol::tcp;
using wire::ip_protocol::udp;

template <class Net>
class EnginePathTest : public EngineTest<Net> {
 protected:
  using NetAddress = typename Net::Address;

  // Servers of every kind, which share their targets.
  static Config every_kind() {
    Config config;
    config.servers = {
        server_config(1, Net::vip, 8080, tcp, {1, 2}),
        server_config(2, Net::vip, 53, udp, {1, 2, 3}),
        server_config(3, Net::vip, 0, tcp, {1, 2}, SessionId::client, Method::hash),
        server_config(4, Net::vip2, 0, 0, {1, 2, 4}, SessionId::client, Method::session),
        server_config(5, Net::vip2, 80, 0, {2, 3}, SessionId::client),
    };
    for (ServerConfig& server : config.servers) server.session_timeout = std::chrono::seconds(200);
    config.targets = {target_config(1, Net::t1, 80), target_config(2, Net::t2, 0), target_config(3, Net::t1, 53),
                      target_config(4, Net::t2, 0)};
    config.targets[2].dsr = true;
    return config;
  }
  template <std::size_t size>
  static auto any_of(Random& random, const std::array<const char*, size>& names) {
    return address_of<NetAddress>(names[random.below(size)]);
  }
  static std::uint16_t any_port(Random& random) {
    static constexpr std::array<std::uint16_t, 6> ports{80, 53, 8080, 4000, 4001, 0};
    return ports[random.below(ports.size())];
  }
  static Facts<NetAddress> any_facts(Random& random) {
    static constexpr std::array hosts{Net::vip, Net::vip2, Net::t1, Net::t2, Net::alice, Net::bob};
    Facts<NetAddress> facts;
    facts.source = any_of(random, hosts);
    facts.destination = any_of(random, hosts);
    facts.to_node = random.below(8) != 0;
    facts.bytes = static_cast<std::uint32_t>(40 + random.below(1400));
    facts.protocol = random.below(4) == 0 ? udp : tcp;
    switch (random.below(16)) {
      case 0:
        facts.part = random.below(2) == 0 ? Part::first_fragment : Part::later_fragment;
        facts.fragment_id = static_cast<std::uint32_t>(random.below(3));
        facts.has_ports = facts.part == Part::first_fragment;
        break;
      case 1:
        facts.protocol = wire::ip_protocol::icmp;
        facts.icmp = static_cast<Icmp>(1 + random.below(3));
        break;
      case 2:
        facts.protocol = 47;
        break;
      default:
        facts.has_ports = true;
    }
    if (facts.has_ports) {
      facts.source_port = any_port(random);
      facts.destination_port = any_port(random);
      if (facts.protocol == tcp) {
        static constexpr std::array<std::uint8_t, 6> usual{flag::syn,     flag::ack, flag::ack,
                                                           flag::syn_ack, flag::fin, flag::rst};
        facts.tcp_flags =
            random.below(8) == 0 ? static_cast<std::uint8_t>(random()) : usual[random.below(usual.size())];
      }
    }
    return facts;
  }
  static Action<NetAddress> send_the_general_way(World& world, const Facts<NetAddress>& facts) {
    Lookup<NetAddress> lookup{.facts = facts};
    world.engine->classify(lookup);
    return world.engine->decide(lookup, world.now);
  }
  static void expect_same_numbers(const World& one, const World& other) {
    const auto same = [](const TrafficCells& left, const TrafficCells& right) {
      EXPECT_EQ(left.sessions.load(), right.sessions.load());
      EXPECT_EQ(left.packets_in.load(), right.packets_in.load());
      EXPECT_EQ(left.bytes_in.load(), right.bytes_in.load());
      EXPECT_EQ(left.packets_out.load(), right.packets_out.load());
      EXPECT_EQ(left.bytes_out.load(), right.bytes_out.load());
    };
    for (std::size_t i = 1; i <= 5; ++i) {
      same(one.traffic->servers[i], other.traffic->servers[i]);
      same(one.traffic->targets[i], other.traffic->targets[i]);
    }
    const Engine::Tally& left = one.engine->tally();
    const Engine::Tally& right = other.engine->tally();
    EXPECT_EQ(left.created, right.created);
    EXPECT_EQ(left.expired, right.expired);
    EXPECT_EQ(left.removed, right.removed);
    EXPECT_EQ(left.replaced, right.replaced);
    EXPECT_EQ(left.evicted, right.evicted);
    EXPECT_EQ(one.engine->sessions(), other.engine->sessions());
  }
};
TYPED_TEST_SUITE(EnginePathTest, Families);

TYPED_TEST(EnginePathTest, DecidesAsTheGeneralWayDoes) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    // The smaller one is full most of the time.
    const std::uint32_t room = seed % 2 == 0 ? 12 : 1000;
    World quick(this->every_kind(), {.sessions4 = room, .sessions6 = room});
    World general(this->every_kind(), {.sessions4 = room, .sessions6 = room});
    Random random(seed);
    std::size_t to_targets = 0;
    std::size_t to_clients = 0;
    for (int step = 0; step < 40'000; ++step) {
      const auto facts = this->any_facts(random);
      const auto action = quick.send(facts);
      ASSERT_EQ(text_of(action), text_of(this->send_the_general_way(general, facts)))
          << "seed " << seed << ", " << step;
      to_targets += static_cast<std::size_t>(action.outcome == Outcome::to_target);
      to_clients += static_cast<std::size_t>(action.outcome == Outcome::to_client);
      if (random.below(50) == 0) {
        const auto pause = std::chrono::milliseconds(random.below(random.below(20) == 0 ? 300'000 : 2'000));
        quick.advance(pause);
        general.advance(pause);
      }
      if (random.below(2000) == 0) {
        const auto target = static_cast<TargetId>(1 + random.below(4));
        const Health health = random.below(2) == 0 ? Health::down : Health::up;
        quick.health(target, health);
        general.health(target, health);
      }
    }
    this->expect_same_numbers(quick, general);
    EXPECT_GT(to_targets, 1000U);
    EXPECT_GT(to_clients, 1000U);
  }
}

// As a worker does it: a whole batch is classified and matched before the first packet of it is decided about.
TYPED_TEST(EnginePathTest, WhatABatchChangesIsSeenByItsLaterPackets) {
  World quick(this->every_kind());
  World general(this->every_kind());
  Random random(5);
  for (int round = 0; round < 2'000; ++round) {
    std::array<Lookup<typename TypeParam::Address>, 64> batch{};
    for (auto& lookup : batch) {
      lookup.facts = this->any_facts(random);
      quick.engine->classify(lookup);
    }
    for (auto& lookup : batch) quick.engine->match(lookup);
    for (const auto& lookup : batch) {
      ASSERT_EQ(text_of(quick.engine->decide(lookup, quick.now)),
                text_of(this->send_the_general_way(general, lookup.facts)))
          << "round " << round;
    }
    const auto pause = std::chrono::milliseconds(random.below(30) == 0 ? 150'000 : 100);
    quick.advance(pause);
    general.advance(pause);
  }
  this->expect_same_numbers(quick, general);
}

}  // namespace
}  // namespace trivet::slb
