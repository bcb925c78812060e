// The seed pair with several workers a node: many clients, each served whole, before and after a failover.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "seed_world.h"

namespace trivet::scenario {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class PairWithWorkers : public ::testing::TestWithParam<int> {
 protected:
  static constexpr int clients = 16;

  PairWithWorkers() {
    for (int number = 0; number < clients; ++number) {
      const MacAddress mac{{2, 0, 0, 0xcc, 0, static_cast<std::uint8_t>(number)}};
      const Ipv6Address address = *parse_ipv6("2001:db8::1:" + std::to_string(200 + number));
      hosts.push_back(std::make_unique<VirtualHost>(world.net, "client" + std::to_string(number), mac, address, 48,
                                                    *parse_ipv6("2001:db8::2:3")));
      world.net.plug(world.access, hosts.back()->port());
    }
  }
  void TearDown() override {
    if (HasFailure()) std::cout << world.logs();
  }
  // All at once. The pages, "" for none.
  std::vector<std::string> fetch_all() {
    std::vector<std::string> pages(clients);
    int ended = 0;
    for (int number = 0; number < clients; ++number) {
      hosts[static_cast<std::size_t>(number)]->fetch(*parse_ipv6("2001:db8::2:4"), 8080, milliseconds{900},
                                                     [&, number](std::optional<std::string> page) {
                                                       pages[static_cast<std::size_t>(number)] = page.value_or("");
                                                       ++ended;
                                                     });
    }
    static_cast<void>(world.net.run_until([&] { return ended == clients; }, seconds{2}));
    return pages;
  }
  std::set<std::string> clients_shown(int node) {
    std::set<std::string> shown;
    const Report report = world.nodes[node]->command("show sessions");
    for (const auto& row : report.tables.at(0).rows) {
      EXPECT_TRUE(shown.insert(std::get<std::string>(row.at(0))).second) << "shown twice";
    }
    return shown;
  }

  SeedWorld world{3, GetParam()};
  std::vector<std::unique_ptr<VirtualHost>> hosts;
};

INSTANTIATE_TEST_SUITE_P(Counts, PairWithWorkers, ::testing::Values(1, 2, 4));

TEST_P(PairWithWorkers, ServesManyClientsAndHandsThemOver) {
  world.start_both();
  ASSERT_TRUE(world.settle());
  const int first = world.master();
  ASSERT_GE(first, 0);
  EXPECT_THAT(fetch_all(), ::testing::Each(::testing::AnyOf("t1", "t2")));
  EXPECT_EQ(clients_shown(first).size(), static_cast<std::size_t>(clients));
  EXPECT_EQ(world.nodes[first]->drops("core", "worker-queue-full"), 0U);

  world.net.cut(world.eth[first][3]);
  ASSERT_TRUE(world.net.run_until([&] { return world.master() == 1 - first; }, seconds{4}));
  world.net.run_for(seconds{1});
  EXPECT_THAT(fetch_all(), ::testing::Each(::testing::AnyOf("t1", "t2")));
  EXPECT_EQ(clients_shown(1 - first).size(), static_cast<std::size_t>(clients));
  for (const auto& host : hosts) EXPECT_TRUE(world.ping(*host, "2001:db8:ffff::1:1")) << "routed";
  EXPECT_TRUE(world.ping(*hosts[0], "2001:db8::2:4"));
}

}  // namespace
}  // namespace trivet::scenario
