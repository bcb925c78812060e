// AF_XDP on real interfaces: attaching and detaching, queues, shared memory, checksums, and when it is chosen.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <iostream>
#include <map>
#include <optional>

#include "core/io/xdp_program.h"
#include "io_bench.h"
#include "trivet/net/checksum.h"

namespace trivet::e2e {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class IoXdp : public testing::Test {
 protected:
  void SetUp() override {
    TRIVET_NEEDS_LAB();
    lab_.add_namespace("node");
    lab_.add_namespace("far");
    lab_.add_cable("node", "n0", "far", "f0");
  }

  // A program is attached, as the kernel tells.
  [[nodiscard]] bool attached(const std::string& interface = "n0") const {
    return lab_.run("node", "ip -d link show dev " + interface).find("xdp") != std::string::npos;
  }

  void expect_passing(Taken& node, const FarEnd& far) {
    const Frame frame = udp_frame("10.77.0.9", 100);
    far.send(frame);
    EXPECT_THAT(node.receive(1), ElementsAre(frame));
    node.send({frame});
    EXPECT_EQ(far.receive(), frame);
  }

  Lab lab_;
};

// --- choosing ---

TEST_F(IoXdp, AutoTakesPacketSocketsWhereThereIsNoZeroCopyAndSaysSo) {
  Taken node{lab_, "node", "n0", "auto"};
  ASSERT_TRUE(node.ok()) << node.problem();
  EXPECT_THAT(node.notes(), ElementsAre("interface 1 (n0): raw: the driver veth has no zero-copy AF_XDP"));
  EXPECT_FALSE(attached());
}

TEST_F(IoXdp, XdpTakesCopyModeWhereThereIsNoZeroCopyAndSaysSo) {
  Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  EXPECT_THAT(node.notes(), ElementsAre("interface 1 (n0): xdp: copy mode, program in the driver, 1 queue; "
                                        "the driver veth has no zero-copy AF_XDP"));
  EXPECT_TRUE(attached());
}

TEST_F(IoXdp, AnMtuThatTheDriverRefusesIsAReasonAndLeavesNothingBehind) {
  lab_.run("node", "ip link set n0 mtu 9000");
  lab_.run("far", "ip link set f0 mtu 9000");
  const Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_FALSE(node.ok());
  EXPECT_THAT(node.problem(), AllOf(HasSubstr("n0"), HasSubstr("MTU of 9000"), HasSubstr("access raw")));
  EXPECT_FALSE(attached());
  lab_.run("node", "ip link set n0 mtu 1500");
  lab_.run("far", "ip link set f0 mtu 1500");
  Taken again{lab_, "node", "n0", "xdp"};
  EXPECT_TRUE(again.ok()) << again.problem();
}

TEST_F(IoXdp, WhereTheDriverTakesNoProgramTheGenericHookServes) {
  lab_.run("node", "ip link add link n0 name m0 type macvlan mode passthru && ip link set m0 up");
  Taken node{lab_, "node", "m0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  EXPECT_THAT(node.notes(), Contains(HasSubstr("generic program (the driver takes none)")));
  const FarEnd far{lab_, "far", "f0"};
  expect_passing(node, far);
  far.send(arp_frame());
  EXPECT_THAT(node.receive(1), ElementsAre(arp_frame()));
}

TEST_F(IoXdp, AnInterfaceWithSomebodyElsesProgramIsRefusedUntilThatIsGone) {
  std::optional<core::XdpProgram> other;
  {
    const InNamespace inside{lab_.full_name("node")};
    auto attached = core::XdpProgram::attach(static_cast<int>(::if_nametoindex("n0")), 1500);
    ASSERT_TRUE(attached) << attached.error().text;
    other.emplace(std::move(*attached));
  }
  const Taken refused{lab_, "node", "n0", "xdp"};
  EXPECT_THAT(refused.problem(), HasSubstr("another XDP program is attached"));
  other.reset();
  Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  expect_passing(node, FarEnd{lab_, "far", "f0"});
}

// --- frames ---

TEST_F(IoXdp, JumboFramesPassWholeAtTheGenericHook) {
  lab_.run("far", "ip link set f0 mtu 9000");
  lab_.run("node", "ip link set n0 mtu 9000 && ip link add link n0 name m0 mtu 9000 type macvlan mode passthru");
  lab_.run("node", "ip link set m0 up");
  Taken node{lab_, "node", "m0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  // About the ends of what fits a chunk on the way in (3,840) and on the way out (4,096).
  for (const std::size_t payload : {1472U, 3797U, 3798U, 3799U, 4053U, 4054U, 4055U, 8972U}) {
    const Frame frame = udp_frame("10.77.0.9", payload, 7);
    far.send(frame);
    EXPECT_THAT(node.receive(1), ElementsAre(frame)) << payload;
    node.send({frame});
    EXPECT_EQ(far.receive(), frame) << payload;
  }
}

TEST_F(IoXdp, FramesOfALargerMtuPass) {
  lab_.run("node", "ip link set n0 mtu 3000");
  lab_.run("far", "ip link set f0 mtu 3000");
  Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  for (const std::size_t payload : {1472U, 1878U, 1879U, 1930U, 2000U, 2048U, 2500U, 2972U}) {
    const Frame frame = udp_frame("10.77.0.9", payload, 7);
    far.send(frame);
    EXPECT_THAT(node.receive(1), ElementsAre(frame)) << payload;
    node.send({frame});
    EXPECT_EQ(far.receive(), frame) << payload;
  }
}

TEST_F(IoXdp, ALongBurstGoesOutWholeAndInOrder) {
  Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  // More than the queue has chunks, so that they come back on the way.
  std::vector<Frame> frames;
  for (std::size_t i = 0; i < 3000; ++i)
    frames.push_back(udp_frame("10.77.0.9", 18 + i % 1400, static_cast<std::uint8_t>(i)));
  node.send(frames);
  for (std::size_t i = 0; i < frames.size(); ++i) ASSERT_EQ(far.receive(), frames[i]) << i;
  EXPECT_EQ(node.port().counters().tx_frames, frames.size());
  EXPECT_EQ(node.port().counters().tx_dropped, 0U);
}

TEST_F(IoXdp, WhatCouldNotBeSentWhileTheInterfaceWasDownDoesNotGoOutLater) {
  Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  lab_.run("node", "ip link set n0 down");
  for (int i = 0; i < 100; ++i) node.send({udp_frame("10.77.0.9", 30), udp_frame("10.77.0.9", 31)});
  EXPECT_EQ(node.port().counters().tx_dropped, 200U);
  EXPECT_EQ(node.port().counters().tx_frames, 0U);
  lab_.run("node", "ip link set n0 up");
  ASSERT_TRUE(wait_for([&] { return node.backend().link("n0").carrier; }));
  const FarEnd far{lab_, "far", "f0"};
  node.send({udp_frame("10.77.0.9", 77)});
  EXPECT_EQ(far.receive(), udp_frame("10.77.0.9", 77));
  EXPECT_EQ(node.port().counters().tx_frames, 1U);
}

// --- checksums ---

class IoXdpChecksum : public IoXdp, public testing::WithParamInterface<const char*> {};

// A packet whose checksum is partial reaches a socket of the kernel's: only if AF_XDP has completed it.
TEST_P(IoXdpChecksum, APartialOneIsCompletedOnTheWayOut) {
  const std::string address = GetParam();
  const bool v6 = address.find(':') != std::string::npos;
  Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  lab_.run("far", "sysctl -qw net.ipv6.conf.f0.disable_ipv6=0; ip addr add " + address +
                      (v6 ? "/64 dev f0 nodad" : "/24 dev f0"));
  lab_.run("far", "ip link set f0 address 02:00:00:00:00:0a");
  int fd = -1;
  {
    const InNamespace inside{lab_.full_name("far")};
    fd = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in at4{};
    at4.sin_family = AF_INET;
    at4.sin_port = htons(4001);
    sockaddr_in6 at6{};
    at6.sin6_family = AF_INET6;
    at6.sin6_port = htons(4001);
    ASSERT_EQ(v6 ? ::bind(fd, reinterpret_cast<const sockaddr*>(&at6), sizeof at6)
                 : ::bind(fd, reinterpret_cast<const sockaddr*>(&at4), sizeof at4),
              0);
  }
  constexpr std::size_t payload = 333;
  const Frame frame = v6 ? udp6_frame(address, payload) : udp_frame(address, payload);
  Packet* packet = node.pool().acquire(frame.size());
  std::memcpy(packet->data, frame.data(), frame.size());
  packet->length = static_cast<std::uint32_t>(frame.size());
  packet->l3_offset = sizeof(wire::EthernetHeader);
  packet->classes = v6 ? packet_class::ipv6 : packet_class::ipv4;
  packet->protocol = wire::ip_protocol::udp;
  packet->checksum = ChecksumState::partial;
  packet->checksum_start = static_cast<std::uint16_t>(packet->l3_offset + (v6 ? 40 : 20));
  packet->checksum_offset = 6;
  ChecksumSum sum;
  sum.add_pseudo_header(packet->source(), packet->destination(), packet->protocol, sizeof(wire::UdpHeader) + payload);
  const Be16 field{sum.folded()};
  std::memcpy(packet->data + packet->checksum_start + packet->checksum_offset, &field, sizeof field);
  std::array<Packet*, 1> burst{packet};
  node.port().transmit(node.pool(), burst);

  std::array<char, 2048> text{};
  ssize_t size = -1;
  EXPECT_TRUE(wait_for([&] { return (size = ::recv(fd, text.data(), text.size(), MSG_DONTWAIT)) >= 0; }));
  EXPECT_EQ(size, static_cast<ssize_t>(payload));
  ::close(fd);
}

INSTANTIATE_TEST_SUITE_P(Families, IoXdpChecksum, testing::Values("10.77.0.9", "2001:db8:77::9"),
                         [](const auto& parameter) {
                           return std::string{parameter.param}.find(':') == std::string::npos ? "ipv4" : "ipv6";
                         });

// --- life ---

TEST_F(IoXdp, TheDriverLeavesVlanTagsInTheFramesMeanwhile) {
  const auto offload = [&] { return lab_.run("node", "ethtool -k n0 | grep rx-vlan-offload"); };
  ASSERT_THAT(offload(), HasSubstr(" on"));
  {
    const Taken node{lab_, "node", "n0", "xdp"};
    ASSERT_TRUE(node.ok()) << node.problem();
    EXPECT_THAT(offload(), HasSubstr(" off"));
  }
  EXPECT_THAT(offload(), HasSubstr(" on"));
}

TEST_F(IoXdp, NothingStaysAttachedAfterAnOrderlyEnd) {
  for (int round = 0; round < 5; ++round) {
    Taken node{lab_, "node", "n0", "xdp"};
    ASSERT_TRUE(node.ok()) << round << ": " << node.problem();
    EXPECT_TRUE(attached());
    expect_passing(node, FarEnd{lab_, "far", "f0"});
  }
  EXPECT_FALSE(attached());
}

TEST_F(IoXdp, NothingStaysAttachedAfterKillNineAndASecondStartWorksAtOnce) {
  for (int round = 0; round < 3; ++round) {
    const std::string flag = "/tmp/" + lab_.full_name("xdp");
    const pid_t process = lab_.start("node", [&] {
      Taken node{lab_, "node", "n0", "xdp"};
      if (!node.ok()) return 1;
      lab_.run("node", "touch " + flag);
      ::pause();
      return 0;
    });
    ASSERT_TRUE(wait_for([&] { return ::access(flag.c_str(), F_OK) == 0; }));
    ::unlink(flag.c_str());
    EXPECT_TRUE(attached());
    lab_.stop(process, SIGKILL);
    EXPECT_TRUE(wait_for([&] {
      return lab_.run("node", "ethtool -k n0 | grep rx-vlan-offload").find(" on") != std::string::npos;
    })) << "the driver takes VLAN tags out of frames again";
    // The watcher of the killed process gives the interface back before anybody else may take it.
    std::optional<Taken> node;
    EXPECT_TRUE(wait_for([&] {
      node.emplace(lab_, "node", "n0", "xdp");
      return node->ok();
    })) << node->problem();
    expect_passing(*node, FarEnd{lab_, "far", "f0"});
    node.reset();
    EXPECT_FALSE(attached());
  }
}

TEST_F(IoXdp, AnIdleInterfaceWakesNobody) {
  Taken node{lab_, "node", "n0", "xdp"};
  ASSERT_TRUE(node.ok()) << node.problem();
  const FarEnd far{lab_, "far", "f0"};
  expect_passing(node, far);
  std::vector<pollfd> fds;
  for (const int fd : node.port().poll_fds()) fds.push_back({fd, POLLIN, 0});
  int wakeups = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds{500};
  while (std::chrono::steady_clock::now() < end) {
    if (::poll(fds.data(), fds.size(), 100) > 0) ++wakeups;
    static_cast<void>(node.receive(0));
  }
  std::cout << "wake-ups within an idle half second: " << wakeups << '\n';
  EXPECT_LE(wakeups, 3);
  // And it is not deaf.
  far.send(udp_frame("10.77.0.9", 20));
  EXPECT_GT(::poll(fds.data(), fds.size(), 5000), 0);
}

TEST_F(IoXdp, InterfacesShareMemoryAndAnyOfThemMayGoFirst) {
  lab_.add_cable("node", "n1", "far", "f1");
  lab_.add_cable("node", "n2", "far", "f2");
  std::unique_ptr<core::IoBackend> backend;
  std::map<std::string, std::unique_ptr<core::InterfaceIo>> taken;
  core::PacketPool pool;
  const auto take = [&](const std::string& name) {
    const InNamespace inside{lab_.full_name("node")};
    if (backend == nullptr) backend = core::make_af_packet_backend({});
    auto opened = backend->open({.number = 1, .name = name, .access = "xdp"}, 1);
    ASSERT_TRUE(opened) << name << ": " << opened.error().text;
    taken[name] = std::move(*opened);
  };
  const auto expect_both_ways = [&](const std::string& name, std::uint8_t mark) {
    const FarEnd far{lab_, "far", "f" + name.substr(1)};
    const Frame frame = udp_frame("10.77.0.9", 200, mark);
    far.send(frame);
    std::array<Packet*, 64> burst{};
    std::size_t count = 0;
    EXPECT_TRUE(wait_for([&] { return (count = taken[name]->port(0).receive(pool, burst)) != 0; })) << name;
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(Frame(burst[i]->frame().begin(), burst[i]->frame().end()), frame) << name;
    }
    taken[name]->port(0).transmit(pool, std::span{burst}.first(count));
    EXPECT_EQ(far.receive(), frame) << name;
  };
  take("n0");  // registers the memory
  take("n1");
  expect_both_ways("n0", 1);
  expect_both_ways("n1", 2);
  // An orderly end of the first, and its return, while the other goes on.
  taken.erase("n0");
  expect_both_ways("n1", 3);
  take("n0");
  expect_both_ways("n0", 4);
  expect_both_ways("n1", 5);
  // The one that all have in common disappears; another one joins.
  lab_.run("node", "ip link del n1");
  take("n2");
  expect_both_ways("n0", 6);
  expect_both_ways("n2", 7);
  // All of them are gone while their objects still live: new memory.
  lab_.run("node", "ip link del n0 && ip link del n2");
  lab_.add_cable("node", "n3", "far", "f3");
  take("n3");
  expect_both_ways("n3", 8);
  const InNamespace inside{lab_.full_name("node")};
  taken.clear();
  backend.reset();
}

TEST_F(IoXdp, SeveralQueuesAreDealtToTheWorkers) {
  lab_.run("node",
           "ip link add name q0 numtxqueues 3 numrxqueues 3 type veth peer name g0 numtxqueues 3 numrxqueues 3 netns " +
               lab_.full_name("far"));
  lab_.run("node", "ethtool -L q0 rx 3 tx 3 && ip link set q0 up");
  lab_.run("far", "ethtool -L g0 rx 3 tx 3 && ip link set g0 up");
  std::vector<std::string> notes;
  core::AfPacketOptions options;
  options.note = [&](const std::string& text) { notes.push_back(text); };
  std::unique_ptr<core::IoBackend> backend;
  std::unique_ptr<core::InterfaceIo> io;
  {
    const InNamespace inside{lab_.full_name("node")};
    backend = core::make_af_packet_backend(std::move(options));
    auto opened = backend->open({.number = 1, .name = "q0", .access = "xdp", .threads = 2}, 2);
    ASSERT_TRUE(opened) << opened.error().text;
    io = std::move(*opened);
  }
  EXPECT_THAT(notes, Contains(HasSubstr("3 queues")));
  const FarEnd far{lab_, "far", "g0"};
  for (int host = 1; host <= 200; ++host) far.send(udp_frame("10.77.1." + std::to_string(host), 18));
  far.send(arp_frame());
  core::PacketPool pool;
  std::array<Packet*, 256> burst{};
  std::array<std::size_t, 2> counts{};
  EXPECT_TRUE(wait_for([&] {
    for (std::size_t worker = 0; worker < 2; ++worker) {
      const std::size_t count = io->port(worker).receive(pool, burst);
      for (Packet* packet : std::span{burst}.first(count)) {
        EXPECT_TRUE(worker == 0 || packet->ethernet().type.value() != wire::ether_type::arp);
        pool.release(packet);
      }
      counts[worker] += count;
    }
    return counts[0] + counts[1] == 201;
  }));
  std::cout << "frames by worker: " << counts[0] << ", " << counts[1] << '\n';
  EXPECT_GT(counts[0], 1U);
  EXPECT_GT(counts[1], 0U);
  // Each worker sends by a queue of its own.
  for (std::size_t worker = 0; worker < 2; ++worker) {
    Packet* packet = pool.acquire(100);
    const Frame frame = udp_frame("10.77.0.9", 50, static_cast<std::uint8_t>(worker));
    std::memcpy(packet->data, frame.data(), frame.size());
    packet->length = static_cast<std::uint32_t>(frame.size());
    std::array<Packet*, 1> one{packet};
    io->port(worker).transmit(pool, one);
    EXPECT_EQ(far.receive(), frame);
    EXPECT_EQ(io->port(worker).counters().tx_frames, 1U);
  }
  const InNamespace inside{lab_.full_name("node")};
  io.reset();
}

TEST_F(IoXdp, AWorkerWithoutAQueueSendsAllTheSame) {
  std::unique_ptr<core::IoBackend> backend;
  std::unique_ptr<core::InterfaceIo> io;
  {
    const InNamespace inside{lab_.full_name("node")};
    backend = core::make_af_packet_backend({});
    auto opened = backend->open({.number = 1, .name = "n0", .access = "xdp", .threads = 2}, 2);
    ASSERT_TRUE(opened) << opened.error().text;
    io = std::move(*opened);
  }
  const FarEnd far{lab_, "far", "f0"};
  core::PacketPool pool;
  const Frame frame = udp_frame("10.77.0.9", 50);
  Packet* packet = pool.acquire(frame.size());
  std::memcpy(packet->data, frame.data(), frame.size());
  packet->length = static_cast<std::uint32_t>(frame.size());
  std::array<Packet*, 1> one{packet};
  io->port(1).transmit(pool, one);
  EXPECT_EQ(far.receive(), frame);
  const InNamespace inside{lab_.full_name("node")};
  io.reset();
}

}  // namespace
}  // namespace trivet::e2e
