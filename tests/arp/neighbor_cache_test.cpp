#include "arp/neighbor_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace trivet::arp {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using Reachability = NeighborReachability;

constexpr MacAddress mac_a{{2, 0, 0, 0, 1, 0xa}};
constexpr MacAddress mac_b{{2, 0, 0, 0, 1, 0xb}};
constexpr NeighborPlace place_a{mac_a, 1};
constexpr NeighborPlace place_b{mac_b, 1};

Time at(Duration since_start) { return Time{} + since_start; }

NeighborKey key_of(std::uint8_t host, NetworkId network = 1) { return {network, Ipv4Address{{10, 0, 0, host}}}; }
NeighborKey key_of_number(std::uint32_t number) { return {1, Ipv4Address::from_number(0x0a000000U + number)}; }
const NeighborKey key = key_of(9);

// Actions as short lines, so that a run can be compared as a whole.
std::string text(const CacheAction& action) {
  if (const auto* publish = std::get_if<PublishEntry>(&action)) {
    std::string line = std::string(to_string(publish->entry.reachability)) + " " + to_string(publish->entry.address);
    if (publish->entry.usable()) {
      line += " " + to_string(publish->entry.mac) + " if" + std::to_string(publish->entry.interface);
    }
    return line;
  }
  if (const auto* erased = std::get_if<EraseEntry>(&action)) return "erase " + to_string(erased->key.address);
  const auto& solicit = std::get<Solicit>(action);
  if (solicit.place.interface == 0) return "solicit all " + to_string(solicit.key.address);
  return "solicit " + to_string(solicit.place.mac) + " if" + std::to_string(solicit.place.interface);
}
std::vector<std::string> texts(const CacheActions& actions) {
  std::vector<std::string> lines;
  for (const CacheAction& action : actions) lines.push_back(text(action));
  return lines;
}

Advertisement answer(const MacAddress& mac, InterfaceId interface = 1) { return {interface, mac, true, true, true}; }
Advertisement announcement(const MacAddress& mac, InterfaceId interface = 1) {
  return {interface, mac, true, false, true};
}

class NeighborCacheTest : public testing::Test {
 protected:
  Reachability state(const NeighborKey& which = key) const {
    const auto* entry = cache.find(which);
    return entry == nullptr ? Reachability::failed : entry->shown.reachability;
  }
  // Serves every deadline up to `end`, in order, and collects what happens with its time in ms.
  std::vector<std::string> run_until(Time end) {
    std::vector<std::string> lines;
    while (cache.poll_at() <= end) {
      const Time now = cache.poll_at();
      for (const auto& line : texts(cache.on_time(now))) {
        lines.push_back(std::to_string((now - Time{}) / milliseconds(1)) + ": " + line);
      }
    }
    return lines;
  }
  void make_reachable(const NeighborKey& which, Time now, const MacAddress& mac = mac_a, InterfaceId interface = 1) {
    (void)cache.wanted(which, now);
    (void)cache.heard_advertisement(which, answer(mac, interface), now);
  }
  // Brings the entry to the state, as the figure in the header leads there.
  Time bring_to(Reachability wanted_state) {
    (void)cache.wanted(key, at(seconds(0)));
    if (wanted_state == Reachability::incomplete) return at(seconds(0));
    if (wanted_state == Reachability::failed) {
      (void)run_until(at(seconds(3)));
      return at(seconds(3));
    }
    (void)cache.heard_advertisement(key, answer(mac_a), at(seconds(0)));
    if (wanted_state == Reachability::reachable) return at(seconds(2));
    const Time stale_at = cache.poll_at();
    (void)run_until(stale_at);
    if (wanted_state == Reachability::stale) return stale_at;
    (void)cache.used(key, stale_at);
    if (wanted_state == Reachability::delay) return stale_at;
    (void)run_until(stale_at + seconds(5));
    return stale_at + seconds(5);
  }

  NeighborCache cache{CacheLimits{}, Random{7}};
};

TEST_F(NeighborCacheTest, ResolvesByAskingOnAllInterfacesAndPublishesTheAnswer) {
  EXPECT_THAT(texts(cache.wanted(key, at(seconds(0)))), ElementsAre("incomplete 10.0.0.9", "solicit all 10.0.0.9"));
  EXPECT_THAT(texts(cache.heard_advertisement(key, answer(mac_a, 3), at(milliseconds(5)))),
              ElementsAre("reachable 10.0.0.9 02:00:00:00:01:0a if3"));
}

TEST_F(NeighborCacheTest, AsksThreeTimesASecondApartThenFailsForThreeSecondsThenForgets) {
  (void)cache.wanted(key, at(seconds(0)));
  EXPECT_THAT(run_until(at(seconds(20))), ElementsAre("1000: solicit all 10.0.0.9", "2000: solicit all 10.0.0.9",
                                                      "3000: failed 10.0.0.9", "6000: erase 10.0.0.9"));
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_EQ(cache.poll_at(), never);
}

TEST_F(NeighborCacheTest, FurtherWantsWhileUnresolvedSendNothing) {
  (void)cache.wanted(key, at(seconds(0)));
  for (int i = 0; i < 1000; ++i) EXPECT_THAT(cache.wanted(key, at(milliseconds(i % 900))), IsEmpty());
  (void)run_until(at(seconds(3)));
  EXPECT_THAT(texts(cache.wanted(key, at(seconds(4)))), ElementsAre("failed 10.0.0.9"));
}

TEST_F(NeighborCacheTest, AWantForAUsableEntryPublishesItAgain) {
  make_reachable(key, at(seconds(0)));
  EXPECT_THAT(texts(cache.wanted(key, at(seconds(1)))), ElementsAre("reachable 10.0.0.9 02:00:00:00:01:0a if1"));
}

TEST_F(NeighborCacheTest, ReachableTurnsStaleWithinHalfToOneAndAHalfOfThirtySeconds) {
  Duration shortest = seconds(1000);
  Duration longest{};
  for (std::uint8_t host = 1; host <= 200; ++host) {
    const Time now = at(seconds(host));
    make_reachable(key_of(host), now);
    const Duration lasts = cache.find(key_of(host))->deadline - now;
    shortest = std::min(shortest, lasts);
    longest = std::max(longest, lasts);
  }
  EXPECT_GE(shortest, seconds(15));
  EXPECT_LE(longest, seconds(45));
  EXPECT_GT(longest - shortest, seconds(20)) << "no spread: all neighbours would be asked at once";
}

TEST_F(NeighborCacheTest, AStaleEntryInUseIsProbedByUnicastAndConfirmed) {
  const Time now = bring_to(Reachability::stale);
  EXPECT_THAT(texts(cache.used(key, now)), ElementsAre("delay 10.0.0.9 02:00:00:00:01:0a if1"));
  EXPECT_THAT(texts(cache.on_time(now + seconds(5))),
              ElementsAre("probe 10.0.0.9 02:00:00:00:01:0a if1", "solicit 02:00:00:00:01:0a if1"));
  EXPECT_THAT(texts(cache.heard_advertisement(key, answer(mac_a), now + milliseconds(5100))),
              ElementsAre("reachable 10.0.0.9 02:00:00:00:01:0a if1"));
}

TEST_F(NeighborCacheTest, AProbedEntryThatIsSilentIsForgottenAfterThreeTries) {
  const Time now = bring_to(Reachability::probe);
  const auto lines = run_until(now + seconds(30));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], testing::HasSubstr("solicit 02:00:00:00:01:0a if1"));
  EXPECT_THAT(lines[1], testing::HasSubstr("solicit 02:00:00:00:01:0a if1"));
  EXPECT_THAT(lines[2], testing::HasSubstr("erase 10.0.0.9"));
}

TEST_F(NeighborCacheTest, AStaleEntryThatNobodyUsesIsNeverProbedAndLeavesInTheEnd) {
  const Time now = bring_to(Reachability::stale);
  EXPECT_EQ(cache.poll_at(), now + minutes(20));
  EXPECT_THAT(texts(cache.on_time(now + minutes(20))), ElementsAre("erase 10.0.0.9"));
}

TEST_F(NeighborCacheTest, UseOfAnEntryThatIsNotStaleChangesNothing) {
  for (const Reachability from : {Reachability::incomplete, Reachability::reachable, Reachability::delay,
                                  Reachability::probe, Reachability::failed}) {
    cache = NeighborCache(CacheLimits{}, Random{7});
    const Time now = bring_to(from);
    EXPECT_THAT(cache.used(key, now), IsEmpty()) << to_string(from);
  }
  EXPECT_THAT(cache.used(key_of(77), at(seconds(0))), IsEmpty());
}

// The table of RFC 4861 appendix C, from the arrival of an advertisement on.
struct AdvertisementCase {
  Reachability from;
  bool solicited;
  bool override;
  bool same_mac;
  Reachability to;
  bool takes_mac;
};

class AdvertisementTable : public NeighborCacheTest, public testing::WithParamInterface<AdvertisementCase> {};

TEST_P(AdvertisementTable, FollowsRfc4861) {
  const AdvertisementCase c = GetParam();
  const Time now = bring_to(c.from) + seconds(2);
  const MacAddress told = c.same_mac ? mac_a : mac_b;
  (void)cache.heard_advertisement(key, {1, told, true, c.solicited, c.override}, now);
  ASSERT_NE(cache.find(key), nullptr);
  EXPECT_EQ(to_string(state()), to_string(c.to));
  EXPECT_EQ(cache.find(key)->shown.mac, c.takes_mac ? told : mac_a);
}

INSTANTIATE_TEST_SUITE_P(
    AppendixC, AdvertisementTable,
    testing::Values(AdvertisementCase{Reachability::incomplete, false, true, false, Reachability::stale, true},
                    AdvertisementCase{Reachability::incomplete, false, false, false, Reachability::stale, true},
                    AdvertisementCase{Reachability::incomplete, true, false, false, Reachability::reachable, true},
                    AdvertisementCase{Reachability::reachable, true, false, false, Reachability::stale, false},
                    AdvertisementCase{Reachability::reachable, false, false, false, Reachability::stale, false},
                    AdvertisementCase{Reachability::stale, true, false, false, Reachability::stale, false},
                    AdvertisementCase{Reachability::delay, true, false, false, Reachability::delay, false},
                    AdvertisementCase{Reachability::probe, false, false, false, Reachability::probe, false},
                    AdvertisementCase{Reachability::reachable, true, true, false, Reachability::reachable, true},
                    AdvertisementCase{Reachability::stale, true, true, false, Reachability::reachable, true},
                    AdvertisementCase{Reachability::probe, true, true, false, Reachability::reachable, true},
                    AdvertisementCase{Reachability::reachable, false, true, false, Reachability::stale, true},
                    AdvertisementCase{Reachability::probe, false, true, false, Reachability::stale, true},
                    AdvertisementCase{Reachability::delay, true, false, true, Reachability::reachable, true},
                    AdvertisementCase{Reachability::probe, true, false, true, Reachability::reachable, true},
                    AdvertisementCase{Reachability::probe, false, true, true, Reachability::probe, true},
                    AdvertisementCase{Reachability::stale, false, true, true, Reachability::stale, true}));

TEST_F(NeighborCacheTest, AnAdvertisementWithoutAddressResolvesNothingButConfirms) {
  (void)cache.wanted(key, at(seconds(0)));
  Advertisement bare = answer(mac_b);
  bare.has_mac = false;
  EXPECT_THAT(cache.heard_advertisement(key, bare, at(seconds(0))), IsEmpty());
  EXPECT_EQ(state(), Reachability::incomplete);
  cache = NeighborCache(CacheLimits{}, Random{7});
  const Time now = bring_to(Reachability::probe);
  (void)cache.heard_advertisement(key, bare, now);
  EXPECT_EQ(state(), Reachability::reachable);
  EXPECT_EQ(cache.find(key)->shown.mac, mac_a);
}

TEST_F(NeighborCacheTest, AnAdvertisementNeverCreates) {
  EXPECT_THAT(cache.heard_advertisement(key, announcement(mac_a), at(seconds(0))), IsEmpty());
  EXPECT_EQ(cache.size(), 0U);
}

TEST_F(NeighborCacheTest, ASourceIsCreatedAsStaleOnlyWhenItAskedForUs) {
  EXPECT_THAT(cache.heard_source(key, place_a, Learning::update, at(seconds(0))), IsEmpty());
  EXPECT_THAT(texts(cache.heard_source(key, place_a, Learning::create, at(seconds(0)))),
              ElementsAre("stale 10.0.0.9 02:00:00:00:01:0a if1"));
}

TEST_F(NeighborCacheTest, ASourceWithTheKnownMacChangesNothingAndWithAnotherMacTurnsStale) {
  make_reachable(key, at(seconds(0)));
  EXPECT_THAT(cache.heard_source(key, place_a, Learning::create, at(seconds(5))), IsEmpty());
  EXPECT_THAT(texts(cache.heard_source(key, place_b, Learning::update, at(seconds(6)))),
              ElementsAre("stale 10.0.0.9 02:00:00:00:01:0b if1"));
}

TEST_F(NeighborCacheTest, ASourceResolvesWhatIsIncompleteOrFailed) {
  (void)cache.wanted(key, at(seconds(0)));
  EXPECT_THAT(texts(cache.heard_source(key, place_a, Learning::update, at(milliseconds(1)))),
              ElementsAre("stale 10.0.0.9 02:00:00:00:01:0a if1"));
  cache = NeighborCache(CacheLimits{}, Random{7});
  const Time now = bring_to(Reachability::failed);
  EXPECT_THAT(texts(cache.heard_source(key, place_a, Learning::update, now)),
              ElementsAre("stale 10.0.0.9 02:00:00:00:01:0a if1"));
}

TEST_F(NeighborCacheTest, TheFirstOfTwoAnswersBehindDifferentInterfacesStands) {
  (void)cache.wanted(key, at(seconds(0)));
  (void)cache.heard_advertisement(key, answer(mac_a, 1), at(milliseconds(1)));
  EXPECT_THAT(cache.heard_advertisement(key, answer(mac_b, 3), at(milliseconds(2))), IsEmpty());
  EXPECT_THAT(cache.heard_source(key, {mac_b, 3}, Learning::create, at(milliseconds(3))), IsEmpty());
  EXPECT_EQ(cache.find(key)->shown.interface, 1);
}

TEST_F(NeighborCacheTest, ANeighbourThatMovesToAnotherInterfaceIsFollowed) {
  make_reachable(key, at(seconds(0)));
  EXPECT_THAT(texts(cache.heard_advertisement(key, announcement(mac_a, 3), at(milliseconds(1)))),
              ElementsAre("stale 10.0.0.9 02:00:00:00:01:0a if3"))
      << "an announcement counts at once";
  EXPECT_THAT(texts(cache.heard_source(key, {mac_a, 1}, Learning::update, at(seconds(2)))),
              ElementsAre("stale 10.0.0.9 02:00:00:00:01:0a if1"));
}

TEST_F(NeighborCacheTest, LinkDownForgetsWhatWasHeardThereAndNothingElse) {
  make_reachable(key_of(1), at(seconds(0)), mac_a, 1);
  make_reachable(key_of(2), at(seconds(0)), mac_b, 3);
  (void)cache.wanted(key_of(3), at(seconds(0)));
  EXPECT_THAT(texts(cache.link_down(3)), ElementsAre("erase 10.0.0.2"));
  EXPECT_NE(cache.find(key_of(1)), nullptr);
  EXPECT_NE(cache.find(key_of(3)), nullptr);
}

TEST_F(NeighborCacheTest, RetainForgetsInOrder) {
  make_reachable(key_of(3), at(seconds(0)));
  make_reachable(key_of(1), at(seconds(0)));
  make_reachable(key_of(2, 2), at(seconds(0)));
  EXPECT_THAT(texts(cache.retain([](const NeighborEntry& entry) { return entry.network == 2; })),
              ElementsAre("erase 10.0.0.1", "erase 10.0.0.3"));
  EXPECT_EQ(cache.size(), 1U);
}

TEST_F(NeighborCacheTest, TheSameAddressInTwoNetworksIsTwoNeighbours) {
  make_reachable(key_of(9, 1), at(seconds(0)), mac_a, 1);
  make_reachable(key_of(9, 2), at(seconds(0)), mac_b, 2);
  EXPECT_EQ(cache.find(key_of(9, 1))->shown.mac, mac_a);
  EXPECT_EQ(cache.find(key_of(9, 2))->shown.mac, mac_b);
}

TEST_F(NeighborCacheTest, AFloodOfSourcesFillsTheShareOfItsInterfaceOnlyAndSparesTheUsed) {
  cache = NeighborCache(CacheLimits{100, 50, 10}, Random{7});
  make_reachable(key_of(1), at(seconds(0)), mac_a, 1);
  const Time stale_at = cache.poll_at();
  (void)run_until(stale_at);
  (void)cache.used(key_of(1), stale_at);
  make_reachable(key_of(2), at(seconds(0)), mac_a, 2);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    (void)cache.heard_source(key_of_number(0x10000 + i), place_b, Learning::create, stale_at + milliseconds(i));
    ASSERT_LE(cache.size(), 100U);
  }
  EXPECT_EQ(cache.size(), 51U);
  EXPECT_NE(cache.find(key_of(1)), nullptr) << "in use behind the flooded interface";
  EXPECT_NE(cache.find(key_of(2)), nullptr) << "behind another interface";
  EXPECT_EQ(cache.find(key_of_number(0x10000)), nullptr) << "the oldest went first";
  EXPECT_NE(cache.find(key_of_number(0x10000 + 999)), nullptr);
}

TEST_F(NeighborCacheTest, AScanFillsTheShareOfTheUnresolvedOnlyAndItsOldestMakesRoom) {
  cache = NeighborCache(CacheLimits{100, 50, 10}, Random{7});
  make_reachable(key_of(1), at(seconds(0)));
  for (std::uint32_t i = 0; i < 10; ++i) {
    (void)cache.wanted(key_of_number(0x10000 + i), at(milliseconds(i)));
  }
  EXPECT_THAT(texts(cache.wanted(key_of_number(0x20000), at(milliseconds(10)))),
              ElementsAre("erase 10.1.0.0", "incomplete 10.2.0.0", "solicit all 10.2.0.0"));
  EXPECT_EQ(cache.size(), 11U);
  (void)run_until(at(milliseconds(3002)));
  EXPECT_THAT(texts(cache.wanted(key_of_number(0x20001), at(milliseconds(3003)))),
              ElementsAre("erase 10.1.0.1", "incomplete 10.2.0.1", "solicit all 10.2.0.1"))
      << "a failed one makes room first";
}

TEST_F(NeighborCacheTest, AScanPushesNoConfiguredNeighbourOutBeforeItHasAnswered) {
  cache = NeighborCache(CacheLimits{100, 50, 10}, Random{7});
  cache.set_configured({key.address});
  (void)cache.wanted(key, at(seconds(0)));
  for (std::uint32_t i = 0; i < 1000; ++i) (void)cache.wanted(key_of_number(0x10000 + i), at(milliseconds(i)));
  EXPECT_EQ(state(), Reachability::incomplete);
  EXPECT_EQ(cache.size(), 10U);
  (void)cache.heard_advertisement(key, answer(mac_a), at(seconds(1)));
  EXPECT_EQ(state(), Reachability::reachable);
  // A configuration that no longer names it, while it is sought again.
  (void)cache.link_down(1);
  (void)cache.wanted(key, at(seconds(1)));
  cache.set_configured({});
  for (std::uint32_t i = 0; i < 10; ++i) (void)cache.wanted(key_of_number(0x30000 + i), at(seconds(1)));
  EXPECT_EQ(cache.find(key), nullptr);
  EXPECT_EQ(cache.size(), 10U);
}

TEST_F(NeighborCacheTest, OfConfiguredNeighboursWithoutAnAnswerTheOneTooManyIsRefused) {
  cache = NeighborCache(CacheLimits{100, 50, 1}, Random{7});
  cache.set_configured({key_of(1).address, key_of(2).address});
  (void)cache.wanted(key_of(1), at(seconds(0)));
  EXPECT_THAT(texts(cache.wanted(key_of(2), at(seconds(0)))), ElementsAre("failed 10.0.0.2", "erase 10.0.0.2"));
}

TEST_F(NeighborCacheTest, AFullCacheOfEntriesInUseRefusesInsteadOfEvicting) {
  cache = NeighborCache(CacheLimits{8, 8, 8}, Random{7});
  for (std::uint8_t host = 1; host <= 8; ++host) make_reachable(key_of(host), at(seconds(0)));
  EXPECT_THAT(texts(cache.wanted(key, at(seconds(1)))), ElementsAre("failed 10.0.0.9", "erase 10.0.0.9"));
  EXPECT_THAT(cache.heard_source(key, place_a, Learning::create, at(seconds(1))), IsEmpty());
  EXPECT_EQ(cache.size(), 8U);
}

TEST_F(NeighborCacheTest, AUsedEntryMakesRoomWhenItHasBeenIdleForAMinute) {
  cache = NeighborCache(CacheLimits{1, 1, 1}, Random{7});
  make_reachable(key_of(1), at(seconds(0)));
  const Time stale_at = cache.poll_at();
  (void)run_until(stale_at);
  EXPECT_THAT(cache.heard_source(key, place_a, Learning::create, stale_at + seconds(59)), IsEmpty());
  EXPECT_THAT(texts(cache.heard_source(key, place_a, Learning::create, stale_at + seconds(60))),
              ElementsAre("erase 10.0.0.1", "stale 10.0.0.9 02:00:00:00:01:0a if1"));
}

TEST_F(NeighborCacheTest, AnAnswerBehindAnInterfaceWhoseShareIsInUseIsRefused) {
  cache = NeighborCache(CacheLimits{8, 2, 8}, Random{7});
  make_reachable(key_of(1), at(seconds(0)));
  make_reachable(key_of(2), at(seconds(0)));
  (void)cache.wanted(key, at(seconds(0)));
  EXPECT_THAT(texts(cache.heard_advertisement(key, answer(mac_a), at(seconds(0)))),
              ElementsAre("failed 10.0.0.9", "erase 10.0.0.9"));
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_THAT(run_until(at(seconds(10))), IsEmpty()) << "nothing of the refused entry is left in the timers";
}

TEST_F(NeighborCacheTest, InterfaceNumbersOutOfRangeAreIgnored) {
  (void)cache.wanted(key, at(seconds(0)));
  EXPECT_THAT(cache.heard_source(key, {mac_a, 0}, Learning::create, at(seconds(0))), IsEmpty());
  EXPECT_THAT(cache.heard_source(key, {mac_a, 257}, Learning::create, at(seconds(0))), IsEmpty());
  EXPECT_THAT(cache.heard_advertisement(key, answer(mac_a, 257), at(seconds(0))), IsEmpty());
}

TEST_F(NeighborCacheTest, ListIsOrderedByNetworkAndAddress) {
  make_reachable(key_of(2, 2), at(seconds(0)));
  make_reachable(key_of(9, 1), at(seconds(0)));
  make_reachable(key_of(3, 1), at(seconds(0)));
  std::vector<std::string> keys;
  for (const auto* entry : cache.list()) keys.push_back(entry->shown.key());
  EXPECT_THAT(keys, ElementsAre("1/10.0.0.3", "1/10.0.0.9", "2/10.0.0.2"));
}

}  // namespace
}  // namespace trivet::arp
