// A whole node that has said goodbye stays silent, however long the daemon goes on stepping it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "arp/module.h"
#include "hc/module.h"
#include "master/module.h"
#include "ping/module.h"
#include "rt/module.h"
#include "slb/module.h"
#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"
#include "vrrp/module.h"
#include "vrrp/wire.h"

namespace trivet::scenario {
namespace {

using std::chrono::seconds;
using testkit::Bytes;
using testkit::Harness;

std::string seed_config(const std::string& priority) {
  std::ifstream stream(std::string(TRIVET_SOURCE_DIR) + "/examples/lb1.conf");
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t at = text.find("200", text.find("priority"));
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, 3, priority);
}

constexpr InterfaceId interfaces[] = {1, 2, 3};

enum class Kind { farewell_advert, other_advert, group_report, anything_else };

Kind kind_of(const Bytes& frame) {
  const auto byte = [&](std::size_t at) { return at < frame.size() ? frame[at] : std::uint8_t{0}; };
  const bool is_v4 = byte(12) == 0x08 && byte(13) == 0x00;
  if (is_v4 && byte(23) == 112) return byte(36) == 0 ? Kind::farewell_advert : Kind::other_advert;
  if (is_v4 && byte(23) == 2) return Kind::group_report;
  // MLDv2 behind hop-by-hop options (RFC 3810 section 5.2), or MLDv1 done.
  const bool is_v6 = byte(12) == 0x86 && byte(13) == 0xdd;
  if (is_v6 && byte(20) == 0 && (byte(62) == 143 || byte(62) == 132)) return Kind::group_report;
  return Kind::anything_else;
}

class Farewell : public ::testing::TestWithParam<const char*> {};

TEST_P(Farewell, NothingLeavesAfterTheLastWords) {
  Harness node({&vrrp::descriptor, &arp::descriptor, &ping::descriptor, &hc::descriptor, &master::descriptor,
                &slb::descriptor, &rt::descriptor},
               seed_config(GetParam()));
  node.advance(seconds{30});
  ASSERT_TRUE(node.forwarding().is_master());
  for (const InterfaceId interface : interfaces) static_cast<void>(node.take_sent(interface));

  node.stop();
  // The daemon steps on until every worker has sent what it had; a slow one takes it a while, and the world goes on.
  const Bytes advert = vrrp::build_frame({64, 100, 1, {}}, {vrrp_mac(Family::ipv4, 64), testkit::ip4("10.0.0.2"), 1});
  for (int i = 0; i < 10; ++i) {
    node.inject(3, advert);
    node.inject(3, testkit::eth("02:00:00:00:00:99", "ff:ff:ff:ff:ff:ff") /
                       testkit::arp_request(testkit::mac("02:00:00:00:00:99"), "10.0.0.9", "10.0.0.1"));
    node.advance(seconds{1});
    if (i == 5) node.set_link(1, false);
  }
  for (const InterfaceId interface : interfaces) {
    int adverts = 0;
    for (const Bytes& frame : node.take_sent(interface)) {
      const Kind kind = kind_of(frame);
      adverts += kind == Kind::farewell_advert ? 1 : 0;
      EXPECT_TRUE(kind == Kind::farewell_advert || kind == Kind::group_report) << testkit::describe(frame);
    }
    EXPECT_EQ(adverts, interface == 2 ? 0 : 1) << "interface " << interface;
  }
}

// 255 is the owner of the address: it would become master again at once.
INSTANTIATE_TEST_SUITE_P(Priorities, Farewell, ::testing::Values("200", "255"));

}  // namespace
}  // namespace trivet::scenario
