#include "core/cli/command_line.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/app/daemon.h"

namespace trivet::core {
namespace {

using Words = std::vector<std::string>;

std::expected<OperatorCall, int> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "trivet");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, OptionsCountWhereverTheyStand) {
  const std::vector<std::vector<const char*>> lines{
      {"--run-dir", "/tmp/x", "-i", "3", "--json", "show", "vrrp"},
      {"show", "vrrp", "--run-dir", "/tmp/x", "--instance", "3", "--json"},
      {"show", "--run-dir=/tmp/x", "--json", "vrrp", "-i3"},
      {"show", "--json", "vrrp", "--instance=3", "--run-dir", "/tmp/x"},
  };
  for (const auto& line : lines) {
    const auto call = parse(line);
    ASSERT_TRUE(call.has_value());
    EXPECT_EQ(call->run_dir, "/tmp/x");
    EXPECT_EQ(call->instance, 3);
    EXPECT_TRUE(call->json);
    EXPECT_EQ(call->words, (Words{"show", "vrrp"}));
  }
}

TEST(CommandLine, WithoutOptionsTheDefaultsHold) {
  const auto call = parse({"help"});
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call->run_dir, "/run/trivet");
  EXPECT_EQ(DaemonOptions{}.run_dir, "/run/trivet") << "the daemon's";
  EXPECT_EQ(call->instance, 0);
  EXPECT_FALSE(call->json);
}

TEST(CommandLine, OptionsOfTheCommandStayInTheirPlaces) {
  const auto call = parse({"show", "sessions", "--server", "1", "--run-dir", "/tmp/x", "--limit", "5", "-v"});
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call->words, (Words{"show", "sessions", "--server", "1", "--limit", "5", "-v"}));
  EXPECT_EQ(call->run_dir, "/tmp/x");
}

TEST(CommandLine, MistakesAreErrorsAndNotAsked) {
  for (const std::vector<const char*>& line : std::vector<std::vector<const char*>>{{},
                                                                                    {"--json"},
                                                                                    {"show", "vrrp", "-i"},
                                                                                    {"show", "vrrp", "-i", "128"},
                                                                                    {"show", "vrrp", "--instance", "x"},
                                                                                    {"show", "vrrp", "--run-dir"}}) {
    const auto call = parse(line);
    ASSERT_FALSE(call.has_value());
    EXPECT_NE(call.error(), 0);
  }
}

TEST(CommandLine, HelpAndVersionEndWell) {
  for (const char* option : {"--help", "--version"}) {
    const auto call = parse({option});
    ASSERT_FALSE(call.has_value());
    EXPECT_EQ(call.error(), 0);
  }
}

}  // namespace
}  // namespace trivet::core
