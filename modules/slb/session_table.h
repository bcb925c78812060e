// The sessions of one worker and one address family: a bounded slab of records and one index over both directions.
//
//   index    buckets of one cache line: 10 references with 16 bits of tag each; every hash has two buckets: the emptier
//            one takes a new reference, and a full one sends one of its own to that one's other. Forward and reverse
//            key of a record are two references in the same index.
//   records  32 bytes (IPv4) or 44 (IPv6): what only this session knows. What all sessions of a server and a target
//            share stands once, in the Directory.
//
// With the index at 3/4 of its room that is 50 bytes an IPv4 session, 62 an IPv6 session. All memory is taken by the
// constructor (control thread; untouched pages cost nothing); no other member allocates. Thread: the worker that owns
// the table. A look-up costs two cache lines, which prefetch_buckets() and prefetch_records() fetch ahead for a batch.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "slb/tcp_state.h"
#include "slb/zeroed_array.h"
#include "trivet/net/address.h"

namespace trivet::slb {

using BindingId = std::uint16_t;

template <class Address>
struct Session {
  Address client;
  std::uint16_t client_port;  // 0 where the client's ports do not count (sessionid src)
  std::uint16_t server_port;  // that the client addressed; 0 likewise
  BindingId binding;          // which server and target
  std::uint16_t epoch;        // of the binding when the session was made; another one now = the session is gone
  std::uint32_t expires;      // milliseconds, wraps; in a free record: the next free one
  std::uint32_t created;      // milliseconds, wraps
  std::uint32_t forward_hash;
  std::uint32_t reverse_hash;
  std::uint8_t protocol;  // 0 where it does not count (sessionid src)
  SessionState state;     // none = the record is free
  bool has_reverse;       // false with direct server return
};
static_assert(sizeof(Session<Ipv4Address>) == 32);
static_assert(sizeof(Session<Ipv6Address>) == 44);

template <class Address>
class SessionTable {
 public:
  using Record = Session<Address>;

  explicit SessionTable(std::uint32_t capacity)
      : capacity_(capacity), bucket_count_(buckets_for(capacity)), records_(capacity), buckets_(bucket_count_) {}

  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  // Records were used up to here, not beyond: the range that a sweep has to look at.
  [[nodiscard]] std::uint32_t high_water() const { return high_water_; }
  [[nodiscard]] std::size_t bytes() const { return capacity_ * sizeof(Record) + bucket_count_ * sizeof(Bucket); }

  void prefetch_buckets(std::uint32_t hash) const noexcept {
    const Place place = place_of(hash);
    __builtin_prefetch(&buckets_[place.first]);
    __builtin_prefetch(&buckets_[place.second]);
  }
  void prefetch_records(std::uint32_t hash) const noexcept {
    const Place place = place_of(hash);
    prefetch_tagged(buckets_[place.first], place.tag);
    prefetch_tagged(buckets_[place.second], place.tag);
  }

  // The first record under this hash for which `matches(record)` holds. It is shown some that are not under the hash.
  template <class Matches>
  [[nodiscard]] Record* find(std::uint32_t hash, Matches&& matches) noexcept {
    const Place place = place_of(hash);
    if (Record* record = find_in(buckets_[place.first], place.tag, matches)) return record;
    return place.second == place.first ? nullptr : find_in(buckets_[place.second], place.tag, matches);
  }

  // A new record under one or two hashes: fields zero but the hashes. Null when the table is full. The caller has seen
  // that the keys are not there yet, and sets `state` at once.
  [[nodiscard]] Record* insert(std::uint32_t forward_hash, std::optional<std::uint32_t> reverse_hash) noexcept {
    if (size_ == capacity_) return nullptr;
    const std::uint32_t at = free_head_ != 0 ? free_head_ - 1 : high_water_;
    Record& record = records_[at];
    const std::uint32_t next_free = record.expires;
    // Before the references: making room for the second one may move the first, by these hashes.
    record = Record{};
    record.forward_hash = forward_hash;
    record.reverse_hash = reverse_hash.value_or(0);
    record.has_reverse = reverse_hash.has_value();
    const bool has_forward = add_reference(forward_hash, at + 1);
    if (!has_forward || (reverse_hash && !add_reference(*reverse_hash, at + 1))) {
      if (has_forward) remove_reference(forward_hash, at + 1);
      record.expires = next_free;
      return nullptr;
    }
    if (free_head_ != 0) {
      free_head_ = next_free;
    } else {
      ++high_water_;
    }
    ++size_;
    return &record;
  }

  void erase(Record& record) noexcept {
    const auto at = static_cast<std::uint32_t>(&record - &records_[0]);
    remove_reference(record.forward_hash, at + 1);
    if (record.has_reverse) remove_reference(record.reverse_hash, at + 1);
    record.state = SessionState::none;
    record.expires = free_head_;
    free_head_ = at + 1;
    --size_;
  }

  // Record `at`, below high_water(); look at `state` first.
  [[nodiscard]] Record& record(std::uint32_t at) noexcept { return records_[at]; }
  [[nodiscard]] const Record& record(std::uint32_t at) const noexcept { return records_[at]; }

 private:
  static constexpr std::size_t slots = 10;
  struct alignas(64) Bucket {
    std::array<std::uint16_t, slots> tags;
    std::array<std::uint32_t, slots> references;  // record number + 1; 0 = free slot
  };
  static_assert(sizeof(Bucket) == 64);

  struct Place {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
    std::uint16_t tag = 0;
  };

  static std::uint32_t buckets_for(std::uint32_t capacity) {
    // Two references a record, three quarters of the slots in use.
    return static_cast<std::uint32_t>(std::uint64_t{capacity} * 2 * 4 / (3 * slots)) + 2;
  }
  [[nodiscard]] Place place_of(std::uint32_t hash) const noexcept {
    // The 32 bits that a record keeps are spread to what the two bucket numbers and the tag need.
    std::uint64_t wide = (std::uint64_t{hash} + 1) * 0x9e3779b97f4a7c15ULL;
    wide ^= wide >> 32U;
    wide *= 0xd6e8feb86659fd93ULL;
    const auto scale = [this](std::uint32_t part) {
      return static_cast<std::uint32_t>((std::uint64_t{part} * bucket_count_) >> 32U);
    };
    return {scale(hash), scale(static_cast<std::uint32_t>(wide >> 32U)), static_cast<std::uint16_t>(wide >> 8U)};
  }
  [[nodiscard]] static std::uint32_t tag_matches(const Bucket& bucket, std::uint16_t tag) noexcept {
    std::uint32_t mask = 0;
    for (std::size_t i = 0; i < slots; ++i) mask |= static_cast<std::uint32_t>(bucket.tags[i] == tag) << i;
    return mask;
  }
  void prefetch_tagged(const Bucket& bucket, std::uint16_t tag) const noexcept {
    for (std::uint32_t mask = tag_matches(bucket, tag); mask != 0; mask &= mask - 1) {
      const std::uint32_t reference = bucket.references[static_cast<std::size_t>(__builtin_ctz(mask))];
      if (reference != 0) __builtin_prefetch(&records_[reference - 1], 1);
    }
  }
  template <class Matches>
  [[nodiscard]] Record* find_in(const Bucket& bucket, std::uint16_t tag, Matches& matches) noexcept {
    for (std::uint32_t mask = tag_matches(bucket, tag); mask != 0; mask &= mask - 1) {
      const std::uint32_t reference = bucket.references[static_cast<std::size_t>(__builtin_ctz(mask))];
      if (reference != 0 && matches(records_[reference - 1])) return &records_[reference - 1];
    }
    return nullptr;
  }
  [[nodiscard]] static std::size_t used_slots(const Bucket& bucket) noexcept {
    std::size_t used = 0;
    for (const std::uint32_t reference : bucket.references) used += static_cast<std::size_t>(reference != 0);
    return used;
  }
  bool add_reference(std::uint32_t hash, std::uint32_t reference) noexcept {
    const Place place = place_of(hash);
    Bucket& first = buckets_[place.first];
    Bucket& second = buckets_[place.second];
    if (put_in(used_slots(second) < used_slots(first) ? second : first, place.tag, reference)) return true;
    if (make_room(place.first)) return put_in(first, place.tag, reference);
    return make_room(place.second) && put_in(second, place.tag, reference);
  }
  static bool put_in(Bucket& bucket, std::uint16_t tag, std::uint32_t reference) noexcept {
    for (std::size_t i = 0; i < slots; ++i) {
      if (bucket.references[i] != 0) continue;
      bucket.references[i] = reference;
      bucket.tags[i] = tag;
      return true;
    }
    return false;
  }
  // Moves one reference of a full bucket to the other bucket of its hash. Rare: costs a look at up to ten records.
  bool make_room(std::uint32_t number) noexcept {
    Bucket& bucket = buckets_[number];
    for (std::size_t i = 0; i < slots; ++i) {
      const Record& record = records_[bucket.references[i] - 1];
      const Place forward = place_of(record.forward_hash);
      const Place reverse = place_of(record.reverse_hash);
      const auto is_here = [&](const Place& place) {
        return place.tag == bucket.tags[i] && (place.first == number || place.second == number);
      };
      const bool may_be_reverse = record.has_reverse && is_here(reverse);
      // Where it could be either of the two, nobody knows which other bucket is its own.
      if (is_here(forward) == may_be_reverse) continue;
      const Place& place = may_be_reverse ? reverse : forward;
      const std::uint32_t other = place.first == number ? place.second : place.first;
      if (other == number || !put_in(buckets_[other], place.tag, bucket.references[i])) continue;
      bucket.references[i] = 0;
      return true;
    }
    return false;
  }
  void remove_reference(std::uint32_t hash, std::uint32_t reference) noexcept {
    // Where both references of a record carry the same tag in one bucket, either may go first: they are alike.
    const Place place = place_of(hash);
    for (const std::uint32_t number : {place.first, place.second}) {
      Bucket& bucket = buckets_[number];
      for (std::size_t i = 0; i < slots; ++i) {
        if (bucket.references[i] != reference || bucket.tags[i] != place.tag) continue;
        bucket.references[i] = 0;
        return;
      }
    }
  }

  std::uint32_t capacity_;
  std::uint32_t bucket_count_;
  std::uint32_t size_ = 0;
  std::uint32_t high_water_ = 0;
  std::uint32_t free_head_ = 0;  // record number + 1; 0 = none
  ZeroedArray<Record> records_;
  ZeroedArray<Bucket> buckets_;
};

}  // namespace trivet::slb
