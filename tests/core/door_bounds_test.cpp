// The door at its bounds: super-frames, offloads, cut and changed frames, bursts.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "core/pipeline/door.h"
#include "door_fixture.h"
#include "trivet/random.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::core {
namespace {

TEST(Door, TakesSuperFramesUpToTheLargestIpPacket) {
  PacketBuffer four(over4() / testkit::tcp(1, 2) / payload_of(65535 - 40));
  four.packet().segments = SegmentType::tcp4;
  four.packet().segment_size = 1460;
  ASSERT_EQ(four.enter(master(), 1), "");
  EXPECT_EQ(four.packet().length, 14U + 65535U);
  PacketBuffer six(over6() / testkit::tcp(1, 2) / payload_of(65535 - 20));
  six.packet().segments = SegmentType::tcp6;
  six.packet().segment_size = 1440;
  ASSERT_EQ(six.enter(master(), 1), "");
  EXPECT_EQ(six.packet().length, 14U + 40U + 65535U);
}

TEST(Door, RefusesOffloadFieldsThatContradictThePacket) {
  const auto with = [](const Frame& frame, SegmentType segments, std::uint16_t size) {
    PacketBuffer buffer(frame);
    buffer.packet().segments = segments;
    buffer.packet().segment_size = size;
    return buffer.enter(master(), 1);
  };
  EXPECT_EQ(with(over4() / testkit::tcp(1, 2), SegmentType::tcp4, 0), "bad-offload");
  EXPECT_EQ(with(over4() / testkit::udp(1, 2), SegmentType::tcp4, 100), "bad-offload");
  EXPECT_EQ(with(over4() / testkit::udp(1, 2), SegmentType::udp, 100), "");
  const auto partial = [](std::uint16_t start, std::uint16_t offset) {
    Frame frame = over4() / testkit::udp(1, 2).partial_checksum();
    frame.resize(60);  // padding is no place for a checksum
    PacketBuffer buffer(frame);
    buffer.packet().checksum = ChecksumState::partial;
    buffer.packet().checksum_start = start;
    buffer.packet().checksum_offset = offset;
    return buffer.enter(master(), 1);
  };
  EXPECT_EQ(partial(34, 6), "");
  EXPECT_EQ(partial(34, 7), "bad-offload");
  EXPECT_EQ(partial(13, 6), "bad-offload");
  EXPECT_EQ(partial(65535, 65535), "bad-offload");
}

// Every header that the class bits promise lies within the frame.
void expect_headers_within(const Packet& packet) {
  const auto fits = [&](bool promised, std::size_t offset, std::size_t size) {
    EXPECT_TRUE(!promised || offset + size <= packet.length) << packet.classes.bits() << ' ' << offset << '+' << size;
  };
  fits(packet.is(packet_class::ipv4), packet.l3_offset, sizeof(wire::Ipv4Header));
  fits(packet.is(packet_class::ipv6), packet.l3_offset, sizeof(wire::Ipv6Header));
  fits(packet.is(packet_class::tcp), packet.l4_offset, sizeof(wire::TcpHeader));
  fits(packet.is(packet_class::udp), packet.l4_offset, sizeof(wire::UdpHeader));
  fits(packet.is(packet_class::icmp | packet_class::icmpv6), packet.l4_offset, sizeof(wire::IcmpHeader));
  fits(packet.fragment_header_offset != 0, packet.fragment_header_offset, sizeof(wire::Ipv6FragmentHeader));
  fits(true, packet.payload_offset, 0);
}

TEST(Door, OfAFrameCutAtAnyLengthReadsNothingBehindItAndRefusesIt) {
  const Frame frames[] = {
      over4() / testkit::tcp(1, 2).mss(1460) / payload("abc"),
      eth(peer, node) / testkit::ipv4("10.0.0.9", "10.0.0.1").options(bytes("94040000")) / testkit::udp(1, 2) /
          payload("abc"),
      over6() / hop_by_hop() / routing(0, 0) / fragment_header(0, true, 1) / destination_options() /
          testkit::udp(1, 2) / payload_of(8),
      over6() / neighbor_solicitation("2001:db8::1").source_mac(peer),
      eth(peer, MacAddress::broadcast()) / arp_request(peer, "10.0.0.9", "10.0.0.1"),
  };
  for (const Frame& frame : frames) {
    ASSERT_EQ(refused(frame), "") << describe(frame);
    for (std::size_t size = 0; size < frame.size(); ++size) {
      // The buffer ends with the frame: reading on is what the address sanitizer reports.
      EXPECT_NE(refused(Frame(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size))), "") << size;
    }
  }
}

TEST(Door, OfFramesWithChangedBytesPromisesNoHeaderOutside) {
  Random random(5);
  const Frame frames[] = {over4() / testkit::tcp(1, 2).mss(1460) / payload("abc"),
                          over6() / hop_by_hop() / fragment_header(0, true, 1) / testkit::udp(1, 2) / payload_of(8),
                          over6() / routing(4, 0) / destination_options() / testkit::icmp(135, 0) / payload_of(20)};
  for (int round = 0; round < 30000; ++round) {
    Frame frame = frames[random.below(3)];
    for (std::uint64_t change = random.below(4); change-- > 0;)
      frame[12 + random.below(frame.size() - 12)] = static_cast<std::uint8_t>(random());
    frame.erase(frame.end() - static_cast<std::ptrdiff_t>(random.below(9)), frame.end());
    PacketBuffer buffer(frame, 0);
    if (buffer.enter(master(), 1).empty()) expect_headers_within(buffer.packet());
  }
}

TEST(Door, DecidesABurstLikeItsFramesOneByOne) {
  std::vector<std::unique_ptr<PacketBuffer>> buffers;
  std::vector<Packet*> packets;
  std::vector<DoorDrop> expected;
  for (int i = 0; i < 64; ++i) {
    const Frame frame = i % 3 == 0   ? Frame(over4() / testkit::udp(1, 2))
                        : i % 3 == 1 ? Frame(over4() / testkit::udp(1, 2).length(3))
                                     : Frame(10);
    expected.push_back(i % 3 == 0 ? DoorDrop::none : i % 3 == 1 ? DoorDrop::udp_length : DoorDrop::truncated);
    buffers.push_back(std::make_unique<PacketBuffer>(frame));
    buffers.back()->packet().in_interface = 1;
    packets.push_back(&buffers.back()->packet());
  }
  std::vector<DoorDrop> results(64);
  EXPECT_FALSE(examine(packets, master(), DoorFilter{}, results));
  EXPECT_EQ(results, expected);
  EXPECT_TRUE(examine({}, master(), DoorFilter{}, {}));
}

TEST(Door, LeavesNoClassBitsOfAFormerPacketOnRefusal) {
  PacketBuffer buffer(over4() / testkit::udp(1, 2));
  ASSERT_EQ(buffer.enter(master(), 1), "");
  buffer.packet().length = 20;
  EXPECT_EQ(buffer.enter(master(), 1), "truncated");
  EXPECT_EQ(buffer.packet().classes.bits(), 0U);
}

}  // namespace
}  // namespace trivet::core
