// The frames that the module sends: each format as golden bytes, computed by a separate script from RFC 826, 2236,
// 2710, 3376, 3810, 4861 and 8200, not by the code under test; their variants beside it.
#include "arp/frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node_for_tests.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::arp {
namespace {

using namespace testkit;  // NOLINT: packets read like packets

const MacAddress client = mac("02:00:00:00:01:0a");
const MacAddress virtual4 = mac("00:00:5e:00:01:40");
const MacAddress virtual6 = mac("00:00:5e:00:02:40");

class FramesTest : public testing::Test {
 protected:
  std::unique_ptr<const ForwardingState> backup = make_node(Role::backup);
  std::unique_ptr<const ForwardingState> master = make_node(Role::master);
};

TEST_F(FramesTest, ArpReply) {
  EXPECT_FRAME_EQ(answer_frame({1, ip4("10.0.0.3"), virtual4, ip4("10.0.0.9"), client, true}, true),
                  bytes("02000000010a 00005e000140 0806 0001 0800 06 04 0002 00005e000140 0a000003"
                        "02000000010a 0a000009"));
}

TEST_F(FramesTest, NeighborAdvertisementsHaveRouterSolicitedAndOverrideFlags) {
  const Answer answer{1, ip6("2001:db8::2:3"), virtual6, ip6("2001:db8::9"), client, true};
  EXPECT_FRAME_EQ(answer_frame(answer, true), bytes("02000000010a 00005e000240 86dd 60000000 0020 3a ff"
                                                    "20010db8000000000000000000020003"
                                                    "20010db8000000000000000000000009"
                                                    "88 00 ac24 e0000000 20010db8000000000000000000020003"
                                                    "02 01 00005e000240"));
  EXPECT_FRAME_EQ(answer_frame(answer, false),
                  eth(virtual6, client) / ipv6("2001:db8::2:3", "2001:db8::9").hop_limit(255) /
                      neighbor_advertisement("2001:db8::2:3", {false, true, true}).target_mac(virtual6));
}

TEST_F(FramesTest, ArpAnnouncement) {
  const Announcement what{1, virtual4, ip4("10.0.0.3"), AddressScope::master, true};
  EXPECT_FRAME_EQ(announcement_frame({what, AnnouncementKind::announce}, true),
                  bytes("ffffffffffff 00005e000140 0806 0001 0800 06 04 0001 00005e000140 0a000003"
                        "000000000000 0a000003"));
}

TEST_F(FramesTest, ArpProbe) {
  const Announcement what{1, client, ip4("10.0.0.1"), AddressScope::own, false};
  EXPECT_FRAME_EQ(announcement_frame({what, AnnouncementKind::probe}, true),
                  bytes("ffffffffffff 02000000010a 0806 0001 0800 06 04 0001 02000000010a 00000000"
                        "000000000000 0a000001"));
}

TEST_F(FramesTest, UnsolicitedAdvertisementToAllNodes) {
  const Announcement what{1, virtual6, ip6("2001:db8::2:3"), AddressScope::master, true};
  EXPECT_FRAME_EQ(announcement_frame({what, AnnouncementKind::announce}, true),
                  eth(virtual6, "33:33:00:00:00:01") / ipv6("2001:db8::2:3", "ff02::1").hop_limit(255) /
                      neighbor_advertisement("2001:db8::2:3", {true, false, true}).target_mac(virtual6));
}

TEST_F(FramesTest, DuplicateAddressDetectionHasNoSourceAndNoOption) {
  const Announcement what{1, client, ip6("2001:db8::2:1"), AddressScope::own, false};
  EXPECT_FRAME_EQ(announcement_frame({what, AnnouncementKind::probe}, true),
                  eth(client, "33:33:ff:02:00:01") / ipv6("::", "ff02::1:ff02:1").hop_limit(255) /
                      neighbor_solicitation("2001:db8::2:1"));
}

TEST_F(FramesTest, QuestionsComeFromRealAndTheInterfacesOwnMacEvenAsMaster) {
  EXPECT_FRAME_EQ(
      *solicitation_frame(*master, {1, ip4("10.0.0.9")}, 3, std::nullopt),
      eth("02:00:00:00:00:03", MacAddress::broadcast()) / arp_request("02:00:00:00:00:03", "10.0.0.1", "10.0.0.9"));
  EXPECT_FRAME_EQ(*solicitation_frame(*master, {1, ip6("2001:db8::9")}, 3, std::nullopt),
                  eth("02:00:00:00:00:03", "33:33:ff:00:00:09") /
                      ipv6("2001:db8::2:1", "ff02::1:ff00:9").hop_limit(255) /
                      neighbor_solicitation("2001:db8::9").source_mac("02:00:00:00:00:03"));
}

TEST_F(FramesTest, QuestionsToAKnownNeighbourAreUnicast) {
  EXPECT_FRAME_EQ(*solicitation_frame(*master, {1, ip4("10.0.0.9")}, 3, client),
                  eth("02:00:00:00:00:03", client) / arp_request("02:00:00:00:00:03", "10.0.0.1", "10.0.0.9"));
  EXPECT_FRAME_EQ(*solicitation_frame(*master, {1, ip6("2001:db8::9")}, 3, client),
                  eth("02:00:00:00:00:03", client) / ipv6("2001:db8::2:1", "2001:db8::9").hop_limit(255) /
                      neighbor_solicitation("2001:db8::9").source_mac("02:00:00:00:00:03"));
}

TEST_F(FramesTest, LinkLocalNeighboursAndNetworksWithoutReal6AreAskedFromTheLinkLocalAddress) {
  EXPECT_THAT(*solicitation_frame(*backup, {1, ip6("fe80::9")}, 3, std::nullopt),
              Describes("fe80::ff:fe00:3 > ff02::1:ff00:9"));
  EXPECT_THAT(*solicitation_frame(*backup, {2, ip6("2001:db8:ffff::9")}, 2, std::nullopt),
              Describes("fe80::ff:fe00:2 > ff02::1:ff00:9"));
}

TEST_F(FramesTest, NetworksWithoutRealAskFromVirtAsMasterAndLikeAProbeAsBackup) {
  ForwardingState::Parts parts;
  parts.role = {Role::master, 64, true, "", {}};
  parts.interfaces.push_back({1, "eth1", client, 1500, true, {1}});
  NetworkView network;
  network.number = 1;
  network.interfaces = {1};
  network.prefix4 = IpPrefix{ip4("10.0.0.0"), 8};
  network.virt4 = ip4("10.0.0.3");
  parts.networks.push_back(network);
  ForwardingState::Parts as_backup = parts;
  as_backup.role.role = Role::backup;
  EXPECT_FRAME_EQ(*solicitation_frame(ForwardingState(parts), {1, ip4("10.0.0.9")}, 1, std::nullopt),
                  eth(virtual4, MacAddress::broadcast()) / arp_request(virtual4, "10.0.0.3", "10.0.0.9"));
  EXPECT_FRAME_EQ(*solicitation_frame(ForwardingState(as_backup), {1, ip4("10.0.0.9")}, 1, std::nullopt),
                  eth(client, MacAddress::broadcast()) / arp_request(client, "0.0.0.0", "10.0.0.9"));
}

TEST_F(FramesTest, NoQuestionWithoutNetworkOrInterface) {
  EXPECT_FALSE(solicitation_frame(*backup, {9, ip4("10.0.0.9")}, 1, std::nullopt).has_value());
  EXPECT_FALSE(solicitation_frame(*backup, {1, ip4("10.0.0.9")}, 9, std::nullopt).has_value());
  EXPECT_FALSE(report_frame(*backup, {9, Family::ipv6, MembershipVersion::current, {{ip6("ff02::9"), {}}}}));
  EXPECT_FALSE(report_frame(*backup, {1, Family::ipv6, MembershipVersion::current, {}}));
}

MembershipReport report(MembershipVersion version, MembershipRecord record, const IpAddress& group) {
  return {1, group.family(), version, {{group, record}}};
}

TEST_F(FramesTest, MldVersion2Join) {
  EXPECT_FRAME_EQ(*report_frame(*backup, report(MembershipVersion::current, MembershipRecord::joins, ip6("ff02::9"))),
                  eth("02:00:00:00:00:01", "33:33:00:00:00:16") / ipv6("fe80::ff:fe00:1", "ff02::16").hop_limit(1) /
                      hop_by_hop() / icmp(143, 0, 1).body(bytes("04 00 0000 ff020000000000000000000000000009")));
}

TEST_F(FramesTest, MldVersion2LeaveAndState) {
  EXPECT_FRAME_EQ(*report_frame(*backup, report(MembershipVersion::current, MembershipRecord::leaves, ip6("ff02::9"))),
                  eth("02:00:00:00:00:01", "33:33:00:00:00:16") / ipv6("fe80::ff:fe00:1", "ff02::16").hop_limit(1) /
                      hop_by_hop() / icmp(143, 0, 1).body(bytes("03 00 0000 ff020000000000000000000000000009")));
  EXPECT_FRAME_EQ(
      *report_frame(*backup, report(MembershipVersion::current, MembershipRecord::is_member, ip6("ff02::9"))),
      eth("02:00:00:00:00:01", "33:33:00:00:00:16") / ipv6("fe80::ff:fe00:1", "ff02::16").hop_limit(1) / hop_by_hop() /
          icmp(143, 0, 1).body(bytes("02 00 0000 ff020000000000000000000000000009")));
}

TEST_F(FramesTest, MldVersion1ReportAndDone) {
  EXPECT_FRAME_EQ(*report_frame(*backup, report(MembershipVersion::older, MembershipRecord::joins, ip6("ff02::9"))),
                  eth("02:00:00:00:00:01", "33:33:00:00:00:09") / ipv6("fe80::ff:fe00:1", "ff02::9").hop_limit(1) /
                      hop_by_hop() / icmp(131, 0).body(bytes("ff020000000000000000000000000009")));
  EXPECT_FRAME_EQ(*report_frame(*backup, report(MembershipVersion::older, MembershipRecord::leaves, ip6("ff02::9"))),
                  eth("02:00:00:00:00:01", "33:33:00:00:00:02") / ipv6("fe80::ff:fe00:1", "ff02::2").hop_limit(1) /
                      hop_by_hop() / icmp(132, 0).body(bytes("ff020000000000000000000000000009")));
}

TEST_F(FramesTest, MldVersion1ReportAsBytes) {
  EXPECT_FRAME_EQ(*report_frame(*backup, report(MembershipVersion::older, MembershipRecord::joins, ip6("ff02::9"))),
                  bytes("33 33 00 00 00 09 02 00 00 00 00 01 86 dd "
                        "60 00 00 00 00 20 00 01 "
                        "fe 80 00 00 00 00 00 00 00 00 00 ff fe 00 00 01 "
                        "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 09 "
                        "3a 00 05 02 00 00 01 00 "
                        "83 00 81 13 00 00 00 00 ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 09 "));
}

TEST_F(FramesTest, UnsolicitedAdvertisementAndDuplicateAddressDetectionAsBytes) {
  const Announcement mine{1, virtual6, ip6("2001:db8::2:3"), AddressScope::master, true};
  EXPECT_FRAME_EQ(announcement_frame({mine, AnnouncementKind::announce}, true),
                  bytes("333300000001 00005e000240 86dd 60000000 0020 3a ff"
                        "20010db8000000000000000000020003 ff020000000000000000000000000001"
                        "88 00 1ae3 a0000000 20010db8000000000000000000020003 02 01 00005e000240"));
  const Announcement wanted{1, client, ip6("2001:db8::2:1"), AddressScope::own, false};
  EXPECT_FRAME_EQ(announcement_frame({wanted, AnnouncementKind::probe}, true),
                  bytes("3333ff020001 02000000010a 86dd 60000000 0018 3a ff"
                        "00000000000000000000000000000000 ff0200000000000000000001ff020001"
                        "87 00 4ce9 00000000 20010db8000000000000000000020001"));
}

TEST_F(FramesTest, SolicitationsAsBytes) {
  EXPECT_FRAME_EQ(*solicitation_frame(*master, {1, ip6("2001:db8::9")}, 3, std::nullopt),
                  bytes("3333ff000009 020000000003 86dd 60000000 0020 3a ff"
                        "20010db8000000000000000000020001 ff0200000000000000000001ff000009"
                        "87 00 1c15 00000000 20010db8000000000000000000000009 01 01 020000000003"));
  EXPECT_FRAME_EQ(*solicitation_frame(*master, {1, ip6("2001:db8::9")}, 3, client),
                  bytes("02000000010a 020000000003 86dd 60000000 0020 3a ff"
                        "20010db8000000000000000000020001 20010db8000000000000000000000009"
                        "87 00 ec60 00000000 20010db8000000000000000000000009 01 01 020000000003"));
  EXPECT_FRAME_EQ(*solicitation_frame(*master, {1, ip4("10.0.0.9")}, 3, std::nullopt),
                  bytes("ffffffffffff 020000000003 0806 0001 0800 06 04 0001 020000000003 0a000001"
                        "000000000000 0a000009"));
}

TEST_F(FramesTest, MldVersion2ReportsAndVersion1DoneAsBytes) {
  const auto frame = [&](MembershipVersion version, MembershipRecord record) {
    return *report_frame(*backup, report(version, record, ip6("ff02::9")));
  };
  const std::string to_routers =
      "333300000016 020000000001 86dd 60000000 0024 00 01 fe80000000000000000000fffe000001"
      "ff020000000000000000000000000016 3a00 05020000 0100 ";
  const std::string group = "0000 ff020000000000000000000000000009";
  EXPECT_FRAME_EQ(frame(MembershipVersion::current, MembershipRecord::joins),
                  bytes(to_routers + "8f00 7101 0000 0001 04 00 " + group));
  EXPECT_FRAME_EQ(frame(MembershipVersion::current, MembershipRecord::leaves),
                  bytes(to_routers + "8f00 7201 0000 0001 03 00 " + group));
  EXPECT_FRAME_EQ(frame(MembershipVersion::current, MembershipRecord::is_member),
                  bytes(to_routers + "8f00 7301 0000 0001 02 00 " + group));
  EXPECT_FRAME_EQ(frame(MembershipVersion::older, MembershipRecord::leaves),
                  bytes("333300000002 020000000001 86dd 60000000 0020 00 01 fe80000000000000000000fffe000001"
                        "ff020000000000000000000000000002 3a00 05020000 0100"
                        "8400 801a 0000 0000 ff020000000000000000000000000009"));
}

TEST_F(FramesTest, IgmpVersion2ReportAndLeave) {
  const IpAddress group = ip4("224.0.0.18");
  EXPECT_FRAME_EQ(*report_frame(*backup, report(MembershipVersion::older, MembershipRecord::is_member, group)),
                  bytes("01005e000012 020000000001 0800 46c0 0020 0000 0000 01 02 3a05 0a000001 e0000012"
                        "94040000 16 00 09ed e0000012"));
  EXPECT_FRAME_EQ(*report_frame(*backup, report(MembershipVersion::older, MembershipRecord::leaves, group)),
                  bytes("01005e000002 020000000001 0800 46c0 0020 0000 0000 01 02 3a15 0a000001 e0000002"
                        "94040000 17 00 08ed e0000012"));
}

TEST_F(FramesTest, IgmpVersion3LeaveWithoutIpv4AddressComesFromZero) {
  MembershipReport leave = report(MembershipVersion::current, MembershipRecord::leaves, ip4("224.0.0.18"));
  leave.interface = 2;
  const auto frame = report_frame(*backup, leave);
  ASSERT_TRUE(frame.has_value());
  EXPECT_THAT(*frame, Describes("0.0.0.0 > 224.0.0.22 hop limit 1"));
}

}  // namespace
}  // namespace trivet::arp
