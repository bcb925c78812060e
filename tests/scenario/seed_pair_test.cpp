// The eight points that the seed pair must fulfil, with each failure, in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "seed_world.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::scenario {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;

int other(int node) { return 1 - node; }

Cell value_of(const Report& report, const std::string& key) {
  const auto field = std::ranges::find(report.fields, key, &Field::key);
  return field == report.fields.end() ? Cell{} : field->value;
}

// An advertisement to all nodes for one of the addresses that only the master may speak for.
bool advertises_virtual_address(const testkit::Bytes& frame) {
  if (frame.size() < 78 || frame[12] != 0x86 || frame[13] != 0xdd || frame[20] != 58 || frame[54] != 136) return false;
  for (const char* const address : {"2001:db8::2:3", "2001:db8::2:4", "2001:db8:ffff::2:3"}) {
    if (std::equal(frame.begin() + 62, frame.begin() + 78, parse_ipv6(address)->bytes.begin())) return true;
  }
  return false;
}

class SeedPair : public ::testing::Test {
 protected:
  void start() {
    world.start_both();
    ASSERT_TRUE(world.settle()) << world.logs();
    first = world.master();
    ASSERT_GE(first, 0);
    second = other(first);
  }
  void TearDown() override {
    if (HasFailure()) std::cout << world.logs();
  }
  SeedWorld world;
  int first = -1;   // master after the start
  int second = -1;  // backup after the start
};

TEST_F(SeedPair, ExactlyOneNodeBecomesMasterWhenBothStartAtOnce) {
  world.watch_roles();
  start();
  EXPECT_EQ(world.nodes[second]->role(), Role::backup);
  EXPECT_LT(world.longest_dual(), milliseconds{300});
  // Which one, no priority has decided.
  for (const auto& node : world.nodes) {
    EXPECT_EQ(value_of(node->command("show vrrp"), "effective_priority"), Cell{std::uint64_t{200}});
  }
}

TEST_F(SeedPair, WhoStartsFirstIsMasterAndTheLaterOneStaysBackup) {
  for (const int early : {lb1, lb2}) {
    SeedWorld fresh(7 + static_cast<std::uint64_t>(early));
    fresh.nodes[early]->start();
    fresh.net.run_for(seconds{6});
    EXPECT_EQ(fresh.nodes[early]->role(), Role::master);
    fresh.nodes[other(early)]->start();
    fresh.watch_roles();
    fresh.net.run_for(seconds{40});
    EXPECT_EQ(fresh.master(), early) << fresh.logs();
    EXPECT_EQ(fresh.longest_dual(), Duration{});
  }
}

TEST_F(SeedPair, TheMasterAnswersForVirtualAddressesBothForTheirOwn) {
  start();
  std::size_t by_master = 0;
  std::size_t by_backup = 0;
  world.net.on_frame([&](Time, VirtualNetwork::CableId, const std::string& port, const testkit::Bytes& frame) {
    if (!advertises_virtual_address(frame)) return;
    by_master += port.starts_with(first == lb1 ? "lb1" : "lb2") ? 1 : 0;
    by_backup += port.starts_with(second == lb1 ? "lb1" : "lb2") ? 1 : 0;
  });
  for (const char* address : {"2001:db8::2:3", "2001:db8::2:4", "2001:db8::2:1", "2001:db8::2:2"}) {
    EXPECT_TRUE(world.ping(*world.client, address)) << address;
  }
  for (const char* address : {"2001:db8:ffff::2:3", "2001:db8:ffff::2:1", "2001:db8:ffff::2:2"}) {
    EXPECT_TRUE(world.ping(*world.t1, address)) << address;
  }
  const MacAddress virtual_mac = vrrp_mac(Family::ipv6, 64);
  EXPECT_EQ(world.client->neighbor(*parse_ipv6("2001:db8::2:3")), virtual_mac);
  EXPECT_EQ(world.client->neighbor(*parse_ipv6("2001:db8::2:4")), virtual_mac);
  EXPECT_EQ(world.t1->neighbor(*parse_ipv6("2001:db8:ffff::2:3")), virtual_mac);
  EXPECT_EQ(world.client->neighbor(*parse_ipv6("2001:db8::2:1")), (MacAddress{{2, 0, 0, 1, 0, 3}}));
  EXPECT_EQ(world.client->neighbor(*parse_ipv6("2001:db8::2:2")), (MacAddress{{2, 0, 0, 2, 0, 3}}));
  EXPECT_GE(by_master, 3U);
  EXPECT_EQ(by_backup, 0U);
}

TEST_F(SeedPair, TargetsAndGatewayAreCheckedOnBothNodes) {
  start();
  for (const auto& node : world.nodes) {
    const Report gateway = node->command("show gateway");
    EXPECT_TRUE(std::ranges::any_of(gateway.fields, [](const Field& field) {
      return field.key == "health" && field.value == Cell{std::string("up")};
    }));
    const Report targets = node->command("show targets");
    ASSERT_EQ(targets.tables.at(0).rows.size(), 2U);
    for (const auto& row : targets.tables[0].rows) EXPECT_THAT(row, Contains(Cell{std::string("up")}));
  }
}

TEST_F(SeedPair, RequestsAreSpreadOverBothTargetsAndAnsweredFromTheServiceAddress) {
  start();
  const auto answers = world.fetch(20);
  EXPECT_EQ(std::ranges::count(answers, "t1") + std::ranges::count(answers, "t2"), 20);
  EXPECT_GE(std::ranges::count(answers, "t1"), 5);
  EXPECT_GE(std::ranges::count(answers, "t2"), 5);
}

TEST_F(SeedPair, ATargetThatDiesGetsNoMoreRequestsAndComesBack) {
  start();
  world.t1->set_silent(true);
  world.net.run_for(seconds{15});
  EXPECT_THAT(world.fetch(6), Each(std::string("t2")));
  world.t1->set_silent(false);
  world.net.run_for(seconds{10});
  EXPECT_THAT(world.fetch(8), Contains(std::string("t1")));
}

TEST_F(SeedPair, AScanOfUnusedAddressesDoesNotKeepATargetFromBeingFound) {
  start();
  // Silent until its neighbour entry is gone as well.
  world.t1->set_silent(true);
  world.net.run_for(seconds{60});
  EXPECT_THAT(world.fetch(4), Each(std::string("t2")));
  // 400 addresses a second of the targets' /48, each asked once, and none of them there.
  auto scan = [&, next = 0](Duration duration) mutable {
    for (const Time end = world.net.now() + duration; world.net.now() < end;) {
      const Ipv6Address unused = *parse_ipv6("2001:db8:ffff::bad:" + std::to_string(1000 + next++));
      world.client->ping(unused, milliseconds{1}, [](bool) {});
      world.net.run_for(milliseconds{2} + std::chrono::microseconds{500});
    }
  };
  scan(seconds{5});
  world.t1->set_silent(false);
  scan(seconds{5});
  const Report targets = world.nodes[first]->command("show targets");
  for (const auto& row : targets.tables.at(0).rows) EXPECT_THAT(row, Contains(Cell{std::string("up")}));
  EXPECT_THAT(world.fetch(8), Contains(std::string("t1")));
  EXPECT_EQ(world.master(), first);
}

TEST_F(SeedPair, HostsOfBothNetworksRouteThroughTheMaster) {
  start();
  EXPECT_TRUE(world.ping(*world.client, "2001:db8:ffff::1:1"));
  EXPECT_TRUE(world.ping(*world.t2, "2001:db8::1:100"));
}

TEST_F(SeedPair, LossOfEth2MovesTheRoleWithinASecond) {
  start();
  const Duration gap = world.outage([&] {
    world.net.run_for(seconds{1});
    world.net.cut(world.eth[first][2]);
    world.net.run_for(seconds{4});
  });
  EXPECT_EQ(world.master(), second);
  EXPECT_LE(gap, seconds{1});
  // The repaired node has the same priority again and stays backup.
  world.net.repair(world.eth[first][2]);
  world.net.run_for(seconds{30});
  EXPECT_EQ(world.master(), second);
}

TEST_F(SeedPair, LossOfEth3MovesTheRoleWithinASecond) {
  start();
  world.watch_roles();
  const Duration gap = world.outage([&] {
    world.net.run_for(seconds{1});
    world.net.cut(world.eth[first][3]);
    world.net.run_for(seconds{4});
  });
  EXPECT_EQ(world.master(), second);
  EXPECT_LE(gap, seconds{1});
  EXPECT_EQ(world.longest_dual(), Duration{});
}

TEST_F(SeedPair, ABackupThatLosesALinkChangesNothing) {
  start();
  world.watch_roles();
  for (const int number : {3, 2}) {
    SCOPED_TRACE("eth" + std::to_string(number));
    const Duration gap = world.outage([&] {
      world.net.cut(world.eth[second][number]);
      world.net.run_for(seconds{10});
      world.net.repair(world.eth[second][number]);
      world.net.run_for(seconds{10});
    });
    EXPECT_EQ(world.master(), first);
    EXPECT_LE(gap, milliseconds{100});
  }
  EXPECT_EQ(world.longest_dual(), Duration{});
}

TEST_F(SeedPair, ANeighborIsKnownWhereItsAnswerCameInAndGoesWithThatLink) {
  start();
  const auto interface_of_client = [&]() -> std::string {
    const Report neighbors = world.nodes[first]->command("show neighbors");
    for (const auto& row : neighbors.tables.at(0).rows) {
      if (row.at(1) == Cell{std::string("2001:db8::1:100")}) return std::get<std::string>(row.at(3));
    }
    return "";
  };
  EXPECT_TRUE(world.ping(*world.t1, "2001:db8::1:100"));
  EXPECT_EQ(interface_of_client(), "eth3");
  world.net.cut(world.eth[first][3]);
  EXPECT_TRUE(world.net.run_until([&] { return interface_of_client().empty(); }, milliseconds{100}));
}

TEST_F(SeedPair, LossOfTheCrossoverChangesNothing) {
  start();
  world.watch_roles();
  world.net.cut(world.eth[first][1]);
  world.net.run_for(seconds{20});
  EXPECT_EQ(world.master(), first);
  EXPECT_EQ(world.longest_dual(), Duration{});
  EXPECT_THAT(world.fetch(2), Each(HasSubstr("t")));
}

TEST_F(SeedPair, AGatewayThatOnlyTheMasterCannotReachMovesTheRole) {
  start();
  // The gateway's frames for the master are lost; adverts and the rest pass.
  world.net.set_filter(world.eth[first][3], [](const testkit::Bytes& frame) {
    return frame.size() > 54 && frame[20] == 58 && frame[54] == 129;  // ICMPv6 echo reply
  });
  EXPECT_TRUE(world.net.run_until([&] { return world.master() == second; }, seconds{11}));
  EXPECT_THAT(world.fetch(4), Each(HasSubstr("t")));
}

TEST_F(SeedPair, AGatewayThatIsDeadForBothMovesNothing) {
  start();
  world.watch_roles();
  world.gateway->set_silent(true);
  world.net.run_for(seconds{60});
  EXPECT_EQ(world.master(), first);
  EXPECT_EQ(world.longest_dual(), Duration{});
  world.gateway->set_silent(false);
  world.net.run_for(seconds{20});
  EXPECT_EQ(world.master(), first);
}

TEST_F(SeedPair, LossOfBothAccessLinksLeavesOneNodeServingEth2) {
  start();
  world.net.cut(world.eth[first][1]);
  world.net.cut(world.eth[first][3]);
  world.net.run_for(seconds{6});
  EXPECT_EQ(world.nodes[first]->role(), Role::init) << "no interface of the VRRP network has link";
  EXPECT_EQ(world.nodes[second]->role(), Role::master);
  EXPECT_THAT(world.fetch(4), Each(HasSubstr("t")));
}

TEST_F(SeedPair, AMasterThatDiesIsReplacedAfterMasterDown) {
  start();
  const Duration gap = world.outage([&] {
    world.net.run_for(seconds{1});
    world.nodes[first]->kill();
    world.net.run_for(seconds{6});
  });
  EXPECT_EQ(world.nodes[second]->role(), Role::master);
  EXPECT_GE(gap, milliseconds{2200});
  EXPECT_LE(gap, milliseconds{3600});
}

TEST_F(SeedPair, AMasterThatStopsSaysGoodbyeAndIsReplacedAtOnce) {
  start();
  const Duration gap = world.outage([&] {
    world.net.run_for(seconds{1});
    world.nodes[first]->stop();
    world.net.run_for(seconds{3});
  });
  EXPECT_EQ(world.nodes[second]->role(), Role::master);
  EXPECT_LE(gap, milliseconds{600});
}

TEST_F(SeedPair, ANodeThatReturnsStaysBackup) {
  start();
  world.nodes[first]->kill();
  world.net.run_for(seconds{6});
  world.watch_roles();
  world.nodes[first]->start();
  world.net.run_for(seconds{40});
  EXPECT_EQ(world.master(), second);
  EXPECT_EQ(world.longest_dual(), Duration{});
}

TEST_F(SeedPair, LossOfSingleAdvertisementsChangesNothing) {
  start();
  world.watch_roles();
  // Of every three adverts on each of the two ways two are lost.
  int adverts[2] = {};
  int lost[2] = {};
  for (const int way : {0, 1}) {
    world.net.set_filter(world.eth[first][way == 0 ? 1 : 3], [&adverts, &lost, way](const testkit::Bytes& frame) {
      if (frame.size() <= 34 || frame[12] != 8 || frame[23] != 112) return false;
      const bool is_lost = ++adverts[way] % 3 != 0;
      if (is_lost) ++lost[way];
      return is_lost;
    });
  }
  world.net.run_for(seconds{60});
  for (const int way : {0, 1}) {
    EXPECT_GE(adverts[way], 60) << way;
    EXPECT_GT(lost[way], 38) << way;
  }
  EXPECT_EQ(world.master(), first);
  EXPECT_EQ(world.longest_dual(), Duration{});
}

// What a node's own stack says on a link: "vrrp", "arp", "nd", "mld", "igmp"; empty for everything else.
std::string own_protocol(const testkit::Bytes& frame) {
  if (frame.size() < 34) return "";
  const int type = frame[12] << 8 | frame[13];
  if (type == 0x0806) return "arp";
  if (type == 0x0800) return frame[23] == 112 ? "vrrp" : frame[23] == 2 ? "igmp" : "";
  if (type != 0x86dd || frame.size() < 55) return "";
  // MLD stands behind a hop-by-hop header of 8 bytes.
  if (frame[20] == 0) return frame.size() > 62 && frame[54] == 58 && frame[62] >= 130 && frame[62] <= 143 ? "mld" : "";
  return frame[20] == 58 && (frame[54] == 135 || frame[54] == 136) ? "nd" : "";
}

// The interfaces' own MACs are 02:00:00:NODE:00:INTERFACE, the virtual ones 00:00:5e:00:0F:40.
bool is_source_of_node(const testkit::Bytes& frame) {
  const std::vector<std::uint8_t> source(frame.begin() + 6, frame.begin() + 12);
  for (std::uint8_t node = 1; node <= 2; ++node) {
    if (source == std::vector<std::uint8_t>{2, 0, 0, node, 0, 1}) return true;
    if (source == std::vector<std::uint8_t>{0, 0, 0x5e, 0, node, 64}) return true;
  }
  return false;
}

TEST_F(SeedPair, NoFrameIsRelayedBetweenEth1AndEth3) {
  start();
  // Whatever is on the crossover, in either direction, one of the two nodes has made itself.
  std::map<std::string, std::size_t> own;
  std::vector<std::string> relayed;
  std::set<std::string> ports;
  world.net.on_frame([&](Time, VirtualNetwork::CableId cable, const std::string& port, const testkit::Bytes& frame) {
    if (cable != world.eth[lb1][1]) return;
    ports.insert(port);
    const std::string kind = own_protocol(frame);
    if (!kind.empty() && is_source_of_node(frame)) {
      ++own[kind];
    } else {
      relayed.push_back(port + ": " + testkit::describe(frame));
    }
  });
  EXPECT_THAT(world.fetch(4), Each(HasSubstr("t")));
  EXPECT_FALSE(world.ping(*world.client, "2001:db8::9:9"));
  EXPECT_FALSE(world.ping(*world.t1, "2001:db8::9:9"));
  EXPECT_TRUE(world.ping(*world.client, "2001:db8:ffff::1:1"));
  world.net.run_for(seconds{10});
  EXPECT_THAT(relayed, ::testing::IsEmpty());
  EXPECT_GE(own["vrrp"], 10U);
  EXPECT_GE(own["nd"], 1U);
  EXPECT_FALSE(ports.empty());
}

TEST_F(SeedPair, SolicitationsGoOutOnAllInterfacesOfTheNetwork) {
  start();
  std::size_t on_crossover = 0;
  std::size_t on_access = 0;
  world.net.on_frame([&](Time, VirtualNetwork::CableId cable, const std::string& port, const testkit::Bytes& frame) {
    const bool solicitation = frame.size() > 54 && frame[12] == 0x86 && frame[20] == 58 && frame[54] == 135;
    const bool wanted =
        solicitation && std::equal(frame.begin() + 62, frame.begin() + 78, parse_ipv6("2001:db8::9:9")->bytes.begin());
    if (!wanted || !port.starts_with("lb")) return;
    if (cable == world.eth[first][1]) ++on_crossover;
    if (cable == world.eth[first][3]) ++on_access;
  });
  EXPECT_FALSE(world.ping(*world.t1, "2001:db8::9:9"));
  EXPECT_GE(on_crossover, 1U);
  EXPECT_GE(on_access, 1U);
}

TEST_F(SeedPair, EveryCombinationOfCutLinksLeavesOneMasterWhereThereCanBeOne) {
  // Bits: lb1.eth2, lb1.eth3, lb2.eth2, lb2.eth3, crossover.
  for (unsigned cuts = 0; cuts < 32; ++cuts) {
    SeedWorld fresh(100 + cuts);
    fresh.start_both();
    ASSERT_TRUE(fresh.settle());
    const VirtualNetwork::CableId cables[] = {fresh.eth[lb1][2], fresh.eth[lb1][3], fresh.eth[lb2][2],
                                              fresh.eth[lb2][3], fresh.eth[lb1][1]};
    fresh.watch_roles();
    for (unsigned bit = 0; bit < 5; ++bit) {
      if ((cuts >> bit & 1U) != 0) fresh.net.cut(cables[bit]);
    }
    fresh.net.run_for(seconds{20});
    const Duration dual = fresh.longest_dual();
    const auto on_network = [&](int node) { return fresh.has_link(node, 1) || fresh.has_link(node, 3); };
    const int fit = (on_network(lb1) ? 1 : 0) + (on_network(lb2) ? 1 : 0);
    EXPECT_EQ(fresh.masters(), fit == 0 ? 0 : 1) << "cuts " << cuts << '\n' << fresh.logs();
    for (const int node : {lb1, lb2}) {
      EXPECT_TRUE(on_network(node) || fresh.nodes[node]->role() != Role::master) << "cuts " << cuts;
    }
    // The better connected node is the master, where they can hear each other.
    const bool hear = fresh.has_link(lb1, 1) || (fresh.has_link(lb1, 3) && fresh.has_link(lb2, 3));
    if (hear) {
      EXPECT_LT(dual, milliseconds{300}) << "cuts " << cuts << '\n' << fresh.logs();
    }
    const auto links = [&](int node) { return (fresh.has_link(node, 2) ? 1 : 0) + (fresh.has_link(node, 3) ? 1 : 0); };
    if (hear && links(lb1) != links(lb2)) {
      EXPECT_EQ(fresh.master(), links(lb1) > links(lb2) ? lb1 : lb2) << "cuts " << cuts << '\n' << fresh.logs();
    }
    for (const auto cable : cables) fresh.net.repair(cable);
    fresh.net.run_for(seconds{20});
    EXPECT_EQ(fresh.masters(), 1) << "after repair of cuts " << cuts << '\n' << fresh.logs();
    EXPECT_THAT(fresh.fetch(2, seconds{4}), Each(HasSubstr("t"))) << "after repair of cuts " << cuts;
  }
}

TEST_F(SeedPair, TheSameSeedGivesTheSameRunFrameByFrame) {
  std::uint64_t prints[2];
  for (std::uint64_t& print : prints) {
    SeedWorld fresh(42);
    fresh.start_both();
    fresh.net.run_for(seconds{10});
    print = fresh.net.fingerprint();
  }
  EXPECT_EQ(prints[0], prints[1]);
  SeedWorld different(43);
  different.start_both();
  different.net.run_for(seconds{10});
  EXPECT_NE(different.net.fingerprint(), prints[0]);
}

}  // namespace
}  // namespace trivet::scenario
