#include "arp/responder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "node_for_tests.h"

namespace trivet::arp {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using testkit::ip4;
using testkit::ip6;
using testkit::mac;

const MacAddress client = mac("02:00:00:00:01:0a");
const MacAddress own3 = mac("02:00:00:00:00:03");
const MacAddress virtual4 = mac("00:00:5e:00:01:40");
const MacAddress virtual6 = mac("00:00:5e:00:02:40");

Arrival arrival(InterfaceId interface = 1, bool to_group = true, const MacAddress& from = client) {
  return {interface, from, to_group};
}
wire::ArpValues request(const char* sender, const char* target, const MacAddress& from = client) {
  return {wire::ArpOperation::request, from, ip4(sender), {}, ip4(target)};
}
wire::ArpValues reply(const char* sender, const char* target, const MacAddress& from = client) {
  return {wire::ArpOperation::reply, from, ip4(sender), mac("02:00:00:00:00:01"), ip4(target)};
}
wire::NeighborSolicitation solicitation(const char* target, std::optional<MacAddress> from = client) {
  return {ip6(target), from, std::nullopt};
}
wire::NeighborAdvertisement advertisement(const char* target, std::optional<MacAddress> from = client) {
  return {ip6(target), false, true, true, from};
}

class ResponderTest : public testing::Test {
 protected:
  std::unique_ptr<const ForwardingState> backup = make_node(Role::backup);
  std::unique_ptr<const ForwardingState> master = make_node(Role::master);
  std::unique_ptr<const ForwardingState> plain_backup = make_node(Role::backup, false);
};

TEST_F(ResponderTest, ARequestForUsIsAnsweredAndItsSenderLearnt) {
  const Consequence result = on_arp(*backup, arrival(3), request("10.0.0.9", "10.0.0.1"));
  EXPECT_EQ(result.answer, (Answer{3, ip4("10.0.0.1"), own3, ip4("10.0.0.9"), client, true}));
  ASSERT_THAT(result.sources, SizeIs(1));
  EXPECT_EQ(result.sources[0], (LearntSource{{1, ip4("10.0.0.9")}, {client, 3}, Learning::create}));
  EXPECT_FALSE(result.claim.has_value());
}

TEST_F(ResponderTest, ASenderThatIsNotOnLinkIsAnsweredButNotCreated) {
  const Consequence result = on_arp(*backup, arrival(), request("192.168.7.7", "10.0.0.1"));
  EXPECT_TRUE(result.answer.has_value());
  ASSERT_THAT(result.sources, SizeIs(1));
  EXPECT_EQ(result.sources[0].learning, Learning::update);
}

TEST_F(ResponderTest, OfOverlappingNetworksASenderIsLearntInTheNarrower) {
  ForwardingState::Parts parts;
  parts.interfaces.push_back({.number = 1, .name = "eth1", .mac = own3, .up = true, .networks = {1, 2}});
  for (const NetworkId number : std::initializer_list<NetworkId>{1, 2}) {
    NetworkView& network = parts.networks.emplace_back();
    network.number = number;
    network.interfaces = {1};
  }
  parts.networks[0].prefix4 = IpPrefix{ip4("10.0.0.0"), 8};
  parts.networks[1].prefix4 = IpPrefix{ip4("10.1.0.0"), 16};
  parts.addresses.push_back({ip4("10.1.0.1"), AddressScope::own, 2, 0, true});
  const ForwardingState node(std::move(parts));
  const Consequence result = on_arp(node, arrival(), request("10.1.0.9", "10.1.0.1"));
  ASSERT_THAT(result.sources, SizeIs(2));
  EXPECT_EQ(result.sources[0], (LearntSource{{1, ip4("10.1.0.9")}, {client, 1}, Learning::update}));
  EXPECT_EQ(result.sources[1], (LearntSource{{2, ip4("10.1.0.9")}, {client, 1}, Learning::create}));
}

TEST_F(ResponderTest, VirtualAddressesFollowTheRoleAndTheMacPolicy) {
  EXPECT_FALSE(on_arp(*backup, arrival(), request("10.0.0.9", "10.0.0.3")).answer.has_value());
  EXPECT_EQ(on_arp(*master, arrival(), request("10.0.0.9", "10.0.0.3")).answer->mac, virtual4);
  const auto real_mac = make_node(Role::master, false);
  EXPECT_EQ(on_arp(*real_mac, arrival(), request("10.0.0.9", "10.0.0.3")).answer->mac, mac("02:00:00:00:00:01"));
  EXPECT_FALSE(on_solicitation(*backup, arrival(), ip6("2001:db8::9"), solicitation("2001:db8::2:3")).answer);
  EXPECT_EQ(on_solicitation(*master, arrival(), ip6("2001:db8::9"), solicitation("2001:db8::2:3")).answer->mac,
            virtual6);
}

TEST_F(ResponderTest, AnAddressOnNoNetworkOrOfAnotherNetworkIsNotAnswered) {
  EXPECT_FALSE(on_arp(*master, arrival(1), request("10.0.0.9", "192.0.2.4")).answer.has_value());
  EXPECT_FALSE(on_arp(*master, arrival(2), request("10.0.0.9", "10.0.0.3")).answer.has_value());
  EXPECT_FALSE(on_solicitation(*master, arrival(1), ip6("2001:db8::9"), solicitation("2001:db8:ffff::2:3")).answer);
  EXPECT_TRUE(on_solicitation(*master, arrival(2), ip6("2001:db8::9"), solicitation("2001:db8:ffff::2:3")).answer);
}

TEST_F(ResponderTest, ARequestForAnotherHostUpdatesAtMost) {
  const Consequence result = on_arp(*backup, arrival(), request("10.0.0.9", "10.0.0.77"));
  EXPECT_FALSE(result.answer.has_value());
  ASSERT_THAT(result.sources, SizeIs(1));
  EXPECT_EQ(result.sources[0].learning, Learning::update);
}

TEST_F(ResponderTest, AReplyIsSolicitedOnlyWhenItCameToThisNodeAlone) {
  const auto solicited = [&](const Arrival& how, const wire::ArpValues& heard) {
    const Consequence result = on_arp(*backup, how, heard);
    EXPECT_THAT(result.sources, IsEmpty());
    return result.advertisements.at(0).advertisement.solicited;
  };
  EXPECT_TRUE(solicited(arrival(1, false), reply("10.0.0.9", "10.0.0.1")));
  EXPECT_FALSE(solicited(arrival(1, true), reply("10.0.0.9", "10.0.0.1")));
  EXPECT_FALSE(solicited(arrival(1, false), reply("10.0.0.9", "10.0.0.9")));
  EXPECT_FALSE(solicited(arrival(1, true), request("10.0.0.9", "10.0.0.9")));
}

TEST_F(ResponderTest, GroupZeroAndOwnMacsTeachNothing) {
  for (const char* bad : {"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00"}) {
    const Consequence result = on_arp(*backup, arrival(), request("10.0.0.9", "10.0.0.1", mac(bad)));
    EXPECT_EQ(result.remark, Remark::invalid_mac) << bad;
    EXPECT_FALSE(result.answer.has_value());
    EXPECT_THAT(result.sources, IsEmpty());
    EXPECT_THAT(on_advertisement(*backup, arrival(), advertisement("2001:db8::9", mac(bad))).advertisements, IsEmpty());
    EXPECT_THAT(
        on_solicitation(*backup, arrival(), ip6("2001:db8::9"), solicitation("2001:db8::2:1", mac(bad))).sources,
        IsEmpty());
  }
  EXPECT_EQ(on_arp(*backup, arrival(), request("10.0.0.9", "10.0.0.1", own3)).remark, Remark::own_frame);
  EXPECT_EQ(on_advertisement(*backup, arrival(), advertisement("2001:db8::9", own3)).remark, Remark::own_frame);
  EXPECT_EQ(on_advertisement(*backup, arrival(1, true, own3), advertisement("2001:db8::9")).remark, Remark::own_frame);
}

TEST_F(ResponderTest, GroupAndBroadcastSendersTeachNothing) {
  for (const char* sender : {"224.0.0.1", "255.255.255.255", "127.0.0.1"}) {
    const Consequence result = on_arp(*backup, arrival(), request(sender, "10.0.0.1"));
    EXPECT_FALSE(result.answer.has_value()) << sender;
    EXPECT_THAT(result.sources, IsEmpty()) << sender;
  }
}

TEST_F(ResponderTest, ASolicitationWithoutSourceOptionIsAnsweredToTheFramesSourceAndTeachesNothing) {
  const Consequence result =
      on_solicitation(*backup, arrival(), ip6("2001:db8::9"), solicitation("2001:db8::2:1", std::nullopt));
  ASSERT_TRUE(result.answer.has_value());
  EXPECT_EQ(result.answer->to_mac, client);
  EXPECT_THAT(result.sources, IsEmpty());
}

TEST_F(ResponderTest, ALinkLocalNeighbourIsLearnt) {
  const Consequence result = on_solicitation(*backup, arrival(2), ip6("fe80::9"), solicitation("fe80::ff:fe00:2"));
  ASSERT_TRUE(result.answer.has_value());
  ASSERT_THAT(result.sources, SizeIs(1));
  EXPECT_EQ(result.sources[0], (LearntSource{{2, ip6("fe80::9")}, {client, 2}, Learning::create}));
}

TEST_F(ResponderTest, AnAdvertisementCarriesItsFlags) {
  wire::NeighborAdvertisement heard = advertisement("2001:db8::9", std::nullopt);
  heard.override_entry = false;
  const Consequence result = on_advertisement(*backup, arrival(), heard);
  ASSERT_THAT(result.advertisements, SizeIs(1));
  EXPECT_FALSE(result.advertisements[0].advertisement.has_mac);
  EXPECT_FALSE(result.advertisements[0].advertisement.override);
  EXPECT_TRUE(result.advertisements[0].advertisement.solicited);
}

TEST_F(ResponderTest, AClaimOfAnOwnAddressIsReportedAndNeverLearnt) {
  for (const ForwardingState* node : {backup.get(), master.get()}) {
    for (const auto& heard :
         {request("10.0.0.1", "10.0.0.1"), request("10.0.0.1", "10.0.0.9"), reply("10.0.0.1", "10.0.0.9")}) {
      const Consequence result = on_arp(*node, arrival(), heard);
      EXPECT_EQ(result.claim, (Claim{ip4("10.0.0.1"), client, 1, false, true}));
      EXPECT_THAT(result.sources, IsEmpty());
      EXPECT_THAT(result.advertisements, IsEmpty());
      EXPECT_FALSE(result.answer.has_value());
    }
    EXPECT_EQ(on_advertisement(*node, arrival(), advertisement("2001:db8::2:1")).claim,
              (Claim{ip6("2001:db8::2:1"), client, 1, false, false}));
    EXPECT_TRUE(on_solicitation(*node, arrival(), ip6("2001:db8::2:1"), solicitation("2001:db8::9")).claim);
  }
}

TEST_F(ResponderTest, AProbeForAnOwnAddressIsReportedAndAnswered) {
  const Consequence arp = on_arp(*backup, arrival(), request("0.0.0.0", "10.0.0.1"));
  EXPECT_TRUE(arp.claim->is_probe);
  EXPECT_FALSE(arp.claim->defend) << "the answer is the defence";
  EXPECT_TRUE(arp.answer.has_value());
  EXPECT_THAT(arp.sources, IsEmpty());
  const Consequence nd =
      on_solicitation(*backup, arrival(), Ipv6Address{}, solicitation("2001:db8::2:1", std::nullopt));
  EXPECT_TRUE(nd.claim->is_probe);
  EXPECT_EQ(nd.answer->to, IpAddress{ip6("ff02::1")});
  EXPECT_EQ(nd.answer->to_mac, mac("33:33:00:00:00:01"));
  EXPECT_FALSE(nd.answer->solicited);
}

TEST_F(ResponderTest, AVirtualAddressFromTheVirtualMacIsTheMastersRight) {
  EXPECT_FALSE(on_arp(*backup, arrival(), request("10.0.0.3", "10.0.0.3", virtual4)).claim.has_value());
  EXPECT_EQ(on_arp(*backup, arrival(), request("10.0.0.3", "10.0.0.3", virtual4)).remark, Remark::none);
  EXPECT_EQ(on_arp(*master, arrival(), request("10.0.0.3", "10.0.0.3", virtual4)).remark, Remark::dual_master);
  EXPECT_EQ(on_arp(*master, arrival(), request("10.0.0.3", "10.0.0.3", virtual4)).claim,
            (Claim{ip4("10.0.0.3"), virtual4, 1, false, false}));
  EXPECT_EQ(on_advertisement(*master, arrival(1, true, virtual6), advertisement("2001:db8::2:3", virtual6)).remark,
            Remark::dual_master);
  EXPECT_FALSE(on_advertisement(*backup, arrival(), advertisement("2001:db8::2:3", virtual6)).claim.has_value());
}

TEST_F(ResponderTest, AVirtualAddressFromAForeignMacIsAConflictThatTheMasterDefends) {
  EXPECT_TRUE(on_arp(*master, arrival(), request("10.0.0.3", "10.0.0.3")).claim->defend);
  EXPECT_FALSE(on_arp(*backup, arrival(), request("10.0.0.3", "10.0.0.3")).claim->defend);
}

TEST_F(ResponderTest, WithoutVirtualMacsABackupCannotTellThePeerFromAStranger) {
  EXPECT_FALSE(on_arp(*plain_backup, arrival(), request("10.0.0.3", "10.0.0.3")).claim.has_value());
}

TEST_F(ResponderTest, UnknownInterfacesAreHarmless) {
  const Consequence result = on_arp(*master, arrival(99), request("10.0.0.9", "10.0.0.1"));
  EXPECT_FALSE(result.answer.has_value());
  EXPECT_THAT(result.sources, IsEmpty());
}

}  // namespace
}  // namespace trivet::arp
