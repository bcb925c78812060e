#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"
#include "trivet/wire/ethernet.h"
#include "trivet/wire/icmp.h"
#include "trivet/wire/ip.h"
#include "wire_test_support.h"

namespace trivet::wire {
namespace {

using namespace testkit;  // NOLINT(google-build-using-namespace)
using testing::IsEmpty;

constexpr MacAddress a{{2, 0, 0, 0, 0, 0xa}};
constexpr MacAddress b{{2, 0, 0, 0, 0, 0xb}};
const Frame text = bytes("68656c6c6f");

TEST(IpPackets, OfUdpAndTcpAreThoseOfTheIndependentBuilder) {
  EXPECT_FRAME_EQ(ip_frame(b, a, udp_packet({ip("192.0.2.1"), ip("192.0.2.2"), 1000, 53, 9}, text)),
                  eth(a, b) / ipv4("192.0.2.1", "192.0.2.2").hop_limit(9) / udp(1000, 53) / payload("hello"));
  EXPECT_FRAME_EQ(ip_frame(b, a, udp_packet({ip("2001:db8::1"), ip("2001:db8::2"), 1000, 53}, text)),
                  eth(a, b) / ipv6("2001:db8::1", "2001:db8::2") / udp(1000, 53) / payload("hello"));
  const TcpValues syn{.source = ip("2001:db8::1"),
                      .destination = ip("2001:db8::2"),
                      .source_port = 4000,
                      .destination_port = 80,
                      .sequence = 0xfffffffe,
                      .flags = TcpHeader::syn,
                      .window = 1000,
                      .maximum_segment = 1440};
  EXPECT_FRAME_EQ(ip_frame(b, a, tcp_packet(syn, {})), eth(a, b) / ipv6("2001:db8::1", "2001:db8::2") /
                                                           tcp(4000, 80).syn().seq(0xfffffffe).window(1000).mss(1440));
  const TcpValues data{.source = ip("192.0.2.1"),
                       .destination = ip("192.0.2.2"),
                       .source_port = 4000,
                       .destination_port = 80,
                       .sequence = 5,
                       .acknowledgement = 9,
                       .flags = TcpHeader::psh | TcpHeader::ack,
                       .maximum_segment = {}};
  EXPECT_FRAME_EQ(ip_frame(b, a, tcp_packet(data, text)),
                  eth(a, b) / ipv4("192.0.2.1", "192.0.2.2") / tcp(4000, 80).seq(5).ack(9).psh() / payload("hello"));
}

TEST(IpPackets, OfUdpWriteAComputedZeroAsItsOtherForm) {
  bool met = false;
  for (std::uint32_t port = 0; port < 65536 && !met; ++port) {
    const Frame packet = udp_packet({ip("192.0.2.1"), ip("192.0.2.2"), static_cast<std::uint16_t>(port), 53}, text);
    ASSERT_FALSE(packet[26] == 0 && packet[27] == 0);
    met = packet[26] == 0xff && packet[27] == 0xff;
  }
  EXPECT_TRUE(met);
}

TEST(IpPackets, AreCutAtTheLengthTheirHeadersCanSay) {
  const Frame large(70000);
  EXPECT_EQ(ipv4_packet({.source = {}, .destination = {}, .protocol = 17}, large).size(), 65535U);
  EXPECT_EQ(ipv6_packet({.source = {}, .destination = {}, .next_header = 17}, large).size(), 65575U);
  EXPECT_EQ(udp_packet({ip("192.0.2.1"), ip("192.0.2.2"), 1, 2}, large).size(), 65535U);
}

TEST(EthernetFrames, ToGroupsHaveTheMacOfTheGroup) {
  const auto destination = [](const char* source, const char* group) {
    const Frame frame = ip_group_frame(a, udp_packet({ip(source), ip(group), 1, 2}, {}));
    return describe(frame).substr(20, 17);
  };
  EXPECT_EQ(destination("192.0.2.1", "224.0.0.18"), "01:00:5e:00:00:12");
  EXPECT_EQ(destination("192.0.2.1", "255.255.255.255"), "ff:ff:ff:ff:ff:ff");
  EXPECT_EQ(destination("fe80::1", "ff02::1:ff00:3"), "33:33:ff:00:00:03");
}

TEST(Echo, PacketsOfBothFamiliesAreReadAndBuilt) {
  EXPECT_FRAME_EQ(ip_frame(b, a, echo_packet(ip("192.0.2.1"), ip("192.0.2.2"), {false, 7, 8}, text)),
                  eth(a, b) / ipv4("192.0.2.1", "192.0.2.2") / echo_request(7, 8) / payload("hello"));
  EXPECT_FRAME_EQ(ip_frame(b, a, echo_packet(ip("2001:db8::1"), ip("2001:db8::2"), {true, 7, 8}, text, 3)),
                  eth(a, b) / ipv6("2001:db8::1", "2001:db8::2").hop_limit(3) / echo_reply(7, 8) / payload("hello"));
  const Frame six = behind(echo_packet(ip("2001:db8::1"), ip("2001:db8::2"), {true, 7, 8}, {}), 40);
  EXPECT_EQ(parse_echo(Family::ipv6, six), (EchoValues{true, 7, 8}));
  EXPECT_FALSE(parse_echo(Family::ipv4, six));
  EXPECT_THAT(accepted_lengths(six, [](const Frame& part) { return parse_echo(Family::ipv6, part); }), IsEmpty());
}

TEST(IcmpErrors, HaveTypeCodeAndMtuOfTheFamily) {
  struct Case {
    IcmpError error;
    std::uint8_t type4, code4, type6, code6;
  };
  const Case cases[] = {{IcmpError::no_route, 3, 0, 1, 0},         {IcmpError::prohibited, 3, 13, 1, 1},
                        {IcmpError::host_unreachable, 3, 1, 1, 3}, {IcmpError::port_unreachable, 3, 3, 1, 4},
                        {IcmpError::time_exceeded, 11, 0, 3, 0},   {IcmpError::too_big, 3, 4, 2, 0}};
  const Frame original4 = ipv4("10.0.0.9", "192.0.2.2") / udp(1, 2) / payload("x");
  const Frame original6 = ipv6("2001:db8::9", "2001:db8::2") / udp(1, 2) / payload("x");
  for (const Case& test : cases) {
    const std::uint32_t mtu = test.error == IcmpError::too_big ? 1400 : 0;
    EXPECT_FRAME_EQ(ip_frame(b, a, icmp_error_packet(ip("10.0.0.1"), test.error, 1400, original4)),
                    eth(a, b) / ipv4("10.0.0.1", "10.0.0.9").traffic_class(0xc0) / icmp(test.type4, test.code4, mtu) /
                        payload(original4));
    EXPECT_FRAME_EQ(
        ip_frame(b, a, icmp_error_packet(ip("2001:db8::1"), test.error, 1400, original6)),
        eth(a, b) / ipv6("2001:db8::1", "2001:db8::9") / icmp(test.type6, test.code6, mtu) / payload(original6));
  }
}

TEST(IcmpErrors, QuoteAsMuchAsTheirLimitAllows) {
  const Frame large4 = ipv4("10.0.0.9", "192.0.2.2") / udp(1, 2) / payload_of(1400);
  const Frame error4 = icmp_error_packet(ip("10.0.0.1"), IcmpError::no_route, 0, large4);
  EXPECT_EQ(error4.size(), 576U);
  EXPECT_TRUE(std::equal(error4.begin() + 28, error4.end(), large4.begin()));
  const Frame large6 = ipv6("2001:db8::9", "2001:db8::2") / udp(1, 2) / payload_of(1400);
  EXPECT_EQ(icmp_error_packet(ip("2001:db8::1"), IcmpError::no_route, 0, large6).size(), 1280U);
  Frame small(40);
  EXPECT_EQ(write_icmp_error(small, ip("10.0.0.1"), IcmpError::no_route, 0, large4), 40U);
  EXPECT_EQ(write_icmp_error(std::span(small).first(27), ip("10.0.0.1"), IcmpError::no_route, 0, large4), 0U);
  EXPECT_EQ(write_icmp_error(small, ip("2001:db8::1"), IcmpError::no_route, 0, large4), 0U);
  EXPECT_EQ(write_icmp_error(small, ip("10.0.0.1"), IcmpError::no_route, 0, Frame(19, 0x45)), 0U);
}

TEST(IcmpErrors, AreNotSentWhereTheyWouldMultiply) {
  const auto may = [](const Frame& packet, IcmpError error = IcmpError::no_route) {
    return may_answer_with_error(packet, error);
  };
  EXPECT_TRUE(may(ipv4("10.0.0.9", "192.0.2.2") / udp(1, 2)));
  EXPECT_TRUE(may(ipv4("10.0.0.9", "192.0.2.2") / echo_request(1, 2)));
  EXPECT_TRUE(may(ipv6("2001:db8::9", "2001:db8::2") / echo_request(1, 2)));
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{3, 4, 5, 11, 12}) {
    EXPECT_FALSE(may(ipv4("10.0.0.9", "192.0.2.2") / icmp(type, 0))) << int{type};
  }
  for (const std::uint8_t type : std::initializer_list<std::uint8_t>{1, 2, 3, 4, 100, 127, 137}) {
    EXPECT_FALSE(may(ipv6("2001:db8::9", "2001:db8::2") / icmp(type, 0))) << int{type};
    EXPECT_FALSE(may(ipv6("2001:db8::9", "2001:db8::2") / destination_options() / icmp(type, 0))) << int{type};
  }
  EXPECT_FALSE(may(ipv4("10.0.0.9", "224.0.0.1") / udp(1, 2)));
  EXPECT_FALSE(may(ipv4("10.0.0.9", "255.255.255.255") / udp(1, 2)));
  EXPECT_FALSE(may(ipv6("2001:db8::9", "ff02::1") / udp(1, 2)));
  EXPECT_TRUE(may(ipv6("2001:db8::9", "ff0e::1") / udp(1, 2), IcmpError::too_big));
  for (const char* source : {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1"}) {
    EXPECT_FALSE(may(ipv4(source, "192.0.2.2") / udp(1, 2))) << source;
  }
  for (const char* source : {"::", "::1", "ff02::1"})
    EXPECT_FALSE(may(ipv6(source, "2001:db8::2") / udp(1, 2))) << source;
  EXPECT_FALSE(may(ipv4("10.0.0.9", "192.0.2.2").fragment(8, false) / payload_of(8)));
  EXPECT_TRUE(may(ipv4("10.0.0.9", "192.0.2.2").fragment(0, true) / udp(1, 2)));
  EXPECT_FALSE(may(ipv6("2001:db8::9", "2001:db8::2") / fragment_header(8, false, 1) / payload_of(8)));
  EXPECT_FALSE(may(ipv4("10.0.0.9", "192.0.2.2") / ip_payload(1, {})));  // ICMP of unknown type
}

TEST(IcmpErrors, AreReadWithTheFlowThatTheyAreAbout) {
  const Frame inner = ipv4("192.0.2.2", "10.0.0.9") / tcp(80, 40000) / payload_of(100);
  const Frame message =
      icmp(3, 4, 1400).build({.source = ip("10.0.0.1"), .destination = ip("192.0.2.2")}, nullptr, inner);
  const auto error = parse_icmp_error(Family::ipv4, message);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, 3);
  EXPECT_EQ(error->code, 4);
  EXPECT_EQ(error->mtu, 1400U);
  EXPECT_EQ(error->packet.source, ip("192.0.2.2"));
  EXPECT_EQ(error->packet.destination, ip("10.0.0.9"));
  EXPECT_EQ(error->packet.protocol, 6);
  EXPECT_EQ(error->packet.source_port, 80);
  EXPECT_EQ(error->packet.destination_port, 40000);
  EXPECT_EQ(error->quoted.size(), inner.size());
  EXPECT_FALSE(parse_icmp_error(Family::ipv6, message));
  // Eight bytes behind the header are all that RFC 792 promises; less than a header is nothing.
  const Frame least(message.begin(), message.begin() + 36);
  EXPECT_EQ(parse_icmp_error(Family::ipv4, least)->packet.destination_port, 40000);
  const auto accepted =
      accepted_lengths(message, [](const Frame& part) { return parse_icmp_error(Family::ipv4, part); });
  EXPECT_EQ(accepted.front(), 28U);
}

TEST(IcmpErrors, OfIpv6AreReadLikewiseAndCutAnywhereNothing) {
  const Frame inner = ipv6("2001:db8::2", "2001:db8::9") / destination_options() / tcp(80, 40000) / payload_of(100);
  const Frame message =
      icmp(2, 0, 1400).build({.source = ip("2001:db8::1"), .destination = ip("2001:db8::2")}, nullptr, inner);
  const auto error = parse_icmp_error(Family::ipv6, message);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, 2);
  EXPECT_EQ(error->mtu, 1400U);
  EXPECT_EQ(error->packet.source, ip("2001:db8::2"));
  EXPECT_EQ(error->packet.destination_port, 40000);
  const auto accepted =
      accepted_lengths(message, [](const Frame& part) { return parse_icmp_error(Family::ipv6, part); });
  EXPECT_EQ(accepted.front(), 48U) << "ICMPv6 and IPv6 headers";
  for (const std::size_t length : accepted) {
    const auto part =
        parse_icmp_error(Family::ipv6, Frame(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(length)));
    EXPECT_EQ(part->packet.destination_port.has_value(), length >= 60) << length;
  }
}

TEST(Quotes, AreWalkedThroughExtensionHeaders) {
  const auto behind_headers = parse_quoted(Frame(ipv6("2001:db8::2", "2001:db8::9") / hop_by_hop() /
                                                 destination_options() / fragment_header(0, true, 1) / udp(53, 1000)));
  ASSERT_TRUE(behind_headers);
  EXPECT_EQ(behind_headers->protocol, 17);
  EXPECT_EQ(behind_headers->l4_offset, 64U);
  EXPECT_EQ(behind_headers->source_port, 53);
  const auto later =
      parse_quoted(Frame(ipv6("2001:db8::2", "2001:db8::9") / fragment_header(8, true, 1) / payload_of(8)));
  EXPECT_TRUE(later->is_later_fragment);
  EXPECT_FALSE(later->source_port);
  const auto echo = parse_quoted(Frame(ipv6("2001:db8::2", "2001:db8::9") / echo_request(77, 1)));
  EXPECT_EQ(echo->echo_id, 77);
  EXPECT_FALSE(echo->source_port);
  const Frame whole = ipv6("2001:db8::2", "2001:db8::9") / hop_by_hop() / udp(53, 1000);
  EXPECT_EQ(accepted_lengths(whole, parse_quoted).front(), 40U);
  EXPECT_FALSE(parse_quoted(bytes("4400")));
  EXPECT_FALSE(parse_quoted(Frame(60, 0x50)));
}

}  // namespace
}  // namespace trivet::wire
