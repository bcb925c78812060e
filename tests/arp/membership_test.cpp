#include "arp/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace trivet::arp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Time at(Duration since_start) { return Time{} + since_start; }

const IpAddress group_a = *parse_ipv6("ff02::1:ff00:1");
const IpAddress group_b = *parse_ipv6("ff02::1:ff00:2");
const IpAddress vrrp_group = Ipv4Address{{224, 0, 0, 18}};

std::string text(const MembershipReport& report) {
  std::string line =
      "if" + std::to_string(report.interface) + (report.vlan == 0 ? "" : "." + std::to_string(report.vlan)) +
      (report.family == Family::ipv4 ? " igmp" : " mld") + (report.version == MembershipVersion::older ? " old" : "");
  for (const ReportedGroup& group : report.groups) {
    line += group.record == MembershipRecord::joins ? " +" : group.record == MembershipRecord::leaves ? " -" : " =";
    line += to_string(group.group);
  }
  return line;
}
std::vector<std::string> texts(const std::vector<MembershipReport>& reports) {
  std::vector<std::string> lines;
  for (const auto& report : reports) lines.push_back(text(report));
  return lines;
}

class MembershipTest : public testing::Test {
 protected:
  std::vector<std::pair<Time, std::string>> run_until(Time end) {
    std::vector<std::pair<Time, std::string>> lines;
    while (membership.poll_at() <= end) {
      const Time now = membership.poll_at();
      for (const auto& line : texts(membership.on_time(now))) lines.emplace_back(now, line);
    }
    return lines;
  }
  void settle(const std::vector<GroupMembership>& groups, const std::set<InterfaceId>& up) {
    membership.update(groups, up, at(seconds(0)));
    (void)run_until(at(seconds(9)));
    ASSERT_EQ(membership.poll_at(), never);
  }
  static MembershipQuery general(MembershipVersion version = MembershipVersion::current, Family family = Family::ipv6) {
    return {1, family, version, family == Family::ipv4 ? IpAddress{Ipv4Address{}} : IpAddress{}, seconds(10)};
  }
  Membership membership{Random{3}};
};

TEST_F(MembershipTest, JoinsAreReportedAtOnceTogetherAndRepeatedOnceWithinASecond) {
  membership.update({{1, group_a}, {1, group_b}, {1, vrrp_group}, {2, group_a}}, {1, 2}, at(seconds(0)));
  EXPECT_THAT(
      texts(membership.on_time(at(seconds(0)))),
      ElementsAre("if1 igmp +224.0.0.18", "if1 mld +ff02::1:ff00:1 +ff02::1:ff00:2", "if2 mld +ff02::1:ff00:1"));
  EXPECT_LE(membership.poll_at(), at(seconds(1)));
  EXPECT_THAT(run_until(at(seconds(100))), SizeIs(3));
}

TEST_F(MembershipTest, LeavesAreReportedTwiceAsWell) {
  settle({{1, group_a}, {1, group_b}}, {1});
  membership.update({{1, group_b}}, {1}, at(seconds(10)));
  const auto lines = run_until(at(seconds(100)));
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].second, "if1 mld -ff02::1:ff00:1");
  EXPECT_EQ(lines[0].first, at(seconds(10)));
  EXPECT_EQ(lines[1].second, lines[0].second);
}

TEST_F(MembershipTest, AChangeThatIsTakenBackBeforeTheRepeatIsReportedAsWhatHolds) {
  settle({{1, group_a}}, {1});
  membership.update({}, {1}, at(seconds(10)));
  EXPECT_THAT(texts(membership.on_time(at(seconds(10)))), ElementsAre("if1 mld -ff02::1:ff00:1"));
  membership.update({{1, group_a}}, {1}, at(seconds(10)));
  EXPECT_THAT(texts(membership.on_time(at(seconds(10)))), ElementsAre("if1 mld +ff02::1:ff00:1"));
  EXPECT_THAT(run_until(at(seconds(100))), SizeIs(1));
}

TEST_F(MembershipTest, AllNodesAllHostsAndNarrowScopesAreNeverReported) {
  membership.update({{1, IpAddress{*parse_ipv6("ff02::1")}},
                     {1, IpAddress{*parse_ipv6("ff01::99")}},
                     {1, IpAddress{Ipv4Address{{224, 0, 0, 1}}}},
                     {1, IpAddress{Ipv4Address{{10, 0, 0, 1}}}}},
                    {1}, at(seconds(0)));
  EXPECT_EQ(membership.poll_at(), never);
  membership.heard(general(), at(seconds(1)));
  EXPECT_THAT(run_until(at(seconds(100))), IsEmpty());
}

TEST_F(MembershipTest, AnInterfaceWithoutLinkIsSilentAndJoinsWhenTheLinkIsBack) {
  settle({{1, group_a}}, {1});
  membership.update({{1, group_a}}, {}, at(seconds(10)));
  EXPECT_THAT(run_until(at(seconds(20))), IsEmpty());
  membership.update({{1, group_a}}, {1}, at(seconds(20)));
  EXPECT_THAT(texts(membership.on_time(at(seconds(20)))), ElementsAre("if1 mld +ff02::1:ff00:1"));
}

TEST_F(MembershipTest, AVlanThatIsNoLongerThereIsLeft) {
  settle({{1, group_a, 5}, {1, vrrp_group, 5}, {1, group_a}}, {1});
  membership.update({{1, group_a, 6}, {1, group_a}}, {1}, at(seconds(10)));
  EXPECT_THAT(texts(membership.on_time(at(seconds(10)))),
              ElementsAre("if1.5 igmp -224.0.0.18", "if1.5 mld -ff02::1:ff00:1", "if1.6 mld +ff02::1:ff00:1"));
  // What follows of the node's changes does not take the repetition away.
  membership.update({{1, group_a, 6}, {1, group_b, 6}, {1, group_a}}, {1}, at(seconds(10)));
  std::vector<std::string> lines;
  for (const auto& [time, line] : run_until(at(seconds(100)))) lines.push_back(line);
  EXPECT_THAT(lines, testing::IsSupersetOf({"if1.5 igmp -224.0.0.18", "if1.5 mld -ff02::1:ff00:1"}));
  MembershipQuery query = general();
  query.vlan = 5;
  membership.heard(query, at(seconds(200)));
  EXPECT_THAT(run_until(at(seconds(300))), IsEmpty());
}

TEST_F(MembershipTest, AVlanThatGoesWithItsLinkIsNotLeft) {
  settle({{1, group_a, 5}}, {1});
  membership.update({}, {}, at(seconds(10)));
  membership.update({}, {1}, at(seconds(20)));
  EXPECT_THAT(run_until(at(seconds(100))), IsEmpty());
}

TEST_F(MembershipTest, AnUnchangedListSaysNothing) {
  settle({{1, group_a}}, {1});
  membership.update({{1, group_a}, {1, group_a}}, {1}, at(seconds(10)));
  EXPECT_EQ(membership.poll_at(), never);
}

TEST_F(MembershipTest, AGeneralQueryIsAnsweredOnceForAllGroupsWithinItsTime) {
  settle({{1, group_a}, {1, group_b}}, {1});
  membership.heard(general(), at(seconds(10)));
  membership.heard(general(), at(seconds(10)));
  const auto lines = run_until(at(seconds(100)));
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].second, "if1 mld =ff02::1:ff00:1 =ff02::1:ff00:2");
  EXPECT_GE(lines[0].first, at(seconds(10)));
  EXPECT_LT(lines[0].first, at(seconds(20)));
}

TEST_F(MembershipTest, AnswersAreSpreadOverTheTimeThatTheQueryAllows) {
  settle({{1, group_a}}, {1});
  Time earliest = never;
  Time latest{};
  for (int i = 0; i < 50; ++i) {
    const Time now = at(seconds(100 + 20 * i));
    membership.heard(general(), now);
    const Time delay = Time{} + (membership.poll_at() - now);
    earliest = std::min(earliest, delay);
    latest = std::max(latest, delay);
    (void)run_until(now + seconds(10));
  }
  EXPECT_LT(earliest, at(seconds(2)));
  EXPECT_GT(latest, at(seconds(8)));
  EXPECT_LE(latest, at(seconds(10)));
}

TEST_F(MembershipTest, AQueryForAGroupIsAnsweredForThatGroupOnly) {
  settle({{1, group_a}, {1, group_b}}, {1});
  MembershipQuery query = general();
  query.group = group_b;
  query.max_response = seconds(1);
  membership.heard(query, at(seconds(10)));
  const auto lines = run_until(at(seconds(11)));
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].second, "if1 mld =ff02::1:ff00:2");
  query.group = *parse_ipv6("ff02::1:ff00:99");
  membership.heard(query, at(seconds(20)));
  query.interface = 7;
  membership.heard(query, at(seconds(20)));
  EXPECT_EQ(membership.poll_at(), never);
}

TEST_F(MembershipTest, OlderQueriersAreAnsweredGroupByGroupInTheirVersion) {
  settle({{1, group_a}, {1, group_b}}, {1});
  membership.heard(general(MembershipVersion::older), at(seconds(10)));
  std::vector<std::string> lines;
  for (const auto& [time, line] : run_until(at(seconds(20)))) lines.push_back(line);
  EXPECT_THAT(lines, testing::UnorderedElementsAre("if1 mld old =ff02::1:ff00:1", "if1 mld old =ff02::1:ff00:2"));
}

TEST_F(MembershipTest, ChangesFollowTheQueriersVersionUntilItHasBeenSilentFor260Seconds) {
  settle({{1, vrrp_group}}, {1});
  membership.heard(general(MembershipVersion::older, Family::ipv4), at(seconds(10)));
  (void)run_until(at(seconds(20)));
  membership.update({}, {1}, at(seconds(30)));
  EXPECT_THAT(texts(membership.on_time(at(seconds(30)))), ElementsAre("if1 igmp old -224.0.0.18"));
  (void)run_until(at(seconds(40)));
  membership.heard(general(MembershipVersion::current, Family::ipv4), at(seconds(50)));
  membership.update({{1, vrrp_group}}, {1}, at(seconds(269)));
  EXPECT_THAT(texts(membership.on_time(at(seconds(269)))), ElementsAre("if1 igmp old +224.0.0.18"));
  (void)run_until(at(seconds(280)));
  membership.heard(general(MembershipVersion::current, Family::ipv4), at(seconds(280)));
  const auto lines = run_until(at(seconds(290)));
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0].second, "if1 igmp =224.0.0.18");
}

TEST_F(MembershipTest, LargeListsAreCutIntoSeveralReports) {
  std::vector<GroupMembership> groups;
  for (std::uint32_t i = 0; i < 150; ++i) {
    Ipv6Address group = group_a.v6();
    group.bytes[14] = static_cast<std::uint8_t>(i >> 8U);
    group.bytes[15] = static_cast<std::uint8_t>(i);
    groups.push_back({1, group});
  }
  membership.update(groups, {1}, at(seconds(0)));
  const auto reports = membership.on_time(at(seconds(0)));
  ASSERT_THAT(reports, SizeIs(3));
  EXPECT_THAT(reports[0].groups, SizeIs(64));
  EXPECT_THAT(reports[2].groups, SizeIs(22));
}

TEST_F(MembershipTest, GoodbyeLeavesEveryGroup) {
  settle({{1, group_a}, {1, vrrp_group}}, {1});
  EXPECT_THAT(texts(membership.leave_all(at(seconds(10)))),
              ElementsAre("if1 igmp -224.0.0.18", "if1 mld -ff02::1:ff00:1"));
  EXPECT_EQ(membership.poll_at(), never);
}

}  // namespace
}  // namespace trivet::arp
