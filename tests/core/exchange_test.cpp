// Lending packets between workers: order, bounds, the way home, and wakes.
#include "core/pipeline/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace trivet::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SpscRing, StagedValuesAreSeenTogether) {
  SpscRing<int> ring(4);
  std::array<int, 8> out{};
  EXPECT_FALSE(ring.publish());
  for (int i = 1; i <= 4; ++i) EXPECT_TRUE(ring.stage(i));
  EXPECT_FALSE(ring.stage(5)) << "full, though nothing has been shown";
  EXPECT_EQ(ring.take(out), 0U);
  EXPECT_TRUE(ring.publish());
  EXPECT_EQ(ring.take(std::span(out).first(3)), 3U);
  EXPECT_THAT(std::vector(out.begin(), out.begin() + 3), ElementsAre(1, 2, 3));
  EXPECT_TRUE(ring.stage(5));
  EXPECT_TRUE(ring.stage(6));
  EXPECT_EQ(ring.take(out), 1U);
  EXPECT_EQ(out[0], 4);
  EXPECT_TRUE(ring.publish());
  EXPECT_EQ(ring.take(out), 2U);
  EXPECT_THAT(std::vector(out.begin(), out.begin() + 2), ElementsAre(5, 6));
  EXPECT_EQ(ring.take(out), 0U);
}

class ExchangeTest : public ::testing::Test {
 protected:
  explicit ExchangeTest(std::size_t workers = 2, PoolSizes sizes = {.small_count = 64, .large_count = 8})
      : sizes_(sizes) {
    std::vector<Exchange::Member> members;
    for (std::size_t i = 0; i < workers; ++i) {
      pools_.push_back(std::make_unique<PacketPool>(sizes));
      channels_.push_back(std::make_unique<Channel>(RingSizes{2, 2, 2, 2, 2, 2, 64}));
      wakes_.push_back(0);
      members.push_back({pools_.back().get(), channels_.back().get()});
    }
    for (std::size_t i = 0; i < workers; ++i) channels_[i]->set_wake_worker([this, i] { ++wakes_[i]; });
    exchange_ = std::make_unique<Exchange>(std::move(members));
  }
  Exchange::Desk& desk(std::size_t number) { return exchange_->desk(number); }
  std::vector<Packet*> borrow(std::size_t owner, std::size_t lender) {
    std::array<Exchange::Loan, 64> loans;
    std::vector<Packet*> packets;
    const std::size_t count = desk(owner).borrow(lender, loans);
    for (std::size_t i = 0; i < count; ++i) packets.push_back(loans[i].packet);
    return packets;
  }
  void expect_all_home() {
    for (std::size_t i = 0; i < pools_.size(); ++i) {
      desk(i).take_home();
      EXPECT_EQ(pools_[i]->available_small(), sizes_.small_count);
      EXPECT_EQ(pools_[i]->available_large(), sizes_.large_count);
    }
  }

  PoolSizes sizes_;
  std::vector<std::unique_ptr<PacketPool>> pools_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::vector<int> wakes_;
  std::unique_ptr<Exchange> exchange_;
};

TEST_F(ExchangeTest, APacketGoesToItsOwnerAndItsBufferHome) {
  Packet* const packet = pools_[0]->acquire(100);
  ASSERT_TRUE(desk(0).lend(1, packet, 7));
  EXPECT_THAT(borrow(1, 0), IsEmpty()) << "not handed out yet";
  desk(0).hand_out();
  std::array<Exchange::Loan, 2> loans;
  ASSERT_EQ(desk(1).borrow(0, loans), 1U);
  EXPECT_EQ(loans[0].packet, packet);
  EXPECT_EQ(loans[0].version, 7U);

  pools_[1]->release(packet);  // as ports and egress do, which know one pool only
  EXPECT_EQ(pools_[1]->available_small(), sizes_.small_count) << "it is not theirs";
  desk(0).take_home();
  EXPECT_EQ(pools_[0]->available_small(), sizes_.small_count - 1) << "not under way yet";
  desk(1).send_home();
  expect_all_home();
}

TEST_F(ExchangeTest, AWorkerLendsHalfOfItsBuffersAtMost) {
  ASSERT_EQ(exchange_->loan_limit(), 32U);
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(desk(0).lend(1, pools_[0]->acquire(100), 1));
  Packet* const one_more = pools_[0]->acquire(100);
  EXPECT_FALSE(desk(0).lend(1, one_more, 1));
  desk(0).hand_out();
  const std::vector<Packet*> packets = borrow(1, 0);
  EXPECT_EQ(packets.size(), 32U);
  EXPECT_FALSE(desk(0).lend(1, one_more, 1)) << "they are in use there";
  pools_[1]->release(packets[0]);
  desk(1).send_home();
  EXPECT_TRUE(desk(0).lend(1, one_more, 1)) << "what has come home makes room by itself";
  for (std::size_t i = 1; i < packets.size(); ++i) pools_[1]->release(packets[i]);
  desk(0).hand_out();
  for (Packet* const packet : borrow(1, 0)) pools_[1]->release(packet);
  desk(1).send_home();
  expect_all_home();
}

TEST_F(ExchangeTest, LargeBuffersHaveABoundOfTheirOwn) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(desk(0).lend(1, pools_[0]->acquire(60'000), 1));
  Packet* const large = pools_[0]->acquire(60'000);
  EXPECT_FALSE(desk(0).lend(1, large, 1));
  pools_[0]->release(large);
  EXPECT_TRUE(desk(0).lend(1, pools_[0]->acquire(100), 1));
  desk(0).hand_out();
  for (Packet* const packet : borrow(1, 0)) pools_[1]->release(packet);
  desk(1).send_home();
  expect_all_home();
}

TEST_F(ExchangeTest, WhoMayBeAsleepIsWokenOnceForABatch) {
  EXPECT_TRUE(desk(1).stays_awake(false)) << "says that it will sleep, and looks once more";
  EXPECT_FALSE(desk(1).stays_awake(false));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(desk(0).lend(1, pools_[0]->acquire(100), 1));
  desk(0).hand_out();
  EXPECT_EQ(wakes_[1], 1);
  ASSERT_TRUE(desk(0).lend(1, pools_[0]->acquire(100), 1));
  desk(0).hand_out();
  EXPECT_EQ(wakes_[1], 1) << "it is on its way";

  EXPECT_EQ(borrow(1, 0).size(), 11U);
  EXPECT_TRUE(desk(1).stays_awake(true));
  desk(0).hand_out();
  EXPECT_EQ(wakes_[1], 1) << "nothing to hand out";
  ASSERT_TRUE(desk(0).lend(1, pools_[0]->acquire(100), 1));
  desk(0).hand_out();
  EXPECT_EQ(wakes_[1], 1) << "it is awake";
}

TEST_F(ExchangeTest, AWakeThatFindsNothingIsNotTheLast) {
  EXPECT_TRUE(desk(1).stays_awake(false));
  // Between the announcement and the last look: seen, but the hook has been called all the same.
  ASSERT_TRUE(desk(0).lend(1, pools_[0]->acquire(100), 1));
  desk(0).hand_out();
  EXPECT_EQ(wakes_[1], 1);
  EXPECT_EQ(borrow(1, 0).size(), 1U);
  EXPECT_TRUE(desk(1).stays_awake(true));
  EXPECT_TRUE(desk(1).stays_awake(false));
  EXPECT_FALSE(desk(1).stays_awake(false));
  ASSERT_TRUE(desk(0).lend(1, pools_[0]->acquire(100), 1));
  desk(0).hand_out();
  EXPECT_EQ(wakes_[1], 2);
}

class ExchangeOfMany : public ExchangeTest {
 protected:
  ExchangeOfMany() : ExchangeTest(5, {.small_count = 512, .large_count = 4}) {}
};

TEST_F(ExchangeOfMany, EachPairHasItsOwnWay) {
  EXPECT_EQ(exchange_->loan_limit(), 64U) << "all loans together leave half";
  std::map<Packet*, std::pair<std::size_t, std::size_t>> wanted;
  for (std::size_t from = 0; from < 5; ++from) {
    for (std::size_t to = 0; to < 5; ++to) {
      if (from == to) continue;
      Packet* const packet = pools_[from]->acquire(100);
      wanted[packet] = {from, to};
      ASSERT_TRUE(desk(from).lend(to, packet, 1));
    }
    desk(from).hand_out();
  }
  std::size_t seen = 0;
  for (std::size_t to = 0; to < 5; ++to) {
    for (std::size_t from = 0; from < 5; ++from) {
      if (from == to) continue;
      for (Packet* const packet : borrow(to, from)) {
        EXPECT_EQ(wanted.at(packet), std::pair(from, to));
        pools_[to]->release(packet);
        ++seen;
      }
    }
    desk(to).send_home();
  }
  EXPECT_EQ(seen, 20U);
  expect_all_home();
}

}  // namespace
}  // namespace trivet::core
