// The module in a whole node, in this process and in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"

extern "C" const trivet::ModuleDescriptor trivet_module_v1;

namespace {

using trivet::testkit::Bytes;
using trivet::testkit::eth;
using trivet::testkit::Harness;
using trivet::testkit::ipv4;
using trivet::testkit::payload;
using trivet::testkit::udp;

constexpr const char* config = R"(
hostname test
modules hello
interface 1 {
  name eth1
}
register interface 1
enable interface 1
)";

TEST(Hello, CountsWhatReachesItAndPassesItOn) {
  Harness node({&trivet_module_v1}, config);
  const Bytes frame = eth("02:aa:00:00:00:01", "ff:ff:ff:ff:ff:ff") / ipv4("192.0.2.2", "255.255.255.255") / udp(7, 7) /
                      payload("hello");
  node.inject(1, {frame, frame, frame});
  EXPECT_EQ(node.counter("hello", "packets"), 3U);
  EXPECT_EQ(node.drops("core", "end-of-chain"), 3U);
}

TEST(Hello, SaysSoInItsCommandAndInTheLog) {
  Harness node({&trivet_module_v1}, config);
  const auto report = node.command("show hello");
  ASSERT_EQ(report.fields.size(), 1U);
  EXPECT_EQ(report.fields[0].value, trivet::Cell{std::uint64_t{0}});
  EXPECT_THAT(node.take_log(), testing::Contains("hello: counting packets"));
}

}  // namespace
