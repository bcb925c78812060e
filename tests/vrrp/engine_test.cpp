// The rule table of one engine: what each single input brings about, and when.
#include "vrrp/engine.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include "lan.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::vrrp {
namespace {

using testkit::ip4;
using namespace std::chrono_literals;

constexpr std::array<InterfaceId, 3> interfaces{1, 2, 3};
const Ipv4Address own = ip4("10.0.0.5");
const Ipv4Address lower_address = ip4("10.0.0.4");
const Ipv4Address higher_address = ip4("10.0.0.10");

template <class T>
std::vector<T> all(const Actions& actions) {
  std::vector<T> found;
  for (const Action& action : actions) {
    if (const T* one = std::get_if<T>(&action)) found.push_back(*one);
  }
  return found;
}

bool counts(const Actions& actions, Tally tally) {
  for (const Count& count : all<Count>(actions)) {
    if (count.tally == tally) return true;
  }
  return false;
}

class OneEngine : public testing::Test {
 protected:
  // Backup from `now`, links up, gateway up, nothing undecided.
  void make_backup(const Config& config = pair_config(), const std::vector<Ipv4Address>& virtual_addresses = {}) {
    for (const InterfaceId interface : interfaces) ignore(engine.set_link(interface, true, now));
    ignore(engine.configure(config, now));
    ignore(engine.attach({own, {1, 3}, virtual_addresses}, now));
  }
  void make_master(const Config& config = pair_config()) {
    make_backup(config);
    now = engine.poll_at();
    ignore(engine.on_time(now));
    ASSERT_EQ(engine.role(), Role::master);
  }
  Actions hear(std::uint8_t priority, const Ipv4Address& from = lower_address, InterfaceId interface = 1) {
    return engine.receive({interface, from, 7, {64, priority, 1, {}}}, now);
  }
  static void ignore(const Actions& actions) { static_cast<void>(actions); }

  Engine engine{500};
  Time now = at(50);
};

TEST_F(OneEngine, WithoutASectionIsMasterAndDoesNothing) {
  const Actions actions = engine.configure({}, now);
  EXPECT_EQ(engine.role(), Role::master);
  EXPECT_TRUE(all<SendAdvert>(actions).empty());
  EXPECT_EQ(engine.poll_at(), never);
  EXPECT_TRUE(counts(hear(255), Tally::not_running));
  EXPECT_EQ(engine.role(), Role::master);
  EXPECT_TRUE(all<SendAdvert>(engine.stop(now)).empty());
}

TEST_F(OneEngine, StaysInInitUntilNetworkAndLinkAreThere) {
  ignore(engine.configure(pair_config(), now));
  EXPECT_EQ(engine.role(), Role::init);
  EXPECT_EQ(engine.reason(), "network 1 is not in service");
  ignore(engine.attach({own, {1, 3}, {}}, now));
  EXPECT_EQ(engine.role(), Role::init);
  EXPECT_EQ(engine.reason(), "no interface of network 1 has link");
  ignore(engine.set_link(2, true, now));
  EXPECT_EQ(engine.role(), Role::init);
  EXPECT_EQ(engine.poll_at(), never);
  EXPECT_TRUE(counts(hear(200), Tally::not_running));
  ignore(engine.set_link(3, true, now));
  EXPECT_EQ(engine.role(), Role::backup);
}

TEST_F(OneEngine, InactiveSectionStaysInInitWithItsReason) {
  Config config = pair_config();
  config.inactive = "network 1 is not defined";
  make_backup(config);
  EXPECT_EQ(engine.role(), Role::init);
  EXPECT_EQ(engine.reason(), "network 1 is not defined");
  EXPECT_EQ(engine.poll_at(), never);
}

TEST_F(OneEngine, MasterDownAndSkewFollowTheEffectivePriority) {
  struct Case {
    std::uint8_t priority;
    std::uint8_t interval;
    Duration expected;
  };
  for (const Case& one : {Case{200, 1, 3218750us}, Case{1, 1, 3996093750ns}, Case{254, 1, 3007812500ns},
                          Case{100, 1, 3609375us}, Case{100, 255, 765609375us}}) {
    Engine fresh{1};
    Config config = pair_config();
    config.priority = one.priority;
    config.interval = one.interval;
    ignore(fresh.configure(config, now));
    for (const InterfaceId interface : interfaces) ignore(fresh.set_link(interface, true, now));
    ignore(fresh.attach({own, {1, 3}, {}}, now));
    EXPECT_EQ(fresh.poll_at() - now, one.expected) << int{one.priority};
    EXPECT_EQ(fresh.next_timer().name, "master down");
    if (one.priority != 200) continue;
    ignore(fresh.set_link(2, false, now + 1s));
    EXPECT_EQ(fresh.poll_at() - now, 3s + Duration(66s) / 256);
  }
}

TEST_F(OneEngine, PriorityOfTheOwnerIsMasterAtOnceAndIgnoresTracking) {
  Config config = pair_config();
  config.priority = 255;
  make_backup(config);
  EXPECT_EQ(engine.role(), Role::master);
  ignore(engine.set_link(2, false, now));
  ignore(engine.set_gateway(Health::down, {}, now));
  EXPECT_EQ(engine.effective_priority(), 255);
  ignore(hear(254, higher_address));
  EXPECT_EQ(engine.role(), Role::master);
  ignore(hear(255, higher_address));
  EXPECT_EQ(engine.role(), Role::backup);
}

TEST_F(OneEngine, BecomingMasterAdvertisesOnAllInterfacesWithLink) {
  make_backup(pair_config(), {ip4("10.0.0.100")});
  now = engine.poll_at();
  Actions actions = engine.on_time(now);
  auto sent = all<SendAdvert>(actions);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].advert, (Advert{64, 200, 1, {ip4("10.0.0.100")}}));
  EXPECT_EQ(sent[0].source, own);
  EXPECT_EQ(sent[0].interfaces, (std::vector<InterfaceId>{1, 3}));
  const auto changes = all<ChangeRole>(actions);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].from, Role::backup);
  EXPECT_EQ(changes[0].to, Role::master);
  EXPECT_EQ(engine.next_timer().name, "advertisement");
  EXPECT_EQ(engine.poll_at(), now + 1s);
  ignore(engine.set_link(1, false, now));
  now = engine.poll_at();
  sent = all<SendAdvert>(engine.on_time(now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].interfaces, (std::vector<InterfaceId>{3}));
  EXPECT_EQ(sent[0].id, 501);
}

TEST_F(OneEngine, MasterYieldsToTheBetterOnly) {
  struct Case {
    std::uint8_t priority;
    Ipv4Address from;
    Role expected;
  };
  for (const Case& one : {Case{201, lower_address, Role::backup}, Case{200, higher_address, Role::backup},
                          Case{200, lower_address, Role::master}, Case{199, higher_address, Role::master},
                          Case{0, higher_address, Role::master}, Case{255, lower_address, Role::backup}}) {
    engine = Engine{500};
    make_master();
    ignore(hear(one.priority, one.from));
    EXPECT_EQ(engine.role(), one.expected) << int{one.priority};
  }
}

TEST_F(OneEngine, MasterAnswersPriorityZeroAtOnceAndAWorseMasterAtMostFourTimesAnInterval) {
  make_master();
  now += 10ms;
  EXPECT_EQ(all<SendAdvert>(hear(0)).size(), 1U);
  EXPECT_TRUE(all<SendAdvert>(hear(100)).empty());
  now += 250ms;
  EXPECT_EQ(all<SendAdvert>(hear(100)).size(), 1U);
  EXPECT_EQ(engine.poll_at(), now + 1s);
  EXPECT_TRUE(all<SendAdvert>(hear(100)).empty());
}

TEST_F(OneEngine, BackupRestartsMasterDownForEqualAndHigher) {
  make_backup();
  for (const std::uint8_t priority : std::initializer_list<std::uint8_t>{200, 201, 255}) {
    now += 2s;
    ignore(hear(priority, lower_address));
    EXPECT_EQ(engine.next_timer().at, now + 3218750us);
  }
}

TEST_F(OneEngine, PriorityZeroSetsTheTimerToSkewTimeOnce) {
  make_backup();
  now += 1s;
  ignore(hear(200));
  const Time left = now;
  ignore(hear(0, lower_address, 1));
  now += 50ms;
  ignore(hear(0, lower_address, 3));
  EXPECT_EQ(engine.next_timer().name, "skew");
  EXPECT_EQ(engine.next_timer().at, left + 218750us);
  // Somebody else is master already.
  ignore(hear(200, higher_address));
  EXPECT_EQ(engine.next_timer().name, "master down");
}

TEST_F(OneEngine, StableBackupOutbidsALowerMasterAfterOneSkewTimeWhateverElseItHears) {
  make_backup();
  now += 1s;
  ignore(hear(200));
  now += 8s;
  const Time first = now;
  EXPECT_TRUE(all<AskGateway>(hear(190)).empty());  // nobody checks the gateway
  EXPECT_EQ(engine.next_timer().name, "takeover");
  now += 100ms;
  ignore(hear(190, lower_address, 3));
  EXPECT_EQ(engine.poll_at(), first + 218750us);
  // The master has recovered meanwhile.
  ignore(hear(200));
  EXPECT_EQ(engine.next_timer().name, "master down");
}

TEST_F(OneEngine, NotYetStableBackupLetsALowerMasterRestartMasterDown) {
  make_backup();
  now += 7999ms;
  ignore(hear(190));
  EXPECT_EQ(engine.next_timer().name, "master down");
  EXPECT_EQ(engine.next_timer().at, now + 3218750us);
  EXPECT_EQ(engine.preemption(now), "held: stable for 7.99 s of 8 s");
  now += 1ms;
  ignore(hear(190));
  EXPECT_EQ(engine.next_timer().name, "takeover");
  EXPECT_EQ(engine.preemption(now), "ready");
}

TEST_F(OneEngine, NodeThatComesBackFromInitIsStableFromThenOn) {
  Config untracked = pair_config();
  untracked.tracked_links.clear();
  make_backup(untracked);
  now += 20s;
  ignore(engine.set_link(1, false, now));
  ignore(engine.set_link(3, false, now));
  ignore(engine.set_link(3, true, now));
  ignore(hear(190, lower_address, 3));
  EXPECT_EQ(engine.next_timer().name, "master down");
  now += 8s;
  ignore(hear(190, lower_address, 3));
  EXPECT_EQ(engine.next_timer().name, "takeover");
}

TEST_F(OneEngine, OwnLossDuringSkewTimeCancelsTheTakeover) {
  make_backup();
  now += 9s;
  ignore(hear(190));
  now += 100ms;
  ignore(engine.set_link(2, false, now));
  EXPECT_EQ(engine.next_timer().name, "master down");
}

TEST_F(OneEngine, TakeoverWaitsForAnAnswerOfTheGatewayYoungerThanTheAdvertisement) {
  make_backup();
  ignore(engine.set_gateway(Health::up, now, now));
  now += 9s;
  ignore(engine.set_gateway(Health::up, now - 1ms, now));
  const Time first = now;
  EXPECT_EQ(all<AskGateway>(hear(190)).size(), 1U);
  EXPECT_EQ(engine.preemption(now), "waiting for an answer of the gateway");
  EXPECT_TRUE(all<AskGateway>(hear(190, lower_address, 3)).empty());
  EXPECT_EQ(engine.next_timer().name, "master down");
  now += 1s;
  EXPECT_EQ(all<AskGateway>(hear(190)).size(), 1U);
  EXPECT_EQ(engine.next_timer().at, now + 3218750us);
  now += 20ms;
  ignore(engine.set_gateway(Health::up, now, now));
  EXPECT_EQ(engine.poll_at(), first + 218750us);  // long due
  ignore(engine.on_time(now));
  EXPECT_EQ(engine.role(), Role::master);
}

TEST_F(OneEngine, GatewayThatIsNotTrackedOrHasNoChecksIsNotAsked) {
  Config untracked = pair_config();
  untracked.gateway_penalty = 0;
  make_backup(untracked);
  ignore(engine.set_gateway(Health::up, now, now));
  now += 9s;
  EXPECT_TRUE(all<AskGateway>(hear(190)).empty());
  EXPECT_EQ(engine.next_timer().name, "takeover");

  engine = Engine{500};
  make_backup();
  ignore(engine.set_gateway(Health::up, {}, now));
  now += 9s;
  EXPECT_TRUE(all<AskGateway>(hear(190)).empty());
  EXPECT_EQ(engine.next_timer().name, "takeover");
}

TEST_F(OneEngine, EffectivePriorityOfAMasterIsAdvertisedAtOnce) {
  make_master();
  now += 300ms;
  const auto sent = all<SendAdvert>(engine.set_link(2, false, now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].advert.priority, 190);
  EXPECT_EQ(engine.poll_at(), now + 1s);
  EXPECT_TRUE(all<SendAdvert>(engine.set_link(2, false, now)).empty());
  const auto notices = all<Notice>(engine.set_gateway(Health::undecided, {}, now));
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].text, "effective priority 190 -> 180: eth2 down, gateway undecided");
}

TEST_F(OneEngine, EffectivePriorityStaysAboveZero) {
  Config config = pair_config();
  config.priority = 15;
  make_backup(config);
  ignore(engine.set_link(2, false, now));
  ignore(engine.set_gateway(Health::down, {}, now));
  EXPECT_EQ(engine.effective_priority(), 1);
}

TEST_F(OneEngine, OwnAdvertisementIsALoopAndAStrangersADuplicate) {
  make_master();
  now += 10ms;
  const Actions loop = engine.receive({3, own, 500, {64, 255, 1, {}}}, now);
  EXPECT_TRUE(counts(loop, Tally::own_loop));
  ASSERT_EQ(all<Notice>(loop).size(), 1U);
  EXPECT_EQ(all<Notice>(loop)[0].text, "loop: an advertisement of this node came back on interface 3");
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{499, 501, 0, 65535}) {
    EXPECT_TRUE(counts(engine.receive({1, own, id, {64, 255, 1, {}}}, now), Tally::duplicate_address)) << id;
  }
  EXPECT_EQ(engine.role(), Role::master);
  EXPECT_TRUE(engine.peers().empty());
  EXPECT_EQ(engine.last_complaint(), "duplicate address: another node advertises from our 10.0.0.5 on interface 1");
}

TEST_F(OneEngine, BackupNeverTakesItsOwnAddressForAMaster) {
  make_backup();
  const Time end = engine.poll_at();
  now += 1s;
  EXPECT_TRUE(counts(engine.receive({1, own, 3, {64, 255, 1, {}}}, now), Tally::duplicate_address));
  EXPECT_EQ(engine.poll_at(), end);
}

TEST_F(OneEngine, ForeignAdvertisementsAreCountedAndIgnored) {
  make_backup();
  const Time end = engine.poll_at();
  now += 1s;
  EXPECT_TRUE(counts(engine.receive({2, lower_address, 7, {64, 255, 1, {}}}, now), Tally::wrong_interface));
  EXPECT_TRUE(counts(engine.receive({1, lower_address, 7, {65, 255, 1, {}}}, now), Tally::other_vrid));
  const Actions mismatch = engine.receive({1, lower_address, 7, {64, 255, 2, {}}}, now);
  EXPECT_TRUE(counts(mismatch, Tally::interval_mismatch));
  ASSERT_EQ(all<Notice>(mismatch).size(), 1U);
  EXPECT_TRUE(all<Notice>(mismatch)[0].is_warning);
  EXPECT_EQ(engine.last_complaint(),
            "10.0.0.4 advertises every 2 s, we every 1 s: ignored until both have the same interval");
  EXPECT_EQ(engine.poll_at(), end);
  EXPECT_TRUE(engine.peers().empty());
}

TEST_F(OneEngine, DifferentAddressListIsLoggedAndProcessed) {
  make_backup(pair_config(), {ip4("10.0.0.100")});
  now += 1s;
  const Actions actions = hear(200);
  EXPECT_TRUE(counts(actions, Tally::address_mismatch));
  EXPECT_EQ(engine.last_complaint(), "10.0.0.4 advertises the addresses none, we 10.0.0.100");
  EXPECT_EQ(engine.next_timer().at, now + 3218750us);
}

TEST_F(OneEngine, EqualComplaintsAreLoggedOnceAMinute) {
  make_backup();
  int lines = 0;
  for (int second = 0; second < 180; ++second) {
    now += 1s;
    lines += static_cast<int>(all<Notice>(engine.receive({1, lower_address, 7, {64, 255, 9, {}}}, now)).size());
  }
  EXPECT_EQ(lines, 3);
}

TEST_F(OneEngine, PeersAreListedAgedOutAndBounded) {
  make_backup();
  EXPECT_EQ(all<PeersChanged>(hear(200, higher_address, 3)).size(), 1U);
  ASSERT_EQ(engine.peers().size(), 1U);
  EXPECT_EQ(engine.peers()[0], (VrrpPeer{higher_address, 200, 3, now}));
  EXPECT_TRUE(all<PeersChanged>(hear(200, higher_address, 1)).empty());
  for (std::uint32_t i = 0; i < 100; ++i) {
    now += 1ms;
    ignore(hear(200, Ipv4Address::from_number(0x0a010000U + i)));
  }
  EXPECT_EQ(engine.peers().size(), PeerTable::capacity);
  EXPECT_EQ(engine.peers()[0].address, IpAddress{higher_address}) << "a real one is not pushed out by forged ones";
  const Actions silence = engine.on_time(now + 4s);
  EXPECT_EQ(all<PeersChanged>(silence).size(), 1U);
  EXPECT_TRUE(engine.peers().empty());
}

TEST_F(OneEngine, ForgedRoutersBringNoNewsOnceTheListIsFull) {
  make_backup();
  std::size_t news = 0;
  for (std::uint32_t i = 0; i < 10000; ++i) {
    news += all<PeersChanged>(hear(200, Ipv4Address::from_number(0x0a010000U + i))).size();
  }
  EXPECT_EQ(news, PeerTable::capacity);
  // Nor do two that speak with one address.
  news = 0;
  for (std::uint8_t i = 0; i < 100; ++i) {
    news += all<PeersChanged>(hear(i % 2 == 0 ? 200 : 201, Ipv4Address::from_number(0x0a010000U))).size();
  }
  EXPECT_LE(news, 1U);
}

TEST_F(OneEngine, PeerThatSaysGoodbyeLeavesTheListAtOnce) {
  make_backup();
  ignore(hear(200));
  EXPECT_EQ(all<PeersChanged>(hear(0)).size(), 1U);
  EXPECT_TRUE(engine.peers().empty());
}

TEST_F(OneEngine, StopSendsPriorityZeroAsMasterOnly) {
  make_backup();
  EXPECT_TRUE(all<SendAdvert>(engine.stop(now)).empty());
  engine = Engine{500};
  make_master();
  const auto sent = all<SendAdvert>(engine.stop(now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].advert.priority, 0);
  EXPECT_EQ(sent[0].interfaces, (std::vector<InterfaceId>{1, 3}));
  EXPECT_EQ(engine.role(), Role::init);
  EXPECT_EQ(engine.poll_at(), never);
}

TEST_F(OneEngine, NewIdentityLeavesUnderTheOldOneAndStartsAnew) {
  make_master();
  Config other = pair_config();
  other.vrid = 65;
  auto sent = all<SendAdvert>(engine.configure(other, now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].advert.vrid, 64);
  EXPECT_EQ(sent[0].advert.priority, 0);
  EXPECT_EQ(engine.role(), Role::backup);
  now = engine.poll_at();
  ignore(engine.on_time(now));
  ASSERT_EQ(engine.role(), Role::master);
  sent = all<SendAdvert>(engine.attach({ip4("10.0.0.6"), {1, 3}, {}}, now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].source, own);
  EXPECT_EQ(sent[0].advert.priority, 0);
  EXPECT_EQ(engine.role(), Role::backup);
}

TEST_F(OneEngine, ChangedTermsKeepTheRole) {
  make_master();
  Config other = pair_config();
  other.priority = 100;
  other.preempt = false;
  other.interval = 5;
  const auto sent = all<SendAdvert>(engine.configure(other, now));
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.back().advert.priority, 100);
  EXPECT_EQ(sent.back().advert.interval, 5);
  EXPECT_EQ(engine.role(), Role::master);
  EXPECT_EQ(engine.poll_at(), now + 5s);
}

TEST_F(OneEngine, SectionThatGoesLeavesAMasterWithoutARouterAndOneThatComesListensFirst) {
  make_master();
  const auto sent = all<SendAdvert>(engine.configure({}, now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].advert.priority, 0);
  EXPECT_EQ(engine.role(), Role::master);
  EXPECT_EQ(engine.poll_at(), never);
  ignore(engine.configure(pair_config(), now));
  ignore(engine.attach({own, {1, 3}, {}}, now));
  EXPECT_EQ(engine.role(), Role::backup);
}

TEST_F(OneEngine, NetworkThatGoesOutOfServiceSaysGoodbye) {
  make_master();
  Config inactive = pair_config();
  inactive.inactive = "network 1 is not enabled";
  const auto sent = all<SendAdvert>(engine.configure(inactive, now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].advert.priority, 0);
  EXPECT_EQ(engine.role(), Role::init);
  EXPECT_EQ(engine.reason(), "network 1 is not enabled");
}

TEST_F(OneEngine, OtherNetworkNeverSpeaksFromTheOldAddress) {
  Config config = pair_config();
  config.priority = 255;
  make_backup(config);
  ASSERT_EQ(engine.role(), Role::master);
  config.network = 2;
  const auto sent = all<SendAdvert>(engine.configure(config, now));
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].advert.priority, 0);
  EXPECT_EQ(engine.role(), Role::init);
}

}  // namespace
}  // namespace trivet::vrrp
