// Link state at once, and what becomes of an interface that goes while it is taken.
#include <gmock/gmock.h>
#include <poll.h>

#include <algorithm>

#include "io_bench.h"

namespace trivet::e2e {
namespace {

using testing::Contains;

class IoLinks : public testing::Test {
 protected:
  void SetUp() override {
    TRIVET_NEEDS_LAB();
    lab_.add_namespace("node");
    lab_.add_namespace("far");
    lab_.add_cable("node", "n0", "far", "f0");
    const InNamespace inside{lab_.full_name("node")};
    backend_ = core::make_af_packet_backend({});
    backend_->on_link_change([this](const std::string& name) { events_.push_back(name); });
  }

  // Until the condition holds for the link after an event about it, as a node would see it.
  bool after_event(const std::string& name, const std::function<bool(const core::LinkInfo&)>& condition) {
    return wait_for(
        [&] {
          pollfd wanted{backend_->watch_fd(), POLLIN, 0};
          ::poll(&wanted, 1, 10);
          backend_->process_link_events();
          return std::ranges::count(events_, name) > 0 && condition(backend_->link(name));
        },
        std::chrono::milliseconds{900});
  }
  static bool is_up(const core::LinkInfo& link) { return link.carrier; }
  static bool is_down(const core::LinkInfo& link) { return link.exists && !link.carrier; }
  static bool is_gone(const core::LinkInfo& link) { return !link.exists && !link.carrier; }

  Lab lab_;
  std::unique_ptr<core::IoBackend> backend_;
  std::vector<std::string> events_;
};

// By both ways to read and send.
class IoTakenLinks : public IoLinks, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Access, IoTakenLinks, testing::Values("raw", "xdp"),
                         [](const auto& parameter) { return std::string{parameter.param}; });

TEST_F(IoLinks, TheStateOfALinkIsTold) {
  lab_.run("node", "ip link set n0 address 02:11:22:33:44:55 mtu 1400");
  const core::LinkInfo link = backend_->link("n0");
  EXPECT_TRUE(link.exists);
  EXPECT_TRUE(link.carrier);
  EXPECT_EQ(to_string(link.mac), "02:11:22:33:44:55");
  EXPECT_EQ(link.mtu, 1400U);
  EXPECT_FALSE(backend_->link("n1").exists);
  EXPECT_FALSE(backend_->link("a-name-that-is-far-too-long-for-an-interface").exists);
}

TEST_F(IoLinks, ALostCarrierIsToldAtOnceAndSoIsItsReturn) {
  ASSERT_TRUE(backend_->link("n0").carrier);
  lab_.run("far", "ip link set f0 down");
  EXPECT_TRUE(after_event("n0", is_down));
  events_.clear();
  lab_.run("far", "ip link set f0 up");
  EXPECT_TRUE(after_event("n0", is_up));
  events_.clear();
  lab_.run("node", "ip link set n0 down");
  EXPECT_TRUE(after_event("n0", is_down));
}

TEST_F(IoLinks, NewMtuAndMacAreEvents) {
  lab_.run("node", "ip link set n0 mtu 1300");
  EXPECT_TRUE(after_event("n0", [](const core::LinkInfo& link) { return link.mtu == 1300; }));
  events_.clear();
  lab_.run("node", "ip link set n0 address 02:00:00:00:00:77");
  EXPECT_TRUE(after_event("n0", [](const core::LinkInfo& link) { return link.mac.bytes[5] == 0x77; }));
}

TEST_F(IoLinks, ARenamedInterfaceGoesUnderOneNameAndComesUnderTheOther) {
  lab_.run("node", "ip link set n0 down && ip link set n0 name n9 && ip link set n9 up");
  EXPECT_TRUE(after_event("n0", is_gone));
  EXPECT_TRUE(after_event("n9", is_up));
}

TEST_F(IoLinks, ARecreatedInterfaceIsAnotherOne) {
  const std::uint32_t former = backend_->link("n0").index;
  lab_.run("node", "ip link del n0");
  EXPECT_TRUE(after_event("n0", is_gone));
  events_.clear();
  lab_.add_cable("node", "n0", "far", "f0");
  EXPECT_TRUE(after_event("n0", is_up));
  EXPECT_NE(backend_->link("n0").index, former);
}

TEST_F(IoLinks, LostEventsLeadToReadingEverythingAnew) {
  // More events than the socket holds, while nobody reads.
  lab_.run("node", "for i in $(seq 1 400); do echo link set n0 mtu $((1300 + i % 2)); done | ip -batch -");
  lab_.run("node", "for i in $(seq 1 40); do echo link add name d$i type veth peer name e$i; done | ip -batch -");
  lab_.run("far", "ip link set f0 down");
  EXPECT_TRUE(after_event("n0", is_down));
  EXPECT_THAT(events_, Contains("d40"));
}

TEST_P(IoTakenLinks, ATakenInterfaceThatWentDownWorksAgainWhenItIsUp) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  const Frame frame = udp_frame("10.77.0.9", 30);
  lab_.run("node", "ip link set n0 down");
  EXPECT_TRUE(after_event("n0", is_down));
  EXPECT_TRUE(node.receive(0).empty());
  node.send({frame});
  EXPECT_TRUE(node.io().alive());
  lab_.run("node", "ip link set n0 up");
  ASSERT_TRUE(wait_for([&] { return backend_->link("n0").carrier; }));
  const FarEnd far{lab_, "far", "f0"};
  far.send(frame);
  far.send(arp_frame());
  EXPECT_EQ(node.receive(2).size(), 2U);
  node.send({frame});
  EXPECT_EQ(far.receive(), frame);
  EXPECT_GT(node.port().counters().tx_dropped, 0U);
}

TEST_P(IoTakenLinks, AnInterfaceThatDisappearsIsQuietAndItsSuccessorCanBeTaken) {
  Taken node{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(node.ok()) << node.problem();
  lab_.run("node", "ip link del n0");
  EXPECT_TRUE(after_event("n0", is_gone));
  EXPECT_FALSE(node.io().alive());
  EXPECT_TRUE(node.receive(0).empty());
  node.send({udp_frame("10.77.0.9", 30)});
  // Nothing keeps waking the worker.
  const auto asleep = [&] {
    static_cast<void>(node.receive(0));
    std::vector<pollfd> fds;
    for (const int fd : node.port().poll_fds()) fds.push_back({fd, POLLIN, 0});
    return ::poll(fds.data(), fds.size(), 0) == 0;
  };
  EXPECT_TRUE(wait_for(asleep));
  lab_.add_cable("node", "n0", "far", "f0");
  EXPECT_FALSE(node.io().alive());
  Taken successor{lab_, "node", "n0", GetParam()};
  ASSERT_TRUE(successor.ok()) << successor.problem();
  const FarEnd far{lab_, "far", "f0"};
  far.send(arp_frame());
  EXPECT_EQ(successor.receive(1).size(), 1U);
}

}  // namespace
}  // namespace trivet::e2e
