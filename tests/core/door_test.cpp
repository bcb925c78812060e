#include "core/pipeline/door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "door_fixture.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::core {
namespace {

using namespace packet_class;  // NOLINT(google-build-using-namespace)

struct Fields {
  PacketClass classes;
  std::uint16_t l3 = 14;
  std::uint16_t l4 = 0;
  std::uint16_t payload = 0;
  std::uint16_t fragment_header = 0;
  std::uint8_t protocol = 0;
  NetworkId network = 0;
};

void expect_fields(const Frame& frame, const Fields& expected) {
  SCOPED_TRACE(describe(frame));
  PacketBuffer buffer(frame, 0);
  ASSERT_EQ(buffer.enter(master(), 1), "");
  const Packet& packet = buffer.packet();
  EXPECT_EQ(packet.classes.bits(), (expected.classes | packet_class::all).bits());
  EXPECT_EQ(packet.l3_offset, expected.l3);
  EXPECT_EQ(packet.l4_offset, expected.l4);
  EXPECT_EQ(packet.payload_offset, expected.payload);
  EXPECT_EQ(packet.fragment_header_offset, expected.fragment_header);
  EXPECT_EQ(packet.protocol, expected.protocol);
  EXPECT_EQ(packet.network, expected.network);
}

TEST(Door, FillsInEveryFieldOfIpv4Packets) {
  expect_fields(
      over4() / testkit::tcp(1, 2).syn() / payload("x"),
      {.classes = packet_class::ipv4 | packet_class::tcp | own, .l4 = 34, .payload = 54, .protocol = 6, .network = 1});
  expect_fields(over4("10.0.0.3") / testkit::tcp(1, 2).mss(1460),
                {.classes = packet_class::ipv4 | packet_class::tcp | virtual_ip,
                 .l4 = 34,
                 .payload = 58,
                 .protocol = 6,
                 .network = 1});
  expect_fields(
      over4("192.0.2.1") / testkit::udp(1, 2) / payload("x"),
      {.classes = packet_class::ipv4 | packet_class::udp, .l4 = 34, .payload = 42, .protocol = 17, .network = 1});
  expect_fields(
      over4() / echo_request(1, 2),
      {.classes = packet_class::ipv4 | packet_class::icmp | own, .l4 = 34, .payload = 42, .protocol = 1, .network = 1});
  expect_fields(
      eth(peer, node) / testkit::ipv4("10.0.1.9", "10.0.0.1") / ip_payload(47, bytes("00000800")),
      {.classes = packet_class::ipv4 | other_ip | own, .l4 = 34, .payload = 34, .protocol = 47, .network = 2});
  expect_fields(
      eth(peer, node) / testkit::ipv4("192.0.2.9", "10.0.0.1").options(bytes("94040000")) / testkit::udp(1, 2),
      {.classes = packet_class::ipv4 | packet_class::udp | own, .l4 = 38, .payload = 46, .protocol = 17, .network = 1});
  expect_fields(over4() / testkit::vrrp(bytes("2140c80000010000")),
                {.classes = packet_class::ipv4 | packet_class::vrrp | own,
                 .l4 = 34,
                 .payload = 34,
                 .protocol = 112,
                 .network = 1});
  expect_fields(
      over4() / ip_payload(58, bytes("8000000000000000")),  // ICMPv6 over IPv4 is nothing known
      {.classes = packet_class::ipv4 | other_ip | own, .l4 = 34, .payload = 34, .protocol = 58, .network = 1});
}

TEST(Door, FillsInEveryFieldOfIpv6Packets) {
  expect_fields(
      over6() / testkit::tcp(1, 2).syn(),
      {.classes = packet_class::ipv6 | packet_class::tcp | own, .l4 = 54, .payload = 74, .protocol = 6, .network = 2});
  expect_fields(over6("2001:db8::3") / hop_by_hop() / destination_options() / testkit::udp(1, 2),
                {.classes = packet_class::ipv6 | packet_class::udp | virtual_ip,
                 .l4 = 70,
                 .payload = 78,
                 .protocol = 17,
                 .network = 2});
  expect_fields(over6() / echo_request(1, 2), {.classes = packet_class::ipv6 | packet_class::icmpv6 | own,
                                               .l4 = 54,
                                               .payload = 62,
                                               .protocol = 58,
                                               .network = 2});
  expect_fields(over6() / neighbor_solicitation("2001:db8::1"),
                {.classes = packet_class::ipv6 | packet_class::icmpv6 | nd | own,
                 .l4 = 54,
                 .payload = 62,
                 .protocol = 58,
                 .network = 2});
  expect_fields(
      over6() / routing(0, 0) / testkit::udp(1, 2),
      {.classes = packet_class::ipv6 | packet_class::udp | own, .l4 = 62, .payload = 70, .protocol = 17, .network = 2});
  expect_fields(
      over6() / routing(4, 1) / testkit::udp(1, 2),  // on its way to another address: not looked into
      {.classes = packet_class::ipv6 | other_ip | own, .l4 = 54, .payload = 54, .protocol = 43, .network = 2});
  expect_fields(
      over6() / ip_payload(59, {}),
      {.classes = packet_class::ipv6 | other_ip | own, .l4 = 54, .payload = 54, .protocol = 59, .network = 2});
  expect_fields(
      over6() / ip_payload(51, Frame(24)),  // AH hides what follows
      {.classes = packet_class::ipv6 | other_ip | own, .l4 = 54, .payload = 54, .protocol = 51, .network = 2});
}

TEST(Door, KnowsEachTypeOfNeighbourAndListenerDiscovery) {
  for (unsigned type = 0; type < 256; ++type) {
    PacketBuffer buffer(over6() / testkit::icmp(static_cast<std::uint8_t>(type), 0) / payload_of(20));
    ASSERT_EQ(buffer.enter(master(), 1), "");
    EXPECT_EQ(buffer.packet().is(nd), type >= 133 && type <= 137) << type;
    EXPECT_EQ(buffer.packet().is(mld), (type >= 130 && type <= 132) || type == 143) << type;
    EXPECT_TRUE(buffer.packet().is(packet_class::icmpv6));
  }
}

TEST(Door, GivesGroupsTheirClass) {
  PacketBuffer vrrp4(eth(peer, "01:00:5e:00:00:12") / testkit::ipv4("10.0.0.9", "224.0.0.18") /
                     testkit::vrrp(Frame(8)));
  ASSERT_EQ(vrrp4.enter(master(), 1, {mac("01:00:5e:00:00:12")}), "");
  EXPECT_EQ(vrrp4.packet().classes.bits(), (packet_class::ipv4 | packet_class::vrrp | multicast | all).bits());
  PacketBuffer limited(eth(peer, MacAddress::broadcast()) / testkit::ipv4("0.0.0.0", "255.255.255.255") /
                       testkit::udp(68, 67));
  ASSERT_EQ(limited.enter(master(), 1), "");
  EXPECT_TRUE(limited.packet().is(multicast));
  PacketBuffer query(eth(peer, "33:33:00:00:00:01") / testkit::ipv6("fe80::9", "ff02::1").hop_limit(1) / hop_by_hop() /
                     testkit::icmp(130, 0) / payload_of(20));
  ASSERT_EQ(query.enter(master(), 1), "");
  EXPECT_TRUE(query.packet().classes.has_all(mld | multicast));
  PacketBuffer igmp_query(eth(peer, "01:00:5e:00:00:01") / testkit::ipv4("10.0.0.9", "224.0.0.1") /
                          testkit::igmp(Frame(8)));
  ASSERT_EQ(igmp_query.enter(master(), 1), "");
  EXPECT_TRUE(igmp_query.packet().classes.has_all(packet_class::igmp | multicast));
}

TEST(Door, TakesLinkLocalAddressesForItsOwnOnTheirInterfaceOnly) {
  for (const char* address : {"fe80::1", "fe80::2"}) {
    PacketBuffer buffer(over6(address) / echo_request(1, 1));
    ASSERT_EQ(buffer.enter(master(), 1), "");
    EXPECT_EQ(buffer.packet().is(own), std::string(address) == "fe80::1");
  }
}

TEST(Door, SeesTheSameFieldsOnABackupForVirtualAddresses) {
  ForwardingState::Parts made = parts();
  made.role.role = Role::backup;
  const ForwardingState backup(std::move(made));
  PacketBuffer buffer(over4("10.0.0.3") / testkit::tcp(1, 2));
  ASSERT_EQ(buffer.enter(backup, 1), "");
  EXPECT_TRUE(buffer.packet().is(virtual_ip));  // the bit does not look at the role
}

TEST(Door, LetsInOnlyFramesForThisNode) {
  const auto to = [](const MacAddress& destination) -> Frame {
    return eth(peer, destination) / testkit::ipv4("10.0.0.9", "10.0.0.3") / testkit::udp(1, 2);
  };
  ForwardingState::Parts made = parts();
  made.role.role = Role::backup;
  const ForwardingState backup(made);
  made.role.role = Role::master;
  made.role.virtual_mac = false;
  const ForwardingState real_mac(made);
  const auto let_in = [&](const ForwardingState& state, const MacAddress& destination) {
    return PacketBuffer(to(destination)).enter(state, 1).empty();
  };
  EXPECT_TRUE(let_in(master(), node));
  EXPECT_TRUE(let_in(backup, node));
  EXPECT_TRUE(let_in(master(), vrrp_mac(Family::ipv4, 64)));
  EXPECT_TRUE(let_in(master(), vrrp_mac(Family::ipv6, 64)));
  EXPECT_FALSE(let_in(backup, vrrp_mac(Family::ipv4, 64)));
  EXPECT_FALSE(let_in(real_mac, vrrp_mac(Family::ipv4, 64)));
  EXPECT_FALSE(let_in(master(), vrrp_mac(Family::ipv4, 65)));
  EXPECT_FALSE(let_in(master(), mac("02:00:00:00:00:02")));  // the other interface's
  EXPECT_EQ(refused(to(peer)), "not-for-us");
}

TEST(Door, LetsInJoinedGroupsOfThatInterfaceOnly) {
  DoorFilter filter;
  filter.add(1, mac("33:33:ff:00:00:03"));
  filter.add(1, mac("33:33:ff:00:00:03"));
  EXPECT_EQ(filter.size(), 1U);
  const Frame frame = eth(peer, "33:33:ff:00:00:03") / testkit::ipv6("2001:db8::9", "ff02::1:ff00:3").hop_limit(255) /
                      neighbor_solicitation("2001:db8::3");
  for (const InterfaceId interface : std::initializer_list<InterfaceId>{1, 2}) {
    PacketBuffer buffer(frame);
    buffer.packet().in_interface = interface;
    EXPECT_EQ(examine(buffer.packet(), master(), filter), interface == 1 ? DoorDrop::none : DoorDrop::not_for_us);
  }
}

TEST(DoorFilter, HoldsAllItsGroupsHoweverMany) {
  DoorFilter filter;
  for (unsigned i = 0; i < 5000; ++i) {
    filter.add(static_cast<InterfaceId>(1 + i % 4),
               {{0x33, 0x33, 0xff, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}});
  }
  EXPECT_EQ(filter.size(), 5000U);
  for (unsigned i = 0; i < 5000; ++i) {
    const MacAddress group{{0x33, 0x33, 0xff, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)}};
    for (InterfaceId interface = 1; interface <= 4; ++interface) {
      ASSERT_EQ(filter.has(interface, group), interface == 1 + i % 4);
    }
  }
}

TEST(Door, RefusesEachKindOfNonsenseUnderItsName) {
  const auto base4 = [] { return testkit::ipv4("10.0.0.9", "10.0.0.1"); };
  const auto base6 = [] { return testkit::ipv6("2001:db8::9", "2001:db8::1"); };
  const auto in = [] { return eth(peer, node); };
  struct Case {
    const char* reason;
    Frame frame;
  };
  const Case cases[] = {
      {"truncated", bytes("020000000001 020000000099 08")},
      {"unknown-ether-type", in() / payload_of(60)},
      {"foreign-vlan", in() / vlan(5) / base4() / testkit::udp(1, 2)},
      {"unknown-ether-type", in().type(60) / payload_of(60)},
      {"bad-source", eth("03:00:00:00:00:01", node) / base4() / testkit::udp(1, 2)},
      {"bad-version", in() / base4().version_and_length(0x65) / testkit::udp(1, 2)},
      {"bad-version", in() / base6().version(4) / testkit::udp(1, 2)},
      {"bad-header-length", in() / base4().version_and_length(0x44) / testkit::udp(1, 2)},
      {"bad-header-length", in() / base4().version_and_length(0x4f) / testkit::udp(1, 2)},
      {"bad-length", in() / base4().total_length(19) / testkit::udp(1, 2)},
      {"bad-length", in() / base4().total_length(29) / testkit::udp(1, 2)},
      {"bad-length", in() / base4().total_length(0) / testkit::udp(1, 2)},
      {"bad-length", in() / base6().payload_length(9) / testkit::udp(1, 2)},
      {"bad-ip-checksum", in() / base4().checksum(0x1234) / testkit::udp(1, 2)},
      {"source-route", in() / base4().options(bytes("83070401020304 00")) / testkit::udp(1, 2)},
      {"source-route", in() / base4().options(bytes("01 89070401020304")) / testkit::udp(1, 2)},
      {"ip-options", in() / base4().options(bytes("44010000")) / testkit::udp(1, 2)},
      {"ip-options", in() / base4().options(bytes("44050000")) / testkit::udp(1, 2)},
      {"ip-options", in() / base4().options(bytes("01010144")) / testkit::udp(1, 2)},
      {"source-route", in() / base6() / routing(0, 1) / testkit::udp(1, 2)},
      {"extension-headers", in() / base6() / destination_options() / hop_by_hop() / testkit::udp(1, 2)},
      {"truncated", in() / base6() / destination_options().length_field(7) / testkit::udp(1, 2)},
      {"truncated", in() / base6().next_header(60) / ip_payload(60, bytes("1100"))},
      {"bad-source", in() / testkit::ipv4("224.0.0.1", "10.0.0.1") / testkit::udp(1, 2)},
      {"bad-source", in() / testkit::ipv4("127.0.0.1", "10.0.0.1") / testkit::udp(1, 2)},
      {"bad-source", in() / testkit::ipv4("255.255.255.255", "10.0.0.1") / testkit::udp(1, 2)},
      {"bad-source", in() / testkit::ipv6("ff02::1", "2001:db8::1") / testkit::udp(1, 2)},
      {"bad-source", in() / testkit::ipv6("::1", "2001:db8::1") / testkit::udp(1, 2)},
      {"bad-destination", in() / testkit::ipv4("10.0.0.9", "127.0.0.1") / testkit::udp(1, 2)},
      {"bad-destination", in() / testkit::ipv4("10.0.0.9", "0.0.0.0") / testkit::udp(1, 2)},
      {"bad-destination", in() / testkit::ipv6("2001:db8::9", "::1") / testkit::udp(1, 2)},
      {"bad-destination", in() / testkit::ipv6("2001:db8::9", "::") / testkit::udp(1, 2)},
      {"group-frame", eth(peer, MacAddress::broadcast()) / base4() / testkit::udp(1, 2)},
      {"group-frame", eth(peer, "33:33:00:00:00:01") / base6() / testkit::udp(1, 2)},
      {"tcp-header", in() / base4() / ip_payload(6, Frame(19))},
      {"tcp-header", in() / base4() / testkit::tcp(1, 2).data_offset(0x40)},
      {"tcp-header", in() / base6() / testkit::tcp(1, 2).data_offset(0x60)},
      {"udp-header", in() / base4() / ip_payload(17, Frame(7))},
      {"udp-length", in() / base4() / testkit::udp(1, 2).length(7)},
      {"udp-length", in() / base6() / testkit::udp(1, 2).length(9)},
      {"icmp-header", in() / base4() / ip_payload(1, Frame(7))},
      {"icmp-header", in() / base6() / ip_payload(58, Frame(7))},
      {"igmp-header", in() / base4() / testkit::igmp(Frame(7))},
      {"vrrp-header", in() / base4() / testkit::vrrp(Frame(7))},
      {"tiny-fragment", in() / base4().fragment(0, true).protocol_number(6) / payload_of(16)},
      {"tiny-fragment", in() / base4().fragment(0, true) / testkit::tcp(1, 2).data_offset(0x80) / payload_of(4)},
      {"tiny-fragment", in() / base4().fragment(8, false).protocol_number(6) / payload_of(16)},
      {"tiny-fragment", in() / base6() / fragment_header(0, true, 1) / ip_payload(6, Frame(16))},
      {"tiny-fragment", in() / base6() / fragment_header(0, true, 1) / ip_payload(60, Frame{17, 5, 0, 0, 0, 0, 0, 0})},
      {"bad-fragment", in() / base4().fragment(0, true) / testkit::udp(1, 2) / payload_of(7)},
      {"bad-fragment", in() / base4().fragment(8, true)},
      {"bad-fragment", in() / base4().fragment(65528, false) / payload_of(8)},
      {"bad-fragment", in() / base6() / fragment_header(65528, false, 1) / payload_of(8)},
      {"bad-fragment", in() / base6() / fragment_header(8, true, 1) / payload_of(7)},
      {"bad-fragment", in() / base6() / fragment_header(0, false, 1) / fragment_header(0, true, 1) / payload_of(8)},
      {"arp-header", in() / Raw(bytes("0001 86dd 06 10 0001") /* IPv6 addresses in ARP */, 0, 0x0806) / payload_of(40)},
      {"truncated", in() / Raw(bytes("0001 0800 06 04 0001"), 0, 0x0806)},
  };
  std::set<std::string> met;
  for (const Case& test : cases) {
    EXPECT_EQ(refused(test.frame), test.reason) << describe(test.frame) << '\n' << hex(test.frame);
    met.insert(test.reason);
  }
  // Every reason is met, here or in a test of its own.
  met.insert({"none", "interface-gone", "not-for-us", "untagged", "bad-offload"});
  for (const DoorDropInfo& info : door_drops) EXPECT_TRUE(met.contains(info.name)) << info.name;
}

TEST(Door, WalksEightExtensionHeadersAndNotNine) {
  for (const std::size_t count : {std::size_t{8}, std::size_t{9}}) {
    Stack stack = over6();
    for (std::size_t i = 0; i < count; ++i) stack.push(destination_options());
    EXPECT_EQ(refused(stack / testkit::udp(1, 2)), count == 8 ? "" : "extension-headers");
  }
}

TEST(Door, RefusesFramesOfAnInterfaceThatIsGone) {
  for (const InterfaceId interface : std::initializer_list<InterfaceId>{0, 3, 256, 65535}) {
    EXPECT_EQ(refused(over4() / testkit::udp(1, 2), interface), "interface-gone");
  }
}

TEST(Door, CutsEthernetPaddingOff) {
  Frame frame = over4() / testkit::udp(1, 2) / payload("x");
  const std::size_t length = frame.size();
  frame.resize(60, 0xaa);
  PacketBuffer buffer(frame);
  ASSERT_EQ(buffer.enter(master(), 1), "");
  EXPECT_EQ(buffer.packet().length, length);
  EXPECT_EQ(buffer.packet().payload().size(), 1U);
  Frame six = over6() / testkit::udp(1, 2);
  const std::size_t length6 = six.size();
  six.resize(length6 + 4);
  PacketBuffer buffer6(six);
  ASSERT_EQ(buffer6.enter(master(), 1), "");
  EXPECT_EQ(buffer6.packet().length, length6);
}

TEST(Door, TakesArpWithPaddingAndFindsTheNetworkOfItsSender) {
  Frame frame = eth(peer, MacAddress::broadcast()) / arp_request(peer, "10.0.1.9", "10.0.1.1");
  frame.resize(60);
  PacketBuffer request(frame);
  ASSERT_EQ(request.enter(master(), 1), "");
  EXPECT_EQ(request.packet().classes.bits(), (packet_class::arp | all).bits());
  EXPECT_EQ(request.packet().length, 42U);
  EXPECT_EQ(request.packet().l3_offset, 14);
  EXPECT_EQ(request.packet().network, 2);
  PacketBuffer probe(eth(peer, MacAddress::broadcast()) / arp_request(peer, "0.0.0.0", "10.0.1.1"));
  ASSERT_EQ(probe.enter(master(), 1), "");
  EXPECT_EQ(probe.packet().network, 2);
}

TEST(Door, OfOverlappingNetworksTheNarrowerIsThePackets) {
  ForwardingState::Parts made = parts();
  made.networks[0].prefix4 = IpPrefix{ip("10.0.0.0"), 8};
  const ForwardingState state(std::move(made));
  PacketBuffer wide(over4() / testkit::udp(1, 2));  // from 10.0.0.9
  ASSERT_EQ(wide.enter(state, 1), "");
  EXPECT_EQ(wide.packet().network, 1);
  PacketBuffer narrow(eth(peer, MacAddress::broadcast()) / arp_request(peer, "10.0.1.9", "10.0.1.1"));
  ASSERT_EQ(narrow.enter(state, 1), "");
  EXPECT_EQ(narrow.packet().network, 2);
}

TEST(Door, GivesFirstFragmentsTheirHeaderAndLaterOnesNone) {
  const auto four = fragments(over4() / testkit::udp(1, 2) / payload_of(60), 32, 7);
  expect_fields(four[0], {.classes = packet_class::ipv4 | packet_class::udp | fragment | own,
                          .l4 = 34,
                          .payload = 42,
                          .protocol = 17,
                          .network = 1});
  expect_fields(four[1], {.classes = packet_class::ipv4 | fragment | own, .protocol = 17, .network = 1});
  const auto six = fragments(over6() / testkit::udp(1, 2) / payload_of(60), 32, 7);
  expect_fields(six[0], {.classes = packet_class::ipv6 | packet_class::udp | fragment | own,
                         .l4 = 62,
                         .payload = 70,
                         .fragment_header = 54,
                         .protocol = 17,
                         .network = 2});
  expect_fields(six[1],
                {.classes = packet_class::ipv6 | fragment | own, .fragment_header = 54, .protocol = 17, .network = 2});
  // Alone and whole (RFC 6946): no fragment.
  expect_fields(over6() / fragment_header(0, false, 9) / testkit::udp(1, 2),
                {.classes = packet_class::ipv6 | packet_class::udp | own,
                 .l4 = 62,
                 .payload = 70,
                 .fragment_header = 54,
                 .protocol = 17,
                 .network = 2});
}

TEST(Door, NeverTakesNeighbourDiscoveryOutOfAFragmentHeader) {
  PacketBuffer buffer(over6() / fragment_header(0, false, 9) / neighbor_solicitation("2001:db8::1"));
  ASSERT_EQ(buffer.enter(master(), 1), "");
  EXPECT_FALSE(buffer.packet().is(nd));
  EXPECT_TRUE(buffer.packet().is(packet_class::icmpv6));
}

std::uint32_t hash_of(const Frame& frame) {
  PacketBuffer buffer(frame);
  EXPECT_EQ(buffer.enter(master(), 1), "") << describe(frame);
  return flow_hash(buffer.packet());
}

TEST(FlowHash, IsThatOfTheDirectionAndDependsOnAllThatNamesTheFlow) {
  const auto tcp4 = [](const char* a, const char* b, std::uint16_t p, std::uint16_t q) {
    return hash_of(eth(peer, node) / testkit::ipv4(a, b) / testkit::tcp(p, q));
  };
  const std::uint32_t flow = tcp4("10.0.0.9", "10.0.0.1", 1, 2);
  EXPECT_EQ(flow, hash_of(eth(peer, node) / testkit::ipv4("10.0.0.9", "10.0.0.1").id(5).hop_limit(9) /
                          testkit::tcp(1, 2).syn() / payload("x")));
  EXPECT_NE(flow, tcp4("10.0.0.8", "10.0.0.1", 1, 2));
  EXPECT_NE(flow, tcp4("10.0.0.9", "10.0.0.3", 1, 2));
  EXPECT_NE(flow, tcp4("10.0.0.9", "10.0.0.1", 3, 2));
  EXPECT_NE(flow, tcp4("10.0.0.9", "10.0.0.1", 1, 3));
  EXPECT_NE(flow, tcp4("10.0.0.1", "10.0.0.9", 2, 1));
  EXPECT_NE(flow, hash_of(over4() / testkit::udp(1, 2)));
}

TEST(FlowHash, IsTheSameForAllFragmentsOfADatagram) {
  for (const bool is_v4 : {true, false}) {
    const auto pieces = fragments((is_v4 ? over4() : over6()) / testkit::udp(1, 2) / payload_of(100), 40, 7);
    ASSERT_EQ(pieces.size(), 3U);
    EXPECT_EQ(hash_of(pieces[0]), hash_of(pieces[1]));
    EXPECT_EQ(hash_of(pieces[0]), hash_of(pieces[2]));
  }
  // Also where an extension header behind the fragment header is in the first fragment only.
  EXPECT_EQ(hash_of(over6() / fragment_header(0, true, 7) / destination_options() / testkit::udp(1, 2)),
            hash_of(over6() / fragment_header(16, false, 7) / ip_payload(60, Frame(8))));
}

}  // namespace
}  // namespace trivet::core
