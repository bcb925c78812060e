// The whole module in a node: configuration text and frames in; frames, topics, counters, report and log lines out.
#include "vrrp/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/topics/groups.h"
#include "trivet/topics/health.h"
#include "trivet/topics/role.h"
#include "trivet/topics/vrrp_peers.h"
#include "vrrp/wire.h"

namespace trivet::vrrp {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testkit::Frame;
using testkit::Harness;
using testkit::ip4;

const std::string head = R"(hostname LB1
modules vrrp
set {
  vrrppreempt 1
  vrrppreemptts 8
}
interface 1 {
  name eth1
}
interface 2 {
  name eth2
  trackval 10
}
interface 3 {
  name eth3
  trackval 10
}
register interfaces 1,2,3
enable interfaces 1,2,3
)";
const std::string networks = R"(network 1 {
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  interfaces 1,3
}
network 2 {
  addr 192.168.0.0
  mask 255.255.0.0
  real 192.168.0.1
  interface 2
}
register networks 1,2
enable networks 1,2
gateway {
  ipaddr 10.0.0.254
  trackval 10
}
)";

std::string config(const std::string& more = "") {
  return head + "vrrp {\n  vrid 64\n  priority 200\n  network 1\n  tracking enable\n" + more + "}\n" + networks;
}

// An advertisement of the peer.
Frame advert(std::uint8_t priority, std::uint8_t interval = 1, std::uint8_t vrid = 64,
             const char* source = "10.0.0.2") {
  return build_frame({vrid, priority, interval, {}}, {vrrp_mac(Family::ipv4, 64), ip4(source), 77});
}

std::optional<Cell> field(const Report& report, const std::string& key) {
  for (const Field& one : report.fields) {
    if (one.key == key) return one.value;
  }
  return std::nullopt;
}

std::string text(const Report& report, const std::string& key) {
  const std::optional<Cell> cell = field(report, key);
  const std::string* value = cell ? std::get_if<std::string>(&*cell) : nullptr;
  return value == nullptr ? "(none)" : *value;
}

std::uint64_t number(const Report& report, const std::string& key) {
  const std::optional<Cell> cell = field(report, key);
  const std::uint64_t* value = cell ? std::get_if<std::uint64_t>(&*cell) : nullptr;
  return value == nullptr ? 999999 : *value;
}

class VrrpModule : public testing::Test {
 protected:
  Harness& make(const std::string& text_config) {
    node_.emplace(std::vector<const ModuleDescriptor*>{&descriptor}, text_config);
    return *node_;
  }
  Harness& node() { return *node_; }
  Role role() { return node().forwarding().role().role; }
  // The peer advertises once a second on both interfaces.
  void hear(std::uint8_t priority, int times) {
    for (int i = 0; i < times; ++i) {
      node().inject(1, advert(priority));
      node().inject(3, advert(priority));
      node().advance(1s);
    }
  }
  void drain() {
    for (const InterfaceId interface : {InterfaceId{1}, InterfaceId{2}, InterfaceId{3}}) {
      static_cast<void>(node().take_sent(interface));
    }
  }

 private:
  std::optional<Harness> node_;
};

TEST_F(VrrpModule, WithoutASectionTheNodeIsMasterAndSilent) {
  make(head + networks);
  node().advance(10s);
  EXPECT_EQ(role(), Role::master);
  EXPECT_EQ(node().forwarding().role().vrid, 0);
  EXPECT_FALSE(node().forwarding().role().virtual_mac);
  EXPECT_TRUE(node().take_sent(1).empty());
  EXPECT_EQ(text(node().command("show vrrp"), "role"), "master");
}

TEST_F(VrrpModule, ListensThenAdvertisesByteExactOnAllInterfacesOfItsNetwork) {
  make(config());
  EXPECT_EQ(role(), Role::backup);
  node().advance(3218ms);
  EXPECT_EQ(role(), Role::backup);
  EXPECT_TRUE(node().take_sent(1).empty());
  node().advance(1ms);
  EXPECT_EQ(role(), Role::master);
  const auto on1 = node().take_sent(1);
  const auto on3 = node().take_sent(3);
  EXPECT_TRUE(node().take_sent(2).empty());
  ASSERT_EQ(on1.size(), 1U);
  EXPECT_EQ(on1, on3);
  ASSERT_GT(on1[0].size(), 20U);
  const auto id = static_cast<std::uint16_t>((on1[0][18] << 8U) | on1[0][19]);
  EXPECT_EQ(on1[0], build_frame({64, 200, 1, {}}, {testkit::mac("00:00:5e:00:01:40"), ip4("10.0.0.1"), id}));
  node().advance(10s);
  EXPECT_EQ(node().take_sent(3).size(), 10U);
}

TEST_F(VrrpModule, RealMacIsEachInterfacesOwn) {
  make(config("  mac real\n"));
  node().advance(4s);
  EXPECT_EQ(role(), Role::master);
  EXPECT_FALSE(node().forwarding().role().virtual_mac);
  for (const InterfaceId interface : {InterfaceId{1}, InterfaceId{3}}) {
    const auto sent = node().take_sent(interface);
    ASSERT_FALSE(sent.empty());
    const MacAddress own = Harness::mac_of(interface);
    EXPECT_TRUE(std::equal(own.bytes.begin(), own.bytes.end(), sent[0].begin() + 6));
  }
}

TEST_F(VrrpModule, HearsTheMasterAndPublishesRoleAndPeers) {
  make(config());
  std::vector<Role> roles;
  std::vector<VrrpPeer> peers;
  node().bus().subscribe<RoleState>([&](const RoleState& state) { roles.push_back(state.role); });
  node().bus().subscribe_list<VrrpPeer>([&](const std::vector<VrrpPeer>& list) { peers = list; });
  hear(200, 20);
  EXPECT_EQ(role(), Role::backup);
  ASSERT_EQ(peers.size(), 1U);
  EXPECT_EQ(peers[0].address, IpAddress{ip4("10.0.0.2")});
  EXPECT_EQ(peers[0].priority, 200);
  EXPECT_EQ(node().counter("vrrp", "advertisements_received"), 40U);
  node().advance(10s);
  EXPECT_EQ(role(), Role::master);
  EXPECT_TRUE(peers.empty());
  EXPECT_EQ(roles, (std::vector<Role>{Role::backup, Role::master}));
  EXPECT_THAT(node().take_log(), Contains(HasSubstr("role backup -> master: no advertisement of 10.0.0.2 for 3.21 s")));
}

TEST_F(VrrpModule, JoinsTheGroupOnTheInterfacesOfItsNetwork) {
  make(config());
  std::vector<GroupMembership> groups;
  node().bus().subscribe_list<GroupMembership>([&](const std::vector<GroupMembership>& list) { groups = list; });
  node().settle();
  EXPECT_THAT(groups, Contains(GroupMembership{1, group4}));
  EXPECT_THAT(groups, Contains(GroupMembership{3, group4}));
  EXPECT_EQ(std::ranges::count(groups, IpAddress{group4}, &GroupMembership::group), 2);
}

// Each bad advertisement with the reason of its end.
std::vector<std::pair<const char*, Frame>> bad_adverts() {
  std::vector<std::pair<const char*, Frame>> list;
  const auto add = [&](const char* reason, std::uint8_t hop_limit, Frame message,
                       const char* destination = "224.0.0.18") {
    list.emplace_back(reason, testkit::eth("00:00:5e:00:01:40", "01:00:5e:00:00:12") /
                                  testkit::ipv4("10.0.0.2", destination).hop_limit(hop_limit) /
                                  testkit::vrrp(std::move(message)));
  };
  const Frame good = build_message({64, 255, 1, {}});
  const auto with = [&](std::size_t offset, std::uint8_t value) {
    Frame message = good;
    message[offset] = value;
    return message;
  };
  add("hop-limit", 254, good);
  add("wrong-destination", 255, good, "239.128.0.18");
  list.emplace_back("not-ipv4", testkit::eth("02:00:00:00:00:99", Harness::mac_of(1)) /
                                    testkit::ipv6("2001:db8::9", "2001:db8::8").hop_limit(255) / testkit::vrrp(good));
  add("version", 255, with(0, 0x31));
  add("type", 255, with(0, 0x22));
  add("length", 255, with(3, 1));
  add("checksum", 255, with(2, 254));
  Frame authenticated = with(4, 1);
  authenticated[6] = static_cast<std::uint8_t>(authenticated[6] - 1);
  add("authentication", 255, authenticated);
  list.emplace_back("other-vrid", advert(255, 1, 65));
  return list;
}

TEST_F(VrrpModule, EveryBadAdvertisementIsDroppedUnderItsReason) {
  make(config());
  for (const auto& [reason, frame] : bad_adverts()) {
    node().inject(1, frame);
    EXPECT_EQ(node().drops("vrrp", reason), 1U) << reason;
  }
  EXPECT_EQ(node().counter("vrrp", "advertisements_received"), 0U);
  EXPECT_EQ(text(node().command("show vrrp"), "role"), "backup");
}

TEST_F(VrrpModule, BadAdvertisementsInOneBatchWithGoodOnesEachGetTheirOwnReason) {
  make(config());
  std::vector<Frame> batch;
  const auto bad = bad_adverts();
  for (std::size_t i = 0; batch.size() < 64; ++i) {
    batch.push_back(i % 4 == 3 ? advert(200) : bad[i % bad.size()].second);
  }
  std::map<std::string, std::uint64_t> expected;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (i % 4 != 3) ++expected[bad[i % bad.size()].first];
  }
  node().inject(1, batch);
  for (const auto& [reason, count] : expected) EXPECT_EQ(node().drops("vrrp", reason), count) << reason;
  EXPECT_EQ(node().counter("vrrp", "advertisements_received"), 16U);
}

TEST_F(VrrpModule, FragmentsAreNotHeard) {
  make(config());
  const Frame whole = build_frame({64, 255, 1, {}}, {vrrp_mac(Family::ipv4, 64), ip4("10.0.0.2"), 5});
  for (const Frame& piece : testkit::fragments(whole, 8, 5)) node().inject(1, piece);
  EXPECT_EQ(node().counter("vrrp", "advertisements_received"), 0U);
}

TEST_F(VrrpModule, AFloodOfAnotherVirtualRouterNeitherReachesTheEngineNorHidesTheMaster) {
  make(config());
  hear(200, 2);
  std::uint64_t sent = 0;
  for (int second = 0; second < 10; ++second) {
    for (int burst = 0; burst < 16; ++burst) {
      std::vector<Frame> flood;
      for (int i = 0; i < 63; ++i, ++sent) {
        const std::string source = "10.1." + std::to_string(burst) + "." + std::to_string(i + 1);
        flood.push_back(advert(255, 1, static_cast<std::uint8_t>(65 + i), source.c_str()));
      }
      if (burst == 7) flood.insert(flood.begin() + 40, advert(200));
      node().inject(1, flood);
    }
    node().advance(1s);
  }
  EXPECT_GE(sent, 10000U);
  EXPECT_EQ(node().drops("vrrp", "other-vrid"), sent);
  EXPECT_EQ(node().counter("vrrp", "ignored_other_vrid"), sent);
  EXPECT_EQ(node().counter("vrrp", "advertisements_received"), 4U + 10U);
  EXPECT_EQ(role(), Role::backup);
}

TEST_F(VrrpModule, AForgedFloodOfTheOwnVirtualRouterIsBoundedAndHidesNoKnownRouter) {
  make(config());
  hear(200, 2);
  int published = 0;
  node().bus().subscribe_list<VrrpPeer>([&](const std::vector<VrrpPeer>&) { ++published; });
  const std::uint64_t before = node().counter("vrrp", "advertisements_received");
  std::vector<Frame> flood;
  for (int i = 0; i < 10000; ++i) {
    const std::string source = "10.2." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    flood.push_back(advert(100, 1, 64, source.c_str()));
  }
  for (std::size_t at = 0; at < flood.size(); at += 1000) {
    const auto first = flood.begin() + static_cast<std::ptrdiff_t>(at);
    node().inject(1, std::vector<Frame>(first, first + 1000));
  }
  node().inject(1, advert(200));
  const std::uint64_t heard = node().counter("vrrp", "advertisements_received") - before;
  EXPECT_LE(heard, 65U);
  EXPECT_EQ(node().drops("vrrp", "rate-limited"), 10001U - heard);
  EXPECT_LE(published, 17);
  const Report report = node().command("show vrrp");
  const auto peers = std::ranges::find(report.tables, "peers", &Table::key);
  ASSERT_NE(peers, report.tables.end());
  EXPECT_LE(peers->rows.size(), 16U);
  // The master was the last in the queue, and was heard.
  EXPECT_THAT(peers->rows, Contains(testing::Contains(Cell{std::string("10.0.0.2")})));
  node().advance(3s);
  EXPECT_EQ(role(), Role::backup);
}

TEST_F(VrrpModule, ForgedRoutersThatHaveBeenHeardTakeNothingFromTheMaster) {
  make(config());
  hear(200, 2);
  const auto forged = [](int number) { return "10.3.0." + std::to_string(number + 1); };
  for (int i = 0; i < 10; ++i) node().inject(1, advert(100, 1, 64, forged(i).c_str()));
  node().advance(1s);
  node().inject(1, advert(200));
  node().advance(1s);
  const std::uint64_t before = node().counter("vrrp", "advertisements_received");
  std::vector<Frame> flood;
  for (int i = 0; i < 1000; ++i) flood.push_back(advert(100, 1, 64, forged(i % 10).c_str()));
  node().inject(1, flood);
  node().inject(1, advert(200));
  EXPECT_EQ(node().counter("vrrp", "advertisements_received") - before, 10U * 8U + 1U);
  EXPECT_EQ(role(), Role::backup);
}

TEST_F(VrrpModule, OutsideTheNetworkOrWithoutASectionNothingIsLookedAt) {
  make(config());
  // To the node's own address: the group is not joined there.
  const auto unicast = [](InterfaceId interface, const char* source, const char* destination) -> Frame {
    return testkit::eth("00:00:5e:00:01:40", Harness::mac_of(interface)) /
           testkit::ipv4(source, destination).hop_limit(255) / testkit::vrrp(build_message({64, 255, 1, {}}));
  };
  node().inject(2, unicast(2, "192.168.0.2", "192.168.0.1"));
  EXPECT_EQ(node().drops("vrrp", "wrong-interface"), 1U);
  EXPECT_EQ(node().counter("vrrp", "ignored_wrong_interface"), 1U);
  EXPECT_FALSE(node().reload(head + networks).has_errors());
  node().inject(1, unicast(1, "10.0.0.2", "10.0.0.1"));
  EXPECT_EQ(node().drops("vrrp", "no-router"), 1U);
  EXPECT_EQ(node().counter("vrrp", "ignored_not_running"), 1U);
  EXPECT_FALSE(node().reload(config()).has_errors());
  node().inject(1, advert(255));
  EXPECT_EQ(node().counter("vrrp", "advertisements_received"), 1U);
}

TEST_F(VrrpModule, ForeignAdvertisementsAreCounted) {
  make(config());
  node().inject(1, advert(255, 2));
  node().inject(1, advert(255, 1, 65));
  node().inject(1, advert(255, 1, 64, "10.0.0.1"));
  EXPECT_EQ(node().counter("vrrp", "ignored_interval"), 1U);
  EXPECT_EQ(node().counter("vrrp", "ignored_other_vrid"), 1U);
  EXPECT_EQ(node().counter("vrrp", "ignored_duplicate_address"), 1U);
  node().advance(4s);
  EXPECT_EQ(role(), Role::master);
  const auto sent = node().take_sent(1);
  ASSERT_FALSE(sent.empty());
  node().inject(3, sent.back());
  EXPECT_EQ(node().counter("vrrp", "ignored_own_loop"), 1U);
  EXPECT_THAT(node().command("show vrrp").notes, Contains(HasSubstr("came back on interface 3")));
}

TEST_F(VrrpModule, LossOfATrackedLinkIsAdvertisedAtOnceAndReported) {
  make(config());
  node().advance(10s);
  ASSERT_EQ(role(), Role::master);
  drain();
  node().set_link(3, false);
  const auto sent = node().take_sent(1);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].at(36), 190);
  EXPECT_TRUE(node().take_sent(3).empty());
  const Report report = node().command("show vrrp");
  EXPECT_EQ(text(report, "role"), "master");
  EXPECT_EQ(number(report, "priority"), 200U);
  EXPECT_EQ(number(report, "effective_priority"), 190U);
  EXPECT_EQ(text(report, "next_timer"), "advertisement");
  EXPECT_EQ(field(report, "next_timer_in"), Cell{1.0});
  node().advance(250ms);
  EXPECT_EQ(field(node().command("show vrrp"), "next_timer_in"), Cell{0.75});
  ASSERT_FALSE(report.tables.empty());
  const Table& tracked = report.tables[0];
  EXPECT_EQ(tracked.key, "tracked");
  ASSERT_EQ(tracked.rows.size(), 3U);
  EXPECT_EQ(tracked.rows[1], (std::vector<Cell>{std::string("eth3"), std::string("down"), std::uint64_t{10}, true}));
  for (const Table& table : report.tables) {
    for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size()) << table.key;
  }
  EXPECT_THAT(node().take_log(), Contains(HasSubstr("effective priority 200 -> 190: eth3 down")));
}

TEST_F(VrrpModule, TheReportSaysHowLongTheRoleHasBeenHeldAlsoInInit) {
  make(config());
  node().set_link(1, false);
  node().set_link(3, false);
  ASSERT_EQ(role(), Role::init);
  node().advance(1h);
  const Report report = node().command("show vrrp");
  EXPECT_EQ(field(report, "held_for"), Cell{3600.0});
  EXPECT_FALSE(field(report, "since")) << "counted from the daemon's start it tells nobody anything";
}

TEST_F(VrrpModule, LossOfAllItsLinksEndsMastership) {
  make(config());
  node().advance(10s);
  node().set_link(1, false);
  EXPECT_EQ(role(), Role::master);
  node().set_link(3, false);
  EXPECT_EQ(role(), Role::init);
  node().set_link(3, true);
  EXPECT_EQ(role(), Role::backup);
}

TEST_F(VrrpModule, StopSaysGoodbyeOnAllInterfaces) {
  make(config());
  node().advance(10s);
  drain();
  node().stop();
  for (const InterfaceId interface : {InterfaceId{1}, InterfaceId{3}}) {
    const auto sent = node().take_sent(interface);
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_EQ(sent[0].at(36), 0);
  }
}

TEST_F(VrrpModule, TakesOverFromALowerMasterOnceStable) {
  make(config());
  hear(190, 8);
  EXPECT_EQ(role(), Role::backup);
  hear(190, 2);
  EXPECT_EQ(role(), Role::master);
}

TEST_F(VrrpModule, AsksTheGatewayBeforeItOutbids) {
  make(config());
  int asked = 0;
  node().bus().subscribe<GatewayCheckRequest>([&](const GatewayCheckRequest&) { ++asked; });
  node().bus().publish(GatewayHealth{Health::up, "answers", node().now(), node().now() + 1ns});
  node().settle();
  hear(200, 10);
  EXPECT_EQ(asked, 0);
  hear(190, 5);
  EXPECT_GE(asked, 4);
  EXPECT_EQ(role(), Role::backup);
  node().bus().publish(GatewayHealth{Health::up, "answers", node().now(), node().now()});
  node().settle();
  EXPECT_EQ(role(), Role::master);
}

TEST_F(VrrpModule, UndecidedTargetsHoldTheTakeover) {
  make(config());
  TargetHealth target;
  target.target = 1;
  node().bus().publish(target);
  node().settle();
  hear(190, 30);
  EXPECT_EQ(role(), Role::backup);
  node().bus().erase<TargetHealth>("1");
  node().settle();
  hear(190, 10);
  EXPECT_EQ(role(), Role::master);
}

TEST_F(VrrpModule, ReloadKeepsTheRoleUnlessTheIdentityChanges) {
  make(config());
  node().advance(10s);
  drain();
  EXPECT_FALSE(node().reload(config("  interval 2\n")).has_errors());
  EXPECT_EQ(role(), Role::master);
  auto sent = node().take_sent(1);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].at(39), 2);

  std::string other = config();
  other.replace(other.find("vrid 64"), 7, "vrid 65");
  EXPECT_FALSE(node().reload(other).has_errors());
  EXPECT_EQ(role(), Role::backup);
  EXPECT_EQ(node().forwarding().role().vrid, 65);
  sent = node().take_sent(1);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].at(35), 64);
  EXPECT_EQ(sent[0].at(36), 0);
  EXPECT_FALSE(node().reload(head + networks).has_errors());
  EXPECT_EQ(role(), Role::master);
}

TEST_F(VrrpModule, ErrorsAndWarningsOfTheConfiguration) {
  make(config());
  const auto problems = [&](const std::string& what, const std::string& by) {
    std::string changed = config();
    changed.replace(changed.find(what), what.size(), by);
    const Problems found = node().reload(changed);
    std::string all;
    for (const Problem& problem : found.list()) all += to_string(problem) + "\n";
    return all;
  };
  EXPECT_THAT(problems("  real 10.0.0.1\n", ""), HasSubstr("network 1 has no 'real' address"));
  EXPECT_THAT(problems("  vrid 64\n", ""), HasSubstr("vrrp has no vrid"));
  EXPECT_THAT(problems("  vrid 64\n", "  vrid 256\n"), HasSubstr("error"));
  EXPECT_THAT(problems("  vrid 64\n", "  vrid 64\n  version 3\n"), HasSubstr("error"));
  EXPECT_THAT(problems("  vrrppreempt 1\n", ""), HasSubstr("warning: tracking without"));
}

TEST_F(VrrpModule, NetworkThatIsNotEnabledKeepsTheNodeInInit) {
  std::string text_config = config();
  text_config.replace(text_config.find("enable networks 1,2"), 19, "enable network 2");
  make(text_config);
  node().advance(10s);
  EXPECT_EQ(role(), Role::init);
  EXPECT_EQ(text(node().command("show vrrp"), "reason"), "network 1 is not enabled");
}

}  // namespace
}  // namespace trivet::vrrp
