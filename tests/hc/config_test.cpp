#include "hc/config.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace trivet::hc {
namespace {

using namespace std::chrono_literals;

// A view as the core makes it: values checked, numbers of `seconds` as double.
struct ViewBuilder {
  ConfigView view;

  SectionView& section(std::string name, std::uint32_t index) {
    SectionView made;
    made.section = std::move(name);
    made.index = index;
    view.objects.push_back(std::move(made));
    return view.objects.back();
  }
};

void add(SectionView& section, std::string name, std::vector<ElementValue> elements) {
  ParameterView parameter;
  parameter.name = std::move(name);
  parameter.words = {std::move(elements)};
  parameter.position.line = static_cast<std::uint32_t>(section.parameters.size() + 1);
  section.given.push_back(parameter.name);
  section.parameters.push_back(std::move(parameter));
}

const SubjectConfig& subject(const Config& config, SubjectId id) {
  static const SubjectConfig none{};
  const auto found =
      std::find_if(config.subjects.begin(), config.subjects.end(), [id](const auto& one) { return one.id == id; });
  return found == config.subjects.end() ? none : *found;
}

TEST(HcConfig, DeclaresSixChecksForTargetsAndTwoForTheGateway) {
  std::vector<std::string> names;
  std::vector<std::string> later;
  for (const KeySpec& key : declare_keys()) {
    if (key.is_reserved) {
      later.push_back(key.section + '.' + key.name);
      continue;
    }
    names.push_back(key.section + '.' + key.name + (key.repeatable ? "*" : ""));
    EXPECT_FALSE(key.help.empty());
    ASSERT_EQ(key.words.size(), 1U);
    EXPECT_EQ(key.words[0].elements.size(), key.name.starts_with("ping") ? 2U : 3U);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"target.ping", "target.ping6", "target.tcpopen*", "target.tcpopen6*",
                                             "target.agent*", "target.agent6*", "gateway.ping", "gateway.ping6"}));
  EXPECT_EQ(later, (std::vector<std::string>{"target.http", "target.script", "target.alert", "target.upalert"}));
}

TEST(HcConfig, RangesAreThoseOfTheReference) {
  const std::vector<KeySpec> keys = declare_keys();
  const auto& agent = keys[4].words[0].elements;
  EXPECT_EQ(agent[0].minimum, 1);
  EXPECT_EQ(agent[0].maximum, 65535);
  EXPECT_EQ(agent[1].type, ElementType::seconds);
  EXPECT_EQ(agent[1].minimum, 0.1);
  EXPECT_EQ(agent[1].maximum, 3600);
  EXPECT_GT(agent[2].minimum, 0);
}

TEST(HcConfig, ReadsTheChecksOfTheSeed) {
  ViewBuilder builder;
  SectionView& gateway = builder.section("gateway", 0);
  add(gateway, "ipaddr6", {*parse_ipv6("2001:db8::2:10")});
  add(gateway, "ping6", {3.0, 10.0});
  SectionView& target = builder.section("target", 1);
  add(target, "ipaddr6", {*parse_ipv6("2001:db8:ffff::1:1")});
  add(target, "ping6", {3.0, 10.0});
  add(target, "agent6", {std::int64_t{10000}, 3.0, 10.0});
  Problems problems;
  const Config config = read_config(builder.view, problems);
  EXPECT_TRUE(problems.list().empty());
  ASSERT_EQ(config.subjects.size(), 2U);
  EXPECT_EQ(config.subjects[0].id, gateway_subject);
  EXPECT_EQ(config.subjects[0].checks, (std::vector<CheckConfig>{{CheckKind::ping6, 0, 3s, 10s}}));
  EXPECT_EQ(subject(config, 1).checks,
            (std::vector<CheckConfig>{{CheckKind::ping6, 0, 3s, 10s}, {CheckKind::agent6, 10000, 3s, 10s}}));
  EXPECT_EQ(subject(config, 1).address_for(CheckKind::agent6), parse_ip("2001:db8:ffff::1:1"));
  EXPECT_EQ(subject(config, 1).address_for(CheckKind::agent), std::nullopt);
}

TEST(HcConfig, FractionsOfSecondsCount) {
  ViewBuilder builder;
  SectionView& target = builder.section("target", 1);
  add(target, "ipaddr", {*parse_ipv4("10.0.0.9")});
  add(target, "ping", {0.5, 1.25});
  Problems problems;
  const Config config = read_config(builder.view, problems);
  EXPECT_EQ(subject(config, 1).checks.at(0), (CheckConfig{CheckKind::ping, 0, 500ms, 1250ms}));
}

TEST(HcConfig, GatewayIsThereWithoutASection) {
  Problems problems;
  const Config config = read_config({}, problems);
  ASSERT_EQ(config.subjects.size(), 1U);
  EXPECT_EQ(config.subjects[0], SubjectConfig{});
}

TEST(HcConfig, TimeoutBelowTheIntervalIsAWarningWhereItStands) {
  ViewBuilder builder;
  SectionView& target = builder.section("target", 3);
  add(target, "ipaddr", {*parse_ipv4("10.0.0.9")});
  add(target, "ping", {5.0, 4.0});
  Problems problems;
  static_cast<void>(read_config(builder.view, problems));
  ASSERT_EQ(problems.list().size(), 1U);
  EXPECT_EQ(problems.list()[0].severity, Severity::warning);
  EXPECT_EQ(problems.list()[0].position.line, 2U);
  EXPECT_TRUE(problems.list()[0].text.starts_with("target 3: ping: the timeout is shorter than the interval"));
}

TEST(HcConfig, CheckWithoutAnAddressOfItsFamilyIsAWarning) {
  ViewBuilder builder;
  add(builder.section("target", 3), "ping6", {3.0, 10.0});
  Problems problems;
  static_cast<void>(read_config(builder.view, problems));
  ASSERT_EQ(problems.list().size(), 1U);
  EXPECT_FALSE(problems.has_errors());
  EXPECT_EQ(problems.list()[0].text, "target 3: ping6: there is no ipaddr6 to check; it stays undecided");
}

TEST(HcConfig, SeveralPortsAreSeveralChecksAndTheLastOfOnePortCounts) {
  ViewBuilder builder;
  SectionView& target = builder.section("target", 1);
  add(target, "ipaddr", {*parse_ipv4("10.0.0.9")});
  add(target, "tcpopen", {std::int64_t{80}, 3.0, 10.0});
  add(target, "tcpopen", {std::int64_t{443}, 3.0, 10.0});
  add(target, "tcpopen", {std::int64_t{80}, 5.0, 20.0});
  Problems problems;
  const Config config = read_config(builder.view, problems);
  EXPECT_EQ(subject(config, 1).checks,
            (std::vector<CheckConfig>{{CheckKind::tcpopen, 80, 5s, 20s}, {CheckKind::tcpopen, 443, 3s, 10s}}));
  ASSERT_EQ(problems.list().size(), 1U);
  EXPECT_EQ(problems.list()[0].text, "target 1: tcpopen 80: given twice, the last one counts");
}

TEST(HcConfig, TooManyChecksAreAnError) {
  ViewBuilder builder;
  SectionView& target = builder.section("target", 1);
  add(target, "ipaddr", {*parse_ipv4("10.0.0.9")});
  for (std::int64_t port = 1; port <= 17; ++port) {
    add(target, "tcpopen", {port, 3.0, 10.0});
  }
  Problems problems;
  static_cast<void>(read_config(builder.view, problems));
  EXPECT_TRUE(problems.has_errors());
}

TEST(HcConfig, DefinedTargetsAreNotCheckedRegisteredOnesAre) {
  ViewBuilder builder;
  for (const LifeCycle state : {LifeCycle::defined, LifeCycle::registered, LifeCycle::enabled}) {
    SectionView& target = builder.section("target", 1 + static_cast<std::uint32_t>(state));
    target.state = state;
    add(target, "ipaddr", {*parse_ipv4("10.0.0.9")});
    add(target, "ping", {3.0, 10.0});
  }
  Problems problems;
  const Config config = read_config(builder.view, problems);
  ASSERT_EQ(config.subjects.size(), 3U);
  EXPECT_EQ(config.subjects[1].id, 2U);
  EXPECT_EQ(config.subjects[2].id, 3U);
}

}  // namespace
}  // namespace trivet::hc
