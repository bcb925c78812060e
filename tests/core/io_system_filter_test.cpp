// The filter of shared interfaces, run as the kernel does: loads count from the frame's start and must lie within it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/io/system_filter.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::core {
namespace {

using testkit::eth;
using testkit::payload;
using testkit::udp;

using Frame = std::vector<std::uint8_t>;

const MacAddress node{{2, 0, 0, 0, 0, 1}};
const MacAddress peer{{2, 0, 0, 0, 0, 9}};

class SystemFilter : public testing::Test {
 protected:
  // Whether the program lets the frame in; none: it does what no program may.
  static std::optional<bool> run(const std::vector<sock_filter>& code, const Frame& frame,
                                 std::uint8_t kind = PACKET_HOST) {
    std::uint32_t loaded = 0;
    for (std::size_t at = 0; at < code.size(); ++at) {
      const sock_filter& step = code[at];
      switch (step.code) {
        case BPF_LD | BPF_W | BPF_ABS:
          if (step.k == static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)) {
            loaded = kind;
          } else if (step.k == static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL)) {
            loaded = (std::uint32_t{frame[12]} << 8U) | frame[13];
          } else if (static_cast<std::int32_t>(step.k) < 0) {
            return std::nullopt;  // SKF_NET_OFF: the first part of a buffer only
          } else if (step.k + 4 > frame.size()) {
            return false;
          } else {
            const std::uint8_t* const bytes = frame.data() + step.k;
            loaded = (std::uint32_t{bytes[0]} << 24U) | (std::uint32_t{bytes[1]} << 16U) |
                     (std::uint32_t{bytes[2]} << 8U) | bytes[3];
          }
          break;
        case BPF_JMP | BPF_JEQ | BPF_K:
          at += loaded == step.k ? step.jt : step.jf;
          break;
        case BPF_JMP | BPF_JA:
          at += step.k;
          break;
        case BPF_RET | BPF_K:
          return step.k != 0;
        default:
          return std::nullopt;
      }
    }
    return std::nullopt;
  }
  static Frame to4(const char* address) {
    return eth(peer, node) / testkit::ipv4("10.0.0.9", address) / udp(1, 2) / payload("abcdefghijklmnop");
  }
  static Frame to6(const char* address) {
    return eth(peer, node) / testkit::ipv6("2001:db8::9", address) / udp(1, 2) / payload("abcdefghijklmnop");
  }
};

TEST_F(SystemFilter, LeavesOutWhatIsForTheSystem) {
  const auto code = make_system_filter(
      {*parse_ipv4("10.0.0.5"), *parse_ipv4("10.0.0.6"), *parse_ipv6("2001:db8::5"), *parse_ipv6("2001:db8::6")});
  EXPECT_EQ(run(code, to4("10.0.0.5")), false);
  EXPECT_EQ(run(code, to4("10.0.0.6")), false);
  EXPECT_EQ(run(code, to4("10.0.0.7")), true);
  EXPECT_EQ(run(code, to6("2001:db8::5")), false);
  EXPECT_EQ(run(code, to6("2001:db8::6")), false);
  EXPECT_EQ(run(code, to6("2001:db8::7")), true);
  EXPECT_EQ(run(code, to6("2001:db8:0:1::5")), true);
  Frame question(60);
  question[12] = 8;
  question[13] = 6;
  const auto ask = [&question](std::uint8_t host) {
    const std::uint8_t target[] = {10, 0, 0, host};
    std::copy(std::begin(target), std::end(target), question.begin() + 14 + 24);
    return question;
  };
  EXPECT_EQ(run(code, ask(6)), false);
  EXPECT_EQ(run(code, ask(7)), true);
  question[13] = 0x99;
  EXPECT_EQ(run(code, ask(6)), true) << "neither IP nor ARP";
  EXPECT_EQ(run(code, to4("10.0.0.7"), PACKET_OUTGOING), false);
  EXPECT_EQ(run(code, to4("10.0.0.7"), PACKET_BROADCAST), true);
}

TEST_F(SystemFilter, KnowsSoManyAddressesAsItSaysAndStaysWithinTheKernelsLimit) {
  std::vector<IpAddress> system;
  for (std::uint8_t host = 1; host <= max_system_addresses + 6; ++host) {
    system.emplace_back(Ipv4Address{{10, 0, 1, host}});
    Ipv6Address address = *parse_ipv6("2001:db8::");
    address.bytes[15] = host;
    system.emplace_back(address);
  }
  const auto code = make_system_filter(system);
  EXPECT_LE(code.size(), std::size_t{BPF_MAXINSNS});
  EXPECT_EQ(run(code, to4("10.0.1.1")), false);
  EXPECT_EQ(run(code, to4("10.0.1.64")), false);
  EXPECT_EQ(run(code, to4("10.0.1.65")), true);
  EXPECT_EQ(run(code, to6("2001:db8::40")), false);
  EXPECT_EQ(run(code, to6("2001:db8::41")), true);
}

TEST_F(SystemFilter, WithoutAddressesLetsAllIn) {
  const auto code = make_system_filter({});
  EXPECT_EQ(run(code, to4("10.0.0.5")), true);
  EXPECT_EQ(run(code, to6("2001:db8::5")), true);
}

}  // namespace
}  // namespace trivet::core
