#include "arp/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arp/module.h"
#include "trivet/testkit/harness.h"

namespace trivet::arp {
namespace {

using testing::HasSubstr;

SectionView section(std::string name, std::uint32_t index, std::vector<ParameterView> parameters) {
  SectionView view;
  view.section = std::move(name);
  view.index = index;
  view.parameters = std::move(parameters);
  return view;
}

ConfigView settings(std::vector<ParameterView> parameters) {
  ConfigView view;
  view.objects.push_back(section("set", 0, std::move(parameters)));
  return view;
}

TEST(ArpConfig, HasDefaults) {
  const Config config = parse_config(settings({}));
  EXPECT_EQ(config.refresh, std::chrono::seconds(2));
  EXPECT_EQ(config.cache_entries, 8192U);
}

TEST(ArpConfig, ReadsItsKeys) {
  const Config config = parse_config(settings({{"arprefresh", {{0.5}}, {}}, {"arpcache", {{std::int64_t{100}}}, {}}}));
  EXPECT_EQ(config.refresh, std::chrono::milliseconds(500));
  EXPECT_EQ(config.cache_entries, 100U);
  EXPECT_FALSE(config == Config{});
}

TEST(ArpConfig, KnowsTheNeighboursThatTheConfigurationNames) {
  ConfigView view = settings({});
  const Ipv4Address router{{10, 0, 0, 254}};
  const Ipv6Address target{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}};
  view.objects.push_back(section("gateway", 0, {{"ipaddr", {{router}}, {}}}));
  view.objects.push_back(section("target", 1, {{"ipaddr6", {{target}}, {}}}));
  view.objects.push_back(section("server", 1, {{"ipaddr", {{Ipv4Address{{10, 0, 0, 4}}}}, {}}}));
  EXPECT_EQ(parse_config(view).neighbors, (std::set<IpAddress>{router, target}));
}

TEST(ArpConfig, ValuesOutOfRangeAreRefusedWithTheRange) {
  testkit::Harness node({&descriptor}, "hostname A\nmodules arp\n");
  for (const char* line :
       {"set arprefresh 3601\n", "set arpcache 63\n", "set arpcache 65537\n", "set arprefresh x\n"}) {
    const Problems problems = node.reload(std::string("hostname A\nmodules arp\n") + line);
    EXPECT_TRUE(problems.has_errors()) << line;
  }
  EXPECT_FALSE(node.reload("hostname A\nmodules arp\nset arprefresh 0\nset arpcache 64\n").has_errors());
}

}  // namespace
}  // namespace trivet::arp
