#include "slb/session_table.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "trivet/random.h"

namespace trivet::slb {
namespace {

using Table = SessionTable<Ipv4Address>;
using Record = Session<Ipv4Address>;

Record* put(Table& table, std::uint32_t key, std::uint32_t reverse = 0) {
  Record* record = table.insert(key, reverse);
  if (record == nullptr) return nullptr;
  record->client = Ipv4Address::from_number(key);
  record->state = SessionState::idle;
  return record;
}

// Forward hashes are even, reverse hashes odd.
std::uint32_t any_forward(Random& random) { return static_cast<std::uint32_t>(random()) & ~1U; }
std::uint32_t any_reverse(Random& random) { return static_cast<std::uint32_t>(random()) | 1U; }

Record* get(Table& table, std::uint32_t hash, std::uint32_t key) {
  return table.find(hash, [&](const Record& record) { return record.client.number() == key; });
}

TEST(SessionTable, FindsARecordUnderBothOfItsHashesAndNoOther) {
  Table table(100);
  Record* record = put(table, 4, 901);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(get(table, 4, 4), record);
  EXPECT_EQ(get(table, 901, 4), record);
  EXPECT_EQ(get(table, 6, 4), nullptr);
  EXPECT_EQ(table.size(), 1U);
}

TEST(SessionTable, ErasingForgetsBothHashesAndReusesTheRecord) {
  Table table(100);
  Record* record = put(table, 4, 901);
  table.erase(*record);
  EXPECT_EQ(get(table, 4, 4), nullptr);
  EXPECT_EQ(get(table, 901, 4), nullptr);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(put(table, 8), record);
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
  const auto place = table.probe(42);
  std::uint32_t reverse = 1;
  while (table.probe(reverse).first != place.first || table.probe(reverse).second != place.second) reverse += 2;
  Record* record = put(table, 42, reverse);
  EXPECT_EQ(get(table, reverse, 42), record);
  table.erase(*record);
  EXPECT_EQ(table.find(42, [](const Record&) { return true; }), nullptr);
  EXPECT_EQ(table.find(reverse, [](const Record&) { return true; }), nullptr);
}

TEST(SessionTable, TakesExactlyItsCapacityAndThenRefuses) {
  constexpr std::uint32_t capacity = 50'000;
  Table table(capacity);
  Random random(1);
  for (std::uint32_t i = 0; i < capacity; ++i) {
    ASSERT_NE(put(table, any_forward(random), any_reverse(random)), nullptr) << i;
  }
  EXPECT_EQ(table.size(), capacity);
  EXPECT_EQ(put(table, 2, 1), nullptr);
  EXPECT_EQ(table.size(), capacity);
}

TEST(SessionTable, AFullBucketPairIsRefusedAndLeavesNoTrace) {
  Table table(1000);
  std::uint32_t taken = 0;
  while (put(table, 42) != nullptr) ++taken;  // one hash has two buckets, or one twice
  EXPECT_GE(taken, 10U);
  EXPECT_LE(taken, 20U);
  EXPECT_EQ(table.size(), taken);
  std::uint32_t reverse = 1;
  const auto full = table.probe(42);
  const auto is_full = [&](std::uint32_t bucket) { return bucket == full.first || bucket == full.second; };
  while (!is_full(table.probe(reverse).first) || !is_full(table.probe(reverse).second)) reverse += 2;
  EXPECT_EQ(table.insert(78, reverse), nullptr);
  EXPECT_EQ(table.find(78, [](const Record&) { return true; }), nullptr) << "the first reference was taken back";
}

TEST(SessionTable, AProbeFindsWhatHasComeAndGoneSinceItWasMatched) {
  Table table(100);
  Record* const first = put(table, 4);
  auto probe = table.probe(4);
  auto other = table.probe(6);
  table.match(probe);
  table.match(other);
  const auto key_is = [](std::uint32_t key) {
    return [key](const Record& record) { return record.client.number() == key; };
  };
  EXPECT_EQ(table.find(probe, key_is(4)), first);
  EXPECT_EQ(table.find(other, key_is(6)), nullptr);
  Record* const second = put(table, 6);
  EXPECT_EQ(table.find(other, key_is(6)), second);
  table.erase(*first);
  EXPECT_EQ(table.find(probe, [](const Record&) { return true; }), nullptr);
}

TEST(SessionTable, ACandidateIsTheFirstThatFindLooksAtAndOnlyWhileNothingHasChanged) {
  Table table(1000);
  Random random(11);
  std::vector<std::uint32_t> keys;
  for (int i = 0; i < 900; ++i) {
    keys.push_back(any_forward(random));
    ASSERT_NE(put(table, keys.back(), any_reverse(random)), nullptr);
  }
  for (const std::uint32_t key : keys) {
    auto probe = table.probe(key);
    EXPECT_EQ(table.candidate(probe), nullptr) << "not matched yet";
    table.match(probe);
    Record* first = nullptr;
    static_cast<void>(table.find(probe, [&](Record& record) {
      first = &record;
      return true;
    }));
    ASSERT_EQ(table.candidate(probe), first);
    table.aim(probe, key);
    EXPECT_EQ(table.candidate(probe), nullptr) << "aimed again, not matched yet";
  }
  auto probe = table.probe(keys.front());
  table.match(probe);
  ASSERT_NE(table.candidate(probe), nullptr);
  table.erase(*table.candidate(probe));
  EXPECT_EQ(table.candidate(probe), nullptr);
}

// Tags are bits of the hash, and so are bucket numbers: together they must still tell nearly all records apart.
TEST(SessionTable, ALookUpIsShownHardlyAnyRecordThatIsNotUnderItsHash) {
  constexpr std::uint32_t sessions = 200'000;
  Table table(sessions);
  Random random(12);
  std::vector<std::uint32_t> hashes;
  for (std::uint32_t i = 0; i < sessions; ++i) {
    hashes.push_back(any_forward(random));
    ASSERT_NE(put(table, hashes.back(), any_reverse(random)), nullptr);
  }
  std::uint32_t strangers = 0;
  for (const std::uint32_t hash : hashes) {
    static_cast<void>(table.find(hash, [&](const Record& record) {
      strangers += static_cast<std::uint32_t>(record.forward_hash != hash);
      return false;
    }));
  }
  EXPECT_LT(strangers, sessions / 1000);
}

TEST(TagMatch, BothFormsAgreeOnRandomBuckets) {
  struct alignas(64) Bucket {
    std::array<std::uint16_t, 32> words{};
  } bucket;
  Random random(8);
  for (int round = 0; round < 10'000; ++round) {
    for (std::uint16_t& word : bucket.words) word = static_cast<std::uint16_t>(random.below(4) * 0x5555U);
    const auto tag = static_cast<std::uint16_t>(random.below(4) * 0x5555U);
    ASSERT_EQ(tag_matches(bucket.words.data(), tag), tag_matches_portable(bucket.words.data(), tag));
  }
  bucket = {};
  EXPECT_EQ(tag_matches(bucket.words.data(), 0), 0x3ffU) << "what lies behind the tags does not count";
}

TEST(SessionTable, BehavesLikeAMapInARandomRun) {
  Table table(2000);
  std::map<std::uint32_t, std::uint32_t> model;  // key to reverse hash
  Random random(99);
  for (int step = 0; step < 200'000; ++step) {
    const auto key = static_cast<std::uint32_t>(random.below(3000) * 2654435761U) & ~1U;
    Record* record = get(table, key, key);
    ASSERT_EQ(record != nullptr, model.contains(key));
    if (record != nullptr) {
      ASSERT_EQ(get(table, model[key], key), record);
      if (random.below(2) == 0) {
        table.erase(*record);
        model.erase(key);
      }
    } else if (model.size() < table.capacity()) {
      const auto reverse = any_reverse(random);
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
    Record* record = put(table, any_forward(random), any_reverse(random));
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

TEST(SessionTable, GrowsWithItsSessionsAndFindsThemAllAtEverySize) {
  constexpr std::uint32_t capacity = 40'000;
  Table table(capacity);
  Random random(6);
  std::vector<Record*> records;
  // Made when the table was small: found for as long as their record lives.
  auto early = table.probe(2);
  Record* const first = put(table, 2, 3);
  table.match(early);
  std::size_t bytes = table.bytes();
  while (table.size() < capacity) {
    Record* const record = put(table, any_forward(random), any_reverse(random));
    ASSERT_NE(record, nullptr);
    records.push_back(record);
    // A session at a time, one bucket at a time.
    ASSERT_LE(table.bytes(), bytes + sizeof(Record) + 64);
    bytes = table.bytes();
    ASSERT_LE(bytes, 54U * table.size() + 8192);
    ASSERT_EQ(table.find(early, [&](const Record& other) { return &other == first; }), first);
    if ((records.size() & (records.size() - 1)) != 0 && records.size() % 9973 != 0) continue;
    for (Record* const known : records) {
      const auto is_it = [&](const Record& other) { return &other == known; };
      ASSERT_EQ(table.find(known->forward_hash, is_it), known) << records.size();
      ASSERT_EQ(table.find(known->reverse_hash, is_it), known) << records.size();
    }
  }
}

TEST(SessionTable, StaysWithinTheSizePromised) {
  constexpr std::uint32_t sessions = 100'000;
  SessionTable<Ipv4Address> four(sessions);
  SessionTable<Ipv6Address> six(sessions);
  Random random(7);
  for (std::uint32_t i = 0; i < sessions; ++i) {
    four.insert(any_forward(random), any_reverse(random))->state = SessionState::idle;
    six.insert(any_forward(random), any_reverse(random))->state = SessionState::idle;
  }
  EXPECT_LE(four.bytes(), 54U * sessions);
  EXPECT_LE(six.bytes(), 80U * sessions);
}

}  // namespace
}  // namespace trivet::slb
