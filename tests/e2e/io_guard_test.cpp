// The kernel is off a taken interface, and has it back as it was afterwards, however the process ended.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <sstream>

#include "io_bench.h"

namespace trivet::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class IoGuard : public testing::Test {
 protected:
  void SetUp() override {
    TRIVET_NEEDS_LAB();
    lab_.add_namespace("node");
    lab_.add_namespace("far");
    lab_.add_cable("node", "n0", "far", "f0");
  }

  void give_addresses() {
    lab_.run("node", "sysctl -qw net.ipv6.conf.n0.disable_ipv6=0");
    lab_.run("node", "ip addr add 10.77.0.1/24 brd + dev n0 && ip addr add 10.77.0.3/24 dev n0");
    lab_.run("node", "ip addr add 2001:db8:77::1/64 dev n0 nodad");
    lab_.run("node", "ip route add default via 10.77.0.254 && ip route add 2001:db8:88::/48 via 2001:db8:77::fe");
    wait_until_link_local();
  }
  void wait_until_link_local() {
    ASSERT_TRUE(wait_for([&] {
      const std::string text = lab_.run("node", "ip -6 addr show dev n0 scope link");
      return text.find("fe80::") != std::string::npos && text.find("tentative") == std::string::npos;
    }));
  }

  // All that the guard may touch. Sorted: the kernel's order of addresses is not what is restored.
  std::string state() const {
    return lab_.run("node",
                    "ip -o addr show dev n0 | sed 's/^[0-9]*: //' | sort; ip route | sort; ip -6 route | sort;"
                    "ip -o link show dev n0 | grep -o '<.*>'; cat /proc/sys/net/ipv6/conf/n0/disable_ipv6 "
                    "/proc/sys/net/ipv4/conf/n0/arp_ignore /proc/sys/net/ipv4/conf/n0/forwarding; nft list tables");
  }
  // Takes the interface in a process of its own, which then waits to be killed.
  pid_t take_in_process(Taken::Addresses addresses) {
    const pid_t process = lab_.start("node", [this, addresses] {
      Taken node{lab_, "node", "n0", addresses};
      if (!node.ok()) return 1;
      lab_.run("node", "touch /tmp/" + lab_.full_name("taken"));
      ::pause();
      return 0;
    });
    EXPECT_TRUE(wait_for([&] { return ::access(("/tmp/" + lab_.full_name("taken")).c_str(), F_OK) == 0; }));
    ::unlink(("/tmp/" + lab_.full_name("taken")).c_str());
    return process;
  }

  Lab lab_;
};

TEST_F(IoGuard, AnInterfaceWithAddressesIsRefusedWithASentenceThatNamesThemAndTheOption) {
  lab_.run("node", "ip addr add 10.77.0.1/24 dev n0");
  const std::string before = state();
  const Taken node{lab_, "node", "n0"};
  EXPECT_THAT(node.problem(), AllOf(HasSubstr("n0"), HasSubstr("10.77.0.1/24"), HasSubstr("--take")));
  EXPECT_EQ(state(), before);
}

TEST_F(IoGuard, AnInterfaceWithAGlobalIpv6AddressIsRefused) {
  lab_.run("node", "sysctl -qw net.ipv6.conf.n0.disable_ipv6=0; ip addr add 2001:db8:77::1/64 dev n0 nodad");
  const Taken node{lab_, "node", "n0"};
  EXPECT_THAT(node.problem(), AllOf(HasSubstr("2001:db8:77::1/64"), HasSubstr("--take")));
}

TEST_F(IoGuard, ALinkLocalAddressAloneIsNoReasonToRefuse) {
  lab_.run("node", "sysctl -qw net.ipv6.conf.n0.disable_ipv6=0");
  wait_until_link_local();
  const std::string before = state();
  {
    Taken node{lab_, "node", "n0"};
    ASSERT_TRUE(node.ok()) << node.problem();
    EXPECT_THAT(lab_.run("node", "ip -o addr show dev n0"), IsEmpty());
  }
  wait_until_link_local();
  EXPECT_TRUE(wait_for([&] { return state() == before; })) << state() << "was\n" << before;
}

TEST_F(IoGuard, WithTakeAddressesAndRoutesComeBackAfterwards) {
  give_addresses();
  lab_.run("node", "sysctl -qw net.ipv4.ip_forward=1");
  const std::string before = state();
  {
    Taken node{lab_, "node", "n0", Taken::Addresses::take};
    ASSERT_TRUE(node.ok()) << node.problem();
    EXPECT_THAT(lab_.run("node", "ip -o addr show dev n0; ip route; ip -6 route"), IsEmpty());
    EXPECT_THAT(lab_.run("node", "ip link show dev n0"), AllOf(HasSubstr("NOARP"), HasSubstr("UP")));
    EXPECT_EQ(lab_.run("node", "cat /proc/sys/net/ipv4/conf/n0/forwarding"), "0\n");
    EXPECT_THAT(lab_.run("node", "nft list ruleset"), HasSubstr("policy drop"));
  }
  EXPECT_TRUE(wait_for([&] { return state() == before; })) << state() << "was\n" << before;
}

TEST_F(IoGuard, EverythingComesBackAfterKillMinusNine) {
  give_addresses();
  const std::string before = state();
  const pid_t process = take_in_process(Taken::Addresses::take);
  EXPECT_NE(state(), before);
  lab_.stop(process, SIGKILL);
  EXPECT_TRUE(wait_for([&] { return state() == before; })) << state() << "was\n" << before;
}

TEST_F(IoGuard, AnInterfaceThatWasDownIsBroughtUpAndDownAgain) {
  lab_.run("node", "ip link set n0 down");
  const std::string before = state();
  {
    Taken node{lab_, "node", "n0"};
    ASSERT_TRUE(node.ok()) << node.problem();
    EXPECT_TRUE(wait_for([&] { return node.backend().link("n0").mtu == 1500; }));
    EXPECT_THAT(lab_.run("node", "ip link show dev n0"), HasSubstr("LOWER_UP"));
  }
  EXPECT_EQ(state(), before);
}

TEST_F(IoGuard, ASecondProcessIsRefusedAndMayTakeItAfterwards) {
  const pid_t process = take_in_process(Taken::Addresses::refuse);
  const Taken early{lab_, "node", "n0"};
  EXPECT_THAT(early.problem(), AllOf(HasSubstr("n0"), HasSubstr("another process")));
  lab_.stop(process, SIGKILL);
  EXPECT_TRUE(wait_for([&] { return Taken{lab_, "node", "n0"}.ok(); }));
}

TEST_F(IoGuard, AnInterfaceCanBeTakenAgainAtOnce) {
  for (int round = 0; round < 5; ++round) {
    const Taken node{lab_, "node", "n0"};
    ASSERT_TRUE(node.ok()) << node.problem();
  }
}

// Asks for an answer in every way that a kernel with the address 10.77.0.1 and IPv6 would give one.
void poke(const FarEnd& far) {
  Frame arp = arp_frame();  // who has 10.77.0.1, says 10.77.0.2
  const std::uint8_t request[] = {0,  1,  8, 0, 6, 4, 0, 1, 2, 0, 0,  0,  0, 11,
                                  10, 77, 0, 2, 0, 0, 0, 0, 0, 0, 10, 77, 0, 1};
  std::ranges::copy(request, arp.begin() + sizeof(wire::EthernetHeader));
  std::fill_n(arp.begin(), 6, std::uint8_t{0xff});
  for (int i = 0; i < 3; ++i) {
    far.send(arp);
    far.send(udp_frame("10.77.0.1", 20));  // nobody listens: port unreachable
    far.send(udp_frame("192.0.2.1", 20));  // to be forwarded, or unreachable
    far.send(ipv4_frame(1, "10.77.0.1"));
    far.send(udp6_frame("2001:db8:77::1", 20));
  }
}

TEST_F(IoGuard, TheKernelSaysNothingOnATakenInterface) {
  lab_.run("node", "ip link set n0 address 02:00:00:00:00:0a && sysctl -qw net.ipv6.conf.n0.disable_ipv6=0");
  lab_.run("node", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  lab_.run("node", "ip addr add 10.77.0.1/24 dev n0 && ip addr add 2001:db8:77::1/64 dev n0 nodad");
  const auto count = [&](const std::string& what) {
    return std::stoul(lab_.run("node", "cat /sys/class/net/n0/statistics/" + what + "_packets"));
  };
  const FarEnd far{lab_, "far", "f0"};
  const unsigned long untaken = count("tx");
  poke(far);
  ASSERT_TRUE(wait_for([&] { return count("tx") >= untaken + 3; })) << "these frames do not provoke a kernel";

  Taken node{lab_, "node", "n0", Taken::Addresses::take};
  ASSERT_TRUE(node.ok()) << node.problem();
  const unsigned long sent = count("tx");
  poke(far);
  lab_.run("far", "ip link set f0 down && ip link set f0 up");
  EXPECT_EQ(node.receive(15).size(), 15U);
  poke(FarEnd{lab_, "far", "f0"});  // the first one has an error from the moment when its interface was down
  EXPECT_EQ(node.receive(15).size(), 15U);
  EXPECT_EQ(count("tx"), sent);
}

TEST_F(IoGuard, WhatCannotBeTakenIsRefusedWithASentence) {
  EXPECT_EQ((Taken{lab_, "node", "n7"}).problem(), "there is no interface n7");
  EXPECT_EQ((Taken{lab_, "node", "lo", Taken::Addresses::take}).problem(), "interface lo is not an Ethernet interface");
  lab_.run("node", "ip link add name br0 type bridge && ip link set n0 master br0");
  EXPECT_THAT((Taken{lab_, "node", "n0"}).problem(), AllOf(HasSubstr("n0"), HasSubstr("bridge")));
}

TEST_F(IoGuard, TheWatcherHoldsNothingOpenAndLeavesWithItsParent) {
  {
    Taken node{lab_, "node", "n0"};
    ASSERT_TRUE(node.ok()) << node.problem();
    const std::string fds = lab_.run("node",
                                     "for p in $(pgrep -x trivet-restore); do "
                                     "if [ \"$(ip netns identify $p 2>/dev/null)\" = " +
                                         lab_.full_name("node") + " ]; then ls /proc/$p/fd; fi; done");
    EXPECT_EQ(fds, "0\n1\n");
  }
  EXPECT_THAT(
      lab_.run("node", "ip netns pids " + lab_.full_name("node") + " | xargs -r ps -o comm= -p | grep trivet || true"),
      IsEmpty());
}

TEST_F(IoGuard, TheSocketsOfOneInterfaceCloseThoughTheWatcherOfAnotherWasMadeAfterwards) {
  lab_.add_cable("node", "n1", "far", "f1");
  const std::string index = lab_.run("node", "tr -d '\\n' < /sys/class/net/n0/ifindex");
  const auto sockets = [&] {
    const std::string lines = lab_.run("node", "cat /proc/net/packet");
    std::istringstream text{lines};
    int count = 0;
    for (std::string line; std::getline(text, line);) {
      std::istringstream words{line};
      std::vector<std::string> fields{std::istream_iterator<std::string>{words}, {}};
      if (fields.size() > 4 && fields[4] == index) ++count;
    }
    return count;
  };
  std::optional<Taken> first{std::in_place, lab_, "node", "n0"};
  ASSERT_TRUE(first->ok()) << first->problem();
  EXPECT_TRUE(wait_for([&] { return sockets() > 0; }));
  const Taken second{lab_, "node", "n1"};
  ASSERT_TRUE(second.ok()) << second.problem();
  first.reset();
  EXPECT_TRUE(wait_for([&] { return sockets() == 0; }));
}

}  // namespace
}  // namespace trivet::e2e
