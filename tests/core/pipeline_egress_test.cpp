#include <gtest/gtest.h>

#include "core/pipeline/fragment.h"
#include "pipeline_lab.h"
#include "trivet/net/checksum.h"

namespace trivet::core::test {
namespace {

using namespace testkit;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const MacAddress virtual_mac4{{0, 0, 0x5e, 0, 1, 64}};
const MacAddress virtual_mac6{{0, 0, 0x5e, 0, 2, 64}};

Ethernet inbound() { return eth(host_mac, interface_mac(1)); }

Frame small4(std::uint8_t hop_limit = 64) {
  return inbound() / ipv4("10.0.1.50", "10.0.2.50").hop_limit(hop_limit) / udp(1, 2) / payload("x");
}
Frame small6(std::uint8_t hop_limit = 64) {
  return inbound() / ipv6("2001:db8:1::50", "2001:db8:2::50").hop_limit(hop_limit) / udp(1, 2) / payload("x");
}

// --- forward ---

TEST(Egress, ForwardsToAConnectedHostWithVirtualSourceMacAndOneHopLess) {
  Lab lab;
  lab.know_everybody();
  lab.inject(1, small4());
  lab.inject(1, small6());
  lab.run();
  EXPECT_THAT(lab.sent(2),
              ElementsAre(IsFrame(eth(virtual_mac4, far_mac) / ipv4("10.0.1.50", "10.0.2.50").hop_limit(63) /
                                  udp(1, 2) / payload("x")),
                          IsFrame(eth(virtual_mac6, far_mac) / ipv6("2001:db8:1::50", "2001:db8:2::50").hop_limit(63) /
                                  udp(1, 2) / payload("x"))));
  EXPECT_THAT(lab.sent(3), IsEmpty());
}

TEST(Egress, UsesTheInterfacesOwnMacWithoutAVirtualRouter) {
  Lab lab;
  lab.parts.role.virtual_mac = false;
  lab.publish();
  lab.know_everybody();
  lab.inject_and_run(1, small4());
  EXPECT_THAT(lab.sent(2),
              ElementsAre(IsFrame(eth(interface_mac(2), far_mac) / ipv4("10.0.1.50", "10.0.2.50").hop_limit(63) /
                                  udp(1, 2) / payload("x"))));
}

// What is remembered of a hop must not outlive what it was made from.
TEST(Egress, AHopThatWasUsedFollowsEveryChange) {
  Lab lab;
  lab.know_everybody();
  const auto sent_by = [&](InterfaceId number, const Frame& frame) {
    lab.inject_and_run(1, frame);
    const std::vector<Frame> frames = lab.sent(number);
    return frames.size() == 1 ? frames[0] : Frame{};
  };
  const auto macs = [](Frame frame) {
    frame.resize(std::min<std::size_t>(frame.size(), 12));
    return frame;
  };
  const auto expected = [](const MacAddress& to, const MacAddress& from) {
    Frame bytes(to.bytes.begin(), to.bytes.end());
    bytes.insert(bytes.end(), from.bytes.begin(), from.bytes.end());
    return bytes;
  };
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(macs(sent_by(2, small4())), expected(far_mac, virtual_mac4));
    EXPECT_EQ(macs(sent_by(2, small6())), expected(far_mac, virtual_mac6));
  }
  // The neighbour has another MAC, then it is behind another interface.
  const MacAddress new_mac{{2, 0, 0, 0, 7, 7}};
  lab.set_neighbor(2, "10.0.2.50", new_mac, 2);
  EXPECT_EQ(macs(sent_by(2, small4())), expected(new_mac, virtual_mac4));
  lab.set_neighbor(2, "10.0.2.50", new_mac, 3);
  EXPECT_EQ(macs(sent_by(3, small4())), expected(new_mac, virtual_mac4));
  EXPECT_EQ(macs(sent_by(3, small4())), expected(new_mac, virtual_mac4));
  // Stale: its use is reported, once.
  lab.set_neighbor(2, "10.0.2.50", new_mac, 3, NeighborReachability::stale);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(macs(sent_by(3, small4())), expected(new_mac, virtual_mac4));
  EXPECT_THAT(lab.sink.neighbors, ElementsAre("used 2/10.0.2.50"));
  lab.set_neighbor(2, "10.0.2.50", new_mac, 3);
  EXPECT_EQ(macs(sent_by(3, small4())), expected(new_mac, virtual_mac4));
  // The node is no master any more.
  lab.parts.role.role = Role::backup;
  lab.publish();
  EXPECT_EQ(macs(sent_by(3, small4())), expected(new_mac, interface_mac(3)));
  // The way out takes smaller packets only.
  lab.parts.interfaces[2].mtu = 100;
  lab.publish();
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "10.0.2.50").dont_fragment() / udp(1, 2) / payload_of(200));
  EXPECT_EQ(lab.drops("too-big"), 1U);
  // It has no link.
  lab.parts.interfaces[2].up = false;
  lab.publish();
  EXPECT_EQ(sent_by(3, small4()), Frame{});
  EXPECT_EQ(lab.drops("no-link"), 1U);
  lab.parts.interfaces[2].up = true;
  lab.publish();
  EXPECT_EQ(macs(sent_by(3, small4())), expected(new_mac, interface_mac(3)));
  // The neighbour is gone, and the packet waits for it; what comes next does not overtake it.
  lab.shared.neighbors().erase(2, ip("10.0.2.50"));
  EXPECT_EQ(sent_by(3, small4(60)), Frame{});
  EXPECT_EQ(lab.worker.parked(), 1U);
  lab.set_neighbor(2, "10.0.2.50", far_mac, 2);
  lab.inject_and_run(1, small4(50));
  const std::vector<Frame> frames = lab.sent(2);
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_EQ(frames[0].at(22), 59);
  EXPECT_EQ(frames[1].at(22), 49);
  // The address becomes one of this node.
  lab.parts.addresses.push_back({ip("10.0.2.50"), AddressScope::master, 2});
  lab.publish();
  EXPECT_EQ(sent_by(2, small4()), Frame{});
  EXPECT_EQ(lab.drops("own-destination"), 1U);
}

TEST(Egress, APortThatIsGoneIsNotSentTo) {
  Lab lab;
  lab.know_everybody();
  lab.inject_and_run(1, small4());
  EXPECT_THAT(lab.sent(2), SizeIs(1));
  lab.worker.set_ports({{1, &lab.io[0]->port(0)}, {3, &lab.io[2]->port(0)}});
  lab.inject_and_run(1, small4());
  EXPECT_EQ(lab.drops("no-interface"), 1U);
}

TEST(Egress, SendsFarDestinationsToTheGateway) {
  Lab lab;
  lab.know_everybody();
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "192.0.2.1") / udp(1, 2) / payload("x"));
  EXPECT_THAT(lab.sent(2),
              ElementsAre(IsFrame(eth(virtual_mac4, router_mac) / ipv4("10.0.1.50", "192.0.2.1").hop_limit(63) /
                                  udp(1, 2) / payload("x"))));
}

TEST(Egress, TheNeighboursInterfaceDecidesOnANetworkWithSeveral) {
  Lab lab;
  lab.set_neighbor(2, "10.0.2.50", far_mac, 3);
  lab.inject_and_run(1, small4());
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_THAT(lab.sent(3), SizeIs(1));
}

TEST(Egress, AModulesNextHopGoesBeforeTheRouteEvenForAVirtualDestination) {
  Lab lab;
  lab.know_everybody();
  lab.script.decide = [](Packet& packet, Batch&) {
    packet.has_next_hop = true;
    packet.next_hop = ip("10.0.2.50");
    return Verdict::forward();
  };
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "10.0.2.254") / udp(1, 2) / payload("x"));
  EXPECT_THAT(lab.sent(2),
              ElementsAre(IsFrame(eth(virtual_mac4, far_mac) / ipv4("10.0.1.50", "10.0.2.254").hop_limit(63) /
                                  udp(1, 2) / payload("x"))));
}

TEST(Egress, ANextHopBehindARouterOrOfThisNodeIsRefused) {
  Lab lab;
  lab.know_everybody();
  for (const char* const next_hop : {"192.0.2.1", "10.0.2.1", "10.0.2.254", "224.0.0.1"}) {
    lab.script.decide = [next_hop](Packet& packet, Batch&) {
      packet.has_next_hop = true;
      packet.next_hop = ip(next_hop);
      return Verdict::forward();
    };
    lab.inject_and_run(1, small4());
  }
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_EQ(lab.drops("no-route"), 1U);
  EXPECT_EQ(lab.drops("own-destination"), 2U);
  EXPECT_EQ(lab.drops("unroutable"), 1U);
}

TEST(Egress, NeverForwardsToItsOwnAddressesOrToWhatIsNotRoutable) {
  Lab lab;
  lab.know_everybody();
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "10.0.2.1") / udp(1, 2));
  lab.inject_and_run(1, inbound() / ipv6("2001:db8:1::50", "2001:db8:2::fe") / udp(1, 2));
  EXPECT_EQ(lab.drops("own-destination"), 2U);
  const std::vector<Frame> frames{
      inbound() / ipv4("10.0.1.50", "169.254.1.1") / udp(1, 2),
      inbound() / ipv4("169.254.1.1", "10.0.2.50") / udp(1, 2),
      inbound() / ipv4("10.0.1.50", "10.0.2.255") / udp(1, 2),  // RFC 2644
      inbound() / ipv4("10.0.1.50", "10.0.2.0") / udp(1, 2),
      inbound() / ipv6("fe80::1", "2001:db8:2::50") / udp(1, 2),
      inbound() / ipv6("2001:db8:1::50", "fe80::1") / udp(1, 2),
      inbound() / ipv6("::", "2001:db8:2::50") / udp(1, 2),
  };
  for (const Frame& frame : frames) lab.inject_and_run(1, frame);
  EXPECT_EQ(lab.drops("unroutable"), frames.size());
  for (const InterfaceId number : std::initializer_list<InterfaceId>{1, 2, 3}) EXPECT_THAT(lab.sent(number), IsEmpty());
}

TEST(Egress, PartialChecksumsAndSuperFramesKeepTheirStateOnTheWayThrough) {
  Lab lab;
  lab.know_everybody();
  MemoryFrame in{.bytes = inbound() / ipv4("10.0.1.50", "10.0.2.50").dont_fragment() / tcp(1, 2).partial_checksum() /
                          payload_of(9000),
                 .checksum = ChecksumState::partial,
                 .segments = SegmentType::tcp4,
                 .segment_size = 1460,
                 .checksum_start = 34,
                 .checksum_offset = 16};
  lab.backend.inject("eth1", in);
  lab.run();
  const std::vector<MemoryFrame> out = lab.backend.take_sent("eth2");
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].bytes.size(), in.bytes.size());
  EXPECT_EQ(out[0].checksum, ChecksumState::partial);
  EXPECT_EQ(out[0].segments, SegmentType::tcp4);
  EXPECT_EQ(out[0].segment_size, 1460);
  EXPECT_EQ(out[0].checksum_start, 34);
  EXPECT_EQ(out[0].checksum_offset, 16);
}

TEST(Egress, ASuperFrameWhoseSegmentsDoNotFitIsTooBig) {
  Lab lab;
  lab.know_everybody();
  lab.backend.inject("eth1", MemoryFrame{.bytes = inbound() / ipv4("10.0.1.50", "10.0.2.50").dont_fragment() /
                                                  tcp(1, 2).partial_checksum() / payload_of(9000),
                                         .checksum = ChecksumState::partial,
                                         .segments = SegmentType::tcp4,
                                         .segment_size = 1461,
                                         .checksum_start = 34,
                                         .checksum_offset = 16});
  lab.run();
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_EQ(lab.drops("too-big"), 1U);
}

// --- ICMP errors ---

TEST(EgressErrors, HopLimitOneIsAnsweredFromTheRealAddressOfTheNetworkItCameInBy) {
  Lab lab;
  lab.know_everybody();
  const Frame four = small4(1);
  const Frame six = small6(1);
  lab.inject(1, four);
  lab.inject(1, six);
  lab.run();
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_EQ(lab.drops("hop-limit"), 2U);
  const std::vector<Frame> sent = lab.sent(1);
  ASSERT_THAT(sent, SizeIs(2));
  const std::uint16_t id = static_cast<std::uint16_t>((sent[0][18] << 8U) | sent[0][19]);
  EXPECT_FRAME_EQ(sent[0], eth(interface_mac(1), host_mac) /
                               ipv4("10.0.1.1", "10.0.1.50").hop_limit(64).traffic_class(0xc0).id(id) / icmp(11, 0) /
                               payload(Frame(four.begin() + 14, four.end())));
  EXPECT_FRAME_EQ(sent[1], eth(interface_mac(1), host_mac) / ipv6("2001:db8:1::1", "2001:db8:1::50").hop_limit(64) /
                               icmp(3, 0) / payload(Frame(six.begin() + 14, six.end())));
}

TEST(EgressErrors, NoRouteIsAnswered) {
  Lab lab;
  std::erase_if(lab.parts.routes, [](const Route& route) { return route.via.has_value(); });
  lab.publish();
  lab.know_everybody();
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "192.0.2.1") / udp(1, 2));
  lab.inject_and_run(1, inbound() / ipv6("2001:db8:1::50", "2001:db8:ff::1") / udp(1, 2));
  EXPECT_EQ(lab.drops("no-route"), 2U);
  EXPECT_THAT(lab.sent(1), ElementsAre(Describes("icmp"), Describes("icmp")));
}

TEST(EgressErrors, TooBigNamesTheMtuOfTheWayOut) {
  Lab lab;
  lab.parts.interfaces[1].mtu = 1400;
  lab.publish();
  lab.know_everybody();
  const Frame four = inbound() / ipv4("10.0.1.50", "10.0.2.50").dont_fragment() / udp(1, 2) / payload_of(1400);
  const Frame six = inbound() / ipv6("2001:db8:1::50", "2001:db8:2::50") / udp(1, 2) / payload_of(1400);
  lab.inject(1, four);
  lab.inject(1, six);
  lab.run();
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_EQ(lab.drops("too-big"), 2U);
  const std::vector<Frame> sent = lab.sent(1);
  ASSERT_THAT(sent, SizeIs(2));
  // As much of the packet as fits in 576 and 1,280 bytes; hop limit as it came in.
  EXPECT_EQ(sent[0].size(), 14U + 576U);
  EXPECT_EQ(Frame(sent[0].begin() + 34, sent[0].begin() + 36), bytes("03 04"));
  EXPECT_EQ(Frame(sent[0].begin() + 38, sent[0].begin() + 42), bytes("00 00 05 78"));
  EXPECT_TRUE(std::equal(sent[0].begin() + 42, sent[0].end(), four.begin() + 14));
  EXPECT_EQ(sent[1].size(), 14U + 1280U);
  EXPECT_FRAME_EQ(sent[1], eth(interface_mac(1), host_mac) / ipv6("2001:db8:1::1", "2001:db8:1::50").hop_limit(64) /
                               icmp(2, 0, 1400) / payload(Frame(six.begin() + 14, six.begin() + 14 + 1232)));
}

TEST(EgressErrors, NeverAboutErrorsLaterFragmentsGroupsOrUnusableSources) {
  Lab lab;
  lab.know_everybody();
  const Frame quoted = small4();
  const std::vector<Frame> frames{
      inbound() / ipv4("10.0.1.50", "10.0.2.50").hop_limit(1) / icmp(3, 1) / payload(quoted),
      inbound() / ipv4("10.0.1.50", "10.0.2.50").hop_limit(1) / icmp(11, 0) / payload(quoted),
      inbound() / ipv4("10.0.1.50", "10.0.2.50").hop_limit(1) / icmp(5, 0) / payload(quoted),
      inbound() / ipv4("10.0.1.50", "10.0.2.50").hop_limit(1).fragment(800, false) / payload_of(40),
      inbound() / ipv6("2001:db8:1::50", "2001:db8:2::50").hop_limit(1) / icmp(1, 0) / payload(quoted),
      inbound() / ipv6("2001:db8:1::50", "2001:db8:2::50").hop_limit(1) / icmp(3, 0) / payload(quoted),
      inbound() / ipv6("2001:db8:1::50", "2001:db8:2::50").hop_limit(1) / fragment_header(800, false, 5) /
          payload_of(40),
      inbound() / ipv4("10.0.2.254", "10.0.2.50").hop_limit(1) / udp(1, 2),  // our own address as source
  };
  for (const Frame& frame : frames) lab.inject_and_run(1, frame);
  EXPECT_EQ(lab.drops("hop-limit"), frames.size());
  EXPECT_THAT(lab.sent(1), IsEmpty());
  EXPECT_THAT(lab.sent(2), IsEmpty());
  // An echo request is no error: it is answered.
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "10.0.2.50").hop_limit(1) / echo_request(1, 1));
  EXPECT_THAT(lab.sent(1), SizeIs(1));
}

TEST(EgressErrors, AreLimitedInRate) {
  Lab lab({.egress = {.icmp_errors_per_second = 10, .icmp_error_burst = 5}});
  lab.know_everybody();
  for (int i = 0; i < 20; ++i) lab.inject(1, small4(1));
  lab.run();
  EXPECT_THAT(lab.sent(1), SizeIs(5));
  EXPECT_EQ(lab.drops("icmp-rate-limited"), 15U);
  EXPECT_EQ(lab.drops("hop-limit"), 20U);
  lab.advance(std::chrono::milliseconds{300});
  for (int i = 0; i < 20; ++i) lab.inject(1, small4(1));
  lab.run();
  EXPECT_THAT(lab.sent(1), SizeIs(3));
  lab.advance(std::chrono::hours{1});
  for (int i = 0; i < 20; ++i) lab.inject(1, small4(1));
  lab.run();
  EXPECT_THAT(lab.sent(1), SizeIs(5));
}

TEST(EgressErrors, ANetworkWithoutARealAddressSendsNoneAndSaysWhy) {
  Lab lab;
  lab.parts.networks[0].real4.reset();
  lab.parts.networks[0].real6.reset();
  lab.publish();
  lab.know_everybody();
  lab.inject_and_run(1, small4(1));
  lab.inject_and_run(1, small6(1));
  EXPECT_THAT(lab.sent(1), IsEmpty());
  EXPECT_EQ(lab.drops("hop-limit"), 2U);
  EXPECT_EQ(lab.drops("icmp-no-source"), 2U);
}

TEST(EgressErrors, WithoutABufferTheErrorIsCountedAsMissing) {
  Lab lab({.pool = {.small_count = 1, .large_count = 0}});
  lab.know_everybody();
  lab.inject_and_run(1, small4(1));
  EXPECT_THAT(lab.sent(1), IsEmpty());
  EXPECT_EQ(lab.drops("hop-limit"), 1U);
  EXPECT_EQ(lab.drops("no-buffer"), 1U);
}

TEST(EgressErrors, AScanLeavesPathMtuDiscoveryAlone) {
  Lab lab({.egress = {.icmp_errors_per_second = 10, .icmp_error_burst = 5}});
  lab.parts.interfaces[1].mtu = 1400;
  lab.publish();
  lab.know_everybody();
  for (int i = 0; i < 20; ++i) lab.inject(1, small4(1));
  lab.inject(1, inbound() / ipv4("10.0.1.50", "10.0.2.50").dont_fragment() / udp(1, 2) / payload_of(1400));
  lab.run();
  const std::vector<Frame> sent = lab.sent(1);
  ASSERT_THAT(sent, SizeIs(6));
  EXPECT_EQ(Frame(sent[5].begin() + 34, sent[5].begin() + 36), bytes("03 04"));
  // And the other way round.
  for (int i = 0; i < 20; ++i) {
    lab.inject(1, inbound() / ipv4("10.0.1.50", "10.0.2.50").dont_fragment() / udp(1, 2) / payload_of(1400));
  }
  lab.run();
  EXPECT_THAT(lab.sent(1), SizeIs(4));
  lab.advance(std::chrono::milliseconds{100});
  lab.inject_and_run(1, small4(1));
  EXPECT_THAT(lab.sent(1), SizeIs(1));
}

// The literal bytes of each error, so that builder and code cannot be wrong together. The large one is compared as far
// as the headers of what it quotes; all further bytes of it are zero.
struct GoldenError {
  const char* what;
  Frame about;
  std::size_t body;  // zero bytes behind it
  Frame error;
};

const std::vector<GoldenError> golden_errors{
    {"ICMP time exceeded",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 08 00 "
           "45 00 00 1c 00 07 00 00 01 11 a2 67 "
           "0a 00 01 32 0a 00 02 32 "
           "00 01 00 02 00 08 00 00 "),
     0,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 08 00 "
           "45 c0 00 38 00 00 00 00 40 01 00 00 "
           "0a 00 01 01 0a 00 01 32 "
           "0b 00 f4 f4 00 00 00 00 "
           "45 00 00 1c 00 07 00 00 01 11 a2 67 "
           "0a 00 01 32 0a 00 02 32 "
           "00 01 00 02 00 08 00 00 ")},
    {"ICMP no route",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 08 00 "
           "45 00 00 1c 00 07 00 00 40 11 ad 97 "
           "0a 00 01 32 c0 00 02 01 "
           "00 01 00 02 00 08 00 00 "),
     0,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 08 00 "
           "45 c0 00 38 00 00 00 00 40 01 00 00 "
           "0a 00 01 01 0a 00 01 32 "
           "03 00 fc f4 00 00 00 00 "
           "45 00 00 1c 00 07 00 00 40 11 ad 97 "
           "0a 00 01 32 c0 00 02 01 "
           "00 01 00 02 00 08 00 00 ")},
    {"ICMP host unreachable",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 08 00 "
           "45 00 00 1c 00 07 00 00 40 11 63 5d "
           "0a 00 01 32 0a 00 02 3c "
           "00 01 00 02 00 08 00 00 "),
     0,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 08 00 "
           "45 c0 00 38 00 00 00 00 40 01 00 00 "
           "0a 00 01 01 0a 00 01 32 "
           "03 01 fc f3 00 00 00 00 "
           "45 00 00 1c 00 07 00 00 40 11 63 5d "
           "0a 00 01 32 0a 00 02 3c "
           "00 01 00 02 00 08 00 00 ")},
    {"ICMP fragmentation needed",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 08 00 "
           "45 00 05 30 00 07 40 00 40 11 1e 53 "
           "0a 00 01 32 0a 00 02 32 "
           "00 01 00 02 05 1c 00 00 "),
     1300,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 08 00 "
           "45 c0 02 40 00 00 00 00 40 01 00 00 "
           "0a 00 01 01 0a 00 01 32 "
           "03 04 f2 dc 00 00 05 00 "
           "45 00 05 30 00 07 40 00 40 11 1e 53 "
           "0a 00 01 32 0a 00 02 32 "
           "00 01 00 02 05 1c 00 00 ")},
    {"ICMPv6 time exceeded",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 86 dd "
           "60 00 00 00 00 08 11 01 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 50 "
           "00 01 00 02 00 08 a3 c6 "),
     0,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 86 dd "
           "60 00 00 00 00 38 3a 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 01 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "03 00 2f d8 00 00 00 00 "
           "60 00 00 00 00 08 11 01 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 50 "
           "00 01 00 02 00 08 a3 c6 ")},
    {"ICMPv6 no route",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 86 dd "
           "60 00 00 00 00 08 11 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 ff 00 00 00 00 00 00 00 00 00 01 "
           "00 01 00 02 00 08 a3 18 "),
     0,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 86 dd "
           "60 00 00 00 00 38 3a 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 01 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "01 00 31 99 00 00 00 00 "
           "60 00 00 00 00 08 11 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 ff 00 00 00 00 00 00 00 00 00 01 "
           "00 01 00 02 00 08 a3 18 ")},
    {"ICMPv6 host unreachable",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 86 dd "
           "60 00 00 00 00 08 11 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 60 "
           "00 01 00 02 00 08 a3 b6 "),
     0,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 86 dd "
           "60 00 00 00 00 38 3a 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 01 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "01 03 31 96 00 00 00 00 "
           "60 00 00 00 00 08 11 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 60 "
           "00 01 00 02 00 08 a3 b6 ")},
    {"ICMPv6 fragmentation needed",
     bytes("02 00 00 00 00 01 02 00 00 00 01 01 86 dd "
           "60 00 00 00 05 1c 11 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 50 "
           "00 01 00 02 05 1c 99 9e "),
     1300,
     bytes("02 00 00 00 01 01 02 00 00 00 00 01 86 dd "
           "60 00 00 00 04 d8 3a 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 01 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "02 00 26 f9 00 00 05 00 "
           "60 00 00 00 05 1c 11 40 "
           "20 01 0d b8 00 01 00 00 00 00 00 00 00 00 00 50 "
           "20 01 0d b8 00 02 00 00 00 00 00 00 00 00 00 50 "
           "00 01 00 02 05 1c 99 9e ")},
};

TEST(EgressErrors, GoldenFrames) {
  Lab lab;
  std::erase_if(lab.parts.routes, [](const Route& route) { return route.via.has_value(); });
  lab.parts.interfaces[1].mtu = 1280;
  lab.publish();
  lab.know_everybody();
  for (const GoldenError& golden : golden_errors) {
    Frame about = golden.about;
    about.resize(about.size() + golden.body);
    lab.inject_and_run(1, about);
    for (const char* const address : {"10.0.2.60", "2001:db8:2::60"}) {
      lab.set_neighbor(2, address, {}, 0, NeighborReachability::failed);
    }
    lab.run();
    const std::vector<Frame> sent = lab.sent(1);
    ASSERT_THAT(sent, SizeIs(1)) << golden.what;
    Frame error = sent[0];
    if (error.at(12) == 0x08) {
      EXPECT_EQ(internet_checksum(std::span(error).subspan(14, 20)), 0) << golden.what;
      error[18] = error[19] = error[24] = error[25] = 0;  // the identification is random, and the sum over it
      EXPECT_EQ(error.size(), golden.body == 0 ? golden.error.size() : 14U + 576U) << golden.what;
    } else {
      EXPECT_EQ(error.size(), golden.body == 0 ? golden.error.size() : 14U + 1280U) << golden.what;
    }
    EXPECT_TRUE(std::all_of(error.begin() + static_cast<std::ptrdiff_t>(golden.error.size()), error.end(),
                            [](std::uint8_t byte) { return byte == 0; }));
    error.resize(golden.error.size());
    EXPECT_EQ(error, golden.error) << golden.what;
  }
}

// --- neighbours and the park ---

TEST(EgressPark, UnknownNeighbourIsWantedOnceAndFlushedInOrder) {
  Lab lab;
  for (std::uint16_t i = 1; i <= 5; ++i) {
    lab.inject(1, inbound() / ipv4("10.0.1.50", "10.0.2.50") / udp(i, 2) / payload("x"));
  }
  lab.run();
  EXPECT_THAT(lab.sink.neighbors, ElementsAre("wanted 2/10.0.2.50"));
  EXPECT_EQ(lab.worker.parked(), 5U);
  EXPECT_THAT(lab.sent(2), IsEmpty());
  // What comes in the same run as the answer stays behind those that wait.
  lab.set_neighbor(2, "10.0.2.50", far_mac, 2);
  lab.inject(1, inbound() / ipv4("10.0.1.50", "10.0.2.50") / udp(6, 2) / payload("x"));
  lab.run();
  EXPECT_THAT(lab.sent(2), ElementsAre(Describes("udp 1 >"), Describes("udp 2 >"), Describes("udp 3 >"),
                                       Describes("udp 4 >"), Describes("udp 5 >"), Describes("udp 6 >")));
  EXPECT_EQ(lab.worker.parked(), 0U);
  EXPECT_THAT(lab.sink.neighbors, SizeIs(1));
}

TEST(EgressPark, AnEntryBeingResolvedStaysParked) {
  Lab lab;
  lab.inject_and_run(1, small4());
  lab.set_neighbor(2, "10.0.2.50", {}, 0, NeighborReachability::incomplete);
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 1U);
}

TEST(EgressPark, FailureDropsAndTellsTheSender) {
  Lab lab;
  lab.set_neighbor(1, "10.0.1.50", host_mac, 1);
  lab.inject_and_run(1, small4());
  lab.set_neighbor(2, "10.0.2.50", {}, 0, NeighborReachability::failed);
  lab.run();
  EXPECT_EQ(lab.drops("neighbor-unresolved"), 1U);
  const std::vector<Frame> sent = lab.sent(1);
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(Frame(sent[0].begin() + 34, sent[0].begin() + 36), bytes("03 01"));
}

TEST(EgressPark, AnOldFailureIsNotHeldAgainstANewPacket) {
  Lab lab;
  lab.set_neighbor(1, "10.0.1.50", host_mac, 1);  // the error about it is sent at once
  lab.set_neighbor(2, "10.0.2.50", {}, 0, NeighborReachability::failed);
  lab.inject_and_run(1, small4());
  EXPECT_EQ(lab.worker.parked(), 1U);
  EXPECT_THAT(lab.sink.neighbors, ElementsAre("wanted 2/10.0.2.50"));
  lab.set_neighbor(2, "10.0.2.50", {}, 0, NeighborReachability::failed);  // again, now about this packet
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 0U);
  EXPECT_EQ(lab.drops("neighbor-unresolved"), 1U);
}

TEST(EgressPark, SilenceEndsAfterThreeSecondsAndPollAtSaysSo) {
  Lab lab;
  lab.set_neighbor(1, "10.0.1.50", host_mac, 1);  // the error about it is sent at once
  lab.worker.set_chain({});
  lab.run();
  EXPECT_EQ(lab.worker.poll_at(), never);
  lab.worker.set_chain({{Lab::module, packet_class::all, &lab.script, PuntUrgency::normal}});
  lab.inject_and_run(1, small4());
  lab.worker.set_chain({});
  lab.run();
  EXPECT_EQ(lab.worker.poll_at(), lab.now + std::chrono::seconds{3});
  lab.advance(std::chrono::milliseconds{2999});
  EXPECT_EQ(lab.worker.parked(), 1U);
  lab.advance(std::chrono::milliseconds{1});
  EXPECT_EQ(lab.worker.parked(), 0U);
  EXPECT_EQ(lab.drops("neighbor-unresolved"), 1U);
  EXPECT_EQ(lab.worker.poll_at(), never);
}

TEST(EgressPark, IsBoundedForEachNeighbourAndInAll) {
  Lab lab({.egress = {.parked_packets = 6, .parked_strangers = 6, .parked_per_neighbor = 4}});
  for (int i = 0; i < 5; ++i) lab.inject(1, small4());
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 4U);
  EXPECT_EQ(lab.drops("park-full"), 1U);
  for (int i = 0; i < 5; ++i) lab.inject(1, small6());
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 6U);
  EXPECT_EQ(lab.drops("park-full"), 4U);
  // Another neighbour takes the room of the one that has waited longest.
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "10.0.2.51") / udp(1, 2));
  EXPECT_EQ(lab.drops("park-full"), 8U);
  EXPECT_EQ(lab.worker.parked(), 3U);
  lab.know_everybody();
  lab.run();
  EXPECT_THAT(lab.sent(2), SizeIs(2));
}

// 10.0.2.100 and up, and the like of 2001:db8:2::/64: addresses that nobody has.
Frame scan(unsigned number) {
  return inbound() / ipv6("2001:db8:1::50", ip6("2001:db8:2::" + std::to_string(1000 + number))) / udp(1, 2);
}

TEST(EgressPark, AScanOfUnusedAddressesLeavesRoomForTheNodesOwnPacketsAndForRouters) {
  Lab lab;
  for (unsigned i = 0; i < 3000; ++i) {
    lab.inject(1, scan(i));
    if (i % 64 == 63) lab.run();
  }
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 256U);
  EXPECT_EQ(lab.sink.neighbors.size(), 256U);
  EXPECT_EQ(lab.drops("neighbor-rate-limited"), 3000U - 256U);
  lab.sink.neighbors.clear();
  // A probe of a target whose entry was flushed, and traffic to the gateway.
  ASSERT_TRUE(lab.worker.send(Frame(ipv6("2001:db8:2::1", "2001:db8:2::50") / udp(7, 8)), {}));
  lab.inject(1, inbound() / ipv6("2001:db8:1::50", "2001:db8:ff::1") / udp(1, 2));
  lab.run();
  EXPECT_THAT(lab.sink.neighbors, ElementsAre("wanted 2/2001:db8:2::50", "wanted 2/2001:db8:2::9"));
  lab.know_everybody();
  lab.run();
  EXPECT_THAT(lab.sent(2),
              ElementsAre(Describes("2001:db8:2::1 > 2001:db8:2::50"), Describes("2001:db8:1::50 > 2001:db8:ff::1")));
}

TEST(EgressPark, ASlowScanDoesNotKeepANewHostFromBeingFound) {
  Lab lab;
  // 200 a second for 5 s: more than the 256 that are waited for at a time.
  for (unsigned i = 0; i < 1000; ++i) {
    lab.inject_and_run(1, scan(i));
    lab.advance(std::chrono::milliseconds{5});
    EXPECT_LE(lab.worker.parked(), 256U);
  }
  EXPECT_EQ(lab.drops("neighbor-rate-limited"), 0U);
  EXPECT_GT(lab.drops("park-full"), 0U);  // the oldest made room
  lab.sink.neighbors.clear();
  lab.inject_and_run(1, small4());
  EXPECT_THAT(lab.sink.neighbors, ElementsAre("wanted 2/10.0.2.50"));
  lab.advance(std::chrono::milliseconds{5});
  lab.know_everybody();
  lab.run();
  EXPECT_THAT(lab.sent(2), SizeIs(1));
}

TEST(EgressPark, ReservedPacketsTakeTheRoomOfStrangersButNotTheOtherWayRound) {
  Lab lab({.egress = {.parked_packets = 8, .parked_strangers = 8, .parked_per_neighbor = 2, .stranger_neighbors = 8}});
  for (unsigned i = 0; i < 8; ++i) lab.inject_and_run(1, scan(i));
  EXPECT_EQ(lab.worker.parked(), 8U);
  const auto probe = [&](unsigned host) {
    const std::string target = "2001:db8:2::" + std::to_string(50 + host);
    ASSERT_TRUE(lab.worker.send(Frame(ipv6("2001:db8:2::1", ip6(target)) / udp(7, 8)), {}));
    lab.run();
  };
  for (unsigned i = 0; i < 8; ++i) probe(i);
  EXPECT_EQ(lab.worker.parked(), 8U);
  EXPECT_EQ(lab.drops("park-full"), 8U);
  lab.inject_and_run(1, scan(9));
  EXPECT_EQ(lab.drops("park-full"), 9U);
  // One more target finds no room for its packet, but is looked for.
  lab.sink.neighbors.clear();
  probe(8);
  EXPECT_EQ(lab.drops("park-full"), 10U);
  EXPECT_THAT(lab.sink.neighbors, ElementsAre("wanted 2/2001:db8:2::58"));
}

TEST(EgressPark, AProbeFindsRoomInAQueueThatOthersHaveFilled) {
  Lab lab;
  for (int i = 0; i < 40; ++i) lab.inject(1, small6());
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 32U);
  ASSERT_TRUE(lab.worker.send(Frame(ipv6("2001:db8:2::1", "2001:db8:2::50") / udp(7, 8)), {}));
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 33U);
  // No stranger's queue any more: a scan does not push it out.
  for (unsigned i = 0; i < 250; ++i) lab.inject_and_run(1, scan(i));
  lab.advance(std::chrono::seconds{1});
  for (unsigned i = 250; i < 500; ++i) lab.inject_and_run(1, scan(i));
  lab.know_everybody();
  lab.run();
  EXPECT_THAT(lab.sent(2), SizeIs(33));
}

TEST(EgressPark, LeavesMostBuffersToTheRest) {
  Lab lab({.pool = {.small_count = 64, .large_count = 8}});
  for (unsigned i = 0; i < 100; ++i) lab.inject_and_run(1, scan(i));
  EXPECT_EQ(lab.worker.parked(), 8U);
  for (int i = 0; i < 100; ++i) lab.inject_and_run(1, small6());
  EXPECT_EQ(lab.worker.parked(), 12U);
  // The node's own has a share here, too.
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(lab.worker.send(Frame(ipv6("2001:db8:2::1", "2001:db8:2::51") / udp(7, 8)), {}));
    lab.run();
  }
  EXPECT_EQ(lab.worker.parked(), 16U);
  EXPECT_EQ(lab.drops("no-buffer"), 0U);
}

TEST(EgressPark, SuperFramesThatWaitLeaveMostLargeBuffersToTheRest) {
  Lab lab({.pool = {.large_count = 8}});
  lab.set_neighbor(1, "10.0.1.50", host_mac, 1);  // the errors about them are sent at once
  for (std::uint8_t i = 0; i < 8; ++i) {
    lab.backend.inject(
        "eth1",
        MemoryFrame{
            .bytes = inbound() /
                     ipv4("10.0.1.50", Ipv4Address{{10, 0, 2, static_cast<std::uint8_t>(60 + i)}}).dont_fragment() /
                     tcp(1, 2).partial_checksum() / payload_of(9000),
            .checksum = ChecksumState::partial,
            .segments = SegmentType::tcp4,
            .segment_size = 1460,
            .checksum_start = 34,
            .checksum_offset = 16});
    lab.run();
  }
  EXPECT_EQ(lab.worker.parked(), 2U);
  EXPECT_EQ(lab.drops("park-full"), 6U);
  EXPECT_THAT(lab.sink.neighbors, SizeIs(8));
  lab.advance(std::chrono::seconds{4});
  EXPECT_EQ(lab.worker.parked(), 0U);
  EXPECT_THAT(lab.worker.poll_at(), testing::Gt(lab.now));  // no empty queue is left over
}

TEST(EgressPark, ErrorsAboutAnAbandonedQueueDoNotPushItOut) {
  // Each error goes to an unknown neighbour itself, and the park is full.
  Lab lab({.egress = {.parked_packets = 4, .parked_strangers = 4, .parked_per_neighbor = 4, .stranger_neighbors = 1}});
  for (int i = 0; i < 4; ++i) lab.inject(1, small6());
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 4U);
  lab.set_neighbor(2, "2001:db8:2::50", {}, 0, NeighborReachability::failed);
  lab.run();
  EXPECT_EQ(lab.drops("neighbor-unresolved"), 4U);
  EXPECT_EQ(lab.drops("park-full"), 4U);  // the errors
  EXPECT_EQ(lab.worker.parked(), 0U);
}

TEST(EgressPark, WhatOnlyTheMasterMaySendEndsWithTheRole) {
  Lab lab;
  lab.inject_and_run(1, small6());
  ASSERT_TRUE(lab.worker.send(Frame(ipv6("2001:db8:2::fe", "2001:db8:2::50") / udp(5, 6)), {}));
  ASSERT_TRUE(lab.worker.send(Frame(ipv6("2001:db8:2::1", "2001:db8:2::50") / udp(7, 8)), {}));
  lab.inject_and_run(1, small4());
  EXPECT_EQ(lab.worker.parked(), 4U);
  lab.parts.role.role = Role::backup;
  lab.publish();
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 1U);
  EXPECT_EQ(lab.drops("not-master"), 3U);
  lab.know_everybody();
  lab.run();
  EXPECT_THAT(lab.sent(2), ElementsAre(Describes("2001:db8:2::1 > 2001:db8:2::50")));
}

TEST(EgressPark, ReportsThatWereLostAreRepeated) {
  Lab lab({.rings = {.neighbor_events = 2}});
  for (const char* const address : {"10.0.2.50", "10.0.2.51", "10.0.2.52", "10.0.2.53"}) {
    lab.inject(1, inbound() / ipv4("10.0.1.50", address) / udp(1, 2));
  }
  lab.run();
  EXPECT_THAT(lab.sink.neighbors, testing::UnorderedElementsAre("wanted 2/10.0.2.50", "wanted 2/10.0.2.51",
                                                                "wanted 2/10.0.2.52", "wanted 2/10.0.2.53"));
}

TEST(EgressPark, ErrorsAboutParkedPacketsToTheSameNeighbourEnd) {
  // The sender is itself behind the neighbour that does not answer: the error about its packet goes there too.
  Lab lab;
  lab.inject_and_run(2, eth(router_mac, interface_mac(2)) / ipv4("192.0.2.1", "198.51.100.1") / udp(1, 2));
  EXPECT_EQ(lab.worker.parked(), 1U);
  lab.set_neighbor(2, "10.0.2.9", {}, 0, NeighborReachability::failed);
  lab.run();
  EXPECT_EQ(lab.worker.parked(), 0U);
  EXPECT_EQ(lab.drops("neighbor-unresolved"), 2U);
}

TEST(EgressPark, AStaleNeighbourIsUsedAndReportedOnceUntilItIsPublishedAgain) {
  Lab lab;
  lab.set_neighbor(2, "10.0.2.50", far_mac, 2, NeighborReachability::stale);
  for (int i = 0; i < 3; ++i) lab.inject_and_run(1, small4());
  EXPECT_THAT(lab.sent(2), SizeIs(3));
  EXPECT_THAT(lab.sink.neighbors, ElementsAre("used 2/10.0.2.50"));
  lab.set_neighbor(2, "10.0.2.50", far_mac, 2, NeighborReachability::stale);
  lab.inject_and_run(1, small4());
  EXPECT_THAT(lab.sink.neighbors, SizeIs(2));
}

TEST(EgressPark, WithoutALinkNothingIsParked) {
  Lab lab;
  lab.parts.interfaces[1].up = false;
  lab.parts.interfaces[2].up = false;
  lab.publish();
  lab.set_neighbor(1, "10.0.1.50", host_mac, 1);
  lab.inject_and_run(1, small4());
  EXPECT_EQ(lab.worker.parked(), 0U);
  EXPECT_EQ(lab.drops("no-link"), 1U);
  EXPECT_THAT(lab.sink.neighbors, IsEmpty());
  // A known neighbour does not help either.
  lab.set_neighbor(2, "10.0.2.50", far_mac, 2);
  lab.inject_and_run(1, small4());
  EXPECT_EQ(lab.drops("no-link"), 2U);
}

// --- fragments ---

std::vector<std::uint8_t> reassemble4(const std::vector<Frame>& frames) {
  std::vector<std::uint8_t> data;
  for (const Frame& frame : frames) {
    const std::size_t header = (frame[14] & 0x0fU) * 4U;
    const std::size_t offset = (((frame[20] << 8U) | frame[21]) & 0x1fffU) * 8U;
    EXPECT_EQ(offset, data.size());
    const bool more = (frame[20] & 0x20U) != 0;
    EXPECT_EQ(more, &frame != &frames.back());
    data.insert(data.end(), frame.begin() + 14 + static_cast<std::ptrdiff_t>(header), frame.end());
  }
  return data;
}

TEST(EgressFragments, Ipv4WithoutDontFragmentIsCutToTheBytesOfRfc791) {
  Lab lab;
  lab.parts.interfaces[1].mtu = 100;
  lab.publish();
  lab.know_everybody();
  const Frame whole = inbound() / ipv4("10.0.1.50", "10.0.2.50").id(0x1234) / udp(1, 2) / payload_of(150);
  lab.inject_and_run(1, whole);
  const Frame data(whole.begin() + 34, whole.end());  // 158 bytes: 80 + 78
  const auto piece = [&](std::size_t from, std::size_t to, bool more) {
    return Frame(eth(virtual_mac4, far_mac) /
                 ipv4("10.0.1.50", "10.0.2.50").hop_limit(63).id(0x1234).fragment(from, more).protocol_number(17) /
                 payload(Frame(data.begin() + static_cast<std::ptrdiff_t>(from),
                               data.begin() + static_cast<std::ptrdiff_t>(to))));
  };
  EXPECT_THAT(lab.sent(2), ElementsAre(IsFrame(piece(0, 80, true)), IsFrame(piece(80, 158, false))));
}

TEST(EgressFragments, AFragmentIsCutFurtherAndOnlyCopiedOptionsAreRepeated) {
  Lab lab;
  lab.parts.interfaces[1].mtu = 100;
  lab.publish();
  lab.know_everybody();
  // Router alert (copied) and timestamp (not copied).
  const Frame options = bytes("94 04 00 00 44 04 05 00");
  const Frame whole =
      inbound() / ipv4("10.0.1.50", "10.0.2.50").id(7).options(options).fragment(800, true) / payload_of(160);
  lab.inject_and_run(1, whole);
  const std::vector<Frame> sent = lab.sent(2);
  ASSERT_THAT(sent, SizeIs(3));
  EXPECT_EQ(sent[0][14], 0x47);
  EXPECT_EQ(sent[1][14], 0x46);
  EXPECT_EQ(Frame(sent[1].begin() + 34, sent[1].begin() + 38), bytes("94 04 00 00"));
  EXPECT_EQ(Frame(sent[0].begin() + 20, sent[0].begin() + 22), bytes("20 64"));  // 800 / 8, more
  EXPECT_EQ(Frame(sent[1].begin() + 20, sent[1].begin() + 22), bytes("20 6d"));  // + 72
  EXPECT_EQ(Frame(sent[2].begin() + 20, sent[2].begin() + 22), bytes("20 76"));  // + 72, more behind the original
}

TEST(EgressFragments, APartialChecksumIsCompletedBeforeCutting) {
  Lab lab;
  lab.parts.interfaces[1].mtu = 576;
  lab.publish();
  lab.know_everybody();
  const auto packet = ipv4("10.0.1.50", "10.0.2.50");
  lab.backend.inject("eth1", MemoryFrame{.bytes = inbound() / packet / udp(1, 2).partial_checksum() / payload_of(1000),
                                         .checksum = ChecksumState::partial,
                                         .checksum_start = 34,
                                         .checksum_offset = 6});
  lab.run();
  const std::vector<MemoryFrame> sent = lab.backend.take_sent("eth2");
  ASSERT_THAT(sent, SizeIs(2));
  std::vector<Frame> frames;
  for (const MemoryFrame& frame : sent) {
    EXPECT_EQ(frame.checksum, ChecksumState::unverified);
    frames.push_back(frame.bytes);
  }
  const Frame expected = packet / udp(1, 2) / payload_of(1000);
  EXPECT_EQ(reassemble4(frames), Frame(expected.begin() + 20, expected.end()));
}

TEST(EgressFragments, AnMtuThatWouldMakeTooManyPiecesDrops) {
  Lab lab;
  lab.parts.interfaces[1].mtu = 36;
  lab.publish();
  lab.know_everybody();
  lab.inject_and_run(1, inbound() / ipv4("10.0.1.50", "10.0.2.50") / udp(1, 2) / payload_of(1400));
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_EQ(lab.drops("too-big"), 1U);
}

TEST(EgressFragments, BuffersOfAnAbandonedCutGoBackToThePool) {
  PacketPool pool({.small_count = 8, .large_count = 1});
  const Frame frame = inbound() / ipv4("10.0.1.50", "10.0.2.50") / udp(1, 2) / payload_of(1400);
  Packet* const packet = pool.acquire(frame.size());
  std::copy(frame.begin(), frame.end(), packet->data);
  packet->length = static_cast<std::uint32_t>(frame.size());
  packet->l3_offset = 14;
  packet->classes = packet_class::ipv4;
  std::array<Packet*, max_fragments> out{};
  EXPECT_EQ(make_fragments(*packet, 100, 0, pool, out), 0U);  // needs 18
  EXPECT_EQ(pool.available_small(), 7U);
  EXPECT_EQ(make_fragments(*packet, 576, 0, pool, out), 3U);
  EXPECT_EQ(pool.available_small(), 4U);
}

// --- originate and what the control thread sends ---

TEST(EgressOriginate, OwnSourcesUseTheInterfacesMacAndVirtualSourcesTheRouters) {
  Lab lab;
  lab.know_everybody();
  const Frame real = ipv4("10.0.2.1", "10.0.2.50").hop_limit(9) / udp(1, 2) / payload("x");
  const Frame virt = ipv4("10.0.2.254", "10.0.2.50").hop_limit(9) / udp(1, 2) / payload("x");
  ASSERT_TRUE(lab.worker.send(real, {}));
  ASSERT_TRUE(lab.worker.send(virt, {}));
  lab.run();
  EXPECT_THAT(lab.sent(2),
              ElementsAre(IsFrame(eth(interface_mac(2), far_mac) / ipv4("10.0.2.1", "10.0.2.50").hop_limit(9) /
                                  udp(1, 2) / payload("x")),
                          IsFrame(eth(virtual_mac4, far_mac) / ipv4("10.0.2.254", "10.0.2.50").hop_limit(9) /
                                  udp(1, 2) / payload("x"))));
}

TEST(EgressOriginate, OptionsNameNetworkAndInterface) {
  Lab lab;
  lab.set_neighbor(1, "192.0.2.77", host_mac, 1);
  lab.set_neighbor(2, "fe80::77", far_mac, 2);
  const Frame on_link = ipv4("10.0.1.1", "192.0.2.77") / udp(1, 2);
  const Frame link_local = ipv6("fe80::1", "fe80::77") / udp(1, 2);
  ASSERT_TRUE(lab.worker.send(on_link, {.network = 1}));
  ASSERT_TRUE(lab.worker.send(link_local, {.network = 2, .interface = 3}));
  lab.run();
  EXPECT_THAT(lab.sent(1), ElementsAre(Describes("10.0.1.1 > 192.0.2.77")));
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_THAT(lab.sent(3), ElementsAre(Describes("fe80::1 > fe80::77")));
}

TEST(EgressOriginate, GroupsGoOutOnEveryInterfaceOfTheNetworkThatIsUp) {
  Lab lab;
  const Frame packet = ipv6("2001:db8:2::1", "ff02::16").hop_limit(1) / udp(1, 2);
  ASSERT_TRUE(lab.worker.send(packet, {.network = 2}));
  lab.run();
  for (const InterfaceId number : std::initializer_list<InterfaceId>{2, 3}) {
    EXPECT_THAT(lab.sent(number), ElementsAre(IsFrame(eth(interface_mac(number), "33:33:00:00:00:16") /
                                                      ipv6("2001:db8:2::1", "ff02::16").hop_limit(1) / udp(1, 2))));
  }
  EXPECT_THAT(lab.sent(1), IsEmpty());
  ASSERT_TRUE(lab.worker.send(packet, {.network = 2, .interface = 3}));
  lab.run();
  EXPECT_THAT(lab.sent(2), IsEmpty());
  EXPECT_THAT(lab.sent(3), SizeIs(1));
}

TEST(EgressOriginate, LargePacketsOfThisNodeAreFragmentedInBothFamilies) {
  Lab lab;
  lab.know_everybody();
  const Frame four =
      ipv4("10.0.2.1", "10.0.2.50").id(9) / echo_reply(1, 1).body(payload_of(3000).build({}, nullptr, {}));
  const Frame six =
      ipv6("2001:db8:2::1", "2001:db8:2::50") / echo_reply(1, 1).body(payload_of(3000).build({}, nullptr, {}));
  ASSERT_TRUE(lab.worker.send(four, {}));
  lab.run();
  const std::vector<Frame> sent4 = lab.sent(2);
  EXPECT_THAT(sent4, SizeIs(3));
  EXPECT_EQ(reassemble4(sent4), Frame(four.begin() + 20, four.end()));
  ASSERT_TRUE(lab.worker.send(six, {}));
  lab.run();
  const std::vector<Frame> sent6 = lab.sent(2);
  ASSERT_THAT(sent6, SizeIs(3));
  Frame data;
  for (const Frame& frame : sent6) {
    EXPECT_EQ(frame[20], 44);  // fragment header
    EXPECT_EQ(frame[54], 58);  // ICMPv6 behind it
    EXPECT_EQ(Frame(frame.begin() + 58, frame.begin() + 62), Frame(sent6[0].begin() + 58, sent6[0].begin() + 62));
    const std::size_t field = static_cast<std::size_t>((frame[56] << 8U) | frame[57]);
    EXPECT_EQ(field & 0xfff8U, data.size());
    EXPECT_EQ((field & 1U) != 0, &frame != &sent6.back());
    EXPECT_EQ(static_cast<std::size_t>((frame[18] << 8U) | frame[19]) + 54, frame.size());
    EXPECT_LE(frame.size(), 1514U);
    data.insert(data.end(), frame.begin() + 62, frame.end());
  }
  EXPECT_EQ(data, Frame(six.begin() + 40, six.end()));
}

TEST(EgressOriginate, NoErrorIsMadeAboutOwnPackets) {
  Lab lab;
  lab.know_everybody();
  const Frame big = ipv4("10.0.2.1", "10.0.2.50").dont_fragment() / udp(1, 2) / payload_of(2000);
  ASSERT_TRUE(lab.worker.send(big, {}));
  ASSERT_TRUE(lab.worker.send(Frame(ipv4("10.0.1.1", "10.0.2.254") / udp(1, 2)), {}));  // to ourselves
  lab.run();
  EXPECT_EQ(lab.drops("too-big"), 1U);
  EXPECT_EQ(lab.drops("own-destination"), 1U);
  for (const InterfaceId number : std::initializer_list<InterfaceId>{1, 2, 3}) EXPECT_THAT(lab.sent(number), IsEmpty());
}

TEST(EgressOriginate, TruncatedPacketsOfTheControlThreadAreRefusedAtEveryLength) {
  Lab lab;
  lab.know_everybody();
  const Frame whole = ipv4("10.0.2.1", "10.0.2.50") / udp(1, 2);
  EXPECT_FALSE(lab.worker.send({}, {}));
  for (std::size_t length = 1; length < 20; ++length) {
    ASSERT_TRUE(lab.worker.send(std::span(whole).first(length), {}));
  }
  const Frame six = ipv6("2001:db8:2::1", "2001:db8:2::50") / udp(1, 2);
  for (std::size_t length = 1; length < 40; ++length) {
    ASSERT_TRUE(lab.worker.send(std::span(six).first(length), {}));
  }
  lab.run();
  EXPECT_EQ(lab.drops("invalid-verdict"), 19U + 39U);
  EXPECT_THAT(lab.sent(2), IsEmpty());
}

// --- transmit ---

TEST(EgressTransmit, ChecksInterfaceLinkAndLength) {
  Lab lab;
  lab.parts.interfaces[2].up = false;
  lab.publish();
  const Frame frame = eth(interface_mac(2), far_mac) / arp_request(interface_mac(2), "10.0.2.1", "10.0.2.50");
  ASSERT_TRUE(lab.worker.transmit(2, frame));
  ASSERT_TRUE(lab.worker.transmit(3, frame));
  ASSERT_TRUE(lab.worker.transmit(9, frame));
  ASSERT_TRUE(lab.worker.transmit(0, frame));
  ASSERT_TRUE(lab.worker.transmit(2, Frame(13)));
  ASSERT_TRUE(lab.worker.transmit(2, Frame(1514)));
  ASSERT_TRUE(lab.worker.transmit(2, Frame(1515)));
  EXPECT_FALSE(lab.worker.transmit(2, Frame(10241)));
  lab.run();
  EXPECT_THAT(lab.sent(2), ElementsAre(IsFrame(frame), SizeIs(1514)));
  EXPECT_EQ(lab.drops("no-link"), 1U);
  EXPECT_EQ(lab.drops("no-interface"), 2U);
  EXPECT_EQ(lab.drops("bad-frame"), 2U);
}

}  // namespace
}  // namespace trivet::core::test
