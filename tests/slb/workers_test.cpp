// A node with several workers: each client's session is one worker's, and the whole looks like one balancer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "lab.h"
#include "slb/steering.h"
#include "trivet/net/address.h"

namespace trivet::slb {
namespace {

using testkit::payload;
using testkit::tcp;

constexpr std::uint32_t clients = 60;

// Workers and family.
class SlbWorkers : public testing::TestWithParam<std::tuple<int, Net>> {
 protected:
  static const Net& net() { return std::get<1>(GetParam()); }
  static bool is_v4() { return std::string_view{net().keyword} == "ipaddr"; }
  static std::string client(std::uint32_t number) {
    return (is_v4() ? "10.0.0." : "2001:db8::1:") + std::to_string(100 + number);
  }
  static std::string threads() { return "interface 1 threads " + std::to_string(std::get<0>(GetParam())) + "\n"; }

  void start(const std::string& objects) {
    // Reopening the section edits it.
    lab_.emplace(objects + threads());
    for (std::uint32_t number = 0; number < clients; ++number) {
      lab_->node.bus().publish(NeighborEntry{.network = 1,
                                             .address = testkit::ip(client(number)),
                                             .mac = alice_mac,
                                             .interface = 1,
                                             .reachability = NeighborReachability::reachable});
    }
    lab_->node.settle();
  }
  [[nodiscard]] static Frame to_service(std::uint32_t number, const testkit::Tcp& layer) {
    return ip_between(alice_mac, Lab::client_side(), client(number), net().vip) / layer / payload("question");
  }
  // A SYN of each client, and which target's address it was sent to.
  std::map<std::uint32_t, std::string> open_all(std::uint16_t port) {
    std::vector<Frame> frames;
    for (std::uint32_t number = 0; number < clients; ++number) {
      frames.push_back(to_service(number, tcp(port, 8080).syn()));
    }
    lab_->node.inject(1, frames);
    std::map<std::uint32_t, std::string> targets;
    const std::vector<Frame> sent = lab_->to_targets();
    for (std::uint32_t number = 0; number < clients; ++number) {
      for (const auto& [target, mac] : {std::pair{net().t1, t1_mac}, std::pair{net().t2, t2_mac}}) {
        const Frame expected =
            ip_between(Lab::target_side(), mac, client(number), target, 63) / tcp(port, 80).syn() / payload("question");
        if (std::ranges::find(sent, expected) != sent.end()) targets[number] = target;
      }
    }
    return targets;
  }
  std::optional<Lab> lab_;
};

INSTANTIATE_TEST_SUITE_P(Counts, SlbWorkers, testing::Combine(testing::Values(1, 2, 4), testing::Values(net4, net6)),
                         [](const auto& entry) {
                           return "Workers" + std::to_string(std::get<0>(entry.param)) + std::get<1>(entry.param).name;
                         });

TEST_P(SlbWorkers, AnswersMeetTheSessionsOfTheirClients) {
  start(Lab::web(net()));
  const auto targets = open_all(4000);
  ASSERT_EQ(targets.size(), clients);
  std::vector<Frame> answers;
  std::vector<Frame> expected;
  for (const auto& [number, target] : targets) {
    const bool is_first = target == net().t1;
    answers.push_back(ip_between(is_first ? t1_mac : t2_mac, Lab::target_side(), target, client(number)) /
                      tcp(80, 4000).syn().ack(1) / payload("answer"));
    expected.push_back(ip_between(Lab::client_side(), alice_mac, net().vip, client(number), 63) /
                       tcp(8080, 4000).syn().ack(1) / payload("answer"));
  }
  lab_->node.inject(2, answers);
  EXPECT_THAT(lab_->to_clients(), testing::UnorderedElementsAreArray(expected));
  EXPECT_EQ(lab_->node.counter("slb", "sessions_created"), clients);
  EXPECT_EQ(lab_->node.counter("slb", "to_clients"), clients);
  EXPECT_EQ(lab_->node.drops("slb", "no-session"), 0U);
}

TEST_P(SlbWorkers, WhatIsShownIsTheSumAndEachSessionOnce) {
  start(Lab::web(net()));
  ASSERT_EQ(open_all(4000).size(), clients);
  const Report sessions = lab_->node.command("show sessions");
  ASSERT_EQ(sessions.tables.at(0).rows.size(), clients);
  std::set<std::string> shown;
  for (const auto& row : sessions.tables[0].rows) shown.insert(std::get<std::string>(row.at(0)));
  EXPECT_EQ(shown.size(), clients);
  EXPECT_EQ(cell(lab_->node.command("show servers"), 1, "sessions"), Cell{std::uint64_t{clients}});
  EXPECT_EQ(cell(lab_->node.command("show servers"), 1, "packets_in"), Cell{std::uint64_t{clients}});
  const Report targets = lab_->node.command("show targets");
  EXPECT_EQ(
      std::get<std::uint64_t>(cell(targets, 1, "sessions")) + std::get<std::uint64_t>(cell(targets, 2, "sessions")),
      clients);
  const Report modules = lab_->node.command("show modules");
  EXPECT_EQ(cell(modules, 1, "packets"), Cell{std::uint64_t{clients}});
  EXPECT_EQ(cell(modules, 1, "sent"), Cell{std::uint64_t{clients}});
  const Report some = lab_->node.command("show sessions --limit 7");
  EXPECT_EQ(some.tables.at(0).rows.size(), 7U);
}

TEST_P(SlbWorkers, EachWorkerSpreadsEvenly) {
  start(Lab::web(net()));
  std::map<std::string, int> counts;
  for (std::uint16_t port = 4000; port < 4004; ++port) {
    for (const auto& [number, target] : open_all(port)) ++counts[target];
  }
  EXPECT_NEAR(counts[net().t1], 2 * static_cast<int>(clients), std::get<0>(GetParam()));
  EXPECT_EQ(counts[net().t1] + counts[net().t2], 4 * static_cast<int>(clients));
}

TEST_P(SlbWorkers, ATargetThatGoesDownLosesItsSessionsOnAllWorkers) {
  start(Lab::web(net()));
  ASSERT_EQ(open_all(4000).size(), clients);
  lab_->health(1, Health::down);
  for (const auto& [number, target] : open_all(4000)) EXPECT_EQ(target, net().t2);
  EXPECT_EQ(cell(lab_->node.command("show targets"), 1, "sessions"), Cell{std::uint64_t{0}});
}

TEST_P(SlbWorkers, TheTablesShareTheRoom) {
  start("set maxsessions 64\n" + Lab::web(net()));
  std::size_t opened = 0;
  for (std::uint16_t port = 4000; port < 4008; ++port) opened += open_all(port).size();
  // Half-open sessions make room; what counts is how many stand.
  const std::uint64_t standing = std::get<std::uint64_t>(cell(lab_->node.command("show servers"), 1, "sessions"));
  EXPECT_GT(opened, 64U);
  EXPECT_GE(standing, 48U);
  EXPECT_LE(standing, 72U + 4U);
}

TEST_P(SlbWorkers, ADatagramInFragmentsIsRefusedWhole) {
  start(Lab::web(net(), "", ""));
  ASSERT_EQ(open_all(4000).size(), clients);
  std::uint64_t sent = 0;
  for (std::uint32_t number = 0; number < clients; ++number) {
    const Frame whole = ip_between(t1_mac, Lab::target_side(), net().t1, client(number)) / testkit::udp(80, 4000) /
                        testkit::payload_of(200);
    const auto pieces = testkit::fragments(whole, 64, number + 1);
    lab_->node.inject(2, pieces);
    sent += pieces.size();
  }
  EXPECT_TRUE(lab_->to_clients().empty());
  EXPECT_GT(sent, 0U);
}

TEST(SlbSteering, FollowsServersAndTargets) {
  Registry registry;
  const auto pair = [](const char* source, const char* destination) {
    return AddressPair{testkit::ip(source), testkit::ip(destination)};
  };
  Config config;
  ServerConfig server;
  server.number = 1;
  server.state = LifeCycle::enabled;
  server.address4 = testkit::ip4(net4.vip);
  server.address6 = testkit::ip6(net6.vip);
  server.port = 80;
  server.targets = {1, 2};
  TargetConfig routed;
  routed.number = 1;
  routed.state = LifeCycle::enabled;
  routed.address4 = testkit::ip4(net4.t1);
  routed.address6 = testkit::ip6(net6.t1);
  TargetConfig direct = routed;
  direct.number = 2;
  direct.address4 = testkit::ip4(net4.t2);
  direct.address6 = testkit::ip6(net6.t2);
  direct.dsr = true;
  config.servers = {server};
  config.targets = {routed, direct};
  registry.configure(config);
  const Snapshot<Directory> directory(registry.build());
  const ClientSteering steering(directory);
  for (const Net& net : {net4, net6}) {
    const std::vector<AddressPair> pairs{pair(net.alice, net.vip), pair(net.t1, net.alice), pair(net.vip, net.alice),
                                         pair(net.t1, net.vip),    pair(net.t2, net.alice), pair(net.alice, net.t1),
                                         pair(net.alice, net.bob)};
    std::vector<FarSide> sides(pairs.size(), FarSide::unknown);
    steering.find_far_sides(pairs, sides);
    EXPECT_THAT(sides, testing::ElementsAre(FarSide::source, FarSide::destination, FarSide::destination,
                                            FarSide::source,   // a target is a client here
                                            FarSide::unknown,  // it answers directly, as an ordinary host
                                            FarSide::unknown, FarSide::unknown));
  }
}

}  // namespace
}  // namespace trivet::slb
