#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"
#include "trivet/wire/ethernet.h"
#include "trivet/wire/igmp.h"
#include "trivet/wire/mld.h"
#include "wire_test_support.h"

namespace trivet::wire {
namespace {

using namespace testkit;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t ipv6_with_alert = 48;
constexpr std::size_t ipv4_with_alert = 24;
const Ipv6Address link_local = ip6("fe80::1");
const Ipv6Address group6 = ip6("ff02::1:ff00:3");

void expect_no_bad_checksum(const Frame& packet) {
  EXPECT_THAT(describe(ip_group_frame({{2, 0, 0, 0, 0, 1}}, packet)), testing::Not(testing::HasSubstr("bad")));
}

TEST(MldQueries, OfVersion1AreReadAndBuilt) {
  const Frame message = bytes("8200 0000 2710 0000 00000000000000000000000000000000");
  const auto query = parse_mld_query(message);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->version, 1);
  EXPECT_EQ(query->maximum_response, 10s);
  EXPECT_TRUE(query->group.is_unspecified());
  Frame built = mld_query_packet(link_local, *query);
  EXPECT_EQ(hex(Frame(built.begin(), built.begin() + 48)),
            hex(bytes("6000000000200001 fe800000000000000000000000000001 ff020000000000000000000000000001"
                      "3a00 05020000 0100")));
  expect_no_bad_checksum(built);
  built[50] = built[51] = 0;
  EXPECT_EQ(behind(built, ipv6_with_alert), message);
}

TEST(MldQueries, OfVersion2KeepSourcesCodesAndFlags) {
  const MldQuery values{.version = 2,
                        .maximum_response = 32768ms,
                        .group = group6,
                        .sources = {ip6("2001:db8::1"), ip6("2001:db8::2")},
                        .suppress = true,
                        .robustness = 2,
                        .interval = 128s};
  const Frame packet = mld_query_packet(link_local, values);
  expect_no_bad_checksum(packet);
  const Frame message = behind(packet, ipv6_with_alert);
  EXPECT_EQ(parse_mld_query(message), values);
  EXPECT_EQ(message[4], 0x80);
  EXPECT_EQ(message[25], 0x80);
  // 24 bytes alone are a whole query of version 1 (RFC 3810 section 8.1).
  EXPECT_THAT(accepted_lengths(message, parse_mld_query), ElementsAre(24));
}

TEST(MldQueries, ForNoGroupAreRefused) {
  EXPECT_FALSE(parse_mld_query(bytes("8200 0000 2710 0000 20010db8000000000000000000000001")));
  EXPECT_FALSE(parse_mld_query(bytes("8201 0000 2710 0000 00000000000000000000000000000000")));
}

TEST(MldReports, OfVersion1ReachTheGroupAndDonesTheRouters) {
  for (const bool is_done : {false, true}) {
    const Frame packet = mld_report1_packet(link_local, {.is_done = is_done, .group = group6});
    EXPECT_EQ(to_string(destination6(packet)), is_done ? "ff02::2" : to_string(group6));
    expect_no_bad_checksum(packet);
    const auto report = parse_mld_report1(behind(packet, ipv6_with_alert));
    ASSERT_TRUE(report);
    EXPECT_EQ(*report, (MldReport1{is_done, group6}));
    EXPECT_THAT(accepted_lengths(behind(packet, ipv6_with_alert), parse_mld_report1), IsEmpty());
  }
}

TEST(MldReports, OfVersion2KeepTheirRecords) {
  const std::vector<MldRecord> records = {{MldRecordType::to_exclude, group6, {}},
                                          {MldRecordType::allow, ip6("ff02::1:ff00:4"), {ip6("2001:db8::7")}}};
  const Frame packet = mld_report2_packet(link_local, records);
  EXPECT_EQ(to_string(destination6(packet)), "ff02::16");
  expect_no_bad_checksum(packet);
  Frame message = behind(packet, ipv6_with_alert);
  EXPECT_EQ(parse_mld_report2(message), records);
  EXPECT_THAT(accepted_lengths(message, parse_mld_report2), IsEmpty());
  message[7] = 3;  // one record more than there is
  EXPECT_FALSE(parse_mld_report2(message));
  message[7] = 2;
  message[8] = 99;  // a record of an unknown type is skipped
  EXPECT_EQ(parse_mld_report2(message)->size(), 1U);
}

TEST(IgmpQueries, TellTheirVersionsByLengthAndTime) {
  const auto version1 = parse_igmp_query(bytes("1100 eeff 00000000"));
  ASSERT_TRUE(version1);
  EXPECT_EQ(version1->version, 1);
  EXPECT_EQ(version1->maximum_response, 10s);
  const auto version2 = parse_igmp_query(bytes("1164 ee9b 00000000"));
  ASSERT_TRUE(version2);
  EXPECT_EQ(version2->version, 2);
  EXPECT_EQ(version2->maximum_response, 10s);
  const auto version3 = parse_igmp_query(bytes("1164 0000 00000000 0a7d0001 c0000201"));
  ASSERT_TRUE(version3);
  EXPECT_EQ(version3->version, 3);
  EXPECT_EQ(version3->robustness, 2);
  EXPECT_TRUE(version3->suppress);
  EXPECT_EQ(version3->interval, 125s);
  EXPECT_THAT(version3->sources, ElementsAre(ip4("192.0.2.1")));
  EXPECT_THAT(accepted_lengths(bytes("1164 0000 00000000 0a7d0001 c0000201"), parse_igmp_query), ElementsAre(8));
}

TEST(IgmpQueries, AreBuiltAsTheyAreRead) {
  const IgmpQuery cases[] = {
      {.version = 1, .maximum_response = 10s, .group = {}, .sources = {}},
      {.version = 2, .maximum_response = 2500ms, .group = ip4("239.1.2.3"), .sources = {}},
      {.version = 3,
       .maximum_response = 12800ms,
       .group = ip4("239.1.2.3"),
       .sources = {ip4("192.0.2.1")},
       .suppress = true,
       .robustness = 7,
       .interval = 31744s},
  };
  for (const IgmpQuery& query : cases) {
    const Frame packet = igmp_query_packet(ip4("10.0.0.1"), query);
    EXPECT_EQ(parse_igmp_query(behind(packet, query.version == 1 ? 20 : ipv4_with_alert)), query);
    expect_no_bad_checksum(packet);
  }
}

TEST(IgmpReports, OfVersion2AreTheGoldenBytes) {
  EXPECT_EQ(hex(igmp_report_packet(ip4("10.0.0.1"), {IgmpReportKind::report2, ip4("224.0.0.18")})),
            hex(bytes("46c00020 00000000 0102 3a05 0a000001 e0000012 94040000 1600 09ed e0000012")));
  const Frame leave = igmp_report_packet(ip4("10.0.0.1"), {IgmpReportKind::leave, ip4("239.1.2.3")});
  EXPECT_EQ(to_string(destination4(leave)), "224.0.0.2");
  EXPECT_EQ(parse_igmp_report(behind(leave, ipv4_with_alert)), (IgmpReport{IgmpReportKind::leave, ip4("239.1.2.3")}));
  EXPECT_THAT(accepted_lengths(behind(leave, ipv4_with_alert), parse_igmp_report), IsEmpty());
  EXPECT_FALSE(parse_igmp_report(bytes("1600 0000 0a000001")));
  EXPECT_FALSE(parse_igmp_report(bytes("1100 0000 e0000012")));
}

TEST(IgmpReports, OfVersion3KeepTheirRecords) {
  const std::vector<IgmpRecord> records = {
      {IgmpRecordType::to_exclude, ip4("224.0.0.18"), {}},
      {IgmpRecordType::block, ip4("239.1.2.3"), {ip4("192.0.2.1"), ip4("192.0.2.2")}}};
  const Frame packet = igmp_report3_packet(ip4("10.0.0.1"), records);
  EXPECT_EQ(to_string(destination4(packet)), "224.0.0.22");
  expect_no_bad_checksum(packet);
  const Frame message = behind(packet, ipv4_with_alert);
  EXPECT_EQ(parse_igmp_report3(message), records);
  EXPECT_THAT(accepted_lengths(message, parse_igmp_report3), IsEmpty());
}

}  // namespace
}  // namespace trivet::wire
