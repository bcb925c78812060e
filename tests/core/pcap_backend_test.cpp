#include <gmock/gmock.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/io/pcap.h"

namespace trivet::core {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Frame = std::vector<std::uint8_t>;

class PcapBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("trivet-pcap-" + std::to_string(::getpid()) + "-" +
                                                        testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::vector<CapturedFrame>& frames) const {
    auto writer = CaptureWriter::create(folder_ / name);
    EXPECT_TRUE(writer);
    for (const CapturedFrame& frame : frames) writer->write(frame.at, frame.bytes);
    EXPECT_TRUE(writer->flush());
    return folder_ / name;
  }
  std::filesystem::path write_bytes(const std::string& name, const std::vector<std::uint8_t>& bytes) const {
    std::ofstream{folder_ / name, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                          static_cast<std::streamsize>(bytes.size()));
    return folder_ / name;
  }
  static std::vector<std::uint8_t> read_bytes(const std::filesystem::path& file) {
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
  }

  std::vector<Frame> receive(PacketPort& port, std::size_t burst_size = 64) {
    std::vector<Frame> frames;
    std::array<Packet*, 64> burst{};
    while (const std::size_t count = port.receive(pool_, std::span{burst}.first(burst_size))) {
      for (Packet* packet : std::span{burst}.first(count)) {
        frames.emplace_back(packet->frame().begin(), packet->frame().end());
        pool_.release(packet);
      }
    }
    return frames;
  }
  void send(PacketPort& port, const Frame& frame) {
    Packet* packet = pool_.acquire(frame.size());
    std::memcpy(packet->data, frame.data(), frame.size());
    packet->length = static_cast<std::uint32_t>(frame.size());
    port.transmit(pool_, std::array{packet});
  }

  std::filesystem::path folder_;
  PacketPool pool_;
};

Frame frame_of(std::size_t size, std::uint8_t value) { return Frame(size, value); }

TEST_F(PcapBackendTest, WhatWasWrittenIsReadWithItsTimes) {
  const auto file = write("a.pcap", {{seconds{1} + std::chrono::nanoseconds{7}, frame_of(60, 1)},
                                     {seconds{2}, frame_of(9014, 2)},
                                     {seconds{2}, frame_of(65549, 3)}});
  const auto frames = read_capture(file);
  ASSERT_TRUE(frames) << frames.error().text;
  ASSERT_EQ(frames->size(), 3U);
  EXPECT_EQ((*frames)[0].at, seconds{1} + std::chrono::nanoseconds{7});
  EXPECT_EQ((*frames)[0].bytes, frame_of(60, 1));
  EXPECT_EQ((*frames)[2].bytes, frame_of(65549, 3));
}

TEST_F(PcapBackendTest, TheFileBeginsWithTheMagicOfNanoseconds) {
  const auto bytes = read_bytes(write("a.pcap", {}));
  ASSERT_EQ(bytes.size(), 24U);
  std::uint32_t magic = 0;
  std::memcpy(&magic, bytes.data(), sizeof magic);
  EXPECT_EQ(magic, 0xa1b23c4dU);
}

TEST_F(PcapBackendTest, PcapngIsReadToo) {
  // Section header, interface description (Ethernet), one enhanced packet of 4 bytes at 1,000,002 microseconds.
  const auto file = write_bytes(
      "a.pcapng",
      {0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff,
       0xff, 0xff, 0xff, 28,   0,  0, 0, 1, 0,    0,    0,    20,   0, 0,    0,    1,    0,    0,    0,    0,    0,
       4,    0,    20,   0,    0,  0, 6, 0, 0,    0,    36,   0,    0, 0,    0,    0,    0,    0,    0,    0,    0,
       0,    0x42, 0x42, 0x0f, 0,  4, 0, 0, 0,    4,    0,    0,    0, 0xde, 0xad, 0xbe, 0xef, 36,   0,    0,    0});
  const auto frames = read_capture(file);
  ASSERT_TRUE(frames) << frames.error().text;
  ASSERT_EQ(frames->size(), 1U);
  EXPECT_EQ((*frames)[0].at, seconds{1} + microseconds{2});
  EXPECT_EQ((*frames)[0].bytes, (Frame{0xde, 0xad, 0xbe, 0xef}));
}

TEST_F(PcapBackendTest, ADamagedFileIsRefusedWhereverItIsCut) {
  const auto whole = read_bytes(write("a.pcap", {{seconds{1}, frame_of(60, 1)}, {seconds{2}, frame_of(60, 2)}}));
  constexpr std::size_t file_header = 24;
  constexpr std::size_t record = 16 + 60;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto file = write_bytes("cut.pcap", {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)});
    const auto frames = read_capture(file);
    if (length == file_header || length == file_header + record) {
      EXPECT_TRUE(frames) << length;
    } else {
      ASSERT_FALSE(frames) << length;
      EXPECT_THAT(frames.error().text, HasSubstr("cut.pcap")) << length;
    }
  }
}

TEST_F(PcapBackendTest, FilesThatCannotBeReplayedAreRefusedWithASentence) {
  EXPECT_THAT(read_capture(folder_ / "none.pcap").error().text, HasSubstr("none.pcap"));
  auto other = read_bytes(write("a.pcap", {{seconds{1}, frame_of(60, 1)}}));
  other[20] = 101;  // raw IP
  EXPECT_THAT(read_capture(write_bytes("raw.pcap", other)).error().text, HasSubstr("does not hold Ethernet frames"));
  auto partial = read_bytes(write("b.pcap", {{seconds{1}, frame_of(60, 1)}}));
  partial[24 + 12] = 61;  // was longer on the wire
  EXPECT_THAT(read_capture(write_bytes("partial.pcap", partial)).error().text, HasSubstr("frame 1"));
}

TEST_F(PcapBackendTest, FramesComeWhenTheirTimeHasCome) {
  const auto first =
      write("a.pcap", {{seconds{100}, frame_of(60, 1)}, {seconds{100} + milliseconds{20}, frame_of(60, 2)}});
  const auto second = write("b.pcap", {{seconds{100} + milliseconds{5}, frame_of(60, 3)}});
  auto backend = PcapBackend::create(
      {{"eth0", {.receive = first, .send = {}}}, {"eth1", {.receive = second, .send = {}}}}, ReplaySpeed::recorded);
  ASSERT_TRUE(backend) << backend.error().text;
  auto zero = (*backend)->open({.number = 1, .name = "eth0"}, 1);
  auto one = (*backend)->open({.number = 2, .name = "eth1"}, 1);
  ASSERT_TRUE(zero && one);
  EXPECT_THAT(receive((*zero)->port(0)), ElementsAre(frame_of(60, 1)));
  EXPECT_THAT(receive((*one)->port(0)), IsEmpty());
  EXPECT_EQ((*backend)->next_frame_at(), Time{milliseconds{5}});
  (*backend)->advance(Time{milliseconds{5}});
  EXPECT_THAT(receive((*zero)->port(0)), IsEmpty());
  EXPECT_THAT(receive((*one)->port(0)), ElementsAre(frame_of(60, 3)));
  EXPECT_EQ((*backend)->next_frame_at(), Time{milliseconds{20}});
  EXPECT_FALSE((*backend)->finished());
  (*backend)->advance(Time{milliseconds{20}});
  EXPECT_THAT(receive((*zero)->port(0)), ElementsAre(frame_of(60, 2)));
  EXPECT_EQ((*backend)->next_frame_at(), never);
  EXPECT_TRUE((*backend)->finished());
}

TEST_F(PcapBackendTest, WithoutLimitOfSpeedAllFramesAreThereAtOnceInOrder) {
  std::vector<CapturedFrame> frames;
  std::vector<Frame> expected;
  for (std::uint8_t i = 0; i < 150; ++i) {
    frames.push_back({seconds{i}, frame_of(60, i)});
    expected.push_back(frame_of(60, i));
  }
  for (const std::size_t burst : {1U, 64U}) {
    auto backend =
        PcapBackend::create({{"eth0", {.receive = write("a.pcap", frames), .send = {}}}}, ReplaySpeed::unlimited);
    ASSERT_TRUE(backend);
    auto io = (*backend)->open({.number = 1, .name = "eth0"}, 2);
    ASSERT_TRUE(io);
    EXPECT_THAT(receive((*io)->port(1)), IsEmpty());
    EXPECT_EQ(receive((*io)->port(0), burst), expected);
    EXPECT_EQ((*io)->port(0).counters().rx_frames, 150U);
    EXPECT_EQ((*io)->port(0).counters().rx_bytes, 150U * 60U);
  }
}

TEST_F(PcapBackendTest, FramesWaitForBuffers) {
  auto backend = PcapBackend::create(
      {{"eth0",
        {.receive = write("a.pcap", {{seconds{0}, frame_of(60, 1)}, {seconds{0}, frame_of(60, 2)}}), .send = {}}}},
      ReplaySpeed::unlimited);
  ASSERT_TRUE(backend);
  auto io = (*backend)->open({.number = 1, .name = "eth0"}, 1);
  PacketPool tiny{{.small_count = 1, .large_count = 1}};
  std::array<Packet*, 4> burst{};
  ASSERT_EQ((*io)->port(0).receive(tiny, burst), 1U);
  EXPECT_EQ((*io)->port(0).receive(tiny, std::span{burst}.subspan(1)), 0U);
  tiny.release(burst[0]);
  ASSERT_EQ((*io)->port(0).receive(tiny, burst), 1U);
  EXPECT_EQ(burst[0]->data[0], 2);
  tiny.release(burst[0]);
  EXPECT_EQ((*io)->port(0).counters().rx_dropped, 0U);
}

TEST_F(PcapBackendTest, WhatIsSentIsRecordedWithTheTime) {
  auto backend = PcapBackend::create({{"eth0", {.receive = {}, .send = folder_ / "out.pcap"}}}, ReplaySpeed::recorded);
  ASSERT_TRUE(backend) << backend.error().text;
  auto io = (*backend)->open({.number = 1, .name = "eth0"}, 1);
  ASSERT_TRUE(io);
  send((*io)->port(0), frame_of(60, 1));
  (*backend)->advance(Time{seconds{3}});
  send((*io)->port(0), frame_of(1514, 2));
  EXPECT_EQ((*io)->port(0).counters().tx_frames, 2U);
  EXPECT_EQ(pool_.available_small(), PoolSizes{}.small_count);
  io->reset();
  const auto frames = read_capture(folder_ / "out.pcap");
  ASSERT_TRUE(frames) << frames.error().text;
  ASSERT_EQ(frames->size(), 2U);
  EXPECT_EQ((*frames)[0].at, seconds{0});
  EXPECT_EQ((*frames)[1].at, seconds{3});
  EXPECT_EQ((*frames)[1].bytes, frame_of(1514, 2));
}

TEST_F(PcapBackendTest, AnInterfaceIsThereOnceAndOnlyWithAFile) {
  auto backend = PcapBackend::create({{"eth0", {}}}, ReplaySpeed::recorded);
  ASSERT_TRUE(backend);
  EXPECT_TRUE((*backend)->link("eth0").carrier);
  EXPECT_FALSE((*backend)->link("eth1").exists);
  EXPECT_THAT((*backend)->open({.number = 1, .name = "eth1"}, 1).error().text, HasSubstr("eth1"));
  auto io = (*backend)->open({.number = 1, .name = "eth0"}, 1);
  ASSERT_TRUE(io);
  EXPECT_THAT((*backend)->open({.number = 1, .name = "eth0"}, 1).error().text, HasSubstr("already"));
  io->reset();
  EXPECT_TRUE((*backend)->open({.number = 1, .name = "eth0"}, 1));
  EXPECT_THAT(
      PcapBackend::create({{"eth0", {.receive = {}, .send = folder_ / "no" / "out.pcap"}}}, ReplaySpeed::recorded)
          .error()
          .text,
      HasSubstr("out.pcap"));
}

}  // namespace
}  // namespace trivet::core
