// The small parts of the pipeline: pool, registry, rings, grace periods, neighbour table, token bucket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "core/metrics/registry.h"
#include "core/pipeline/epochs.h"
#include "core/pipeline/neighbor_table.h"
#include "core/pipeline/packet_pool.h"
#include "core/pipeline/spsc_ring.h"
#include "core/pipeline/token_bucket.h"
#include "trivet/random.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::core {
namespace {

using testkit::ip;

// What a node has unless told otherwise.
static_assert(PoolSizes{}.small_count >= 4096);

TEST(PacketPool, GivesEachKindUntilItIsUsedUpAndNoOverlap) {
  PacketPool pool({.small_count = 3, .small_bytes = 2176, .large_count = 2, .large_bytes = 66048});
  std::set<Packet*> packets;
  for (int i = 0; i < 3; ++i) packets.insert(pool.acquire(1514));
  EXPECT_EQ(pool.acquire(1514), nullptr);
  for (int i = 0; i < 2; ++i) packets.insert(pool.acquire(2049));
  EXPECT_EQ(pool.acquire(2049), nullptr);
  EXPECT_EQ(packets.size(), 5U);
  EXPECT_FALSE(packets.contains(nullptr));
  std::map<std::uint8_t*, std::uint32_t> buffers;
  for (Packet* const packet : packets) {
    EXPECT_EQ(packet->headroom(), PacketPool::headroom);
    EXPECT_EQ(packet->length, 0U);
    buffers[packet->buffer] = packet->capacity;
  }
  std::uint8_t* end = nullptr;
  for (const auto& [buffer, capacity] : buffers) {
    EXPECT_GE(buffer, end);
    end = buffer + capacity;
  }
}

TEST(PacketPool, RoomIsExactAndTooMuchIsNull) {
  PacketPool pool({.small_count = 1, .small_bytes = 2176, .large_count = 1, .large_bytes = 66048});
  Packet* const small = pool.acquire(2048);
  EXPECT_EQ(small->capacity, 2176U);
  EXPECT_EQ(small->tailroom(), 2048U);
  Packet* const large = pool.acquire(65920);
  EXPECT_EQ(large->tailroom(), 65920U);
  EXPECT_EQ(pool.acquire(65921), nullptr);
}

TEST(PacketPool, AReleasedPacketComesBackClean) {
  PacketPool pool({.small_count = 1, .large_count = 1});
  Packet* packet = pool.acquire(100);
  packet->length = 99;
  packet->classes = packet_class::tcp;
  packet->has_next_hop = true;
  packet->data += 14;
  pool.release(packet);
  EXPECT_EQ(pool.available_small(), 1U);
  packet = pool.acquire(100);
  EXPECT_EQ(packet->length, 0U);
  EXPECT_EQ(packet->classes, PacketClass{});
  EXPECT_FALSE(packet->has_next_hop);
  EXPECT_EQ(packet->headroom(), PacketPool::headroom);
}

TEST(Metrics, NamesGiveIdsOnceAndReasonZeroIsUnspecified) {
  MetricsRegistry registry;
  EXPECT_EQ(registry.find_drop_reason("core", "unspecified")->id, 0);
  const auto first = registry.add_drop_reason("a", "bad", "help").value();
  EXPECT_NE(first.id, 0);
  EXPECT_EQ(registry.add_drop_reason("a", "bad", "help").value(), first);
  EXPECT_NE(registry.add_drop_reason("b", "bad", "help").value(), first);
  EXPECT_EQ(registry.find_drop_reason("c", "bad"), nullptr);
  EXPECT_EQ(registry.drops("c", "bad"), 0U);
}

TEST(Metrics, ThreadsAreSummed) {
  MetricsRegistry registry;
  const Counter counter = registry.add_counter("a", "x", "").value();
  const DropReason reason = registry.add_drop_reason("a", "y", "").value();
  ThreadCells& one = registry.add_thread();
  ThreadCells& two = registry.add_thread();
  one.counters.add(counter, 2);
  two.counters.add(counter, 3);
  two.drop(reason);
  two.drop(DropReason{5000}, 4);  // no such reason: counted as unspecified
  EXPECT_EQ(registry.counter("a", "x"), 5U);
  EXPECT_EQ(registry.drops("a", "y"), 1U);
  EXPECT_EQ(registry.drops("core", "unspecified"), 4U);
}

TEST(Metrics, TheLimitRefusesWithTheName) {
  MetricsRegistry registry;
  for (std::size_t i = 0; i < max_counters; ++i) {
    ASSERT_TRUE(registry.add_counter("a", "c" + std::to_string(i), "").has_value());
  }
  const auto refused = registry.add_counter("a", "one_more", "");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().text, testing::HasSubstr("a/one_more"));
  EXPECT_TRUE(registry.add_counter("a", "c7", "").has_value());  // known ones still have their id
}

TEST(SpscRing, HoldsItsCapacityInOrderOverManyTurns) {
  SpscRing<int> ring(4);
  int next_in = 0;
  int next_out = 0;
  for (int turn = 0; turn < 100; ++turn) {
    while (ring.push(next_in)) ++next_in;
    EXPECT_EQ(next_in - next_out, 4);
    for (int i = 0; i < 1 + turn % 4; ++i) {
      ASSERT_NE(ring.front(), nullptr);
      EXPECT_EQ(*ring.front(), next_out++);
      ring.pop();
    }
  }
  while (ring.front() != nullptr) {
    EXPECT_EQ(*ring.front(), next_out++);
    ring.pop();
  }
  EXPECT_EQ(next_in, next_out);
}

TEST(SpscRing, AnUncommittedSlotIsNotSeen) {
  SpscRing<int> ring(2);
  *ring.begin_push() = 1;
  EXPECT_EQ(ring.front(), nullptr);
  ring.commit_push();
  EXPECT_EQ(*ring.front(), 1);
}

TEST(Epochs, AValueLivesUntilEveryWorkerHasLeftTheRunItWasIn) {
  Epochs epochs(2);
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = value;
  epochs.enter(0);
  epochs.retire(std::move(value));
  epochs.enter(1);  // after retire: sees the new value already
  EXPECT_EQ(epochs.collect(), 1U);
  epochs.leave(0);
  EXPECT_EQ(epochs.collect(), 0U);
  EXPECT_TRUE(watch.expired());
  epochs.leave(1);
}

TEST(Epochs, SleepingWorkersDelayNobody) {
  Epochs epochs(4);
  epochs.retire(std::make_shared<int>(1));
  EXPECT_EQ(epochs.collect(), 0U);
}

TEST(Epochs, AWorkerThatReentersHoldsOnlyLaterValues) {
  Epochs epochs(1);
  epochs.enter(0);
  epochs.retire(std::make_shared<int>(1));
  epochs.leave(0);
  epochs.enter(0);
  epochs.retire(std::make_shared<int>(2));
  EXPECT_EQ(epochs.collect(), 1U);
  epochs.leave(0);
  EXPECT_EQ(epochs.collect(), 0U);
}

NeighborEntry entry(const char* address, std::uint8_t last,
                    NeighborReachability state = NeighborReachability::reachable) {
  return {2, ip(address), MacAddress{{2, 0, 0, 0, 0, last}}, 3, state};
}

TEST(NeighborTable, FindsWhatWasPublishedByNetworkAndAddress) {
  NeighborTable table(16);
  EXPECT_EQ(table.find(2, ip("10.0.0.1")).state, NeighborTable::State::unknown);
  ASSERT_TRUE(table.update(entry("10.0.0.1", 1)));
  ASSERT_TRUE(table.update(entry("2001:db8::1", 2)));
  const auto found = table.find(2, ip("2001:db8::1"));
  EXPECT_EQ(found.state, NeighborTable::State::usable);
  EXPECT_EQ(found.mac.bytes[5], 2);
  EXPECT_EQ(found.interface, 3);
  EXPECT_EQ(table.find(1, ip("10.0.0.1")).state, NeighborTable::State::unknown);
  EXPECT_EQ(table.find(2, ip("a00:1::")).state, NeighborTable::State::unknown);  // same bytes, other family
  EXPECT_EQ(table.size(), 2U);
}

TEST(NeighborTable, ReachabilityDecidesTheState) {
  NeighborTable table(16);
  const std::vector<std::pair<NeighborReachability, NeighborTable::State>> states{
      {NeighborReachability::incomplete, NeighborTable::State::unknown},
      {NeighborReachability::reachable, NeighborTable::State::usable},
      {NeighborReachability::stale, NeighborTable::State::usable},
      {NeighborReachability::delay, NeighborTable::State::usable},
      {NeighborReachability::probe, NeighborTable::State::usable},
      {NeighborReachability::failed, NeighborTable::State::failed}};
  std::uint32_t version = 0;
  for (const auto& [reachability, state] : states) {
    ASSERT_TRUE(table.update(entry("10.0.0.1", 1, reachability)));
    const auto found = table.find(2, ip("10.0.0.1"));
    EXPECT_EQ(found.state, state) << to_string(reachability);
    EXPECT_EQ(found.needs_confirmation, reachability == NeighborReachability::stale);
    EXPECT_NE(found.version, version);
    version = found.version;
  }
  EXPECT_EQ(table.size(), 1U);
}

TEST(NeighborTable, UseIsClaimedOnceAPublication) {
  NeighborTable table(16);
  ASSERT_TRUE(table.update(entry("10.0.0.1", 1, NeighborReachability::stale)));
  const auto found = table.find(2, ip("10.0.0.1"));
  EXPECT_TRUE(table.claim_used(found));
  EXPECT_FALSE(table.claim_used(found));
  table.unclaim_used(found);
  EXPECT_TRUE(table.claim_used(found));
  ASSERT_TRUE(table.update(entry("10.0.0.1", 1, NeighborReachability::stale)));
  EXPECT_TRUE(table.claim_used(table.find(2, ip("10.0.0.1"))));
}

TEST(NeighborTable, ErasesByKeyOfTheTopicAndIgnoresNonsense) {
  NeighborTable table(16);
  const NeighborEntry stored = entry("2001:db8::1", 1);
  ASSERT_TRUE(table.update(stored));
  const std::uint64_t generation = table.generation();
  for (const char* const key : {"", "/", "2/", "x/2001:db8::1", "2x/2001:db8::1", "2/2001:db8::zz", "1/2001:db8::1"}) {
    table.erase(std::string(key));
  }
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.generation(), generation);
  table.erase(stored.key());
  EXPECT_EQ(table.size(), 0U);
  EXPECT_NE(table.generation(), generation);
  EXPECT_EQ(table.find(2, stored.address).state, NeighborTable::State::unknown);
}

TEST(NeighborTable, IsBounded) {
  NeighborTable table(16);
  for (std::uint8_t i = 0; i < 16; ++i) {
    ASSERT_TRUE(table.update({1, Ipv4Address::from_number(0x0a000000U + i), {}, 1, NeighborReachability::reachable}));
  }
  EXPECT_FALSE(table.update(entry("10.9.9.9", 1)));
  // Those it has can still be changed, and room comes back.
  EXPECT_TRUE(table.update({1, ip("10.0.0.3"), {}, 2, NeighborReachability::stale}));
  table.erase(1, ip("10.0.0.3"));
  EXPECT_TRUE(table.update(entry("10.9.9.9", 1)));
}

TEST(NeighborTable, BehavesLikeAMapOverManyRandomSteps) {
  NeighborTable table(64);
  std::map<std::uint32_t, std::uint8_t> model;
  Random random(7);
  for (int step = 0; step < 20000; ++step) {
    const auto number = static_cast<std::uint32_t>(random.below(100));
    const Ipv4Address address = Ipv4Address::from_number(0x0a000000U + number);
    if (random.below(3) == 0) {
      table.erase(1, address);
      model.erase(number);
    } else {
      const auto value = static_cast<std::uint8_t>(random());
      const bool fits = model.contains(number) || model.size() < 64;
      EXPECT_EQ(table.update({1, address, MacAddress{{value, 0, 0, 0, 0, 0}}, 1, NeighborReachability::reachable}),
                fits);
      if (fits) model[number] = value;
    }
    const auto probe = static_cast<std::uint32_t>(random.below(100));
    const auto found = table.find(1, Ipv4Address::from_number(0x0a000000U + probe));
    ASSERT_EQ(found.state == NeighborTable::State::usable, model.contains(probe));
    if (model.contains(probe)) {
      ASSERT_EQ(found.mac.bytes[0], model[probe]);
    }
    ASSERT_EQ(table.size(), model.size());
  }
  table.clear();
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.find(1, ip("10.0.0.1")).state, NeighborTable::State::unknown);
}

TEST(TokenBucket, AllowsABurstThenTheRate) {
  TokenBucket bucket(100, 3);
  Time now{};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.allow(now));
  EXPECT_FALSE(bucket.allow(now));
  now += std::chrono::milliseconds{9};
  EXPECT_FALSE(bucket.allow(now));
  now += std::chrono::milliseconds{1};
  EXPECT_TRUE(bucket.allow(now));
  EXPECT_FALSE(bucket.allow(now));
  now += std::chrono::hours{24 * 365 * 100};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.allow(now));
  EXPECT_FALSE(bucket.allow(now));
  EXPECT_FALSE(TokenBucket(0, 5).allow(now));
}

}  // namespace
}  // namespace trivet::core
