#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/memory.h"

namespace trivet::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr MacAddress mac{{2, 0, 0, 0, 0, 1}};

struct MemoryIo : testing::Test {
  MemoryIo() {
    backend.add_interface("eth1", mac, 100);
    io = std::move(backend.open({.number = 1, .name = "eth1"}, 2).value());
  }
  // Sends one frame of that size through a worker's port.
  void send(std::size_t size, SegmentType segments = SegmentType::none) {
    Packet* packet = pool.acquire(size);
    packet->length = static_cast<std::uint32_t>(size);
    std::fill_n(packet->data, size, std::uint8_t{7});
    packet->segments = segments;
    io->port(0).transmit(pool, std::span(&packet, 1));
  }
  std::vector<std::vector<std::uint8_t>> receive(std::size_t worker, std::size_t most = 64) {
    std::vector<Packet*> packets(most);
    const std::size_t count = io->port(worker).receive(pool, packets);
    std::vector<std::vector<std::uint8_t>> frames;
    for (std::size_t i = 0; i < count; ++i) {
      frames.emplace_back(packets[i]->frame().begin(), packets[i]->frame().end());
      pool.release(packets[i]);
    }
    return frames;
  }

  PacketPool pool{{.small_count = 8, .large_count = 2}};
  MemoryBackend backend;
  std::unique_ptr<InterfaceIo> io;
};

TEST_F(MemoryIo, FramesComeInInOrderToTheirWorkerInBurstsOfTheCallersSize) {
  for (std::uint8_t i = 1; i <= 5; ++i) backend.inject("eth1", std::vector<std::uint8_t>(20, i));
  backend.inject("eth1", MemoryFrame{.bytes = {9}}, 1);
  EXPECT_TRUE(backend.has_waiting());
  EXPECT_THAT(receive(0, 3), ElementsAre(std::vector<std::uint8_t>(20, 1), std::vector<std::uint8_t>(20, 2),
                                         std::vector<std::uint8_t>(20, 3)));
  EXPECT_THAT(receive(0, 3), SizeIs(2));
  EXPECT_THAT(receive(1), ElementsAre(std::vector<std::uint8_t>{9}));
  EXPECT_FALSE(backend.has_waiting());
  EXPECT_EQ(io->port(0).counters().rx_frames, 5U);
  EXPECT_EQ(io->port(0).counters().rx_bytes, 100U);
}

TEST_F(MemoryIo, OffloadFieldsPassBothWays) {
  backend.inject("eth1", MemoryFrame{.bytes = std::vector<std::uint8_t>(60),
                                     .checksum = ChecksumState::partial,
                                     .segments = SegmentType::tcp6,
                                     .segment_size = 1440,
                                     .checksum_start = 54,
                                     .checksum_offset = 16});
  std::array<Packet*, 1> packets{};
  ASSERT_EQ(io->port(0).receive(pool, packets), 1U);
  EXPECT_EQ(packets[0]->checksum, ChecksumState::partial);
  EXPECT_EQ(packets[0]->segments, SegmentType::tcp6);
  io->port(0).transmit(pool, packets);
  const auto sent = backend.take_sent("eth1");
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].segment_size, 1440);
  EXPECT_EQ(sent[0].checksum_start, 54);
  EXPECT_EQ(sent[0].checksum_offset, 16);
  EXPECT_EQ(pool.available_small(), 8U);
}

TEST_F(MemoryIo, WithoutBuffersFramesAreLostAndCounted) {
  for (int i = 0; i < 10; ++i) backend.inject("eth1", std::vector<std::uint8_t>(60));
  std::array<Packet*, 16> packets{};
  EXPECT_EQ(io->port(0).receive(pool, packets), 8U);
  EXPECT_EQ(io->port(0).counters().rx_dropped, 2U);
}

TEST_F(MemoryIo, NothingLargerThanTheMtuLeavesButSuperFrames) {
  send(114);
  send(115);
  send(5000, SegmentType::tcp4);
  EXPECT_THAT(backend.take_sent("eth1"), SizeIs(2));
  EXPECT_EQ(io->port(0).counters().tx_frames, 2U);
  EXPECT_EQ(io->port(0).counters().tx_dropped, 1U);
  EXPECT_EQ(pool.available_small() + pool.available_large(), 10U);
}

TEST_F(MemoryIo, ACutCableLosesBothWaysAndTellsOnce) {
  std::vector<std::string> changes;
  backend.on_link_change([&](const std::string& name) { changes.push_back(name); });
  backend.set_carrier("eth1", false);
  backend.set_carrier("eth1", false);
  EXPECT_THAT(changes, ElementsAre("eth1"));
  EXPECT_FALSE(backend.link("eth1").carrier);
  backend.inject("eth1", std::vector<std::uint8_t>(60));
  send(60);
  EXPECT_THAT(receive(0), IsEmpty());
  EXPECT_THAT(backend.take_sent("eth1"), IsEmpty());
  backend.set_carrier("eth1", true);
  EXPECT_THAT(changes, SizeIs(2));
  EXPECT_TRUE(backend.link("eth1").carrier);
}

TEST_F(MemoryIo, OpensOnlyWhatExistsAndOnce) {
  EXPECT_THAT(backend.open({.number = 2, .name = "eth2"}, 1).error().text, testing::HasSubstr("eth2"));
  EXPECT_THAT(backend.open({.number = 1, .name = "eth1"}, 1).error().text, testing::HasSubstr("taken"));
  EXPECT_TRUE(backend.is_taken("eth1"));
  io.reset();
  EXPECT_FALSE(backend.is_taken("eth1"));
  backend.set_exists("eth1", false);
  EXPECT_FALSE(backend.link("eth1").exists);
  EXPECT_FALSE(backend.open({.number = 1, .name = "eth1"}, 1).has_value());
  backend.set_exists("eth1", true);
  EXPECT_TRUE(backend.open({.number = 1, .name = "eth1"}, 1).has_value());
  EXPECT_FALSE(backend.link("eth9").exists);
}

TEST_F(MemoryIo, AHookTakesFramesAndMayInject) {
  backend.add_interface("eth2", mac, 1500);
  const auto other = std::move(backend.open({.number = 2, .name = "eth2"}, 1).value());
  backend.on_sent("eth1", [&](MemoryFrame frame) { backend.inject("eth2", std::move(frame)); });
  send(60);
  EXPECT_THAT(backend.take_sent("eth1"), IsEmpty());
  std::array<Packet*, 4> packets{};
  EXPECT_EQ(other->port(0).receive(pool, packets), 1U);
  pool.release(packets[0]);
  backend.on_sent("eth1", {});
  send(60);
  EXPECT_THAT(backend.take_sent("eth1"), SizeIs(1));
}

TEST_F(MemoryIo, KeepsTheMacFilterAndForgetsItWhenGivenBack) {
  io->set_mac_filter({mac});
  EXPECT_THAT(backend.mac_filter("eth1"), ElementsAre(mac));
  io.reset();
  EXPECT_THAT(backend.mac_filter("eth1"), IsEmpty());
}

}  // namespace
}  // namespace trivet::core
