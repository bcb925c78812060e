#include "slb/session_table.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "trivet/random.h"

namespace trivet::slb {
namespace {

using Table = SessionTable<Ipv4Address>;
using Record = Session<Ipv4Address>;

Record* put(Table& table, std::uint32_t key, std::optional<std::uint32_t> reverse = {}) {
  Record* record = table.insert(key, reverse);
  if (record == nullptr) return nullptr;
  record->client = Ipv4Address::from_number(key);
  record->state = SessionState::idle;
  return record;
}

Record* get(Table& table, std::uint32_t hash, std::uint32_t key) {
  return table.find(hash, [&](const Record& record) { return record.client.number() == key; });
}

TEST(SessionTable, FindsARecordUnderBothOfItsHashesAndNoOther) {
  Table table(100);
  Record* record = put(table, 5, 900);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(get(table, 5, 5), record);
  EXPECT_EQ(get(table, 900, 5), record);
  EXPECT_EQ(get(table, 6, 5), nullptr);
  EXPECT_EQ(table.size(), 1U);
}

TEST(SessionTable, ErasingForgetsBothHashesAndReusesTheRecord) {
  Table table(100);
  Record* record = put(table, 5, 900);
  table.erase(*record);
  EXPECT_EQ(get(table, 5, 5), nullptr);
  EXPECT_EQ(get(table, 900, 5), nullptr);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(put(table, 7), record);
  EXPECT_EQ(table.high_water(), 1U);
}

TEST(SessionTable, EqualHashesAreToldApartByTheKey) {
  Table table(100);
  for (std::uint32_t i = 0; i < 10; ++i) {
    Record* record = table.insert(42, {});
    ASSERT_NE(record, nullptr);
    record->client = Ipv4Address::from_number(i);
    record->state = SessionState::idle;
  }
  for (std::uint32_t i = 0; i < 10; ++i) ASSERT_NE(get(table, 42, i), nullptr);
}

TEST(SessionTable, BothReferencesInOneBucketGoWhenTheRecordGoes) {
  Table table(100);
  Record* record = put(table, 42, 42);
  table.erase(*record);
  EXPECT_EQ(table.find(42, [](const Record&) { return true; }), nullptr);
}

TEST(SessionTable, TakesExactlyItsCapacityAndThenRefuses) {
  constexpr std::uint32_t capacity = 50'000;
  Table table(capacity);
  Random random(1);
  for (std::uint32_t i = 0; i < capacity; ++i) {
    ASSERT_NE(put(table, static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())), nullptr) << i;
  }
  EXPECT_EQ(table.size(), capacity);
  EXPECT_EQ(put(table, 1, 2), nullptr);
  EXPECT_EQ(table.size(), capacity);
}

TEST(SessionTable, AFullBucketPairIsRefusedAndLeavesNoTrace) {
  Table table(1000);
  std::uint32_t taken = 0;
  while (put(table, 42) != nullptr) ++taken;  // one hash has two buckets, or one twice
  EXPECT_GE(taken, 10U);
  EXPECT_LE(taken, 20U);
  EXPECT_EQ(table.size(), taken);
  EXPECT_EQ(table.insert(77, 42), nullptr);
  EXPECT_EQ(table.find(77, [](const Record&) { return true; }), nullptr) << "the first reference was taken back";
}

TEST(SessionTable, BehavesLikeAMapInARandomRun) {
  Table table(2000);
  std::map<std::uint32_t, std::uint32_t> model;  // key to reverse hash
  Random random(99);
  for (int step = 0; step < 200'000; ++step) {
    const auto key = static_cast<std::uint32_t>(random.below(3000) * 2654435761U);
    Record* record = get(table, key, key);
    ASSERT_EQ(record != nullptr, model.contains(key));
    if (record != nullptr) {
      ASSERT_EQ(get(table, model[key], key), record);
      if (random.below(2) == 0) {
        table.erase(*record);
        model.erase(key);
      }
    } else if (model.size() < table.capacity()) {
      const auto reverse = static_cast<std::uint32_t>(random());
      ASSERT_NE(put(table, key, reverse), nullptr);
      model[key] = reverse;
    }
    ASSERT_EQ(table.size(), model.size());
  }
  std::uint32_t in_use = 0;
  for (std::uint32_t i = 0; i < table.high_water(); ++i) {
    in_use += static_cast<std::uint32_t>(table.record(i).state != SessionState::none);
  }
  EXPECT_EQ(in_use, table.size());
}

// A table that has been full for long: places become free at random, and each must be usable again.
TEST(SessionTable, StaysUsableToItsCapacityWhenItIsAlwaysFull) {
  constexpr std::uint32_t capacity = 20'000;
  Table table(capacity);
  Random random(5);
  std::vector<Record*> records;
  std::uint32_t refused = 0;
  for (int step = 0; step < 400'000; ++step) {
    if (records.size() == capacity) {
      const std::size_t at = random.below(records.size());
      table.erase(*records[at]);
      records[at] = records.back();
      records.pop_back();
    }
    Record* record = put(table, static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random()));
    if (record == nullptr) {
      ++refused;
    } else {
      records.push_back(record);
    }
  }
  EXPECT_EQ(refused, 0U);
  for (Record* record : records) {
    const auto is_it = [&](const Record& other) { return &other == record; };
    ASSERT_EQ(table.find(record->forward_hash, is_it), record);
    ASSERT_EQ(table.find(record->reverse_hash, is_it), record);
  }
}

TEST(SessionTable, StaysWithinTheSizePromisedForTenMillionSessions) {
  // The arrays are not touched, so this costs address space only.
  EXPECT_LE(SessionTable<Ipv4Address>(10'000'000).bytes(), 54U * 10'000'000U);
  EXPECT_LE(SessionTable<Ipv6Address>(10'000'000).bytes(), 80U * 10'000'000U);
}

}  // namespace
}  // namespace trivet::slb
