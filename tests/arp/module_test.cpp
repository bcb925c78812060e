// The module in a whole node: frames in and out, events, time.
#include "arp/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"
#include "trivet/topics/health.h"
#include "trivet/topics/links.h"
#include "trivet/topics/role.h"

namespace trivet::arp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using namespace testkit;  // NOLINT: packets read like packets

const char* const config_text = R"(hostname A
modules arp
set {
  arprefresh 2
}
interface 1 {
  name eth1
}
interface 2 {
  name eth2
}
interface 3 {
  name eth3
}
register interfaces 1,2,3
enable interfaces 1,2,3
network 1 {
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  virt 10.0.0.3
  mask6 48
  real6 2001:db8::2:1
  virt6 2001:db8::2:3
  interfaces 1,3
}
network 2 {
  mask6 48
  real6 2001:db8:ffff::2:1
  virt6 2001:db8:ffff::2:3
  interface 2
}
register networks 1,2
enable networks 1,2
)";

const MacAddress client = mac("02:00:00:00:01:0a");
const MacAddress other = mac("02:00:00:00:01:0b");
const MacAddress own1 = mac("02:00:00:00:00:01");
const MacAddress virtual4 = mac("00:00:5e:00:01:40");
const MacAddress virtual6 = mac("00:00:5e:00:02:40");

testkit::Frame solicitation(const MacAddress& from, const char* source, const char* target) {
  const Ipv6Address group = solicited_node_group(ip6(target));
  return eth(from, multicast_mac(group)) / ipv6(source, group).hop_limit(255) /
         neighbor_solicitation(target).source_mac(from);
}

testkit::Frame advertisement(const MacAddress& from, const MacAddress& to, const char* source, const char* destination,
                             NaFlags flags) {
  return eth(from, to) / ipv6(source, destination).hop_limit(255) /
         neighbor_advertisement(source, flags).target_mac(from);
}

class ArpModuleTest : public testing::Test {
 protected:
  explicit ArpModuleTest(const std::string& text = config_text) : node({&descriptor}, text) {}

  void become(Role role) {
    node.bus().publish(RoleState{role, 64, true, "test", node.now()});
    node.settle();
  }
  void quiet() {
    for (InterfaceId i = 1; i <= 3; ++i) (void)node.take_sent(i);
  }
  // Past everything that a start causes.
  void settle_as(Role role) {
    become(role);
    node.advance(seconds(20));
    quiet();
  }
  std::vector<std::string> sent(InterfaceId interface) {
    std::vector<std::string> lines;
    for (const auto& frame : node.take_sent(interface)) lines.push_back(describe(frame));
    return lines;
  }
  void want(NetworkId network, const char* address) {
    node.bus().publish(NeighborWanted{network, ip(address)});
    node.settle();
  }
  const NeighborEntry* neighbor(NetworkId network, const char* address) {
    NeighborEntry entry;
    entry.network = network;
    entry.address = ip(address);
    return node.bus().last<NeighborEntry>(entry.key());
  }

  Harness node;
};

TEST_F(ArpModuleTest, AnswersArpForItsRealAddressWithItsOwnMacWhateverTheRole) {
  for (const Role role : {Role::backup, Role::master}) {
    settle_as(role);
    node.inject(1, eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1"));
    EXPECT_THAT(node.take_sent(1),
                ElementsAre(IsFrame(eth(own1, client) / arp_reply(own1, "10.0.0.1", client, "10.0.0.9"))));
    EXPECT_THAT(sent(3), IsEmpty()) << "the answer goes where the question came from";
  }
}

TEST_F(ArpModuleTest, AnswersArpForAVirtualAddressAsMasterOnlyAndWithTheVirtualMac) {
  const auto question = eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.3");
  settle_as(Role::backup);
  node.inject(3, question);
  EXPECT_THAT(sent(3), IsEmpty());
  EXPECT_EQ(node.drops("arp", "arp-not-for-us"), 1U);
  settle_as(Role::master);
  node.inject(3, question);
  EXPECT_THAT(node.take_sent(3),
              ElementsAre(IsFrame(eth(virtual4, client) / arp_reply(virtual4, "10.0.0.3", client, "10.0.0.9"))));
}

TEST_F(ArpModuleTest, AnswersArpProbesOfOthers) {
  settle_as(Role::backup);
  node.inject(1, eth(client, MacAddress::broadcast()) / arp_request(client, "0.0.0.0", "10.0.0.1"));
  EXPECT_THAT(node.take_sent(1),
              ElementsAre(IsFrame(eth(own1, client) / arp_reply(own1, "10.0.0.1", client, "0.0.0.0"))));
}

TEST_F(ArpModuleTest, DoesNotAnswerOnInterfacesOfOtherNetworks) {
  settle_as(Role::master);
  node.inject(2, eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1"));
  node.inject(2, solicitation(client, "2001:db8:ffff::9", "2001:db8::2:3"));
  EXPECT_THAT(sent(2), IsEmpty());
}

TEST_F(ArpModuleTest, AnswersSolicitationsWithRoleMacAndFlags) {
  settle_as(Role::master);
  node.inject(3, solicitation(client, "2001:db8::9", "2001:db8::2:3"));
  EXPECT_THAT(node.take_sent(3),
              ElementsAre(IsFrame(eth(virtual6, client) / ipv6("2001:db8::2:3", "2001:db8::9").hop_limit(255) /
                                  neighbor_advertisement("2001:db8::2:3", {false, true, true}).target_mac(virtual6))));
  node.inject(1, solicitation(client, "2001:db8::9", "2001:db8::2:1"));
  EXPECT_THAT(node.take_sent(1),
              ElementsAre(IsFrame(eth(own1, client) / ipv6("2001:db8::2:1", "2001:db8::9").hop_limit(255) /
                                  neighbor_advertisement("2001:db8::2:1", {false, true, true}).target_mac(own1))));
}

TEST_F(ArpModuleTest, ABackupAnswersForReal6AndLinkLocalButNotForVirt6) {
  settle_as(Role::backup);
  node.inject(3, solicitation(client, "2001:db8::9", "2001:db8::2:3"));
  EXPECT_THAT(sent(3), IsEmpty());
  node.inject(3, solicitation(client, "2001:db8::9", "2001:db8::2:1"));
  EXPECT_THAT(sent(3), SizeIs(1));
  node.inject(3, solicitation(client, "fe80::9", "fe80::ff:fe00:3"));
  EXPECT_THAT(sent(3), SizeIs(1));
  node.inject(3, solicitation(client, "fe80::9", "fe80::ff:fe00:1"));
  EXPECT_THAT(sent(3), IsEmpty()) << "the link-local address of another interface";
}

TEST_F(ArpModuleTest, AnswersDuplicateAddressDetectionToAllNodesUnsolicited) {
  settle_as(Role::backup);
  const Ipv6Address group = solicited_node_group(ip6("2001:db8::2:1"));
  node.inject(
      1, eth(client, multicast_mac(group)) / ipv6("::", group).hop_limit(255) / neighbor_solicitation("2001:db8::2:1"));
  EXPECT_THAT(node.take_sent(1),
              ElementsAre(IsFrame(eth(own1, "33:33:00:00:00:01") / ipv6("2001:db8::2:1", "ff02::1").hop_limit(255) /
                                  neighbor_advertisement("2001:db8::2:1", {false, false, true}).target_mac(own1))));
}

TEST_F(ArpModuleTest, InvalidDiscoveryIsDroppedWithItsReason) {
  settle_as(Role::backup);
  const Ipv6Address group = solicited_node_group(ip6("2001:db8::2:1"));
  node.inject(1, eth(client, multicast_mac(group)) / ipv6("2001:db8::9", group).hop_limit(254) /
                     neighbor_solicitation("2001:db8::2:1").source_mac(client));
  node.inject(1, eth(client, multicast_mac(group)) / ipv6("2001:db8::9", group).hop_limit(255) /
                     neighbor_solicitation("2001:db8::2:1").source_mac(client).checksum(0x1234));
  node.inject(1, eth(client, multicast_mac(group)) / ipv6("2001:db8::9", group).hop_limit(255) /
                     neighbor_solicitation("2001:db8::2:1").source_mac(client).code(1));
  EXPECT_EQ(node.drops("arp", "nd-invalid"), 3U);
  EXPECT_THAT(sent(1), IsEmpty());
}

TEST_F(ArpModuleTest, ResolvesOnAllInterfacesOfTheNetworkFromRealAndRemembersWhereTheAnswerCameIn) {
  settle_as(Role::master);
  want(1, "2001:db8::9");
  const auto question = [](const MacAddress& from) -> testkit::Frame {
    return eth(from, "33:33:ff:00:00:09") / ipv6("2001:db8::2:1", "ff02::1:ff00:9").hop_limit(255) /
           neighbor_solicitation("2001:db8::9").source_mac(from);
  };
  EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(question(own1))));
  EXPECT_THAT(node.take_sent(3), ElementsAre(IsFrame(question(mac("02:00:00:00:00:03")))));
  EXPECT_THAT(sent(2), IsEmpty());
  node.inject(3, advertisement(client, mac("02:00:00:00:00:03"), "2001:db8::9", "2001:db8::2:1", {false, true, true}));
  ASSERT_NE(neighbor(1, "2001:db8::9"), nullptr);
  EXPECT_EQ(neighbor(1, "2001:db8::9")->reachability, NeighborReachability::reachable);
  EXPECT_EQ(neighbor(1, "2001:db8::9")->interface, 3);
  EXPECT_EQ(neighbor(1, "2001:db8::9")->mac, client);
  node.set_link(3, false);
  EXPECT_EQ(neighbor(1, "2001:db8::9"), nullptr) << "flushed with its link";
}

TEST_F(ArpModuleTest, ResolvesIpv4FromRealThreeTimesASecondApartAndFails) {
  settle_as(Role::backup);
  want(1, "10.0.0.9");
  const testkit::Frame question = eth(own1, MacAddress::broadcast()) / arp_request(own1, "10.0.0.1", "10.0.0.9");
  EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(question)));
  node.advance(milliseconds(2999));
  EXPECT_THAT(node.take_sent(1), SizeIs(2));
  EXPECT_EQ(neighbor(1, "10.0.0.9")->reachability, NeighborReachability::incomplete);
  node.advance(milliseconds(1));
  EXPECT_EQ(neighbor(1, "10.0.0.9")->reachability, NeighborReachability::failed);
  node.advance(seconds(3));
  EXPECT_EQ(neighbor(1, "10.0.0.9"), nullptr);
  EXPECT_EQ(node.counter("arp", "solicitations"), 6U);
}

TEST_F(ArpModuleTest, AskersAreRememberedAndConfirmedWhenTheyAreUsed) {
  settle_as(Role::backup);
  node.inject(1, eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1"));
  ASSERT_NE(neighbor(1, "10.0.0.9"), nullptr);
  EXPECT_EQ(neighbor(1, "10.0.0.9")->reachability, NeighborReachability::stale);
  quiet();
  node.bus().publish(NeighborUsed{1, ip("10.0.0.9")});
  node.settle();
  node.advance(seconds(5));
  EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(eth(own1, client) / arp_request(own1, "10.0.0.1", "10.0.0.9"))));
  EXPECT_THAT(node.take_sent(3), IsEmpty()) << "a probe goes to where the neighbour is";
  node.inject(1, eth(client, own1) / arp_reply(client, "10.0.0.9", own1, "10.0.0.1"));
  EXPECT_EQ(neighbor(1, "10.0.0.9")->reachability, NeighborReachability::reachable);
}

TEST_F(ArpModuleTest, BecomingMasterAnnouncesEveryVirtualAddressOnEveryInterfaceOfItsNetwork) {
  settle_as(Role::backup);
  become(Role::master);
  const testkit::Frame arp = eth(virtual4, MacAddress::broadcast()) / arp_request(virtual4, "10.0.0.3", "10.0.0.3");
  const testkit::Frame nd = eth(virtual6, "33:33:00:00:00:01") / ipv6("2001:db8::2:3", "ff02::1").hop_limit(255) /
                            neighbor_advertisement("2001:db8::2:3", {false, false, true}).target_mac(virtual6);
  for (const InterfaceId interface : {InterfaceId{1}, InterfaceId{3}}) {
    const auto frames = node.take_sent(interface);
    EXPECT_THAT(frames, Contains(IsFrame(arp)).Times(1)) << interface;
    EXPECT_THAT(frames, Contains(IsFrame(nd)).Times(1)) << interface;
    EXPECT_THAT(frames, Not(Contains(Describes("2001:db8:ffff::2:3")))) << interface;
  }
  EXPECT_THAT(node.take_sent(2), Contains(Describes("2001:db8:ffff::2:3")));
  for (int i = 1; i <= 5; ++i) {
    node.advance(seconds(1));
    const auto frames = node.take_sent(1);
    if (i == 1 || i == 5) {
      EXPECT_THAT(frames, Contains(IsFrame(arp))) << i;
    }
  }
}

TEST_F(ArpModuleTest, ABackupAnnouncesNoVirtualAddress) {
  become(Role::backup);
  quiet();
  node.advance(seconds(120));
  for (InterfaceId i = 1; i <= 3; ++i) {
    EXPECT_THAT(node.take_sent(i), Not(Contains(Describes("00:00:5e")))) << i;
  }
}

TEST_F(ArpModuleTest, ASilentMasterShowsBothVirtualMacsOnEveryInterfaceAtLeastEveryTwoSeconds) {
  settle_as(Role::master);
  for (int i = 0; i < 15; ++i) {
    node.advance(seconds(2));
    EXPECT_THAT(node.take_sent(1), AllOf(Contains(Describes("00:00:5e:00:01:40 >")).Times(1),
                                         Contains(Describes("00:00:5e:00:02:40 >")).Times(1)));
    EXPECT_THAT(node.take_sent(2), Contains(Describes("00:00:5e:00:02:40 >")).Times(1));
  }
}

TEST_F(ArpModuleTest, ALinkThatComesUpHearsTheAnnouncements) {
  settle_as(Role::master);
  node.set_link(3, false);
  node.advance(seconds(10));
  quiet();
  node.set_link(3, true);
  const auto lines = sent(3);
  EXPECT_THAT(lines, Contains(HasSubstr("00:00:5e:00:01:40 >")));
  EXPECT_THAT(lines, Contains(HasSubstr("02:00:00:00:00:03 > ff:ff:ff:ff:ff:ff")));
  EXPECT_THAT(sent(2), IsEmpty());
}

TEST_F(ArpModuleTest, WithoutVirtualRouterVirtualAddressesHaveTheInterfacesMac) {
  const auto frames = node.take_sent(1);
  EXPECT_THAT(frames,
              Contains(IsFrame(eth(own1, MacAddress::broadcast()) / arp_request(own1, "10.0.0.3", "10.0.0.3"))));
  node.advance(seconds(60));
  quiet();
  node.advance(seconds(60));
  EXPECT_THAT(node.take_sent(1), IsEmpty()) << "nothing is refreshed";
}

TEST_F(ArpModuleTest, AnInterfaceThatComesUpAnnouncesItsRealAddressesAndProbesForDuplicates) {
  const auto frames = node.take_sent(2);
  const MacAddress own2 = mac("02:00:00:00:00:02");
  const Ipv6Address group = solicited_node_group(ip6("2001:db8:ffff::2:1"));
  EXPECT_THAT(frames, Contains(IsFrame(eth(own2, multicast_mac(group)) / ipv6("::", group).hop_limit(255) /
                                       neighbor_solicitation("2001:db8:ffff::2:1"))));
  node.advance(seconds(1));
  EXPECT_THAT(node.take_sent(2),
              Contains(IsFrame(eth(own2, "33:33:00:00:00:01") / ipv6("2001:db8:ffff::2:1", "ff02::1").hop_limit(255) /
                               neighbor_advertisement("2001:db8:ffff::2:1", {false, false, true}).target_mac(own2))));
}

TEST_F(ArpModuleTest, AnotherNodeWithOurRealAddressIsLoggedAndDefendedAgainstAtMostEveryTenSeconds) {
  settle_as(Role::backup);
  (void)node.take_log();
  for (int i = 0; i < 12; ++i) {
    node.inject(3, eth(other, MacAddress::broadcast()) / arp_request(other, "10.0.0.1", "10.0.0.1"));
    node.advance(seconds(1));
  }
  EXPECT_THAT(node.take_log(), ElementsAre(AllOf(HasSubstr("neighbour conflict"), HasSubstr("02:00:00:00:01:0b"),
                                                 HasSubstr("10.0.0.1"), HasSubstr("interface 3 (eth3)"))));
  const testkit::Frame defence =
      eth(mac("02:00:00:00:00:03"), MacAddress::broadcast()) / arp_request("02:00:00:00:00:03", "10.0.0.1", "10.0.0.1");
  EXPECT_THAT(node.take_sent(3), ElementsAre(IsFrame(defence), IsFrame(defence)));
  EXPECT_EQ(node.counter("arp", "conflicts"), 12U);
}

TEST_F(ArpModuleTest, AnotherNodeWithOurReal6IsLogged) {
  settle_as(Role::backup);
  (void)node.take_log();
  node.inject(1, advertisement(other, mac("33:33:00:00:00:01"), "2001:db8::2:1", "ff02::1", {false, false, true}));
  EXPECT_THAT(node.take_log(), ElementsAre(HasSubstr("02:00:00:00:01:0b on interface 1 (eth1) claims 2001:db8::2:1")));
  EXPECT_EQ(neighbor(1, "2001:db8::2:1"), nullptr) << "an own address is never learnt";
}

TEST_F(ArpModuleTest, ThePeersAnnouncementWithTheVirtualMacIsNoConflict) {
  settle_as(Role::backup);
  (void)node.take_log();
  const testkit::Frame announcement =
      eth(virtual4, MacAddress::broadcast()) / arp_request(virtual4, "10.0.0.3", "10.0.0.3");
  node.inject(3, announcement);
  EXPECT_THAT(node.take_log(), IsEmpty());
  EXPECT_EQ(node.counter("arp", "conflicts"), 0U);
  EXPECT_EQ(node.counter("arp", "dual_master"), 0U);
  settle_as(Role::master);
  (void)node.take_log();
  node.inject(3, announcement);
  EXPECT_EQ(node.counter("arp", "dual_master"), 1U);
  EXPECT_EQ(node.counter("arp", "conflicts"), 0U);
  EXPECT_THAT(sent(3), IsEmpty()) << "no defence";
}

TEST_F(ArpModuleTest, ASecondMasterIsLoggedOnceAMinuteWithItsAddressInterfaceAndMac) {
  settle_as(Role::master);
  (void)node.take_log();
  for (int i = 0; i < 59; ++i) {
    node.inject(3, eth(virtual4, MacAddress::broadcast()) / arp_request(virtual4, "10.0.0.3", "10.0.0.3"));
    node.inject(
        2, advertisement(virtual6, mac("33:33:00:00:00:01"), "2001:db8:ffff::2:3", "ff02::1", {false, false, true}));
    node.advance(seconds(1));
  }
  EXPECT_THAT(node.take_log(),
              ElementsAre(HasSubstr("two masters: 00:00:5e:00:01:40 on interface 3 (eth3) announces 10.0.0.3 while "
                                    "this node is master")));
  node.advance(seconds(1));
  node.inject(2,
              advertisement(virtual6, mac("33:33:00:00:00:01"), "2001:db8:ffff::2:3", "ff02::1", {false, false, true}));
  EXPECT_THAT(node.take_log(), ElementsAre(AllOf(HasSubstr("00:00:5e:00:02:40 on interface 2 (eth2) announces "
                                                           "2001:db8:ffff::2:3 while this node is master"),
                                                 HasSubstr("118 times since the last line"))));
  EXPECT_EQ(node.counter("arp", "dual_master"), 119U);
  EXPECT_EQ(node.counter("arp", "conflicts"), 0U);
}

TEST_F(ArpModuleTest, ALinkThatWasDownForAMomentIsFlushedAndAnnouncedAgain) {
  settle_as(Role::master);
  node.inject(3, eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1"));
  node.inject(1, eth(other, MacAddress::broadcast()) / arp_request(other, "10.0.0.10", "10.0.0.1"));
  ASSERT_NE(neighbor(1, "10.0.0.9"), nullptr);
  quiet();
  // Both changes wait in the bus before anybody is told: it delivers one thing after the other.
  std::vector<bool> heard;
  node.bus().subscribe<LinkState>([&](const LinkState& link) {
    if (link.interface == 3) heard.push_back(link.up);
  });
  node.bus().subscribe<GatewayCheckRequest>([this](const GatewayCheckRequest&) {
    node.set_link(3, false);
    node.set_link(3, true);
  });
  node.settle();
  heard.clear();
  node.bus().publish(GatewayCheckRequest{});
  node.settle();
  ASSERT_THAT(heard, ElementsAre(false, true));
  EXPECT_EQ(neighbor(1, "10.0.0.9"), nullptr);
  EXPECT_NE(neighbor(1, "10.0.0.10"), nullptr) << "behind the other interface";
  const auto lines = sent(3);
  EXPECT_THAT(lines, Contains(HasSubstr("00:00:5e:00:01:40 > ff:ff:ff:ff:ff:ff")));
  EXPECT_THAT(lines, Contains(HasSubstr("02:00:00:00:00:03 > ff:ff:ff:ff:ff:ff")));
  EXPECT_THAT(lines, Contains(HasSubstr("> ff02::16"))) << "the groups are joined again";
  EXPECT_THAT(sent(1), IsEmpty());
}

TEST_F(ArpModuleTest, OwnFramesThatComeBackThroughAnotherInterfaceAreCountedOnly) {
  settle_as(Role::backup);
  (void)node.take_log();
  node.inject(3, eth(own1, MacAddress::broadcast()) / arp_request(own1, "10.0.0.1", "10.0.0.1"));
  EXPECT_EQ(node.counter("arp", "own_frames"), 1U);
  EXPECT_EQ(node.counter("arp", "conflicts"), 0U);
  EXPECT_THAT(sent(3), IsEmpty());
}

TEST_F(ArpModuleTest, GroupsOfVirtualAddressesAreJoinedAndLeftWithTheRole) {
  std::vector<GroupMembership> groups;
  node.bus().subscribe_list<GroupMembership>([&](const std::vector<GroupMembership>& list) { groups = list; });
  node.settle();
  const GroupMembership of_virt{2, solicited_node_group(ip6("2001:db8:ffff::2:3"))};
  const GroupMembership of_real{2, solicited_node_group(ip6("2001:db8:ffff::2:1"))};
  become(Role::backup);
  EXPECT_THAT(groups, Contains(of_real));
  EXPECT_THAT(groups, Contains(GroupMembership{2, ip("ff02::1")}));
  EXPECT_THAT(groups, Contains(GroupMembership{2, ip("224.0.0.1")}));
  EXPECT_THAT(groups, Not(Contains(of_virt)));
  become(Role::master);
  EXPECT_THAT(groups, Contains(of_virt));
  become(Role::backup);
  EXPECT_THAT(groups, Not(Contains(of_virt)));
}

TEST_F(ArpModuleTest, JoinsAreReportedByMldFromTheLinkLocalAddress) {
  settle_as(Role::backup);
  become(Role::master);
  const auto lines = sent(2);
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("33:33:00:00:00:16"), HasSubstr("fe80::ff:fe00:2 > ff02::16"))));
}

TEST_F(ArpModuleTest, GroupsOfOtherModulesAreReportedByIgmpFromReal) {
  settle_as(Role::backup);
  node.bus().publish_list<GroupMembership>({{1, ip("224.0.0.18")}});
  node.settle();
  const auto frames = node.take_sent(1);
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_FRAME_EQ(frames[0], bytes("01005e000016 020000000001 0800 46c0 0028 0000 0000 01 02 39f9 0a000001 e0000016"
                                   "94040000 22 00 f9eb 0000 0001 04 00 0000 e0000012"))
      << show(frames[0]);
}

TEST_F(ArpModuleTest, QueriesAreAnsweredWithinTheirTime) {
  settle_as(Role::backup);
  node.inject(2, eth(other, "33:33:00:00:00:01") / ipv6("fe80::1", "ff02::1").hop_limit(1) / hop_by_hop() /
                     icmp(130, 0, 0x03e80000).body(testkit::Frame(20, 0)));
  node.advance(milliseconds(1000));
  EXPECT_THAT(sent(2), ElementsAre(HasSubstr("fe80::ff:fe00:2 > ff02::16")));
  node.inject(2, eth(other, "33:33:00:00:00:01") / ipv6("2001:db8::1", "ff02::1").hop_limit(1) / hop_by_hop() /
                     icmp(130, 0, 0x03e80000).body(testkit::Frame(20, 0)));
  node.inject(2, eth(other, "33:33:00:00:00:01") / ipv6("fe80::1", "ff02::1").hop_limit(2) / hop_by_hop() /
                     icmp(130, 0, 0x03e80000).body(testkit::Frame(20, 0)));
  EXPECT_EQ(node.drops("arp", "query-invalid"), 2U);
}

TEST_F(ArpModuleTest, GeneralQueriesAsBytesAreAnswered) {
  settle_as(Role::backup);
  node.inject(2, bytes("33 33 00 00 00 01 02 00 00 00 01 0b 86 dd "
                       "60 00 00 00 00 24 00 01 "
                       "fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01 "
                       "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01 "
                       "3a 00 05 02 00 00 01 00 "
                       "82 00 79 be 03 e8 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 7d 00 00 "));
  node.advance(seconds(1));
  EXPECT_THAT(sent(2), ElementsAre(HasSubstr("fe80::ff:fe00:2 > ff02::16")));
  node.inject(1, bytes("01 00 5e 00 00 01 02 00 00 00 01 0b 08 00 "
                       "46 c0 00 24 00 00 00 00 01 02 39 15 "
                       "0a 00 00 fe e0 00 00 01 "
                       "94 04 00 00 "
                       "11 0a ec 78 00 00 00 00 02 7d 00 00 "));
  node.advance(seconds(1));
  // No group but that of all hosts, which is never reported: another module's.
  EXPECT_THAT(sent(1), IsEmpty());
  node.bus().publish_list<GroupMembership>({{1, ip("224.0.0.18")}});
  node.settle();
  node.advance(seconds(5));
  quiet();
  node.inject(1, bytes("01 00 5e 00 00 01 02 00 00 00 01 0b 08 00 "
                       "46 c0 00 24 00 00 00 00 01 02 39 15 "
                       "0a 00 00 fe e0 00 00 01 "
                       "94 04 00 00 "
                       "11 0a ec 78 00 00 00 00 02 7d 00 00 "));
  node.advance(seconds(1));
  EXPECT_THAT(sent(1), ElementsAre(HasSubstr("10.0.0.1 > 224.0.0.22")));
  EXPECT_EQ(node.drops("arp", "query-invalid"), 0U);
}

TEST_F(ArpModuleTest, MessagesThatAreCutShortAnywhereAreNeverAnsweredOrLearnt) {
  settle_as(Role::backup);
  const testkit::Frame arp = eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1");
  for (const testkit::Frame& whole : {arp, solicitation(client, "2001:db8::9", "2001:db8::2:1")}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      node.inject(1, testkit::Frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      ASSERT_THAT(sent(1), IsEmpty()) << size;
    }
  }
  EXPECT_EQ(neighbor(1, "10.0.0.9"), nullptr);
  EXPECT_EQ(neighbor(1, "2001:db8::9"), nullptr);
}

TEST_F(ArpModuleTest, ShowNeighborsHasARowForEachNeighbour) {
  settle_as(Role::backup);
  node.inject(1, eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1"));
  node.advance(seconds(2));
  const Report report = node.command("show neighbors");
  ASSERT_EQ(report.error, "");
  ASSERT_THAT(report.tables, SizeIs(1));
  ASSERT_THAT(report.tables[0].rows, SizeIs(1));
  EXPECT_THAT(report.tables[0].rows[0],
              ElementsAre(Cell{std::uint64_t{1}}, Cell{std::string("10.0.0.9")}, Cell{std::string("02:00:00:00:01:0a")},
                          Cell{std::string("eth1")}, Cell{std::string("stale")}, Cell{2.0}, Cell{1198.0}));
}

TEST_F(ArpModuleTest, AFloodOfSolicitationsIsBoundedAndLeavesAnswersAlone) {
  settle_as(Role::backup);
  want(1, "2001:db8::9");
  for (std::uint32_t round = 0; round < 100; ++round) {
    std::vector<testkit::Bytes> flood;
    for (std::uint32_t i = 0; i < 64; ++i) {
      MacAddress source = client;
      source.bytes[3] = static_cast<std::uint8_t>(round);
      source.bytes[4] = static_cast<std::uint8_t>(i);
      flood.push_back(solicitation(source, "2001:db8::bad", "2001:db8::2:1"));
    }
    node.inject(3, flood);
  }
  EXPECT_EQ(node.drops("arp", "rate-limited"), 6400U - 256U);
  node.inject(3, advertisement(client, mac("02:00:00:00:00:03"), "2001:db8::9", "2001:db8::2:1", {false, true, true}));
  EXPECT_EQ(neighbor(1, "2001:db8::9")->reachability, NeighborReachability::reachable);
}

TEST_F(ArpModuleTest, AScanDoesNotKeepATargetOrTheGatewayFromBeingFound) {
  const std::string text = std::string(config_text) + R"(gateway {
  ipaddr6 2001:db8::2:10
}
target 1 {
  ipaddr6 2001:db8::2:5
}
register target 1
enable target 1
)";
  EXPECT_FALSE(node.reload(text).has_errors());
  settle_as(Role::master);
  want(1, "2001:db8::2:5");
  want(1, "2001:db8::2:10");
  // 2,000 a second, twice as many as may be without an answer.
  for (unsigned i = 0; i < 2000; ++i) {
    node.bus().publish(NeighborWanted{1, ip("2001:db8::bad:" + std::to_string(1000 + i))});
    if (i % 100 == 99) {
      node.settle();
      node.advance(milliseconds(50));
    }
  }
  for (const char* const address : {"2001:db8::2:5", "2001:db8::2:10"}) {
    ASSERT_NE(neighbor(1, address), nullptr) << address;
    EXPECT_EQ(neighbor(1, address)->reachability, NeighborReachability::incomplete);
    node.inject(3, advertisement(client, mac("02:00:00:00:00:03"), address, "2001:db8::2:1", {false, true, true}));
    EXPECT_EQ(neighbor(1, address)->reachability, NeighborReachability::reachable) << address;
  }
  // One that the configuration does not name is found as well, if it answers soon.
  want(1, "2001:db8::9");
  node.inject(3, advertisement(client, mac("02:00:00:00:00:03"), "2001:db8::9", "2001:db8::2:1", {false, true, true}));
  EXPECT_EQ(neighbor(1, "2001:db8::9")->reachability, NeighborReachability::reachable);
}

TEST_F(ArpModuleTest, AReloadThatTakesANetworkAwayForgetsItsNeighbours) {
  settle_as(Role::master);
  node.inject(2, solicitation(client, "2001:db8:ffff::9", "2001:db8:ffff::2:1"));
  node.inject(1, solicitation(client, "2001:db8::9", "2001:db8::2:1"));
  ASSERT_NE(neighbor(2, "2001:db8:ffff::9"), nullptr);
  std::string text = config_text;
  text += "disable network 2\n";
  EXPECT_FALSE(node.reload(text).has_errors());
  EXPECT_EQ(neighbor(2, "2001:db8:ffff::9"), nullptr);
  EXPECT_NE(neighbor(1, "2001:db8::9"), nullptr);
}

TEST_F(ArpModuleTest, StoppingSaysGoodbyeToTheGroups) {
  settle_as(Role::backup);
  node.stop();
  EXPECT_THAT(sent(2), ElementsAre(HasSubstr("ff02::16")));
}

}  // namespace
}  // namespace trivet::arp
