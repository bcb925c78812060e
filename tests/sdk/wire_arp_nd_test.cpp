#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"
#include "trivet/wire/arp.h"
#include "trivet/wire/nd.h"
#include "wire_test_support.h"

namespace trivet::wire {
namespace {

using namespace testkit;  // NOLINT(google-build-using-namespace)
using testing::IsEmpty;

constexpr MacAddress a{{2, 0, 0, 0, 0, 0xa}};
constexpr MacAddress b{{2, 0, 0, 0, 0, 0xb}};

const Frame golden_reply = bytes("0001 0800 06 04 0002 02000000000a c0000201 02000000000b c0000202");

TEST(Arp, GoldenBytesBecomeValuesAndTheSameBytes) {
  const auto values = parse_arp(golden_reply);
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, (ArpValues{ArpOperation::reply, a, ip4("192.0.2.1"), b, ip4("192.0.2.2")}));
  EXPECT_EQ(arp_payload(*values), golden_reply);
}

TEST(Arp, IsRefusedAtEveryShorterLengthAndReadWithPadding) {
  EXPECT_THAT(accepted_lengths(golden_reply, parse_arp), IsEmpty());
  Frame padded = golden_reply;
  padded.resize(46);
  EXPECT_TRUE(parse_arp(padded));
}

TEST(Arp, RefusesOtherKindsAndGroupSenders) {
  struct Case {
    std::size_t offset;
    std::uint8_t value;
  };
  for (const Case& test : {Case{1, 6}, {2, 0x86}, {4, 8}, {5, 16}, {7, 0}, {7, 3}, {6, 1}, {8, 3}, {8, 0xff}}) {
    Frame changed = golden_reply;
    changed[test.offset] = test.value;
    EXPECT_FALSE(parse_arp(changed)) << test.offset;
  }
}

TEST(Arp, BuildsRequestsRepliesProbesAndAnnouncements) {
  EXPECT_FRAME_EQ(arp_request_frame(a, ip4("192.0.2.1"), ip4("192.0.2.2")),
                  eth(a, MacAddress::broadcast()) / arp_request(a, "192.0.2.1", "192.0.2.2"));
  EXPECT_FRAME_EQ(arp_request_frame(a, ip4("192.0.2.1"), ip4("192.0.2.2"), b),
                  eth(a, b) / arp_request(a, "192.0.2.1", "192.0.2.2"));
  const ArpValues request{ArpOperation::request, b, ip4("192.0.2.2"), {}, ip4("192.0.2.1")};
  EXPECT_FRAME_EQ(arp_reply_frame(request, a), eth(a, b) / arp_reply(a, "192.0.2.1", b, "192.0.2.2"));
  EXPECT_FRAME_EQ(arp_announcement_frame(a, ip4("192.0.2.1")),
                  eth(a, MacAddress::broadcast()) / arp_request(a, "192.0.2.1", "192.0.2.1"));
  EXPECT_FRAME_EQ(arp_probe_frame(a, ip4("192.0.2.1")),
                  eth(a, MacAddress::broadcast()) / arp_request(a, "0.0.0.0", "192.0.2.1"));
  EXPECT_TRUE(parse_arp(behind(arp_announcement_frame(a, ip4("192.0.2.1")), 14))->is_announcement());
  EXPECT_TRUE(parse_arp(behind(arp_probe_frame(a, ip4("192.0.2.1")), 14))->is_probe());
}

const NdContext context{ip6("2001:db8::9"), ip6("ff02::1:ff00:3"), 255};

TEST(NeighborSolicitations, GoldenBytesBecomeValuesAndTheSameBytes) {
  const Frame golden = bytes(
      "60000000 0020 3a ff 20010db8000000000000000000000009 ff0200000000000000000001ff000003"
      "8700 1c14 00000000 20010db8000000000000000000000003 0101 02000000000a");
  const Frame packet = neighbor_solicitation_packet(context.source, context.destination,
                                                    {.target = ip6("2001:db8::3"), .source_mac = a, .nonce = {}});
  EXPECT_EQ(hex(packet), hex(golden));
  EXPECT_FRAME_EQ(neighbor_solicitation_frame(a, context.source, ip6("2001:db8::3")),
                  eth(a, "33:33:ff:00:00:03") / ipv6("2001:db8::9", "ff02::1:ff00:3").hop_limit(255) /
                      neighbor_solicitation("2001:db8::3").source_mac(a));
  const auto values = parse_neighbor_solicitation(context, behind(packet, 40));
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, (NeighborSolicitation{ip6("2001:db8::3"), a, {}}));
}

TEST(NeighborSolicitations, CarryANonce) {
  const NeighborSolicitation values{ip6("2001:db8::3"), {}, NdNonce{1, 2, 3, 4, 5, 6}};
  const Frame packet = neighbor_solicitation_packet({}, context.destination, values);
  EXPECT_EQ(parse_neighbor_solicitation({{}, context.destination, 255}, behind(packet, 40)).value(), values);
}

TEST(NeighborSolicitations, AreRefusedWhereTheRfcSaysSo) {
  const auto message = [](Icmp layer) { return behind(Frame(ipv6("2001:db8::9", "ff02::1:ff00:3") / layer), 40); };
  const Frame plain = message(neighbor_solicitation("2001:db8::3"));
  const Frame with_mac = message(neighbor_solicitation("2001:db8::3").source_mac(a));
  EXPECT_TRUE(parse_neighbor_solicitation(context, plain));
  EXPECT_FALSE(parse_neighbor_solicitation({context.source, context.destination, 254}, plain));
  EXPECT_FALSE(parse_neighbor_solicitation(context, message(neighbor_solicitation("2001:db8::3").code(1))));
  EXPECT_FALSE(parse_neighbor_solicitation(context, message(neighbor_solicitation("ff02::1"))));
  EXPECT_FALSE(parse_neighbor_solicitation(context, message(neighbor_advertisement("2001:db8::3", {}))));
  EXPECT_FALSE(parse_neighbor_solicitation({ip6("ff02::1"), context.destination, 255}, plain));
  EXPECT_FALSE(parse_neighbor_solicitation(
      context, message(neighbor_solicitation("2001:db8::3").source_mac("03:00:00:00:00:01"))));
  // Duplicate address detection: to the solicited-node group of its target, without a link-layer address.
  EXPECT_TRUE(parse_neighbor_solicitation({{}, context.destination, 255}, plain));
  EXPECT_FALSE(parse_neighbor_solicitation({{}, ip6("2001:db8::3"), 255}, plain));
  EXPECT_FALSE(parse_neighbor_solicitation({{}, ip6("ff02::1:ff00:4"), 255}, plain));
  EXPECT_FALSE(parse_neighbor_solicitation({{}, context.destination, 255}, with_mac));
  // Options.
  Frame zero = with_mac;
  zero[25] = 0;
  EXPECT_EQ(parse_neighbor_solicitation(context, zero).error(), "an option has length 0 or reaches past the end");
  Frame longer = with_mac;
  longer[25] = 2;
  EXPECT_FALSE(parse_neighbor_solicitation(context, longer));
  Frame unknown = with_mac;
  unknown[24] = 77;
  EXPECT_EQ(parse_neighbor_solicitation(context, unknown)->source_mac, std::nullopt);
}

TEST(NeighborSolicitations, AreWholeOnlyAtOptionBoundaries) {
  const Frame whole =
      behind(neighbor_solicitation_packet(context.source, context.destination, {ip6("2001:db8::3"), a, NdNonce{}}), 40);
  EXPECT_THAT(accepted_lengths(whole, [](const Frame& part) { return parse_neighbor_solicitation(context, part); }),
              testing::ElementsAre(24, 32));
}

TEST(NeighborAdvertisements, KeepTheirFlagsAndOptionOnTheWay) {
  const NdContext to_host{ip6("2001:db8::3"), ip6("2001:db8::9"), 255};
  for (unsigned flags = 0; flags < 8; ++flags) {
    for (const bool has_mac : {true, false}) {
      NeighborAdvertisement values{ip6("2001:db8::3"), (flags & 4U) != 0, (flags & 2U) != 0, (flags & 1U) != 0, {}};
      if (has_mac) values.target_mac = b;
      const Frame packet = neighbor_advertisement_packet(to_host.source, to_host.destination, values);
      EXPECT_EQ(parse_neighbor_advertisement(to_host, behind(packet, 40)).value(), values);
      EXPECT_EQ(packet[44], flags << 5U);
    }
  }
  EXPECT_FRAME_EQ(unsolicited_advertisement_frame(a, ip6("2001:db8::3"), true),
                  eth(a, "33:33:00:00:00:01") / ipv6("2001:db8::3", "ff02::1").hop_limit(255) /
                      neighbor_advertisement("2001:db8::3", {.router = true, .override_entry = true}).target_mac(a));
}

TEST(NeighborAdvertisements, AreRefusedWhereTheRfcSaysSo) {
  const NdContext to_host{ip6("2001:db8::3"), ip6("2001:db8::9"), 255};
  const NdContext to_group{ip6("2001:db8::3"), ip6("ff02::1"), 255};
  const NeighborAdvertisement solicited{ip6("2001:db8::3"), false, true, false, a};
  const Frame message = behind(neighbor_advertisement_packet(to_host.source, to_host.destination, solicited), 40);
  EXPECT_TRUE(parse_neighbor_advertisement(to_host, message));
  EXPECT_EQ(parse_neighbor_advertisement(to_group, message).error(), "solicited, but to a group");
  EXPECT_FALSE(parse_neighbor_advertisement({to_host.source, to_host.destination, 64}, message));
  EXPECT_THAT(accepted_lengths(message, [&](const Frame& part) { return parse_neighbor_advertisement(to_host, part); }),
              testing::ElementsAre(24));
}

TEST(RouterSolicitations, AreReadBuiltAndBounded) {
  const NdContext to_routers{ip6("fe80::9"), ip6("ff02::2"), 255};
  const Frame packet = router_solicitation_packet(to_routers.source, to_routers.destination, {a});
  EXPECT_EQ(parse_router_solicitation(to_routers, behind(packet, 40))->source_mac, a);
  EXPECT_FALSE(parse_router_solicitation({{}, to_routers.destination, 255}, behind(packet, 40)));
  EXPECT_THAT(accepted_lengths(behind(packet, 40),
                               [&](const Frame& part) { return parse_router_solicitation(to_routers, part); }),
              testing::ElementsAre(8));
}

TEST(RouterAdvertisements, GoldenBytesBecomeValues) {
  const Frame message = bytes(
      "8600 0000 40 c0 0708 00000001 00000002"
      "0101 02000000000a 0501 0000 000005dc"
      "0304 40c0 00000e10 00000708 00000000 20010db8000000000000000000000000");
  const NdContext from_router{ip6("fe80::1"), ip6("ff02::1"), 255};
  const auto values = parse_router_advertisement(from_router, message);
  ASSERT_TRUE(values);
  EXPECT_EQ(values->hop_limit, 64);
  EXPECT_TRUE(values->managed && values->other);
  EXPECT_EQ(values->router_lifetime, 1800);
  EXPECT_EQ(values->reachable_time, 1U);
  EXPECT_EQ(values->retransmit_timer, 2U);
  EXPECT_EQ(values->source_mac, a);
  EXPECT_EQ(values->mtu, 1500U);
  ASSERT_EQ(values->prefixes.size(), 1U);
  EXPECT_EQ(values->prefixes[0], (NdPrefix{{ip("2001:db8::"), 64}, true, true, 3600, 1800}));
  EXPECT_FALSE(parse_router_advertisement({ip6("2001:db8::1"), ip6("ff02::1"), 255}, message));
  EXPECT_THAT(
      accepted_lengths(message, [&](const Frame& part) { return parse_router_advertisement(from_router, part); }),
      testing::ElementsAre(16, 24, 32));
}

TEST(RouterAdvertisements, HoldABoundedNumberOfPrefixes) {
  Frame message = bytes("8600 0000 40 00 0000 00000000 00000000");
  for (int i = 0; i < 40; ++i) {
    const Frame option = bytes("0304 40c0 00000e10 00000708 00000000 20010db8000000000000000000000000");
    message.insert(message.end(), option.begin(), option.end());
  }
  EXPECT_EQ(parse_router_advertisement({ip6("fe80::1"), ip6("ff02::1"), 255}, message)->prefixes.size(), 16U);
}

TEST(Redirects, AreRecognised) {
  const Frame message =
      bytes("8900 0000 00000000 fe800000000000000000000000000001 20010db8000000000000000000000005 0201 02000000000b");
  const NdContext from_router{ip6("fe80::1"), ip6("2001:db8::9"), 255};
  const auto values = parse_redirect(from_router, message);
  ASSERT_TRUE(values);
  EXPECT_EQ(*values, (Redirect{ip6("fe80::1"), ip6("2001:db8::5"), b}));
  EXPECT_FALSE(parse_redirect({ip6("2001:db8::1"), ip6("2001:db8::9"), 255}, message));
  EXPECT_THAT(accepted_lengths(message, [&](const Frame& part) { return parse_redirect(from_router, part); }),
              testing::ElementsAre(40));
}

}  // namespace
}  // namespace trivet::wire
