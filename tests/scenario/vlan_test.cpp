// Networks with VLAN tags in a whole node: everything that leaves for a network carries its tag, everything that comes
// with the tag belongs to it, also where two VLANs of one interface have the same addresses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arp/module.h"
#include "hc/module.h"
#include "master/module.h"
#include "ping/module.h"
#include "rt/module.h"
#include "slb/module.h"
#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"
#include "vrrp/module.h"

namespace trivet::scenario {
namespace {

using namespace testkit;  // NOLINT(google-build-using-namespace): packets read like packets
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// One interface: the VRRP network in VLAN 5, one with the same addresses in VLAN 6, targets in VLAN 7, and one network
// without a tag.
constexpr const char* config_text = R"(hostname A
modules vrrp,arp,ping,hc,master,slb,rt
set ipforwarding 1
interface 1 {
  name eth1
}
register interface 1
enable interface 1
vrrp {
  vrid 64
  priority 200
  network 1
}
network 1 {
  addr 10.0.0.0
  mask 255.255.255.0
  real 10.0.0.1
  virt 10.0.0.3
  mask6 64
  real6 2001:db8:5::1
  virt6 2001:db8:5::3
  vlan 5
  interface 1
}
network 2 {
  addr 10.0.0.0
  mask 255.255.255.0
  real 10.0.0.1
  vlan 6
  interface 1
}
network 3 {
  addr 10.7.0.0
  mask 255.255.255.0
  real 10.7.0.1
  vlan 7
  interface 1
}
network 4 {
  addr 10.3.0.0
  mask 255.255.255.0
  real 10.3.0.1
  interface 1
}
register networks 1,2,3,4
enable networks 1,2,3,4
server 1 {
  ipaddr 10.0.0.4
  port 8080
  protocol tcp
  targets 1
}
register server 1
enable server 1
target 1 {
  ipaddr 10.7.0.9
  port 80
  protocol tcp
  tcpopen 80,3,10
}
register target 1
enable target 1
)";

const MacAddress own = mac("02:00:00:00:00:01");
const MacAddress virtual4 = mac("00:00:5e:00:01:40");
const MacAddress first = mac("02:aa:00:00:00:05");   // 10.0.0.9 in VLAN 5
const MacAddress second = mac("02:aa:00:00:00:06");  // 10.0.0.9 in VLAN 6
const MacAddress target = mac("02:aa:00:00:00:07");  // 10.7.0.9 in VLAN 7
const MacAddress plain = mac("02:aa:00:00:00:03");   // 10.3.0.9 without a tag

// The VLAN of a frame; 0: it has no tag.
int tag_of(const Bytes& frame) {
  if (frame.size() < 18 || frame[12] != 0x81 || frame[13] != 0x00) return 0;
  return (frame[14] << 8) | frame[15];
}

std::optional<std::string> type_of(const Bytes& frame) {
  const std::size_t at = tag_of(frame) == 0 ? 12 : 16;
  if (frame.size() < at + 2) return std::nullopt;
  return hex(std::span{frame}.subspan(at, 2));
}

class Vlans : public testing::Test {
 protected:
  Vlans()
      : node_({&vrrp::descriptor, &arp::descriptor, &ping::descriptor, &hc::descriptor, &master::descriptor,
               &slb::descriptor, &rt::descriptor},
              config_text),
        at_start_(node_.take_sent(1)) {}

  // Master, with what it has said on the way.
  void become_master() {
    for (int i = 0; i < 60; ++i) {
      node_.advance(milliseconds{100});
      std::ranges::move(node_.take_sent(1), std::back_inserter(at_start_));
    }
    ASSERT_TRUE(node_.forwarding().is_master());
  }
  std::vector<Bytes> answers_to(const Bytes& frame) {
    static_cast<void>(node_.take_sent(1));
    node_.inject(1, frame);
    return node_.take_sent(1);
  }
  // The hosts make themselves known by asking for the node.
  void introduce() {
    node_.inject(1, eth(first, MacAddress::broadcast()) / vlan(5) / arp_request(first, "10.0.0.9", "10.0.0.1"));
    node_.inject(1, eth(second, MacAddress::broadcast()) / vlan(6) / arp_request(second, "10.0.0.9", "10.0.0.1"));
    node_.inject(1, eth(target, MacAddress::broadcast()) / vlan(7) / arp_request(target, "10.7.0.9", "10.7.0.1"));
    node_.inject(1, eth(plain, MacAddress::broadcast()) / arp_request(plain, "10.3.0.9", "10.3.0.1"));
    static_cast<void>(node_.take_sent(1));
  }
  // A first probe of the target has been answered: it is up.
  void answer_probe() {
    for (int i = 0; i < 40; ++i) {
      node_.advance(milliseconds{100});
      for (const Bytes& frame : node_.take_sent(1)) {
        if (tag_of(frame) != 7 || frame.size() < 18 + 40 || frame[18 + 9] != 6 || frame[18 + 33] != 2) continue;
        const auto port = static_cast<std::uint16_t>((frame[18 + 20] << 8) | frame[18 + 21]);
        const std::uint32_t number = (std::uint32_t{frame[18 + 24]} << 24U) | (std::uint32_t{frame[18 + 25]} << 16U) |
                                     (std::uint32_t{frame[18 + 26]} << 8U) | frame[18 + 27];
        node_.inject(
            1, eth(target, own) / vlan(7) / ipv4("10.7.0.9", "10.7.0.1") / tcp(80, port).syn().ack(number + 1).seq(1));
        return;
      }
    }
    FAIL() << "no probe in VLAN 7";
  }

  Harness node_;
  std::vector<Bytes> at_start_;
};

TEST_F(Vlans, WhatTheNodeSaysOfItsOwnAccordCarriesTheTagOfItsNetwork) {
  become_master();
  std::set<std::string> said;
  for (const Bytes& frame : at_start_) {
    std::string line = describe(frame);
    const auto note = [&](const char* text, const std::string& name) {
      if (line.find(text) != std::string::npos) said.insert(name + " " + std::to_string(tag_of(frame)));
    };
    const std::string type = type_of(frame).value_or("");
    if (type == "08 06") {
      note("10.0.0.1", "arp real");
      note("10.0.0.3", "arp virt");
      note("10.0.0.4", "arp server");
      note("10.7.0.1", "arp inside");
      note("10.3.0.1", "arp plain");
      note("10.7.0.9", "arp target");
    }
    note("224.0.0.18", "vrrp");
    note("224.0.0.22", "igmp");
    note("ff02::16", "mld");
    note("fe80::", "link-local");
  }
  EXPECT_THAT(said, testing::IsSupersetOf({"arp real 5", "arp real 6", "arp virt 5", "arp server 5", "arp inside 7",
                                           "arp plain 0", "arp target 7", "vrrp 5", "igmp 5", "mld 0", "mld 5", "mld 6",
                                           "mld 7", "link-local 0", "link-local 5", "link-local 6", "link-local 7"}));
  for (const char* wrong :
       {"arp real 0", "arp real 7", "arp virt 0", "arp virt 6", "arp server 0", "arp server 6", "arp inside 0",
        "arp inside 5", "arp plain 5", "arp target 0", "vrrp 0", "vrrp 6", "igmp 0", "igmp 6", "igmp 7"}) {
    EXPECT_FALSE(said.contains(wrong)) << wrong;
  }
}

TEST_F(Vlans, ArpIsAnsweredInItsOwnVlanOnly) {
  const auto ask = [&](int tag, const char* sender, const char* wanted) {
    const Frame request = tag == 0 ? Frame{eth(first, MacAddress::broadcast()) / arp_request(first, sender, wanted)}
                                   : Frame{eth(first, MacAddress::broadcast()) / vlan(static_cast<std::uint16_t>(tag)) /
                                           arp_request(first, sender, wanted)};
    return answers_to(request);
  };
  const auto reply = [](std::uint16_t tag, const char* address, const char* sender) {
    return IsFrame(eth(own, first) / vlan(tag) / arp_reply(own, address, first, sender));
  };
  EXPECT_THAT(ask(5, "10.0.0.9", "10.0.0.1"), ElementsAre(reply(5, "10.0.0.1", "10.0.0.9")));
  EXPECT_THAT(ask(6, "10.0.0.9", "10.0.0.1"), ElementsAre(reply(6, "10.0.0.1", "10.0.0.9")));
  EXPECT_THAT(ask(7, "10.7.0.9", "10.7.0.1"), ElementsAre(reply(7, "10.7.0.1", "10.7.0.9")));
  EXPECT_THAT(ask(0, "10.3.0.9", "10.3.0.1"),
              ElementsAre(IsFrame(eth(own, first) / arp_reply(own, "10.3.0.1", first, "10.3.0.9"))));
  EXPECT_THAT(ask(7, "10.0.0.9", "10.0.0.1"), IsEmpty());
  EXPECT_THAT(ask(0, "10.0.0.9", "10.0.0.1"), IsEmpty());
  EXPECT_THAT(ask(5, "10.7.0.9", "10.7.0.1"), IsEmpty());
  EXPECT_THAT(ask(8, "10.0.0.9", "10.0.0.1"), IsEmpty());
  EXPECT_EQ(node_.drops("core", "foreign-vlan"), 1U);
}

TEST_F(Vlans, DiscoveryOfALinkLocalAddressIsAnsweredInEachVlan) {
  node_.advance(seconds{6});
  const Ipv6Address wanted = link_local_address(own);
  constexpr std::array<std::uint16_t, 4> tags{0, 5, 6, 7};
  for (const std::uint16_t tag : tags) {
    const auto message = neighbor_solicitation(wanted).source_mac(first);
    const auto to = multicast_mac(solicited_node_group(wanted));
    const auto packet = ipv6("fe80::9", solicited_node_group(wanted)).hop_limit(255);
    const auto sent = answers_to(tag == 0 ? Frame{eth(first, to) / packet / message}
                                          : Frame{eth(first, to) / vlan(tag) / packet / message});
    ASSERT_THAT(sent, SizeIs(1)) << tag;
    EXPECT_EQ(tag_of(sent[0]), tag);
    EXPECT_EQ(type_of(sent[0]), "86 dd");
  }
}

TEST_F(Vlans, NeighboursWithOneAddressInTwoVlansAreTwo) {
  introduce();
  const auto request = [](const MacAddress& from, std::uint16_t tag) {
    return eth(from, own) / vlan(tag) / ipv4("10.0.0.9", "10.0.0.1") / echo_request(1, tag) / payload("x");
  };
  const auto reply = [](const MacAddress& to, std::uint16_t tag) {
    return IsFrame(eth(own, to) / vlan(tag) / ipv4("10.0.0.1", "10.0.0.9") / echo_reply(1, tag) / payload("x"));
  };
  EXPECT_THAT(answers_to(request(first, 5)), ElementsAre(reply(first, 5)));
  EXPECT_THAT(answers_to(request(second, 6)), ElementsAre(reply(second, 6)));
  // In the third network there is no such host: what is asked there is asked for there.
  EXPECT_THAT(answers_to(eth(plain, own) / ipv4("10.3.0.9", "10.3.0.1") / echo_request(1, 9)),
              ElementsAre(IsFrame(eth(own, plain) / ipv4("10.3.0.1", "10.3.0.9") / echo_reply(1, 9))));
}

TEST_F(Vlans, QueriesAreAnsweredInTheirVlan) {
  become_master();
  node_.advance(seconds{10});
  static_cast<void>(node_.take_sent(1));
  // IGMPv3, general, 0.1 s.
  node_.inject(1, eth(first, "01:00:5e:00:00:01") / vlan(5) /
                      ipv4("10.0.0.9", "224.0.0.1").hop_limit(1).options(bytes("94040000")) /
                      igmp(bytes("1101eefe00000000 00000000")));
  node_.inject(1, eth(second, "01:00:5e:00:00:01") / vlan(6) /
                      ipv4("10.0.0.9", "224.0.0.1").hop_limit(1).options(bytes("94040000")) /
                      igmp(bytes("1101eefe00000000 00000000")));
  node_.advance(seconds{1});
  std::vector<int> tags;
  for (const Bytes& frame : node_.take_sent(1)) {
    if (describe(frame).find("224.0.0.22") != std::string::npos) tags.push_back(tag_of(frame));
  }
  EXPECT_THAT(tags, ElementsAre(5)) << "in VLAN 6 this node is in no group";
}

TEST_F(Vlans, AnAdvertisementInAnotherVlanConcernsAnother) {
  node_.advance(milliseconds{100});
  const auto advert = [](std::uint16_t tag) {
    return eth(virtual4, "01:00:5e:00:00:12") / vlan(tag) / ipv4("10.0.0.2", "224.0.0.18").hop_limit(255) /
           testkit::vrrp(bytes("2140ff01 0001d5b9 0a000003 0000000000000000"));
  };
  const std::uint64_t before = node_.drops("vrrp", "wrong-interface");
  node_.inject(1, advert(6));
  EXPECT_EQ(node_.drops("vrrp", "wrong-interface"), before + 1);
  node_.inject(1, advert(5));
  EXPECT_EQ(node_.drops("vrrp", "wrong-interface"), before + 1);
}

TEST_F(Vlans, RoutesBetweenVlansOfOneInterfaceAndTheMtuDoesNotCountTheTag) {
  become_master();
  introduce();
  const auto out = [](std::size_t size) {
    return eth(plain, virtual4) / ipv4("10.3.0.9", "10.7.0.9").dont_fragment() / udp(1, 2) / payload_of(size);
  };
  const auto forwarded = [](std::size_t size) {
    return IsFrame(eth(virtual4, target) / vlan(7) / ipv4("10.3.0.9", "10.7.0.9").dont_fragment().hop_limit(63) /
                   udp(1, 2) / payload_of(size));
  };
  EXPECT_THAT(answers_to(out(0)), ElementsAre(forwarded(0)));
  EXPECT_THAT(answers_to(out(1472)), ElementsAre(forwarded(1472))) << "1,500 bytes, and the tag";
  const auto refused = answers_to(out(1473));
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(tag_of(refused[0]), 0);
  EXPECT_THAT(describe(refused[0]), AllOf(HasSubstr("10.3.0.1 > 10.3.0.9"), HasSubstr("icmp")));
  EXPECT_THAT(answers_to(eth(target, virtual4) / vlan(7) / ipv4("10.7.0.9", "10.3.0.9") / udp(2, 1)),
              ElementsAre(IsFrame(eth(virtual4, plain) / ipv4("10.7.0.9", "10.3.0.9").hop_limit(63) / udp(2, 1))));
  // An error about a packet from a VLAN goes back into it.
  const auto late = answers_to(eth(target, virtual4) / vlan(7) / ipv4("10.7.0.9", "10.3.0.9").hop_limit(1) / udp(2, 1));
  ASSERT_THAT(late, SizeIs(1));
  EXPECT_EQ(tag_of(late[0]), 7);
}

TEST_F(Vlans, FragmentsCarryTheTag) {
  become_master();
  introduce();
  const auto pieces = answers_to(eth(plain, virtual4) / ipv4("10.3.0.9", "10.7.0.9") / udp(1, 2) / payload_of(1600));
  ASSERT_THAT(pieces, SizeIs(2));
  for (const Bytes& piece : pieces) EXPECT_EQ(tag_of(piece), 7);
}

TEST_F(Vlans, BalancesFromOneVlanIntoAnother) {
  introduce();
  become_master();
  introduce();
  answer_probe();
  const auto request =
      answers_to(eth(first, virtual4) / vlan(5) / ipv4("10.0.0.9", "10.0.0.4") / tcp(4000, 8080).syn().seq(7));
  EXPECT_THAT(request, ElementsAre(IsFrame(eth(virtual4, target) / vlan(7) /
                                           ipv4("10.0.0.9", "10.7.0.9").hop_limit(63) / tcp(4000, 80).syn().seq(7))));
  const auto reply =
      answers_to(eth(target, virtual4) / vlan(7) / ipv4("10.7.0.9", "10.0.0.9") / tcp(80, 4000).syn().ack(8).seq(1));
  EXPECT_THAT(reply, ElementsAre(IsFrame(eth(virtual4, first) / vlan(5) / ipv4("10.0.0.4", "10.0.0.9").hop_limit(63) /
                                         tcp(8080, 4000).syn().ack(8).seq(1))));
}

TEST_F(Vlans, SuperFramesKeepTheirOffloadsBehindTheTag) {
  introduce();
  become_master();
  introduce();
  answer_probe();
  static_cast<void>(answers_to(eth(first, virtual4) / vlan(5) / ipv4("10.0.0.9", "10.0.0.4") / tcp(4000, 8080).syn()));
  static_cast<void>(
      answers_to(eth(target, virtual4) / vlan(7) / ipv4("10.7.0.9", "10.0.0.9") / tcp(80, 4000).syn().ack(1)));
  static_cast<void>(node_.take_sent(1));
  OffloadFrame frame;
  frame.bytes = eth(first, virtual4) / vlan(5) / ipv4("10.0.0.9", "10.0.0.4") /
                tcp(4000, 8080).seq(1).ack(1).partial_checksum() / payload_of(9000);
  frame.checksum = ChecksumState::partial;
  frame.segments = SegmentType::tcp4;
  frame.segment_size = 1448;
  frame.checksum_start = 18 + 20;
  frame.checksum_offset = 16;
  node_.inject(1, frame);
  const auto sent = node_.take_sent_frames(1);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_FRAME_EQ(sent[0].bytes, eth(virtual4, target) / vlan(7) / ipv4("10.0.0.9", "10.7.0.9").hop_limit(63) /
                                     tcp(4000, 80).seq(1).ack(1).partial_checksum() / payload_of(9000));
  EXPECT_EQ(sent[0].checksum, ChecksumState::partial);
  EXPECT_EQ(sent[0].segments, SegmentType::tcp4);
  EXPECT_EQ(sent[0].segment_size, 1448);
  EXPECT_EQ(sent[0].checksum_start, 18 + 20);
  EXPECT_EQ(sent[0].checksum_offset, 16);
}

TEST_F(Vlans, AnotherTagTakesEffectOnReload) {
  introduce();
  std::string text = config_text;
  text.replace(text.find("vlan 7"), 6, "vlan 8");
  EXPECT_FALSE(node_.reload(text).has_errors());
  EXPECT_THAT(answers_to(eth(target, MacAddress::broadcast()) / vlan(7) / arp_request(target, "10.7.0.9", "10.7.0.1")),
              IsEmpty());
  EXPECT_EQ(node_.drops("core", "foreign-vlan"), 1U);
  const auto sent =
      answers_to(eth(target, MacAddress::broadcast()) / vlan(8) / arp_request(target, "10.7.0.9", "10.7.0.1"));
  EXPECT_THAT(sent, ElementsAre(IsFrame(eth(own, target) / vlan(8) / arp_reply(own, "10.7.0.1", target, "10.7.0.9"))));
  EXPECT_THAT(node_.command("show networks").tables.size(), 1U);
}

}  // namespace
}  // namespace trivet::scenario
