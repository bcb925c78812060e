// Interfaces that are shared with the system: who gets which frame.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>

#include "io_bench.h"

namespace trivet::e2e {
namespace {

class IoShared : public testing::Test {
 protected:
  void SetUp() override {
    TRIVET_NEEDS_LAB();
    lab_.add_namespace("node");
    lab_.add_namespace("far");
  }
  void TearDown() override {
    if (io_ == nullptr) return;
    const InNamespace inside{lab_.full_name("node")};
    io_.reset();
  }

  void take(const std::string& interface, const std::string& access, const core::Claims& claims,
            const std::vector<MacAddress>& macs = {}) {
    const InNamespace inside{lab_.full_name("node")};
    backend_ = core::make_af_packet_backend({});
    auto opened = backend_->open({.number = 1, .name = interface, .access = access, .passthrough = true}, 1);
    ASSERT_TRUE(opened) << opened.error().text;
    io_ = std::move(*opened);
    io_->set_mac_filter(macs);
    io_->set_claims(claims);
  }
  // What has come in of `wanted`, in the order in which it came, waiting until that is all of it.
  std::vector<Frame> receive(const std::vector<Frame>& wanted) {
    std::array<Packet*, 64> burst{};
    std::vector<Frame> ours;
    static_cast<void>(wait_for([&] {
      const std::size_t count = io_->port(0).receive(pool_, burst);
      for (Packet* packet : std::span{burst}.first(count)) {
        const Frame frame{packet->frame().begin(), packet->frame().end()};
        if (std::ranges::find(wanted, frame) != wanted.end()) ours.push_back(frame);
        pool_.release(packet);
      }
      return ours.size() >= wanted.size();
    }));
    return ours;
  }
  [[nodiscard]] MacAddress mac_of(const std::string& interface) const {
    const std::string text = lab_.run("node", "cat /sys/class/net/" + interface + "/address");
    return parse_mac(text.substr(0, text.find('\n'))).value_or(MacAddress{});
  }

  Lab lab_;
  core::PacketPool pool_;
  std::unique_ptr<core::IoBackend> backend_;
  std::unique_ptr<core::InterfaceIo> io_;
};

constexpr Ipv4Address target{{10, 77, 0, 7}};

Frame from_target(const MacAddress& to, std::uint8_t mark) {
  constexpr std::size_t source_at = 14 + 12;
  Frame frame = udp_frame("10.78.0.9", 100, mark);
  std::ranges::copy(to.bytes, frame.begin());
  std::ranges::copy(target.bytes, frame.begin() + source_at);
  return frame;
}

// "Through this node" is what was sent to it: a container with a MAC of its own keeps what is sent to that.
TEST_F(IoShared, OnlyWhatTargetsSendToTheNodesMacsIsTakenByAfXdp) {
  lab_.add_cable("node", "n0", "far", "f0");
  lab_.run("node", "ip link add link n0 name m0 type macvlan mode bridge && ip link set m0 up");
  const MacAddress virtual_mac{{0, 0, 0x5e, 0, 1, 7}};
  take("n0", "xdp", {.destinations = {}, .sources = {target}, .routes = false}, {virtual_mac});
  const FarEnd far{lab_, "far", "f0"};
  const FarEnd container{lab_, "node", "m0"};

  const Frame to_container = from_target(mac_of("m0"), 1);
  far.send(to_container);
  EXPECT_EQ(container.receive(), to_container);
  const std::vector<Frame> to_node{from_target(mac_of("n0"), 2), from_target(virtual_mac, 3)};
  for (const Frame& frame : to_node) far.send(frame);
  EXPECT_EQ(receive(to_node), to_node);
}

}  // namespace
}  // namespace trivet::e2e
