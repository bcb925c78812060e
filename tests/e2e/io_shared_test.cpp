// Interfaces that are shared with the system: who gets which frame.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "core/io/ethtool.h"
#include "core/io/file_descriptor.h"
#include "io_bench.h"

namespace trivet::e2e {
namespace {

using testing::UnorderedElementsAre;

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

// Drivers that receive into pages may leave no more than the Ethernet header in the first part of a buffer. Kernels
// differ in what filters can read then; see io_system_filter_test.cpp for what holds with all.
TEST_F(IoShared, FramesInPagesAreSeenLikeOthers) {
  core::FileDescriptor tap;
  {
    const InNamespace inside{lab_.full_name("node")};
    tap = core::FileDescriptor{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
    ifreq request{};
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_NAPI | IFF_NAPI_FRAGS;
    std::strcpy(request.ifr_name, "n0");
    if (!tap.valid() || ::ioctl(tap.get(), TUNSETIFF, &request) != 0) {
      TRIVET_CANNOT_RUN(std::string{"no tap: "} + std::strerror(errno));
    }
  }
  lab_.run("node", "ip address add 10.77.0.5/24 dev n0 && ip link set n0 up && ethtool -K n0 gro off");
  const Ipv4Address service{{10, 77, 0, 80}};
  take("n0", "raw", {.destinations = {service}, .sources = {}, .routes = false});
  const auto send = [&](Frame frame) {
    constexpr std::size_t ethernet_bytes = 14;
    iovec parts[2] = {{frame.data(), ethernet_bytes}, {frame.data() + ethernet_bytes, frame.size() - ethernet_bytes}};
    EXPECT_EQ(::writev(tap.get(), parts, 2), static_cast<ssize_t>(frame.size())) << std::strerror(errno);
  };
  const Frame ours = udp_frame("10.77.0.80", 100);
  const Frame arp = arp_frame();
  const Frame ours6 = udp6_frame("2001:db8:77::80", 100);
  send(udp_frame("10.77.0.5", 100));  // the system's
  send(ours);
  send(arp);
  send(ours6);
  EXPECT_THAT(receive({ours, arp, ours6}), UnorderedElementsAre(ours, arp, ours6));
  EXPECT_EQ(io_->port(0).counters().rx_frames, 3U) << "what is the system's does not come in";
}

TEST_F(IoShared, AFeatureIsOnOrOffAsEthtoolSays) {
  lab_.add_cable("node", "n0", "far", "f0");
  const InNamespace inside{lab_.full_name("node")};
  EXPECT_TRUE(core::has_feature("n0", "tx-tcp-segmentation"));
  lab_.run("node", "ethtool -K n0 tso off");
  EXPECT_FALSE(core::has_feature("n0", "tx-tcp-segmentation"));
  EXPECT_TRUE(core::has_feature("n0", "highdma"));
  EXPECT_NE(lab_.run("node", "ethtool -k n0").find("rx-vlan-filter: off"), std::string::npos);
  EXPECT_FALSE(core::has_feature("n0", "rx-vlan-filter"));
  EXPECT_FALSE(core::has_feature("n0", "no-such-feature"));
  EXPECT_FALSE(core::has_feature("n9", "highdma"));
}

}  // namespace
}  // namespace trivet::e2e
