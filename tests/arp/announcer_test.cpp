#include "arp/announcer.h"

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

constexpr MacAddress own_mac{{2, 0, 0, 0, 0, 1}};
const MacAddress virtual_mac = vrrp_mac(Family::ipv4, 64);

Time at(Duration since_start) { return Time{} + since_start; }

Announcement real4(InterfaceId interface = 1) {
  return {interface, own_mac, Ipv4Address{{10, 0, 0, 1}}, AddressScope::own, false};
}
Announcement real6(InterfaceId interface = 1) {
  return {interface, own_mac, *parse_ipv6("2001:db8::1"), AddressScope::own, false};
}
Announcement virt(std::uint8_t host, InterfaceId interface = 1) {
  return {interface, virtual_mac, Ipv4Address{{10, 0, 0, host}}, AddressScope::master, true};
}

class AnnouncerTest : public testing::Test {
 protected:
  std::vector<std::string> run_until(Time end) {
    std::vector<std::string> lines;
    while (announcer.poll_at() <= end) {
      const Time now = announcer.poll_at();
      for (const AnnounceAction& action : announcer.on_time(now)) {
        lines.push_back(std::to_string((now - Time{}) / milliseconds(1)) + " " + to_string(action.what.address) +
                        " if" + std::to_string(action.what.interface) +
                        (action.kind == AnnouncementKind::probe ? " probe" : ""));
      }
    }
    return lines;
  }
  Announcer announcer;
};

TEST_F(AnnouncerTest, IsIdleWithoutAddresses) {
  announcer.set_refresh(seconds(2));
  announcer.set({}, at(seconds(0)));
  EXPECT_EQ(announcer.poll_at(), never);
  EXPECT_THAT(announcer.on_time(at(seconds(100))), IsEmpty());
}

TEST_F(AnnouncerTest, AMasterAddressIsAnnouncedAtOnceAndAfterOneAndFiveSeconds) {
  announcer.set({virt(3)}, at(seconds(0)));
  EXPECT_THAT(run_until(at(seconds(60))), ElementsAre("0 10.0.0.3 if1", "1000 10.0.0.3 if1", "5000 10.0.0.3 if1"));
}

TEST_F(AnnouncerTest, AnOwnIpv4AddressIsProbedAndThenAnnouncedTwiceTwoSecondsApart) {
  announcer.set({real4()}, at(seconds(0)));
  EXPECT_THAT(run_until(at(seconds(60))),
              ElementsAre("0 10.0.0.1 if1 probe", "1000 10.0.0.1 if1", "3000 10.0.0.1 if1"));
}

TEST_F(AnnouncerTest, AnOwnIpv6AddressIsProbedAndThenAnnounced) {
  announcer.set({real6()}, at(seconds(0)));
  EXPECT_THAT(run_until(at(seconds(60))), ElementsAre("0 2001:db8::1 if1 probe", "1000 2001:db8::1 if1"));
}

TEST_F(AnnouncerTest, OnlyWhatIsNewIsAnnounced) {
  announcer.set({virt(3)}, at(seconds(0)));
  (void)run_until(at(seconds(10)));
  announcer.set({virt(3), virt(4), virt(3, 2)}, at(seconds(10)));
  EXPECT_THAT(announcer.on_time(at(seconds(10))).size(), 2U);
}

TEST_F(AnnouncerTest, RepeatsOfWhatIsGoneAreNotSent) {
  announcer.set({virt(3), real4()}, at(seconds(0)));
  (void)run_until(at(seconds(0)));
  announcer.set({real4()}, at(milliseconds(500)));
  EXPECT_THAT(run_until(at(seconds(60))), ElementsAre("1000 10.0.0.1 if1", "3000 10.0.0.1 if1"));
}

TEST_F(AnnouncerTest, RoleFlapsStartTheScheduleAnewWithoutPilingUp) {
  for (int i = 0; i < 100; ++i) {
    announcer.set({virt(3)}, at(milliseconds(i)));
    announcer.set({}, at(milliseconds(i)));
  }
  announcer.set({virt(3)}, at(milliseconds(100)));
  EXPECT_THAT(run_until(at(seconds(60))), ElementsAre("100 10.0.0.3 if1", "1100 10.0.0.3 if1", "5100 10.0.0.3 if1"));
}

TEST_F(AnnouncerTest, AChangedMacIsAnnouncedLikeANewAddress) {
  Announcement address = virt(3);
  announcer.set({address}, at(seconds(0)));
  (void)run_until(at(seconds(10)));
  address.mac = own_mac;
  announcer.set({address}, at(seconds(10)));
  EXPECT_THAT(run_until(at(seconds(10))), ElementsAre("10000 10.0.0.3 if1"));
}

TEST_F(AnnouncerTest, LargeListsArePacedAndComplete) {
  std::vector<Announcement> list;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    Announcement announcement = virt(1);
    announcement.address = Ipv4Address::from_number(0x0a000000U + i);
    list.push_back(announcement);
  }
  announcer.set(list, at(seconds(0)));
  EXPECT_EQ(announcer.on_time(at(seconds(0))).size(), Announcer::burst);
  EXPECT_THAT(announcer.on_time(at(seconds(0))), IsEmpty()) << "the next burst waits for its slot";
  EXPECT_EQ(announcer.poll_at(), at(Announcer::slot));
  EXPECT_EQ(run_until(at(milliseconds(999))).size(), 1000 - Announcer::burst);
  EXPECT_EQ(run_until(at(seconds(60))).size(), 2000U);
}

TEST_F(AnnouncerTest, AFreshMacThatIsSilentIsAnnouncedAgainOneAddressATimeInTurn) {
  announcer.set_refresh(seconds(2));
  announcer.set({virt(3), virt(4), virt(3, 2)}, at(seconds(0)));
  (void)run_until(at(seconds(5)));
  EXPECT_THAT(run_until(at(seconds(11))), ElementsAre("7000 10.0.0.4 if1", "7000 10.0.0.3 if2", "9000 10.0.0.3 if1",
                                                      "9000 10.0.0.3 if2", "11000 10.0.0.4 if1", "11000 10.0.0.3 if2"));
}

TEST_F(AnnouncerTest, OtherFramesWithTheMacPutTheRefreshOff) {
  announcer.set_refresh(seconds(2));
  announcer.set({virt(3)}, at(seconds(0)));
  (void)run_until(at(seconds(5)));
  announcer.sent(1, 0, virtual_mac, at(milliseconds(6500)));
  announcer.sent(2, 0, virtual_mac, at(milliseconds(6900)));
  announcer.sent(1, 0, own_mac, at(milliseconds(6900)));
  EXPECT_THAT(run_until(at(seconds(9))), ElementsAre("8500 10.0.0.3 if1"));
}

TEST_F(AnnouncerTest, NothingIsRefreshedWithoutIntervalOrForOwnMacs) {
  announcer.set({virt(3)}, at(seconds(0)));
  (void)run_until(at(seconds(5)));
  EXPECT_EQ(announcer.poll_at(), never);
  announcer.set_refresh(seconds(2));
  announcer.set({real4()}, at(seconds(5)));
  (void)run_until(at(seconds(10)));
  EXPECT_EQ(announcer.poll_at(), never);
}

}  // namespace
}  // namespace trivet::arp
