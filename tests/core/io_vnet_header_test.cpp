#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "core/io/vnet_header.h"

namespace trivet::core {
namespace {

constexpr std::uint8_t needs_checksum = 1;
constexpr std::uint8_t data_valid = 2;
constexpr std::uint16_t l4_at = 34;

// An IPv4 TCP frame as far as these headers look at it: 20 bytes of TCP header without options behind l4_at.
struct TcpFrame {
  TcpFrame() {
    packet.buffer = bytes.data();
    packet.data = bytes.data();
    packet.capacity = static_cast<std::uint32_t>(bytes.size());
    packet.length = static_cast<std::uint32_t>(bytes.size());
    bytes[l4_at + 12] = 0x50;
  }
  std::array<std::uint8_t, 4000> bytes{};
  Packet packet;
};

VnetHeader super_frame(std::uint8_t type) {
  return {.flags = needs_checksum,
          .segment_type = type,
          .header_length = 54,
          .segment_size = 1448,
          .checksum_start = l4_at,
          .checksum_offset = 16};
}

TEST(VnetHeader, EveryKindOfSuperFrameComesThroughUnchanged) {
  for (const auto& [type, segments] :
       {std::pair{std::uint8_t{1}, SegmentType::tcp4}, std::pair{std::uint8_t{4}, SegmentType::tcp6}}) {
    TcpFrame frame;
    const VnetHeader header = super_frame(type);
    ASSERT_TRUE(read_vnet_header(header, 0, frame.packet));
    EXPECT_EQ(frame.packet.checksum, ChecksumState::partial);
    EXPECT_EQ(frame.packet.segments, segments);
    EXPECT_EQ(frame.packet.segment_size, 1448);
    EXPECT_EQ(frame.packet.checksum_start, l4_at);
    EXPECT_EQ(frame.packet.checksum_offset, 16);
    const VnetHeader out = make_vnet_header(frame.packet);
    EXPECT_EQ(std::memcmp(&out, &header, sizeof out), 0);
  }
  TcpFrame frame;
  VnetHeader udp = super_frame(5);
  udp.checksum_offset = 6;
  udp.header_length = 42;
  ASSERT_TRUE(read_vnet_header(udp, 0, frame.packet));
  EXPECT_EQ(frame.packet.segments, SegmentType::udp);
  const VnetHeader out = make_vnet_header(frame.packet);
  EXPECT_EQ(std::memcmp(&out, &udp, sizeof out), 0);
}

TEST(VnetHeader, TheMarkOfCongestionIsSetWhereTheTcpHeaderHasCwr) {
  TcpFrame frame;
  ASSERT_TRUE(read_vnet_header(super_frame(1 | 0x80), 0, frame.packet));
  EXPECT_EQ(frame.packet.segments, SegmentType::tcp4);
  EXPECT_EQ(make_vnet_header(frame.packet).segment_type, 1);
  frame.bytes[l4_at + 13] = 0x80;
  EXPECT_EQ(make_vnet_header(frame.packet).segment_type, 0x81);
}

TEST(VnetHeader, PlainFramesHaveAnEmptyHeader) {
  TcpFrame frame;
  ASSERT_TRUE(read_vnet_header({}, 0, frame.packet));
  EXPECT_EQ(frame.packet.checksum, ChecksumState::unverified);
  ASSERT_TRUE(read_vnet_header({.flags = data_valid}, 0, frame.packet));
  EXPECT_EQ(frame.packet.checksum, ChecksumState::verified);
  const VnetHeader out = make_vnet_header(frame.packet);
  const VnetHeader nothing;
  EXPECT_EQ(std::memcmp(&out, &nothing, sizeof out), 0);
}

TEST(VnetHeader, AnInsertedVlanTagMovesTheStartOfTheChecksum) {
  TcpFrame frame;
  ASSERT_TRUE(read_vnet_header(super_frame(1), 4, frame.packet));
  EXPECT_EQ(frame.packet.checksum_start, l4_at + 4);
}

TEST(VnetHeader, WhatCannotBeSaidOrPointsOutsideIsRefused) {
  TcpFrame frame;
  EXPECT_FALSE(read_vnet_header(super_frame(3), 0, frame.packet)) << "fragmentation of UDP by the interface";
  VnetHeader sizeless = super_frame(1);
  sizeless.segment_size = 0;
  EXPECT_FALSE(read_vnet_header(sizeless, 0, frame.packet));
  for (std::uint32_t length = 0; length <= l4_at + 18U; ++length) {
    frame.packet.length = length;
    EXPECT_EQ(read_vnet_header(super_frame(1), 0, frame.packet), length == l4_at + 18U) << length;
  }
  VnetHeader far_away = super_frame(1);
  far_away.checksum_start = 0xffff;
  EXPECT_FALSE(read_vnet_header(far_away, 4, frame.packet));
}

TEST(VnetHeader, APacketWhoseOffloadsPointOutsideIsSentWithoutThem) {
  TcpFrame frame;
  ASSERT_TRUE(read_vnet_header(super_frame(1), 0, frame.packet));
  frame.packet.length = l4_at + 17U;
  EXPECT_EQ(make_vnet_header(frame.packet).flags, 0);
  EXPECT_EQ(make_vnet_header(frame.packet).segment_type, 0);
}

}  // namespace
}  // namespace trivet::core
