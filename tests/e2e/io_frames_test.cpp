// Packet I/O on a cable: what goes in comes out, in the right order of importance.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <map>

#include "io_bench.h"

namespace trivet::e2e {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class IoFramesRaw : public testing::Test {
 protected:
  void SetUp() override {
    TRIVET_NEEDS_LAB();
    lab_.add_namespace("node");
    lab_.add_namespace("far");
    lab_.add_cable("node", "n0", "far", "f0");
  }
  Lab lab_;
};
// By both ways to read and send.
class IoFrames : public IoFramesRaw, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Access, IoFrames, testing::Values("raw", "xdp"),
                         [](const auto& parameter) { return std::string{parameter.param}; });

Frame with_tag(const Frame& frame, std::uint16_t control) {
  Frame tagged{frame.begin(), frame.begin() + 12};
  const std::uint8_t tag[] = {0x81, 0x00, static_cast<std::uint8_t>(control >> 8U), static_cast<std::uint8_t>(control)};
  tagged.insert(tagged.end(), std::begin(tag), std::end(tag));
  tagged.insert(tagged.end(), frame.begin() + 12, frame.end());
  return tagged;
}

TEST_P(IoFrames, FramesOfEverySizePassUnchangedInBothDirections) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  for (std::size_t payload = 0; payload <= 1472; payload += 8) {
    const Frame frame = udp_frame("10.77.0.9", payload, static_cast<std::uint8_t>(payload));
    far.send(frame);
    const auto received = node.receive(1);
    ASSERT_THAT(received, SizeIs(1)) << payload;
    ASSERT_EQ(received[0], frame) << payload;
    node.send({frame});
    ASSERT_EQ(far.receive(), frame) << payload;
  }
  EXPECT_THAT(node.warnings(), IsEmpty());
}

TEST_F(IoFramesRaw, JumboFramesPassWhole) {
  lab_.run("node", "ip link set n0 mtu 9000");
  lab_.run("far", "ip link set f0 mtu 9000");
  Taken node{lab_, "node", "n0", "raw"};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  for (const std::size_t payload : {1900U, 1930U, 1940U, 2000U, 2048U, 4000U, 8972U}) {
    const Frame frame = udp_frame("10.77.0.9", payload, 7);
    far.send(frame);
    far.send(with_tag(udp_frame("10.77.0.9", payload - 4, 9), 0x2123));
    const auto received = node.receive(2);
    ASSERT_THAT(received, SizeIs(2)) << payload;
    EXPECT_EQ(received[0], frame) << payload;
    EXPECT_EQ(received[1], with_tag(udp_frame("10.77.0.9", payload - 4, 9), 0x2123)) << payload;
    node.send({frame});
    EXPECT_EQ(far.receive(), frame) << payload;
  }
}

TEST_P(IoFrames, AVlanTagStaysInTheFrame) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  const Frame frame = with_tag(udp_frame("10.77.0.9", 100), 0x6fff);
  far.send(frame);
  EXPECT_THAT(node.receive(1), testing::ElementsAre(frame));
}

TEST_P(IoFrames, ATagThatComesBesideTheFrameIsPutIntoIt) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  lab_.run("far", "tc qdisc add dev f0 clsact && tc filter add dev f0 egress bpf direct-action object-file " +
                      std::string{TRIVET_BINARY_DIR} + "/tests/e2e/push_tag.bpf.o section tc");
  const FarEnd far{lab_, "far", "f0"};
  for (const Frame& frame : {udp_frame("10.77.0.9", 100), udp_frame("10.77.0.9", 1400), arp_frame()}) {
    far.send(frame);
    EXPECT_THAT(node.receive(1), testing::ElementsAre(with_tag(frame, 5)));
  }
}

TEST_P(IoFrames, AFrameTooLongForTheInterfaceIsCountedAndTheOthersGoOut) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  const Frame good = udp_frame("10.77.0.9", 100);
  node.send({udp_frame("10.77.0.9", 5000), good, udp_frame("10.77.0.9", 5000), good});
  EXPECT_EQ(far.receive(), good);
  EXPECT_EQ(far.receive(), good);
  const core::PortCounters counters = node.port().counters();
  EXPECT_EQ(counters.tx_frames, 2U);
  EXPECT_EQ(counters.tx_bytes, 2 * good.size());
  EXPECT_EQ(counters.tx_dropped, 2U);
}

TEST_P(IoFrames, OwnFramesDoNotComeBack) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  node.send({udp_frame("10.77.0.9", 10), arp_frame()});
  far.send(udp_frame("10.77.0.9", 20));
  EXPECT_THAT(node.receive(1), testing::ElementsAre(udp_frame("10.77.0.9", 20)));
  EXPECT_EQ(node.port().counters().rx_frames, 1U);
}

TEST_P(IoFrames, ControlFramesAreNeitherLostNorDelayedByAFloodOfData) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  node.io().set_own_addresses({*parse_ip("10.77.0.1"), *parse_ip("2001:db8:77::1")});
  const FarEnd far{lab_, "far", "f0"};
  constexpr std::size_t flood = 6000;  // more than the data queue holds
  for (std::size_t i = 0; i < flood; ++i) far.send(udp_frame("10.77.0.9", 18));
  const std::vector<Frame> critical = {
      arp_frame(),
      ipv4_frame(112, "224.0.0.18"),
      ipv4_frame(2, "224.0.0.22"),
      ipv6_frame(112, "ff02::12", Frame(8, 0)),
      ipv6_frame(58, "ff02::1:ff00:1", Frame{135, 0, 0, 0, 0, 0, 0, 0}),
      ipv6_frame(58, "fe80::1", Frame{137, 0, 0, 0, 0, 0, 0, 0}),
      ipv6_frame(58, "ff02::16", Frame{143, 0, 0, 0, 0, 0, 0, 0}),
      ipv6_frame(0, "ff02::16", Frame{58, 0, 5, 2, 0, 0, 1, 0, 143, 0, 0, 0, 0, 0, 0, 0}),
  };
  const std::vector<Frame> local = {
      ipv4_frame(1, "10.77.0.9"),
      ipv6_frame(58, "2001:db8:77::9", Frame{129, 0, 0, 0, 0, 0, 0, 0}),
      udp_frame("10.77.0.1", 30),
      udp6_frame("2001:db8:77::1", 30),
  };
  for (const Frame& frame : local) far.send(frame);
  for (const Frame& frame : critical) far.send(frame);

  const auto received = node.receive(critical.size() + local.size() + 1000);
  ASSERT_GE(received.size(), critical.size() + local.size());
  for (std::size_t i = 0; i < critical.size(); ++i) EXPECT_EQ(received[i], critical[i]) << i;
  for (std::size_t i = 0; i < local.size(); ++i) EXPECT_EQ(received[critical.size() + i], local[i]) << i;
  // Every frame was received or counted as lost.
  EXPECT_GT(node.port().counters().rx_dropped, 0U);
  EXPECT_TRUE(wait_for([&] {
    static_cast<void>(node.receive(0));
    const core::PortCounters counters = node.port().counters();
    return counters.rx_frames + counters.rx_dropped == flood + critical.size() + local.size();
  }));
}

TEST_P(IoFrames, AFloodOfPingsDoesNotPushOutAdvertisements) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  for (std::size_t i = 0; i < 3000; ++i) far.send(ipv4_frame(1, "10.77.0.1"));
  far.send(ipv4_frame(112, "224.0.0.18"));
  const auto received = node.receive(1);
  ASSERT_FALSE(received.empty());
  EXPECT_EQ(received[0], ipv4_frame(112, "224.0.0.18"));
}

TEST_P(IoFrames, LocalFramesLeaveRoomForData) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  for (std::size_t i = 0; i < 400; ++i) far.send(ipv4_frame(1, "10.77.0.1"));
  far.send(udp_frame("10.77.0.9", 18));
  const auto received = node.receive(401);
  const auto place = std::ranges::find(received, udp_frame("10.77.0.9", 18)) - received.begin();
  EXPECT_LT(place, 64);
}

TEST_P(IoFrames, TheOwnAddressesCanChange) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  const Frame other = udp_frame("10.77.0.9", 18);
  const Frame former = udp_frame("10.77.0.1", 18);
  const Frame latter = udp_frame("10.77.0.3", 18);
  node.io().set_own_addresses({*parse_ip("10.77.0.1")});
  node.io().set_own_addresses({*parse_ip("10.77.0.3"), *parse_ip("2001:db8:77::1")});
  for (const Frame& frame : {other, former, latter}) far.send(frame);
  EXPECT_THAT(node.receive(3), testing::ElementsAre(latter, other, former));
  // More than the filter can hold is no error: the rest counts as data.
  std::vector<IpAddress> many;
  for (std::uint32_t i = 0; i < 300; ++i) many.emplace_back(Ipv4Address::from_number(0x0a4d0000U + i));
  for (std::uint16_t i = 0; i < 300; ++i) {
    many.push_back(*parse_ip("2001:db8::" + std::to_string(i)));
  }
  node.io().set_own_addresses(many);
  for (const Frame& frame : {other, latter}) far.send(frame);
  EXPECT_THAT(node.receive(2), SizeIs(2));
  EXPECT_THAT(node.warnings(), IsEmpty());
}

TEST_P(IoFrames, ATaggedFrameIsSortedByWhatItHolds) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  node.io().set_own_addresses({*parse_ip("10.77.0.1")});
  const Frame data = with_tag(udp_frame("10.77.0.9", 18), 5);
  const Frame local = with_tag(udp_frame("10.77.0.1", 18), 5);
  const Frame critical = with_tag(arp_frame(), 5);
  for (const Frame& frame : {data, local, critical}) far.send(frame);
  EXPECT_THAT(node.receive(3), testing::ElementsAre(critical, local, data));
}

TEST_F(IoFramesRaw, WithSeveralWorkersEachFlowStaysOnOneAndControlOnTheFirst) {
  std::unique_ptr<core::IoBackend> backend;
  std::unique_ptr<core::InterfaceIo> io;
  {
    const InNamespace inside{lab_.full_name("node")};
    backend = core::make_af_packet_backend({});
    auto opened = backend->open({.number = 1, .name = "n0", .access = "raw", .threads = 3}, 3);
    ASSERT_TRUE(opened) << opened.error().text;
    io = std::move(*opened);
  }
  const FarEnd far{lab_, "far", "f0"};
  for (int round = 0; round < 2; ++round) {
    for (int host = 1; host <= 60; ++host) far.send(udp_frame("10.77.1." + std::to_string(host), 18));
    far.send(arp_frame());
  }
  core::PacketPool pool;
  std::array<Packet*, 128> burst{};
  std::size_t total = 0;
  for (std::size_t worker = 0; worker < 3; ++worker) {
    const std::size_t count = io->port(worker).receive(pool, burst);
    total += count;
    std::map<Frame, int> seen;
    for (Packet* packet : std::span{burst}.first(count)) {
      ++seen[Frame(packet->frame().begin(), packet->frame().end())];
      pool.release(packet);
    }
    EXPECT_GE(count, 20U) << "worker " << worker << " has hardly anything to do";
    EXPECT_EQ(seen.contains(arp_frame()), worker == 0);
    for (const auto& [frame, times] : seen) EXPECT_EQ(times, 2);
  }
  EXPECT_EQ(total, 122U);
}

}  // namespace
}  // namespace trivet::e2e
