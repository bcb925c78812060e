// The control half in a node: configuration and its errors, addresses, commands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "lab.h"
#include "slb/module.h"

namespace trivet::slb {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testkit::tcp;

std::string all_of(const Problems& problems) {
  std::string text;
  for (const Problem& problem : problems.list()) text += to_string(problem) + "\n";
  return text;
}

// What a configuration says beside the base, as text.
std::string problems_of(const std::string& objects, bool expect_errors) {
  Lab lab("");
  const Problems problems = lab.node.reload(Lab::text(objects));
  EXPECT_EQ(problems.has_errors(), expect_errors) << all_of(problems);
  return all_of(problems);
}

const std::string web_target = Lab::target(1, net6, net6.t1, "  port 80\n");

TEST(SlbConfig, AServerAndItsTargetsSayNothing) {
  EXPECT_EQ(problems_of(Lab::web(net4), false), "");
  EXPECT_EQ(problems_of(Lab::web(net6), false), "");
}

TEST(SlbConfig, TwoServersForTheSamePacketsAreAnErrorWithBothPositions) {
  const std::string text = problems_of(Lab::server(1, net6, net6.vip, "  port 80\n  targets 1\n") +
                                           Lab::server(2, net6, net6.vip, "  port 80\n  targets 1\n") + web_target,
                                       true);
  EXPECT_THAT(text, HasSubstr("server 2 has the same address, port and protocol as server 1 (test.conf:"));
  EXPECT_THAT(text, testing::MatchesRegex("test.conf:[0-9]+:[0-9]+: error: .*\n(.*\n)*"));
}

TEST(SlbConfig, ADifferentPortOrProtocolIsAnotherService) {
  EXPECT_EQ(problems_of(Lab::server(1, net6, net6.vip, "  port 80\n  protocol tcp\n  targets 1\n") +
                            Lab::server(2, net6, net6.vip, "  port 80\n  protocol udp\n  targets 1\n") +
                            Lab::server(3, net6, net6.vip, "  port 81\n  targets 1\n") +
                            Lab::server(4, net6, net6.vip, "  port 80\n  targets 1\n") + web_target,
                        false),
            "");
}

TEST(SlbConfig, ATwinThatIsNotEnabledMayWait) {
  const std::string text =
      problems_of(Lab::server(1, net6, net6.vip, "  port 80\n  targets 1\n") +
                      "server 2 {\n  ipaddr6 2001:db8::80\n  port 80\n  targets 1\n}\nregister server 2\n" + web_target,
                  false);
  EXPECT_THAT(text, HasSubstr("only one of them can be enabled"));
}

TEST(SlbConfig, ServersThatCannotWorkAreWarnedAbout) {
  EXPECT_THAT(problems_of("server 1 {\n  targets 1\n}\n" + web_target, false),
              HasSubstr("neither `ipaddr` nor `ipaddr6`"));
  EXPECT_THAT(problems_of(Lab::server(1, net6, net6.vip, "  port 80\n"), false), HasSubstr("has no targets"));
  EXPECT_THAT(problems_of(Lab::server(1, net4, net4.vip, "  targets 1\n") + Lab::target(1, net6, net6.t1, ""), false),
              HasSubstr("has an IPv4 address but no target with one"));
}

TEST(SlbConfig, AddressesThatNoServiceCanHaveAreErrors) {
  for (const char* line : {"ipaddr 0.0.0.0", "ipaddr 127.0.0.1", "ipaddr 224.0.0.1", "ipaddr 255.255.255.255",
                           "ipaddr6 ::", "ipaddr6 ::1", "ipaddr6 ff02::1", "ipaddr6 fe80::1"}) {
    EXPECT_THAT(problems_of("server 1 {\n  " + std::string{line} + "\n}\n", true),
                HasSubstr("cannot be the address of a service"))
        << line;
  }
}

TEST(SlbConfig, MirrorsThatDoNotMatchAreWarnedAbout) {
  const std::string text =
      problems_of(Lab::server(1, net6, net6.vip, "  port 80\n  sessionid src+port\n  targets 1\n") + web_target, false);
  EXPECT_THAT(text, HasSubstr("sessionid src+port is mirrored by dst+port"));
}

TEST(SlbConfig, DirectReturnCannotTranslatePorts) {
  EXPECT_THAT(problems_of(Lab::server(1, net6, net6.vip, "  port 8080\n  targets 1\n") +
                              Lab::target(1, net6, net6.t1, "  port 80\n  dsr enable\n"),
                          true),
              HasSubstr("with `dsr enable` the port stays 8080"));
  EXPECT_EQ(problems_of(Lab::server(1, net6, net6.vip, "  port 80\n  targets 1\n") +
                            Lab::target(1, net6, net6.t1, "  port 80\n  dsr enable\n"),
                        false),
            "");
}

TEST(SlbConfig, APortThatCannotHaveAnEffectIsWarnedAbout) {
  EXPECT_THAT(problems_of(Lab::server(1, net6, net6.vip, "  targets 1\n") + web_target, false),
              HasSubstr("the target's port 80 has no effect"));
}

TEST(SlbConfig, ProtocolsThatContradictKeepTheTargetOut) {
  EXPECT_THAT(problems_of(Lab::server(1, net6, net6.vip, "  port 80\n  protocol udp\n  targets 1\n") +
                              Lab::target(1, net6, net6.t1, "  protocol tcp\n"),
                          false),
              HasSubstr("this server does not use the target"));
}

TEST(SlbConfig, MethodsAndValuesOfLaterReleasesAreRefused) {
  for (const char* line : {"method agent", "method bw", "method maglev", "port 0", "port 65536", "protocol sctp",
                           "sessionid dst", "stimeout 0"}) {
    (void)problems_of(Lab::server(1, net6, net6.vip, "  " + std::string{line} + "\n"), true);
  }
  (void)problems_of(Lab::target(1, net6, net6.t1, "  weight 65536\n"), true);
}

TEST(SlbConfig, AServerWaitsForTargetsThatAreNotDefinedYet) {
  Lab lab(Lab::server(1, net6, net6.vip, "  port 8080\n  protocol tcp\n  sessionid src+port\n  targets 1,2\n") +
          Lab::target(1, net6, net6.t1, "  port 80\n  sessionid dst+port\n"));
  EXPECT_EQ(lab.open(net6, 1), 0);
  EXPECT_EQ(cell(lab.node.command("show servers"), 1, "reason"),
            Cell{std::string{"names a target that is not defined"}});
  EXPECT_FALSE(lab.node.reload(Lab::text(Lab::web(net6))).has_errors());
  EXPECT_EQ(lab.open(net6, 1), 1);
}

std::vector<OwnAddress> addresses_of(const Lab& lab) {
  std::vector<OwnAddress> list;
  for (const char* text : {net4.vip, net4.vip2, net6.vip, net6.vip2, "192.0.2.1"}) {
    const OwnAddress* found = lab.node.forwarding().find_address(testkit::ip(text));
    if (found != nullptr) list.push_back(*found);
  }
  return list;
}

TEST(SlbAddresses, OfActiveServersArePublishedWithTheirNetwork) {
  Lab lab(Lab::server(1, net4, net4.vip, "  port 80\n  targets 1\n") + Lab::target(1, net4, net4.t1, "") +
          "server 2 {\n  ipaddr 10.0.0.81\n  targets 1\n}\nregister server 2\n" +
          Lab::server(3, net4, "192.0.2.1", "  port 80\n  targets 1\n"));
  const std::vector<OwnAddress> expected{
      {.address = testkit::ip(net4.vip), .scope = AddressScope::master, .network = 1, .answers_echo = true},
      {.address = testkit::ip("192.0.2.1"), .scope = AddressScope::master, .network = 0, .answers_echo = true}};
  EXPECT_EQ(addresses_of(lab), expected);
  EXPECT_FALSE(lab.node.reload(Lab::text("")).has_errors());
  EXPECT_TRUE(addresses_of(lab).empty());
}

TEST(SlbAddresses, OnlyAServerThatTakesEveryProtocolAnswersEchoItself) {
  Lab lab(Lab::server(1, net6, net6.vip, "  protocol tcp\n  targets 1\n") +
          Lab::server(2, net6, net6.vip2, "  targets 1\n") +
          Lab::server(3, net6, net6.vip2, "  port 80\n  targets 1\n") + Lab::target(1, net6, net6.t1, ""));
  const std::vector<OwnAddress> list = addresses_of(lab);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_TRUE(list[0].answers_echo);
  EXPECT_FALSE(list[1].answers_echo);
}

TEST(SlbCommands, ShowServersTellsStateTargetsAndTraffic) {
  Lab lab(Lab::web(net6) + "server 2 {\n  ipaddr6 2001:db8::81\n  port 53\n  protocol udp\n  targets 1\n}\n");
  EXPECT_EQ(lab.open(net6, 1), 1);
  lab.health(2, Health::down, "tcpopen: refused");
  const Report report = lab.node.command("show servers");
  EXPECT_EQ(cell(report, 1, "address"), Cell{std::string{"2001:db8::80"}});
  EXPECT_EQ(cell(report, 1, "state"), Cell{std::string{"active"}});
  EXPECT_EQ(cell(report, 1, "method"), Cell{std::string{"rr"}});
  EXPECT_EQ(cell(report, 1, "targets_up"), Cell{std::uint64_t{1}});
  EXPECT_EQ(cell(report, 1, "targets"), Cell{std::uint64_t{2}});
  EXPECT_EQ(cell(report, 1, "sessions"), Cell{std::uint64_t{1}});
  EXPECT_EQ(cell(report, 1, "packets_in"), Cell{std::uint64_t{1}});
  EXPECT_EQ(cell(report, 1, "bytes_in"), Cell{std::uint64_t{40 + 20 + 8}});
  EXPECT_EQ(cell(report, 1, "packets_out"), Cell{std::uint64_t{0}});
  EXPECT_EQ(cell(report, 2, "state"), Cell{std::string{"inactive"}});
  EXPECT_EQ(cell(report, 2, "reason"), Cell{std::string{"not registered"}});
  lab.health(1, Health::down);
  EXPECT_EQ(cell(lab.node.command("show servers"), 1, "reason"), Cell{std::string{"no target is up"}});
}

TEST(SlbCommands, ShowTargetsTellsHealthAndItsReason) {
  Lab lab(Lab::web(net6));
  lab.node.bus().publish(
      TargetHealth{.target = 2, .health = Health::down, .reason = "ping6: no answer for 10 s", .agent_value = 17});
  lab.node.settle();
  const Report report = lab.node.command("show targets");
  EXPECT_EQ(cell(report, 1, "health"), Cell{std::string{"up"}});
  EXPECT_EQ(cell(report, 1, "agent_value"), Cell{});
  EXPECT_EQ(cell(report, 2, "health"), Cell{std::string{"down"}});
  EXPECT_EQ(cell(report, 2, "reason"), Cell{std::string{"ping6: no answer for 10 s"}});
  EXPECT_EQ(cell(report, 2, "agent_value"), Cell{std::int64_t{17}});
  EXPECT_EQ(cell(report, 2, "weight"), Cell{std::uint64_t{1}});
}

TEST(SlbCommands, ShowSessionsListsEachWithItsTimes) {
  Lab lab(Lab::web(net6));
  EXPECT_EQ(lab.open(net6, 4000), 1);
  lab.node.advance(5s);
  const Report report = lab.node.command("show sessions");
  ASSERT_EQ(report.tables.at(0).rows.size(), 1U);
  const auto& row = report.tables[0].rows[0];
  EXPECT_EQ(row[0], Cell{std::string{"[2001:db8::10]:4000"}});
  EXPECT_EQ(row[1], Cell{std::uint64_t{1}});
  EXPECT_EQ(row[2], Cell{std::string{"[2001:db8::80]:8080"}});
  EXPECT_EQ(row[3], Cell{std::uint64_t{1}});
  EXPECT_EQ(row[4], Cell{std::string{"[2001:db8:1::1]:80"}});
  EXPECT_EQ(row[5], Cell{std::string{"tcp"}});
  EXPECT_EQ(row[6], Cell{std::string{"syn-sent"}});
  EXPECT_NEAR(std::get<double>(row[7]), 5, 0.2);
  EXPECT_NEAR(std::get<double>(row[8]), 5, 0.2);
  EXPECT_NEAR(std::get<double>(row[9]), 55, 0.2);
}

TEST(SlbCommands, ShowSessionsFiltersAndLimits) {
  Lab lab(Lab::web(net6) + Lab::server(2, net6, net6.vip2, "  port 8080\n  targets 2\n"));
  for (std::uint16_t port = 1; port <= 20; ++port) EXPECT_NE(lab.open(net6, port), 0);
  EXPECT_EQ(lab.open(net6, 99, net6.vip2), 2);
  EXPECT_EQ(lab.node.command("show sessions").tables.at(0).rows.size(), 21U);
  EXPECT_EQ(lab.node.command("show sessions --server 2").tables.at(0).rows.size(), 1U);
  const Report cut = lab.node.command("show sessions --limit 7");
  EXPECT_EQ(cut.tables.at(0).rows.size(), 7U);
  EXPECT_EQ(cut.notes.size(), 1U);
  for (const char* wrong : {"--limit", "--limit 0", "--limit x", "--server 1025", "all"}) {
    EXPECT_NE(lab.node.command(std::string{"show sessions "} + wrong).error, "") << wrong;
  }
}

TEST(SlbCommands, ShowSessionsWalksALargeTableInPieces) {
  Lab lab(Lab::server(1, net4, net4.vip, "  port 8080\n  sessionid src+port\n  targets 1\n") +
          Lab::target(1, net4, net4.t1, "  port 80\n  sessionid dst+port\n"));
  std::vector<Frame> batch;
  for (std::uint16_t port = 1; port <= 20000; ++port) {
    batch.push_back(Lab::from_alice(net4, net4.vip, tcp(port, 8080).syn()));
    if (batch.size() < 64) continue;
    lab.node.inject(1, batch);
    (void)lab.to_targets();
    batch.clear();
  }
  const Report report = lab.node.command("show sessions --limit 100000");
  EXPECT_EQ(report.tables.at(0).rows.size(), 20000U / 64 * 64);
  EXPECT_TRUE(report.notes.empty());
}

TEST(SlbModuleLife, TheSizeOfTheTableCannotChangeWhileItRuns) {
  Lab lab(Lab::web(net6), "set maxsessions 32\n");
  const Problems problems = lab.node.reload(Lab::text(Lab::web(net6), "set maxsessions 64\n"));
  EXPECT_FALSE(problems.has_errors());
  EXPECT_THAT(all_of(problems), HasSubstr("maxsessions takes effect when the node is started again"));
}

}  // namespace
}  // namespace trivet::slb
