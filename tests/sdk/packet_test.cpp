// Translation and checks of whole packets. What is expected is built afresh with the new addresses.
#include "trivet/packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "trivet/net/checksum.h"
#include "trivet/random.h"
#include "trivet/testkit/packet_buffer.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"

namespace trivet {
namespace {

using namespace testkit;  // NOLINT(google-build-using-namespace)

constexpr MacAddress client{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress node{{2, 0, 0, 0, 0, 2}};

const ForwardingState& one_interface() {
  static const ForwardingState state([] {
    ForwardingState::Parts parts;
    parts.interfaces.push_back({.number = 1, .name = "eth1", .mac = node, .up = true, .networks = {}});
    return parts;
  }());
  return state;
}

struct Entered {
  explicit Entered(const Frame& frame) : buffer(frame) {
    EXPECT_EQ(buffer.enter(one_interface(), 1), "") << describe(frame);
  }
  Packet& operator*() { return buffer.packet(); }
  PacketBuffer buffer;
};

TEST(RewriteDestination, OfTcpOverIpv4EqualsThePacketBuiltAfresh) {
  Entered packet(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / tcp(40000, 8080).syn() / payload("odd"));
  rewrite_destination(*packet, ip("10.0.0.7"), 80);
  EXPECT_FRAME_EQ(packet.buffer.frame(),
                  eth(client, node) / ipv4("192.0.2.1", "10.0.0.7") / tcp(40000, 80).syn() / payload("odd"));
}

TEST(RewriteSource, OfTcpOverIpv6EqualsThePacketBuiltAfresh) {
  Entered packet(eth(client, node) / ipv6("2001:db8:ffff::10", "2001:db8::1") / tcp(80, 40000).syn().ack(7));
  rewrite_source(*packet, ip("2001:db8::2:4"), 8080);
  EXPECT_FRAME_EQ(packet.buffer.frame(),
                  eth(client, node) / ipv6("2001:db8::2:4", "2001:db8::1") / tcp(8080, 40000).syn().ack(7));
}

TEST(Rewrite, OfUdpWithoutChecksumLeavesItWithout) {
  Entered packet(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / udp(1000, 53).no_checksum() / payload("q"));
  rewrite_destination(*packet, ip("10.0.0.7"), 5353);
  EXPECT_FRAME_EQ(packet.buffer.frame(),
                  eth(client, node) / ipv4("192.0.2.1", "10.0.0.7") / udp(1000, 5353).no_checksum() / payload("q"));
}

TEST(Rewrite, OfUdpNeverWritesAChecksumThatReadsAsNone) {
  // Try ports until the checksum of the result is 0 by calculation, which is sent as 0xffff.
  bool met = false;
  for (std::uint32_t port = 1; port < 65536 && !met; ++port) {
    Frame expected = eth(client, node) / ipv4("192.0.2.1", "10.0.0.7") / udp(1000, static_cast<std::uint16_t>(port));
    met = expected[40] == 0xff && expected[41] == 0xff;
    if (!met) continue;
    Entered packet(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / udp(1000, 53));
    rewrite_destination(*packet, ip("10.0.0.7"), static_cast<std::uint16_t>(port));
    EXPECT_FRAME_EQ(packet.buffer.frame(), expected);
    // And from 0xffff on to another one.
    rewrite_destination(*packet, ip("198.51.100.2"), 53);
    EXPECT_FRAME_EQ(packet.buffer.frame(), eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / udp(1000, 53));
  }
  EXPECT_TRUE(met);
}

TEST(Rewrite, OfPartialChecksumsCountsTheAddressAndNotThePort) {
  for (const bool is_tcp : {true, false}) {
    const auto build = [&](const char* destination, std::uint16_t port) -> Frame {
      auto outer = eth(client, node) / ipv6("2001:db8::1", destination);
      if (is_tcp) return outer / tcp(40000, port).partial_checksum() / payload("data");
      return outer / udp(40000, port).partial_checksum() / payload("data");
    };
    PacketBuffer buffer(build("2001:db8::2:4", 8080));
    buffer.packet().checksum = ChecksumState::partial;
    buffer.packet().checksum_start = 54;
    buffer.packet().checksum_offset = is_tcp ? 16 : 6;
    ASSERT_EQ(buffer.enter(one_interface(), 1), "");
    rewrite_destination(buffer.packet(), ip("2001:db8:ffff::10"), 80);
    EXPECT_FRAME_EQ(buffer.frame(), build("2001:db8:ffff::10", 80));
  }
}

TEST(Rewrite, TreatsAPartialChecksumOfAnInnerPacketAsNotItsOwn) {
  PacketBuffer buffer(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / udp(1000, 4789) / payload_of(60));
  buffer.packet().checksum = ChecksumState::partial;
  buffer.packet().checksum_start = 70;
  buffer.packet().checksum_offset = 16;
  ASSERT_EQ(buffer.enter(one_interface(), 1), "");
  rewrite_destination(buffer.packet(), ip("10.0.0.7"), 4790);
  EXPECT_FRAME_EQ(buffer.frame(), eth(client, node) / ipv4("192.0.2.1", "10.0.0.7") / udp(1000, 4790) / payload_of(60));
}

TEST(Rewrite, OfFragmentsChangesThePortInTheFirstAndAddressesInAll) {
  for (const bool is_v4 : {true, false}) {
    const auto build = [&](const char* v4, const char* v6, std::uint16_t port) -> Frame {
      if (is_v4) return eth(client, node) / ipv4("192.0.2.1", v4) / udp(1000, port) / payload_of(100);
      return eth(client, node) / ipv6("2001:db8::1", v6) / udp(1000, port) / payload_of(100);
    };
    const auto pieces = fragments(build("198.51.100.2", "2001:db8::2:4", 53), 40, 7);
    const auto expected = fragments(build("10.0.0.7", "2001:db8:ffff::10", 5353), 40, 7);
    ASSERT_EQ(pieces.size(), 3U);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      Entered packet(pieces[i]);
      rewrite_destination(*packet, is_v4 ? ip("10.0.0.7") : ip("2001:db8:ffff::10"), 5353);
      EXPECT_FRAME_EQ(packet.buffer.frame(), expected[i]);
    }
  }
}

TEST(Rewrite, OfIcmpv6UpdatesThePseudoHeaderAndOfIcmpNothingBeyondTheAddress) {
  Entered v6(eth(client, node) / ipv6("2001:db8::1", "2001:db8::2:4") / echo_request(1, 2) / payload("abc"));
  rewrite_source(*v6, ip("2001:db8::99"), 0);
  EXPECT_FRAME_EQ(v6.buffer.frame(),
                  eth(client, node) / ipv6("2001:db8::99", "2001:db8::2:4") / echo_request(1, 2) / payload("abc"));
  Entered v4(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / echo_request(1, 2) / payload("abc"));
  rewrite_source(*v4, ip("10.0.0.7"), 0);
  EXPECT_FRAME_EQ(v4.buffer.frame(),
                  eth(client, node) / ipv4("10.0.0.7", "198.51.100.2") / echo_request(1, 2) / payload("abc"));
}

// Ports, then length or coverage, then the checksum, which covers the pseudo-header.
Frame datagram_of(std::uint8_t protocol, const char* source, const char* destination, const std::string& text) {
  Frame bytes{0x9c, 0x40, 0, 53, 0, protocol == 33 ? std::uint8_t{0} : std::uint8_t{8}, 0, 0, 0x20, 0, 0, 0};
  bytes.insert(bytes.end(), text.begin(), text.end());
  // UDP-Lite: the header alone is covered.
  const std::size_t covered = protocol == 33 ? bytes.size() : std::size_t{8};
  ChecksumSum sum;
  sum.add_pseudo_header(ip(source), ip(destination), protocol, static_cast<std::uint32_t>(bytes.size()));
  sum.add(std::span(bytes).first(covered));
  const std::uint16_t checksum = sum.finish() == 0 && protocol == 136 ? std::uint16_t{0xffff} : sum.finish();
  bytes[6] = static_cast<std::uint8_t>(checksum >> 8U);
  bytes[7] = static_cast<std::uint8_t>(checksum);
  const auto frame = [&](const auto& header) -> Frame { return header / ip_payload(protocol, bytes); };
  if (std::string_view{source}.find(':') == std::string_view::npos) {
    return frame(eth(client, node) / ipv4(source, destination));
  }
  return frame(eth(client, node) / ipv6(source, destination));
}

TEST(Rewrite, OfUdpLiteAndDccpUpdatesTheirChecksums) {
  for (const std::uint8_t protocol : {std::uint8_t{33}, std::uint8_t{136}}) {
    Entered four(datagram_of(protocol, "192.0.2.1", "198.51.100.2", "question"));
    rewrite_destination(*four, ip("10.0.0.7"), 80);
    EXPECT_FRAME_EQ(four.buffer.frame(), datagram_of(protocol, "192.0.2.1", "10.0.0.7", "question"));
    Entered six(datagram_of(protocol, "2001:db8:ffff::10", "2001:db8::1", "odd"));
    rewrite_source(*six, ip("2001:db8::2:4"), 80);
    EXPECT_FRAME_EQ(six.buffer.frame(), datagram_of(protocol, "2001:db8::2:4", "2001:db8::1", "odd"));
  }
}

TEST(Rewrite, OfUdpLiteNeverWritesAChecksumThatReadsAsNone) {
  bool met = false;
  for (std::uint32_t i = 0; i < 65536 && !met; ++i) {
    const std::string source = "192.0." + std::to_string(i >> 8U) + "." + std::to_string(i & 0xffU);
    const Frame expected = datagram_of(136, source.c_str(), "10.0.0.7", "q");
    met = expected[40] == 0xff && expected[41] == 0xff;
    if (!met) continue;
    Entered packet(datagram_of(136, source.c_str(), "198.51.100.2", "q"));
    rewrite_destination(*packet, ip("10.0.0.7"), 0);
    EXPECT_FRAME_EQ(packet.buffer.frame(), expected);
  }
  EXPECT_TRUE(met);
}

TEST(Rewrite, OfOtherProtocolsAndOfAHeaderCutShortChangesTheAddressAlone) {
  for (const std::uint8_t protocol : {std::uint8_t{33}, std::uint8_t{47}, std::uint8_t{132}, std::uint8_t{136}}) {
    const Frame bytes = protocol == 33 || protocol == 136 ? Frame{1, 2, 3, 4, 5, 6, 7} : Frame(16, 7);
    Entered packet(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / ip_payload(protocol, bytes));
    rewrite_destination(*packet, ip("10.0.0.7"), 80);
    EXPECT_FRAME_EQ(packet.buffer.frame(),
                    eth(client, node) / ipv4("192.0.2.1", "10.0.0.7") / ip_payload(protocol, bytes));
  }
}

TEST(Rewrite, ToTheSameAddressAndPortChangesNothing) {
  const Frame frame = eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / tcp(1, 2) / payload("x");
  Entered packet(frame);
  rewrite_source(*packet, ip("192.0.2.1"), 1);
  rewrite_destination(*packet, ip("198.51.100.2"), 2);
  EXPECT_FRAME_EQ(packet.buffer.frame(), frame);
}

TEST(Rewrite, LeavesAWrongChecksumWrong) {
  Entered packet(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / tcp(1, 2).checksum(0x1234) / payload("x"));
  ASSERT_FALSE(l4_checksum_ok(*packet));
  rewrite_destination(*packet, ip("10.0.0.7"), 80);
  EXPECT_FALSE(l4_checksum_ok(*packet));
}

TEST(Rewrite, AgreesWithFreshPacketsForManyAddressesAndPorts) {
  Random random(3);
  const auto word = [&] { return static_cast<std::uint8_t>(random.below(4) == 0 ? 0xff * random.below(2) : random()); };
  for (int round = 0; round < 3000; ++round) {
    Ipv6Address from;
    Ipv6Address to;
    for (auto& byte : from.bytes) byte = word();
    for (auto& byte : to.bytes) byte = word();
    from.bytes[0] = to.bytes[0] = 0x20;
    const Ipv4Address from4{{10, word(), word(), word()}};
    const Ipv4Address to4{{10, word(), word(), word()}};
    const auto port = static_cast<std::uint16_t>(random());
    const auto other = static_cast<std::uint16_t>(random());
    Entered six(eth(client, node) / ipv6("2001:db8::1", from) / udp(9, port) / payload("xyz"));
    rewrite_destination(*six, to, other);
    ASSERT_EQ(
        difference(six.buffer.frame(), eth(client, node) / ipv6("2001:db8::1", to) / udp(9, other) / payload("xyz")),
        "");
    Entered four(eth(client, node) / ipv4(from4, "192.0.2.1") / tcp(port, 9) / payload("xyz"));
    rewrite_source(*four, to4, other);
    ASSERT_EQ(
        difference(four.buffer.frame(), eth(client, node) / ipv4(to4, "192.0.2.1") / tcp(other, 9) / payload("xyz")),
        "");
    // And back, with what that changes computed before.
    rewrite_destination(*six, from, port, ChecksumDelta::of(to.bytes, from.bytes));
    ASSERT_EQ(
        difference(six.buffer.frame(), eth(client, node) / ipv6("2001:db8::1", from) / udp(9, port) / payload("xyz")),
        "");
    rewrite_source(*four, from4, port, ChecksumDelta::of(to4.bytes, from4.bytes));
    ASSERT_EQ(
        difference(four.buffer.frame(), eth(client, node) / ipv4(from4, "192.0.2.1") / tcp(port, 9) / payload("xyz")),
        "");
    rewrite_source(*six, to, 7, ChecksumDelta::of(ip("2001:db8::1").v6().bytes, to.bytes));
    rewrite_destination(*four, to4, 7, ChecksumDelta::of(ip("192.0.2.1").v4().bytes, to4.bytes));
    ASSERT_TRUE(l4_checksum_ok(*six));
    ASSERT_TRUE(l4_checksum_ok(*four));
  }
}

TEST(HopLimit, IsOneLessWithARightHeaderChecksumAtEveryValue) {
  for (unsigned hops = 2; hops < 256; ++hops) {
    const auto before = static_cast<std::uint8_t>(hops);
    const auto after = static_cast<std::uint8_t>(hops - 1);
    Entered v4(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2").hop_limit(before) / tcp(1, 2));
    decrement_hop_limit(*v4);
    ASSERT_EQ(difference(v4.buffer.frame(),
                         eth(client, node) / ipv4("192.0.2.1", "198.51.100.2").hop_limit(after) / tcp(1, 2)),
              "");
    Entered v6(eth(client, node) / ipv6("2001:db8::1", "2001:db8::2").hop_limit(before) / tcp(1, 2));
    decrement_hop_limit(*v6);
    ASSERT_EQ(v6.buffer.packet().hop_limit(), after);
  }
}

TEST(L4Checksum, AcceptsEveryRightPacketAndNoFlippedBit) {
  const Frame vrrp2 = bytes("21 40 c8 00 00 01 16 be 00000000 00000000");
  const std::vector<Frame> frames = {
      eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / tcp(1, 2).syn().mss(1460) / payload("abc"),
      eth(client, node) / ipv6("2001:db8::1", "2001:db8::2") / tcp(1, 2) / payload("abc"),
      eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / udp(1, 2) / payload("abcd"),
      eth(client, node) / ipv6("2001:db8::1", "2001:db8::2") / hop_by_hop() / udp(1, 2) / payload("abcd"),
      eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / echo_request(1, 2) / payload("abc"),
      eth(client, node) / ipv6("2001:db8::1", "2001:db8::2") / echo_request(1, 2) / payload("abc"),
      eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / vrrp(vrrp2),
      eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / igmp(bytes("16 00 09fd e0000002")),
  };
  for (const Frame& frame : frames) {
    Entered packet(frame);
    EXPECT_TRUE(l4_checksum_ok(*packet)) << describe(frame);
    const std::size_t l4 = packet.buffer.packet().l4_offset;
    for (std::size_t i = l4 + 4; i < frame.size(); ++i) {
      (*packet).data[i] ^= 0x40U;
      // A UDP length or checksum of nothing is judged elsewhere; everything else must be noticed.
      const bool is_udp_length = packet.buffer.packet().is(packet_class::udp) && i < l4 + 6;
      if (!is_udp_length) {
        EXPECT_FALSE(l4_checksum_ok(*packet)) << describe(frame) << " byte " << i;
      }
      (*packet).data[i] ^= 0x40U;
    }
  }
}

TEST(L4Checksum, OfUdpMayBeMissingOverIpv4Only) {
  Entered v4(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / udp(1, 2).no_checksum() / payload("x"));
  EXPECT_TRUE(l4_checksum_ok(*v4));
  Entered v6(eth(client, node) / ipv6("2001:db8::1", "2001:db8::2") / udp(1, 2).no_checksum() / payload("x"));
  EXPECT_FALSE(l4_checksum_ok(*v6));
}

TEST(L4Checksum, IsVouchedForByTheInterfaceForTcpAndUdp) {
  Entered packet(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / tcp(1, 2).checksum(0xbad));
  EXPECT_FALSE(l4_checksum_ok(*packet));
  (*packet).checksum = ChecksumState::verified;
  EXPECT_TRUE(l4_checksum_ok(*packet));
  (*packet).checksum = ChecksumState::partial;
  (*packet).checksum_start = (*packet).l4_offset;
  EXPECT_TRUE(l4_checksum_ok(*packet));
  Entered ping(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / echo_request(1, 1).checksum(0xbad));
  (*ping).checksum = ChecksumState::verified;
  EXPECT_FALSE(l4_checksum_ok(*ping));
}

TEST(L4Checksum, OfAFragmentCannotBeRight) {
  for (const Frame& piece :
       fragments(eth(client, node) / ipv4("192.0.2.1", "198.51.100.2") / udp(1, 2) / payload_of(64), 32, 1)) {
    Entered packet(piece);
    EXPECT_FALSE(l4_checksum_ok(*packet));
  }
}

}  // namespace
}  // namespace trivet
