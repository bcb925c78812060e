// Golden bytes for everything that hc sends, and hostile bytes for everything that it reads. The golden packets were
// computed by a separate script from RFC 791, 792, 768, 8200, 4443 and 9293, not by the code under test.
#include "hc/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "hc/agent_wire.h"
#include "trivet/net/checksum.h"
#include "trivet/wire/headers.h"

namespace trivet::hc::wire {
namespace {

using trivet::wire::TcpHeader;
using ByteList = std::vector<std::uint8_t>;

const IpAddress own4 = *parse_ip("10.0.0.1");
const IpAddress far4 = *parse_ip("10.0.0.9");
const IpAddress own6 = *parse_ip("2001:db8::1");
const IpAddress far6 = *parse_ip("2001:db8::9");

ByteList from_hex(const std::string& text) {
  ByteList bytes;
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != ' '; });
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// The first bytes as a buffer of their own, so that ASan sees a read behind them.
ByteList cut(const ByteList& bytes, std::size_t length) {
  return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)};
}

std::size_t header_length(const IpAddress& address) { return address.is_v4() ? 20 : 40; }

std::span<const std::uint8_t> l4_of(const ByteList& packet, const IpAddress& address) {
  return std::span(packet).subspan(header_length(address));
}

bool checksum_is_right(const ByteList& packet, const IpAddress& source, const IpAddress& destination,
                       std::uint8_t protocol) {
  const auto l4 = l4_of(packet, source);
  ChecksumSum sum;
  if (protocol != trivet::wire::ip_protocol::icmp) {
    sum.add_pseudo_header(source, destination, protocol, static_cast<std::uint32_t>(l4.size()));
  }
  sum.add(l4);
  return sum.finish() == 0;
}

Probe echo_probe(bool is_v6) {
  Probe probe;
  probe.type = ProbeType::echo;
  probe.source = is_v6 ? own6 : own4;
  probe.destination = is_v6 ? far6 : far4;
  probe.echo_id = 0x1234;
  probe.echo_sequence = 5;
  probe.slot = 7;
  probe.nonce = 0x0102030405060708ULL;
  return probe;
}

Probe port_probe(ProbeType type, bool is_v6) {
  Probe probe;
  probe.type = type;
  probe.source = is_v6 ? own6 : own4;
  probe.destination = is_v6 ? far6 : far4;
  probe.local_port = 61001;
  probe.remote_port = 80;
  probe.nonce = 0x0102030405060708ULL;
  probe.sequence = type == ProbeType::tcp ? 0x01020304 : 0;
  return probe;
}

TEST(HcWire, EchoRequestIpv4) {
  EXPECT_EQ(build_probe(echo_probe(false)), from_hex("4500002c00004000400126c80a0000010a000009"
                                                     "0800 3912 12340005 54564843 00000007 0102030405060708"));
}

TEST(HcWire, EchoRequestIpv6) {
  EXPECT_EQ(build_probe(echo_probe(true)),
            from_hex("60000000 0018 3a 40 20010db8000000000000000000000001 20010db8000000000000000000000009"
                     "8000 6543 12340005 54564843 00000007 0102030405060708"));
}

TEST(HcWire, SynCarriesTheLargestSegmentSizeOfItsFamily) {
  EXPECT_EQ(build_probe(port_probe(ProbeType::tcp, false)), from_hex("4500002c00004000400626c30a0000010a000009"
                                                                     "ee49 0050 01020304 00000000 6002 ffff 917d 0000"
                                                                     "020405b4"));
  EXPECT_EQ(build_probe(port_probe(ProbeType::tcp, true)),
            from_hex("60000000 0018 06 40 20010db8000000000000000000000001 20010db8000000000000000000000009"
                     "ee49 0050 01020304 00000000 6002 ffff 4a1f 0000 020405a0"));
}

TEST(HcWire, AgentRequestIpv6) {
  EXPECT_EQ(build_probe(port_probe(ProbeType::agent, true)),
            from_hex("60000000 0020 11 40 20010db8000000000000000000000001 20010db8000000000000000000000009"
                     "ee49 0050 0020 0ee6 54564147 01010000 0102030405060708 0000000000000000"));
}

TEST(HcWire, EveryProbeHasARightChecksum) {
  using namespace trivet::wire;
  for (const bool is_v6 : {false, true}) {
    const IpAddress& own = is_v6 ? own6 : own4;
    const IpAddress& far = is_v6 ? far6 : far4;
    const std::uint8_t icmp = is_v6 ? ip_protocol::icmpv6 : ip_protocol::icmp;
    EXPECT_TRUE(checksum_is_right(build_probe(echo_probe(is_v6)), own, far, icmp));
    EXPECT_TRUE(checksum_is_right(build_probe(port_probe(ProbeType::tcp, is_v6)), own, far, ip_protocol::tcp));
    EXPECT_TRUE(checksum_is_right(build_probe(port_probe(ProbeType::agent, is_v6)), own, far, ip_protocol::udp));
    Segment segment{own, far, 61001, 80, 1, 2, TcpHeader::rst | TcpHeader::ack};
    EXPECT_TRUE(checksum_is_right(build_segment(segment), own, far, ip_protocol::tcp));
  }
  const ByteList packet = build_probe(echo_probe(false));
  EXPECT_EQ(internet_checksum(std::span(packet).first(20)), 0);
}

TEST(HcWire, UdpChecksumIsNeverSentAsZero) {
  // Whatever the nonce, the field differs from zero: one nonce in 65,536 sums up to it.
  Probe probe = port_probe(ProbeType::agent, true);
  int all_ones = 0;
  for (std::uint64_t nonce = 0; nonce < 65536; ++nonce) {
    probe.nonce = nonce;
    const ByteList packet = build_probe(probe);
    const unsigned field = (unsigned{packet[46]} << 8U) | packet[47];
    ASSERT_NE(field, 0U);
    all_ones += field == 0xffff ? 1 : 0;
  }
  EXPECT_EQ(all_ones, 1);
}

TEST(HcWire, SegmentHasNoPayloadAndAResetNoWindow) {
  const auto segment = [](const IpAddress& own, const IpAddress& far, std::uint8_t flags) {
    return build_segment({own, far, 61001, 80, 0x01020305, 0x0a0b0c0e, flags});
  };
  const std::string ip = "4500 0028 0000 4000 40 06 26c7 0a000001 0a000009";
  const std::string ip6 = "60000000 0014 06 40 20010db8000000000000000000000001 20010db8000000000000000000000009";
  const std::string start = "ee49 0050 01020305 0a0b0c0e";
  EXPECT_EQ(segment(own4, far4, TcpHeader::rst | TcpHeader::ack), from_hex(ip + start + "5014 0000 930d 0000"));
  EXPECT_EQ(segment(own4, far4, TcpHeader::ack), from_hex(ip + start + "5010 ffff 9311 0000"));
  EXPECT_EQ(segment(own6, far6, TcpHeader::rst | TcpHeader::ack), from_hex(ip6 + start + "5014 0000 4b9b 0000"));
  EXPECT_EQ(segment(own6, far6, TcpHeader::ack), from_hex(ip6 + start + "5010 ffff 4b9f 0000"));
}

// The reply that a correct host makes of a request: addresses swapped, type changed; the checksum is not looked at
// here.
ByteList echo_reply(bool is_v6) {
  const ByteList request = build_probe(echo_probe(is_v6));
  ByteList l4(request.begin() + (is_v6 ? 40 : 20), request.end());
  l4[0] = is_v6 ? 129 : 0;
  return l4;
}

TEST(HcWire, EchoReplyGivesBackWhatTheRequestCarried) {
  for (const bool is_v6 : {false, true}) {
    const Probe probe = echo_probe(is_v6);
    const auto answer = parse_echo_reply(probe.destination, probe.source, echo_reply(is_v6));
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, (EchoAnswer{probe.destination, probe.source, 0x1234, 5, 7, 0x0102030405060708ULL}));
  }
}

TEST(HcWire, EchoReplyOfAnyOtherFormIsRefused) {
  for (const bool is_v6 : {false, true}) {
    const IpAddress& far = is_v6 ? far6 : far4;
    const IpAddress& own = is_v6 ? own6 : own4;
    const ByteList good = echo_reply(is_v6);
    for (std::size_t length = 0; length < good.size(); ++length) {
      EXPECT_FALSE(parse_echo_reply(far, own, cut(good, length))) << length;
    }
    ByteList longer = good;
    longer.push_back(0);
    EXPECT_FALSE(parse_echo_reply(far, own, longer));
    for (const std::size_t at : {0U, 1U, 8U, 11U}) {  // type, code, magic
      ByteList changed = good;
      changed[at] ^= 0x40;
      EXPECT_FALSE(parse_echo_reply(far, own, changed)) << at;
    }
  }
}

TEST(HcWire, SegmentIsReadUpToItsHeaderLength) {
  const ByteList syn_ack = from_hex("0050 ee49 0a0b0c0d 01020305 6012 ffff 0000 0000 020405b4");
  const auto answer = parse_segment(far4, own4, syn_ack);
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, (TcpAnswer{far4, own4, 80, 61001, 0x0a0b0c0d, 0x01020305, TcpHeader::syn | TcpHeader::ack}));
  for (std::size_t length = 0; length < syn_ack.size(); ++length) {
    EXPECT_FALSE(parse_segment(far4, own4, cut(syn_ack, length))) << length;
  }
  ByteList short_header = syn_ack;
  short_header[12] = 0x40;
  EXPECT_FALSE(parse_segment(far4, own4, short_header));
}

ByteList agent_answer(const agent_wire::Answer& answer) {
  ByteList l4 = from_hex("2710 ee49 0020 0000");
  const auto message = agent_wire::encode(answer);
  l4.insert(l4.end(), message.begin(), message.end());
  return l4;
}

TEST(HcWire, AgentAnswerGivesPortsNonceAndValue) {
  const auto answer = parse_agent_answer(far6, own6, agent_answer({99, 150}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, (AgentAnswer{far6, own6, 10000, 61001, 99, 150}));
  const auto without = parse_agent_answer(far6, own6, agent_answer({99, std::nullopt}));
  ASSERT_TRUE(without);
  EXPECT_EQ(without->value, -1);
}

TEST(HcWire, AgentAnswerOfAnyOtherLengthIsRefused) {
  const ByteList good = agent_answer({99, 150});
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(parse_agent_answer(far6, own6, cut(good, length))) << length;
  }
  for (const int length : {0, 7, 8, 31, 33, 0xffff}) {  // the length in the UDP header
    ByteList changed = good;
    changed[4] = static_cast<std::uint8_t>(length >> 8);
    changed[5] = static_cast<std::uint8_t>(length);
    EXPECT_FALSE(parse_agent_answer(far6, own6, changed)) << length;
  }
}

ByteList icmp_error(std::uint8_t type, std::uint8_t code, const ByteList& quoted) {
  ByteList l4{type, code, 0, 0, 0, 0, 0, 0};
  l4.insert(l4.end(), quoted.begin(), quoted.end());
  return l4;
}

TEST(HcWire, ErrorQuotesTheWholeProbe) {
  for (const bool is_v6 : {false, true}) {
    const Family family = is_v6 ? Family::ipv6 : Family::ipv4;
    for (const ProbeType type : {ProbeType::echo, ProbeType::tcp, ProbeType::agent}) {
      Probe probe = type == ProbeType::echo ? echo_probe(is_v6) : port_probe(type, is_v6);
      const auto error = parse_icmp_error(family, icmp_error(is_v6 ? 1 : 3, is_v6 ? 4 : 3, build_probe(probe)));
      ASSERT_TRUE(error);
      EXPECT_EQ(error->failure, Failure::port_unreachable);
      EXPECT_EQ(error->type, type);
      EXPECT_EQ(error->has_payload, type == ProbeType::echo);
      if (type != ProbeType::echo) {
        probe.nonce = 0;  // lies in the payload, which a router need not quote
      }
      EXPECT_EQ(error->quoted, probe);
    }
  }
}

TEST(HcWire, ErrorCodesBecomeReasons) {
  struct Row {
    bool is_v6;
    std::uint8_t type;
    std::uint8_t code;
    Failure failure;
  };
  const Row rows[] = {{false, 3, 0, Failure::network_unreachable}, {false, 3, 1, Failure::host_unreachable},
                      {false, 3, 3, Failure::port_unreachable},    {false, 3, 13, Failure::prohibited},
                      {false, 3, 2, Failure::unreachable},         {false, 11, 0, Failure::time_exceeded},
                      {true, 1, 0, Failure::network_unreachable},  {true, 1, 1, Failure::prohibited},
                      {true, 1, 3, Failure::host_unreachable},     {true, 1, 4, Failure::port_unreachable},
                      {true, 1, 2, Failure::unreachable},          {true, 3, 0, Failure::time_exceeded}};
  for (const Row& row : rows) {
    const auto error = parse_icmp_error(row.is_v6 ? Family::ipv6 : Family::ipv4,
                                        icmp_error(row.type, row.code, build_probe(echo_probe(row.is_v6))));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->failure, row.failure) << int{row.type} << '/' << int{row.code};
  }
}

TEST(HcWire, OtherIcmpTypesAreNoErrors) {
  for (const int type : {0, 4, 5, 8, 12, 13}) {
    EXPECT_FALSE(
        parse_icmp_error(Family::ipv4, icmp_error(static_cast<std::uint8_t>(type), 0, build_probe(echo_probe(false)))));
  }
  for (const int type : {2, 4, 128, 129, 135, 136}) {
    EXPECT_FALSE(
        parse_icmp_error(Family::ipv6, icmp_error(static_cast<std::uint8_t>(type), 0, build_probe(echo_probe(true)))));
  }
}

TEST(HcWire, ErrorIsReadFromEightQuotedBytesOnAndNeverFromFewer) {
  for (const bool is_v6 : {false, true}) {
    const Family family = is_v6 ? Family::ipv6 : Family::ipv4;
    for (const ProbeType type : {ProbeType::echo, ProbeType::tcp, ProbeType::agent}) {
      const ByteList probe = build_probe(type == ProbeType::echo ? echo_probe(is_v6) : port_probe(type, is_v6));
      const ByteList whole = icmp_error(is_v6 ? 1 : 3, 1, probe);
      const std::size_t enough = 8U + (is_v6 ? 40U : 20U) + 8U;
      for (std::size_t length = 0; length <= whole.size(); ++length) {
        const auto error = parse_icmp_error(family, cut(whole, length));
        EXPECT_EQ(error.has_value(), length >= enough) << length;
        if (error && type == ProbeType::echo) {
          EXPECT_EQ(error->has_payload, length >= enough + echo_payload_size);
        }
      }
    }
  }
}

TEST(HcWire, QuotedFragmentsOptionsAndForeignProtocolsAreRefused) {
  const ByteList probe = build_probe(echo_probe(false));
  ByteList fragment = probe;
  fragment[7] = 1;
  ByteList options = probe;
  options[0] = 0x46;
  ByteList protocol = probe;
  protocol[9] = 47;
  ByteList reply = probe;
  reply[20] = 0;  // an error about an echo reply is not about a probe
  for (const ByteList& quoted : {fragment, options, protocol, reply}) {
    EXPECT_FALSE(parse_icmp_error(Family::ipv4, icmp_error(3, 1, quoted)));
  }
}

}  // namespace
}  // namespace trivet::hc::wire
