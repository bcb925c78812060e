// Frames whose checksum has been left to the interface are told from complete ones.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "core/io/partial_checksum.h"
#include "core/pipeline/fragment.h"
#include "trivet/net/checksum.h"

namespace trivet::core {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <class Header>
void append(Bytes& bytes, const Header& header) {
  const auto* at = reinterpret_cast<const std::uint8_t*>(&header);
  bytes.insert(bytes.end(), at, at + sizeof header);
}

enum class Field { partial, complete, none };

struct Case {
  const char* name;
  bool v6;
  std::uint8_t protocol;
  bool tagged;
  std::size_t payload;
};

std::size_t checksum_offset(const Case& what) { return what.protocol == wire::ip_protocol::tcp ? 16 : 6; }

// The frame, and where layer 4 starts in it.
std::pair<Bytes, std::size_t> make_frame(const Case& what, Field field) {
  Bytes segment;
  if (what.protocol == wire::ip_protocol::tcp) {
    wire::TcpHeader header;
    header.source_port = 40000;
    header.destination_port = 80;
    append(segment, header);
  } else {
    wire::UdpHeader header;
    header.source_port = 40000;
    header.destination_port = 80;
    header.length = static_cast<std::uint16_t>(sizeof header + what.payload);
    append(segment, header);
  }
  for (std::size_t i = 0; i < what.payload; ++i) segment.push_back(static_cast<std::uint8_t>(i * 7));

  const IpAddress source = what.v6 ? *parse_ip("2001:db8::1") : *parse_ip("10.1.2.3");
  const IpAddress destination = what.v6 ? *parse_ip("2001:db8::2") : *parse_ip("10.9.8.7");
  ChecksumSum sum;
  sum.add_pseudo_header(source, destination, what.protocol, static_cast<std::uint32_t>(segment.size()));
  std::uint16_t value = sum.folded();
  if (field == Field::complete) {
    sum.add(segment);
    value = sum.finish();
  }
  if (field == Field::none) value = 0;
  segment[checksum_offset(what)] = static_cast<std::uint8_t>(value >> 8U);
  segment[checksum_offset(what) + 1] = static_cast<std::uint8_t>(value);

  Bytes frame;
  wire::EthernetHeader ethernet;
  const std::uint16_t type = what.v6 ? wire::ether_type::ipv6 : wire::ether_type::ipv4;
  ethernet.type = what.tagged ? wire::ether_type::vlan : type;
  append(frame, ethernet);
  if (what.tagged) {
    append(frame, Be16{7});
    append(frame, Be16{type});
  }
  if (what.v6) {
    wire::Ipv6Header ip;
    ip.payload_length = static_cast<std::uint16_t>(segment.size());
    ip.next_header = what.protocol;
    ip.source = source.v6();
    ip.destination = destination.v6();
    append(frame, ip);
  } else {
    wire::Ipv4Header ip;
    ip.total_length = static_cast<std::uint16_t>(sizeof ip + segment.size());
    ip.protocol = what.protocol;
    ip.source = source.v4();
    ip.destination = destination.v4();
    append(frame, ip);
  }
  const std::size_t start = frame.size();
  frame.insert(frame.end(), segment.begin(), segment.end());
  return {frame, start};
}

Packet packet_of(Bytes& bytes) {
  Packet packet;
  packet.buffer = packet.data = bytes.data();
  packet.capacity = packet.length = static_cast<std::uint32_t>(bytes.size());
  return packet;
}

class PartialChecksum : public testing::TestWithParam<Case> {};

TEST_P(PartialChecksum, IsRecognisedAndCompletesToWhatTheSenderWouldHaveWritten) {
  auto [bytes, start] = make_frame(GetParam(), Field::partial);
  Packet packet = packet_of(bytes);
  detect_partial_checksum(packet);
  ASSERT_EQ(packet.checksum, ChecksumState::partial);
  EXPECT_EQ(packet.checksum_start, start);
  EXPECT_EQ(packet.checksum_offset, checksum_offset(GetParam()));
  complete_checksum(packet);
  EXPECT_EQ(bytes, make_frame(GetParam(), Field::complete).first);
}

TEST_P(PartialChecksum, ACompleteOneStaysAsItIs) {
  auto [bytes, start] = make_frame(GetParam(), Field::complete);
  Packet packet = packet_of(bytes);
  detect_partial_checksum(packet);
  EXPECT_EQ(packet.checksum, ChecksumState::unverified);
}

TEST_P(PartialChecksum, NoneIsNotPartial) {
  auto [bytes, start] = make_frame(GetParam(), Field::none);
  Packet packet = packet_of(bytes);
  detect_partial_checksum(packet);
  EXPECT_EQ(packet.checksum, ChecksumState::unverified);
}

TEST_P(PartialChecksum, AFrameCutAtAnyLengthIsNotPartial) {
  const Bytes whole = make_frame(GetParam(), Field::partial).first;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    Bytes bytes{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)};
    Packet packet = packet_of(bytes);
    detect_partial_checksum(packet);
    EXPECT_EQ(packet.checksum, ChecksumState::unverified) << length;
  }
}

TEST_P(PartialChecksum, PaddingBehindThePacketDoesNotMatterToRecognition) {
  auto [bytes, start] = make_frame(GetParam(), Field::partial);
  bytes.resize(bytes.size() + 12, 0);
  Packet packet = packet_of(bytes);
  detect_partial_checksum(packet);
  EXPECT_EQ(packet.checksum, ChecksumState::partial);
}

INSTANTIATE_TEST_SUITE_P(Frames, PartialChecksum,
                         testing::Values(Case{"tcp4", false, wire::ip_protocol::tcp, false, 11},
                                         Case{"tcp6", true, wire::ip_protocol::tcp, false, 100},
                                         Case{"udp4", false, wire::ip_protocol::udp, false, 1},
                                         Case{"udp6", true, wire::ip_protocol::udp, false, 1400},
                                         Case{"tcp4_tagged", false, wire::ip_protocol::tcp, true, 4},
                                         Case{"udp6_tagged", true, wire::ip_protocol::udp, true, 3}),
                         [](const auto& parameter) { return std::string{parameter.param.name}; });

TEST(PartialChecksumOf, AFragmentIsNotLookedAt) {
  const Case what{"tcp4", false, wire::ip_protocol::tcp, false, 11};
  auto [bytes, start] = make_frame(what, Field::partial);
  bytes[sizeof(wire::EthernetHeader) + 6] = 0x20;  // more fragments
  Packet packet = packet_of(bytes);
  detect_partial_checksum(packet);
  EXPECT_EQ(packet.checksum, ChecksumState::unverified);
}

TEST(PartialChecksumOf, OtherProtocolsAreNotLookedAt) {
  const Case what{"gre", false, 47, false, 60};
  auto [bytes, start] = make_frame(what, Field::partial);
  Packet packet = packet_of(bytes);
  detect_partial_checksum(packet);
  EXPECT_EQ(packet.checksum, ChecksumState::unverified);
}

}  // namespace
}  // namespace trivet::core
