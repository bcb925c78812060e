#include "vrrp/config.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include "trivet/testkit/packet_builder.h"

namespace trivet::vrrp {
namespace {

using testkit::ip4;
using namespace std::chrono_literals;

SectionView section(std::string name, std::uint32_t index = 0) {
  SectionView view;
  view.section = std::move(name);
  view.index = index;
  view.position = {"test", index + 1, 1};
  return view;
}

SectionView& put(SectionView& view, const std::string& key, ElementValue value) {
  view.parameters.push_back({key, {{std::move(value)}}, {"test", 77, 3}});
  return view;
}

// As the core hands the example pair's file over, defaults filled in.
ConfigView pair_view() {
  ConfigView view;
  SectionView settings = section("set");
  put(put(settings, "vrrppreempt", std::int64_t{1}), "vrrppreemptts", std::int64_t{8});
  SectionView eth1 = section("interface", 1);
  put(put(eth1, "name", std::string("eth1")), "trackval", std::int64_t{0});
  SectionView eth2 = section("interface", 2);
  put(put(eth2, "name", std::string("eth2")), "trackval", std::int64_t{10});
  SectionView eth3 = section("interface", 3);
  put(put(eth3, "name", std::string("eth3")), "trackval", std::int64_t{20});
  SectionView vrrp = section("vrrp");
  put(vrrp, "vrid", std::int64_t{64});
  put(vrrp, "priority", std::int64_t{200});
  put(vrrp, "network", std::int64_t{1});
  put(vrrp, "tracking", std::string("enable"));
  put(vrrp, "version", std::string("2"));
  put(vrrp, "interval", std::int64_t{1});
  put(vrrp, "mac", std::string("virtual"));
  SectionView network = section("network", 1);
  put(network, "real", ip4("10.0.0.1"));
  SectionView gateway = section("gateway");
  put(gateway, "trackval", std::int64_t{30});
  view.objects = {settings, eth1, eth2, eth3, vrrp, network, gateway};
  return view;
}

SectionView& find(ConfigView& view, const std::string& name, std::uint32_t index = 0) {
  for (SectionView& object : view.objects) {
    if (object.section == name && object.index == index) return object;
  }
  ADD_FAILURE() << name;
  return view.objects.front();
}

void set(SectionView& view, const std::string& key, ElementValue value) {
  for (ParameterView& parameter : view.parameters) {
    if (parameter.name == key) parameter.words = {{std::move(value)}};
  }
}

void remove(SectionView& view, const std::string& key) {
  std::erase_if(view.parameters, [&](const ParameterView& parameter) { return parameter.name == key; });
}

TEST(VrrpConfig, ReadsAViewLikeThatOfTheExamplePair) {
  Problems problems;
  const Config config = read_config(pair_view(), problems);
  EXPECT_TRUE(problems.list().empty());
  Config expected;
  expected.has_section = true;
  expected.vrid = 64;
  expected.priority = 200;
  expected.interval = 1;
  expected.network = 1;
  expected.tracking = true;
  expected.preempt = true;
  expected.hold = 8s;
  expected.tracked_links = {{2, "eth2", 10}, {3, "eth3", 20}};
  expected.gateway_penalty = 30;
  EXPECT_EQ(config, expected);
}

TEST(VrrpConfig, WithoutASectionThereIsNoVirtualRouterAndNoProblem) {
  ConfigView view = pair_view();
  std::erase_if(view.objects, [](const SectionView& object) { return object.section == "vrrp"; });
  Problems problems;
  EXPECT_EQ(read_config(view, problems), Config{});
  EXPECT_TRUE(problems.list().empty());
}

TEST(VrrpConfig, VridAndNetworkAreRequired) {
  ConfigView view = pair_view();
  remove(find(view, "vrrp"), "vrid");
  remove(find(view, "vrrp"), "network");
  Problems problems;
  static_cast<void>(read_config(view, problems));
  ASSERT_EQ(problems.list().size(), 2U);
  EXPECT_TRUE(problems.has_errors());
  EXPECT_EQ(problems.list()[0].text, "vrrp has no vrid: give the virtual router a number from 1 to 255");
}

TEST(VrrpConfig, NetworkWithoutRealIsAnErrorAtTheNetworkKey) {
  ConfigView view = pair_view();
  remove(find(view, "network", 1), "real");
  Problems problems;
  static_cast<void>(read_config(view, problems));
  ASSERT_EQ(problems.list().size(), 1U);
  EXPECT_EQ(to_string(problems.list()[0]),
            "test:77:3: error: network 1 has no 'real' address: VRRP version 2 sends its advertisements from it");
}

TEST(VrrpConfig, UnfinishedNetworkMakesTheSectionInactiveWithoutAnError) {
  const auto inactive = [](auto change) {
    ConfigView view = pair_view();
    change(view);
    Problems problems;
    const Config config = read_config(view, problems);
    EXPECT_FALSE(problems.has_errors());
    return config.inactive;
  };
  EXPECT_EQ(inactive([](ConfigView& view) {
              std::erase_if(view.objects, [](const SectionView& object) { return object.section == "network"; });
            }),
            "network 1 is not defined");
  EXPECT_EQ(inactive([](ConfigView& view) { find(view, "network", 1).state = LifeCycle::registered; }),
            "network 1 is not enabled");
  EXPECT_EQ(inactive([](ConfigView& view) { find(view, "network", 1).has_open_reference = true; }),
            "network 1 refers to something that is not defined");
}

TEST(VrrpConfig, TrackingWithoutPreemptionIsAWarning) {
  ConfigView view = pair_view();
  set(find(view, "set"), "vrrppreempt", std::int64_t{0});
  Problems problems;
  EXPECT_FALSE(read_config(view, problems).preempt);
  ASSERT_EQ(problems.list().size(), 1U);
  EXPECT_EQ(problems.list()[0].severity, Severity::warning);
}

TEST(VrrpConfig, WithoutTrackingNothingIsTracked) {
  ConfigView view = pair_view();
  set(find(view, "vrrp"), "tracking", std::string("disable"));
  Problems problems;
  const Config config = read_config(view, problems);
  EXPECT_FALSE(config.tracking);
  EXPECT_TRUE(config.tracked_links.empty());
  EXPECT_EQ(config.gateway_penalty, 0);
}

TEST(VrrpConfig, DisabledInterfaceIsTrackedAndOneThatIsOnlyDefinedIsNot) {
  ConfigView view = pair_view();
  find(view, "interface", 2).state = LifeCycle::registered;
  find(view, "interface", 3).state = LifeCycle::defined;
  Problems problems;
  const Config config = read_config(view, problems);
  ASSERT_EQ(config.tracked_links.size(), 1U);
  EXPECT_EQ(config.tracked_links[0].name, "eth2");
}

TEST(VrrpConfig, RealMacAndIntervalAreRead) {
  ConfigView view = pair_view();
  set(find(view, "vrrp"), "mac", std::string("real"));
  set(find(view, "vrrp"), "interval", std::int64_t{255});
  Problems problems;
  const Config config = read_config(view, problems);
  EXPECT_FALSE(config.virtual_mac);
  EXPECT_EQ(config.interval, 255);
}

}  // namespace
}  // namespace trivet::vrrp
