// The core's own commands, asked of a whole node, as text and as JSON.
#include "core/cli/core_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/app/node.h"
#include "core/cli/report_json.h"
#include "core/cli/report_text.h"
#include "core/io/memory.h"
#include "test_modules.h"

namespace trivet::core {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* config = R"(hostname N
modules a,b
interface 1 {
  name eth1
}
interface 2 {
  name eth9
}
interface 3 {
  name eth3
}
register interfaces 1,2
enable interfaces 1,2
network 1 {
  name "access"
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  virt 10.0.0.3
  mask6 48
  real6 2001:db8::1
  interfaces 1,2
}
network 2 {
  mask6 64
  real6 2001:db8:1::1
  interface 3
}
register networks 1,2
enable network 1
)";

class CoreCommands : public ::testing::Test {
 protected:
  CoreCommands() : loader_({&test::module_a, &test::module_b, &test::module_c}) {
    test::story().clear();
    for (const char name : {'a', 'b', 'c'}) test::behaviour(name) = {};
    test::behaviour('b').verdict = Verdict::Kind::drop;
    io_.add_interface("eth1", {{2, 0, 0, 0, 0, 1}});
    io_.add_interface("eth3", {{2, 0, 0, 0, 0, 3}});
    NodeOptions options;
    options.io = &io_;
    options.loader = &loader_;
    options.pool = {.small_count = 256, .large_count = 4};
    node_ = std::make_unique<Node>(std::move(options));
    EXPECT_FALSE(node_->configure(config, "t.conf", now_).has_errors());
    node_->step(now_);
  }
  void inject(int frames) {
    std::vector<std::uint8_t> frame(60);
    std::fill_n(frame.begin(), 6, std::uint8_t{0xff});
    frame[6] = 2;
    frame[11] = 9;
    const std::uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    std::copy(std::begin(arp), std::end(arp), frame.begin() + 12);
    for (int i = 0; i < frames; ++i) io_.inject("eth1", frame);
    node_->step(now_);
  }
  Report ask(const std::vector<std::string>& words) {
    Report result = error_report("not answered");
    node_->command(words, now_, [&](Report report) { result = std::move(report); });
    EXPECT_EQ(result.error, "");
    for (const Table& table : result.tables) {
      for (const auto& row : table.rows) EXPECT_EQ(row.size(), table.columns.size()) << table.key;
    }
    return result;
  }
  std::string text(const std::vector<std::string>& words) { return to_text(ask(words), Colors::off); }
  std::string json(const std::vector<std::string>& words) { return to_json(ask(words)); }

  MemoryBackend io_;
  ModuleLoader loader_;
  Time now_{};
  std::unique_ptr<Node> node_;
};

TEST_F(CoreCommands, ShowInterfacesHasStateLinkAndTraffic) {
  inject(3);
  EXPECT_EQ(text({"show", "interfaces"}),
            "No  Name  State    Link  MAC                 MTU  RX  RX lost  TX  TX lost  Reason\n"
            " 1  eth1  enabled  up    02:00:00:00:00:01  1500   3        0   0        0  -\n"
            " 2  eth9  enabled  down  -                  1500   0        0   0        0  no such interface\n"
            " 3  eth3  defined  down  -                  1500   0        0   0        0  not registered\n");
  EXPECT_THAT(json({"show", "interfaces"}), HasSubstr(R"({
      "number": 1,
      "name": "eth1",
      "state": "enabled",
      "link": "up",
      "mac": "02:00:00:00:00:01",
      "mtu": 1500,
      "rx_frames": 3,
      "rx_dropped": 0,
      "tx_frames": 0,
      "tx_dropped": 0,
      "reason": null
    })"));
}

TEST_F(CoreCommands, ShowNetworksHasAddressesAndState) {
  EXPECT_EQ(
      text({"show", "networks"}),
      "No  Name    State       Interfaces  Vlan  IPv4        Real      Virt      IPv6             Real6          "
      "Virt6\n"
      " 1  access  enabled     1,2         -     10.0.0.0/8  10.0.0.1  10.0.0.3  2001:db8::/48    2001:db8::1    -\n"
      " 2  -       registered  3           -     -           -         -         2001:db8:1::/64  2001:db8:1::1  -\n");
  EXPECT_THAT(json({"show", "networks"}), AllOf(HasSubstr(R"("prefix": "10.0.0.0/8")"), HasSubstr(R"("virt6": null)")));
}

TEST_F(CoreCommands, ShowDropsNamesModuleReasonAndMeaning) {
  EXPECT_THAT(text({"show", "drops"}), HasSubstr("No packet has been dropped."));
  inject(2);
  EXPECT_EQ(text({"show", "drops"}),
            "Module  Reason    Packets  Meaning\n"
            "b       unwanted        2  dropped by the test\n");
  EXPECT_EQ(json({"show", "drops"}), R"({
  "drops": [
    {
      "module": "b",
      "reason": "unwanted",
      "packets": 2,
      "help": "dropped by the test"
    }
  ]
})");
}

TEST_F(CoreCommands, ShowModulesTellsWhatEachHasDecidedInTheOrderOfTheLine) {
  inject(2);
  EXPECT_EQ(text({"show", "modules"}),
            "Place  Module  Version  State    Packets  Passed on  Sent  Dropped  Punted  Consumed\n"
            "    1  a       1.0      running        2          2     0        0       0         0\n"
            "    2  b       1.0      running        2          0     0        2       0         0\n");
  EXPECT_THAT(json({"show", "modules"}), HasSubstr(R"("name": "b",
      "version": "1.0",
      "state": "running",
      "packets": 2,
      "next": 0,
      "sent": 0,
      "dropped": 2,)"));
}

TEST_F(CoreCommands, AFailedModuleIsShownAsFailed) {
  test::behaviour('a').timer = std::chrono::seconds{1};
  test::behaviour('a').throw_on_time = true;
  EXPECT_FALSE(node_->configure(config, "t.conf", now_).has_errors());
  now_ += std::chrono::seconds{1};
  node_->step(now_);
  EXPECT_THAT(json({"show", "modules"}), HasSubstr(R"("state": "failed")"));
}

TEST_F(CoreCommands, ShowCountersHasThoseOfModules) {
  inject(4);
  EXPECT_THAT(json({"show", "counters"}), HasSubstr(R"({
      "module": "a",
      "name": "seen",
      "value": 4,
      "help": "packets seen"
    })"));
  EXPECT_THAT(text({"show", "counters"}), HasSubstr("packets seen\n"));
}

TEST_F(CoreCommands, ShowBusHasTopicsWithWriters) {
  const std::string shown = text({"show", "bus"});
  EXPECT_THAT(shown, HasSubstr("Topic"));
  EXPECT_THAT(json({"show", "bus"}), AllOf(HasSubstr(R"("kind": "state")"), HasSubstr(R"("writers": "core")"),
                                           HasSubstr(R"("kind": "roster")")));
}

TEST_F(CoreCommands, HelpListsTheCommandsOfAllWithTheirArguments) {
  const std::string shown = text({"help"});
  for (const CommandSpec& spec : core_command_specs()) EXPECT_THAT(shown, HasSubstr(spec.name));
  EXPECT_THAT(shown, AllOf(HasSubstr("show a [WORD...]"), HasSubstr("the test's own")));
  EXPECT_THAT(shown, Not(HasSubstr("show c  "))) << "c is not on the line";
}

TEST_F(CoreCommands, EveryCommandOfTheCoreAnswersAndTakesNoArgument) {
  for (const CommandSpec& spec : core_command_specs()) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < spec.name.size();) {
      const std::size_t end = std::min(spec.name.find(' ', at), spec.name.size());
      words.push_back(spec.name.substr(at, end - at));
      at = end + 1;
    }
    EXPECT_EQ(decode_report(encode_report(ask(words))).has_value(), true) << spec.name;
    words.emplace_back("7");
    Report refused;
    node_->command(words, now_, [&](Report report) { refused = std::move(report); });
    EXPECT_EQ(refused.error, "'" + spec.name + "' takes no arguments, not '7'");
  }
}

}  // namespace
}  // namespace trivet::core
