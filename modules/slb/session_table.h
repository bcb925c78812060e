// The sessions of one worker and one address family: a bounded slab of records and one index over both directions.
//
//   index    buckets of one cache line: 10 references with 16 bits of tag each; every hash has two buckets: the emptier
//            one takes a new reference, and a full one sends one of its own to that one's other. Forward and reverse
//            key of a record are two references in the same index, told apart by the lowest bit of hash and tag.
//   records  32 bytes (IPv4) or 44 (IPv6): what only this session knows. What all sessions of a server and a target
//            share stands once, in the Directory.
//
// The index grows with the sessions (linear hashing): when it is more than 3/4 full, the next bucket in turn is split
// in two, its references going to the one or the other. That is one step of at most 10 references for a new session,
// and nothing else moves. So memory in use is 50 bytes an IPv4 session, 62 an IPv6 session, however many there are.
// Address space for the whole capacity is taken by the constructor (control thread); the system fills it with memory
// where it is first touched, in order from the beginning; no other member allocates. Thread: the worker that owns the
// table. A look-up costs two cache lines of the index and the record's, fetched ahead for a batch, each step for all of
// its packets in a loop of its own:
//
//   probe(hash) or aim() -> fetch_buckets() -> match() -> fetch_record() -> candidate(), and where that is not it,
//   find()
//
// Fetching is a load, not a prefetch instruction: those are wishes, and under a hypervisor they are not granted where
// the page's address is not at hand (a hit among a million sessions took twice as long). Loads in a short loop overlap.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "slb/tag_match.h"
#include "slb/tcp_state.h"
#include "slb/zeroed_array.h"
#include "trivet/net/address.h"

namespace trivet::slb {

using BindingId = std::uint16_t;

// What names a flow beside its addresses. Two of them are compared as one number.
struct FlowRest {
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;  // that the client addressed
  std::uint8_t protocol = 0;
  std::uint8_t unused = 0;  // 0

  [[nodiscard]] std::uint64_t number() const noexcept {
    std::uint32_t ports = 0;
    std::uint16_t other = 0;
    std::memcpy(&ports, this, sizeof ports);
    std::memcpy(&other, &protocol, sizeof other);
    return ports | (std::uint64_t{other} << 32U);
  }
  // The same of fields that are not together yet.
  [[nodiscard]] static constexpr std::uint64_t number(std::uint16_t client_port, std::uint16_t server_port,
                                                      std::uint8_t protocol) noexcept {
    constexpr bool is_little = std::endian::native == std::endian::little;
    const std::uint32_t ports = is_little ? client_port | (std::uint32_t{server_port} << 16U)
                                          : server_port | (std::uint32_t{client_port} << 16U);
    const std::uint32_t other = is_little ? protocol : std::uint32_t{protocol} << 8U;
    return ports | (std::uint64_t{other} << 32U);
  }
};
static_assert(sizeof(FlowRest) == 6);

template <class Address>
struct Session {
  Address client;
  FlowRest rest;          // none where ports and protocol do not count (sessionid src)
  SessionState state;     // none = the record is free
  bool has_reverse;       // false with direct server return
  BindingId binding;      // which server and target
  std::uint16_t epoch;    // of the binding when the session was made; another one now = the session is gone
  std::uint32_t expires;  // milliseconds, wraps; in a free record: the next free one
  std::uint32_t created;  // milliseconds, wraps
  std::uint32_t forward_hash;
  std::uint32_t reverse_hash;
};
static_assert(sizeof(Session<Ipv4Address>) == 32);
static_assert(sizeof(Session<Ipv6Address>) == 44);

template <class Address>
class SessionTable {
 public:
  using Record = Session<Address>;

  explicit SessionTable(std::uint32_t capacity)
      : capacity_(capacity),
        most_buckets_(buckets_for(capacity)),
        bucket_count_(std::min(std::bit_floor(most_buckets_), least_buckets)),
        low_mask_(bucket_count_ - 1),
        records_(capacity),
        buckets_(most_buckets_) {}

  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  // Records were used up to here, not beyond: the range that a sweep has to look at.
  [[nodiscard]] std::uint32_t high_water() const { return high_water_; }
  // Memory that has been used.
  [[nodiscard]] std::size_t bytes() const {
    return std::size_t{high_water_} * sizeof(Record) + std::size_t{bucket_count_} * sizeof(Bucket);
  }

  // Where a hash is looked for.
  struct Probe {
    std::uint32_t hash = 0;
    std::uint32_t first = 0;    // buckets
    std::uint32_t second = 0;   // may be the same
    std::uint32_t matches = 0;  // slots with the tag: the first bucket's from bit 0 on, the second's from bit 16 on
    std::uint32_t bucket_count = 0;  // of the table then; with another one they are not the buckets any more
    std::uint32_t reference = 0;     // in the first of them; 0 = there is none
    std::uint16_t tag = 0;
    std::uint64_t changes = 0;  // of the table when `matches` was made; 0 = not yet
  };
  [[nodiscard]] Probe probe(std::uint32_t hash) const noexcept {
    Probe made;
    aim(made, hash);
    return made;
  }
  // Makes a probe of one that may have been used before, field by field: the packet path does.
  void aim(Probe& probe, std::uint32_t hash) const noexcept {
    // The 32 bits that a record keeps are spread to what the two bucket numbers need.
    std::uint64_t wide = (std::uint64_t{hash} + 1) * 0x9e3779b97f4a7c15ULL;
    wide ^= wide >> 32U;
    wide *= 0xd6e8feb86659fd93ULL;
    probe.hash = hash;
    probe.first = bucket_of(static_cast<std::uint32_t>(wide));
    probe.second = bucket_of(static_cast<std::uint32_t>(wide >> 32U));
    probe.bucket_count = bucket_count_;
    probe.changes = 0;
    // With the bit that tells forward from reverse.
    probe.tag = static_cast<std::uint16_t>(hash);
  }
  void fetch_buckets(const Probe& probe) const noexcept {
    load(&buckets_[probe.first]);
    load(&buckets_[probe.second]);
  }
  // Looks at the buckets.
  void match(Probe& probe) const noexcept {
    probe.matches = matches_of(probe);
    probe.changes = changes_;
    std::uint32_t reference = 0;
    if (probe.matches != 0) {
      const auto slot = static_cast<std::size_t>(__builtin_ctz(probe.matches));
      const Bucket& bucket = buckets_[slot < 16 ? probe.first : probe.second];
      reference = bucket.references[slot & 15U];
    }
    probe.reference = reference;
  }
  // The record that is probably the one.
  void fetch_record(const Probe& probe) const noexcept {
    if (probe.reference == 0) return;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&records_[probe.reference - 1]);
    load(bytes);
    // Records of IPv6 may lie over two cache lines.
    if constexpr (64 % sizeof(Record) != 0) load(bytes + sizeof(Record) - 1);
  }

  // The first record under this hash for which `matches(record)` holds. It is shown some that are not under the hash.
  template <class Matches>
  [[nodiscard]] Record* find(std::uint32_t hash, Matches&& matches) noexcept {
    return find(probe(hash), matches);
  }
  template <class Matches>
  [[nodiscard]] Record* find(const Probe& made, Matches&& matches) noexcept {
    if (made.changes == changes_) return find(made, made.matches, matches);
    // What a packet before this one has changed may concern these buckets.
    const Probe present = made.bucket_count == bucket_count_ ? made : probe(made.hash);
    return find(present, matches_of(present), matches);
  }
  // The record that find() would look at first, or null; always null where the table has changed since match().
  [[nodiscard]] Record* candidate(const Probe& made) noexcept {
    return made.changes == changes_ && made.reference != 0 ? &records_[made.reference - 1] : nullptr;
  }

  // A new record under an even forward hash and an odd reverse hash (0 = none): fields zero but the hashes. Null when
  // the table is full. The caller has seen that the keys are not there yet, and sets `state` at once.
  [[nodiscard]] Record* insert(std::uint32_t forward_hash, std::uint32_t reverse_hash) noexcept {
    if (size_ == capacity_) return nullptr;
    ++changes_;
    if (buckets_for(size_ + 1) > bucket_count_ && bucket_count_ < most_buckets_) split();
    const std::uint32_t at = free_head_ != 0 ? free_head_ - 1 : high_water_;
    Record& record = records_[at];
    const std::uint32_t next_free = record.expires;
    // Before the references: making room for the second one may move the first, by these hashes.
    record = Record{};
    record.forward_hash = forward_hash;
    record.reverse_hash = reverse_hash;
    record.has_reverse = reverse_hash != 0;
    const bool has_forward = add_reference(forward_hash, at + 1);
    if (!has_forward || (reverse_hash != 0 && !add_reference(reverse_hash, at + 1))) {
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
    ++changes_;
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
  static constexpr std::size_t slots = bucket_slots;
  struct alignas(64) Bucket {
    std::array<std::uint16_t, slots> tags;
    std::array<std::uint32_t, slots> references;  // record number + 1; 0 = free slot
  };
  static_assert(sizeof(Bucket) == 64);

  static constexpr std::uint32_t least_buckets = 64;
  static constexpr std::uint32_t reverse_bit = 1;  // of hashes and tags

  static std::uint32_t buckets_for(std::uint32_t sessions) {
    // Two references a record, three quarters of the slots in use.
    return static_cast<std::uint32_t>(std::uint64_t{sessions} * 2 * 4 / (3 * slots)) + 2;
  }
  // Buckets up to bucket_count_ - (low_mask_ + 1) have been split: their hashes count with one bit more.
  [[nodiscard]] std::uint32_t bucket_of(std::uint32_t part) const noexcept {
    const std::uint32_t number = part & (2 * low_mask_ + 1);
    return number < bucket_count_ ? number : part & low_mask_;
  }
  [[nodiscard]] std::uint32_t hash_of(const Bucket& bucket, std::size_t slot) const noexcept {
    const Record& record = records_[bucket.references[slot] - 1];
    return (bucket.tags[slot] & reverse_bit) != 0 ? record.reverse_hash : record.forward_hash;
  }
  // One bucket more: the next in turn gives it the references that belong there now.
  void split() noexcept {
    const std::uint32_t number = bucket_count_ - (low_mask_ + 1);
    Bucket& bucket = buckets_[number];
    Bucket& fresh = buckets_[bucket_count_];
    ++bucket_count_;
    if (bucket_count_ == 2 * (low_mask_ + 1)) low_mask_ = 2 * low_mask_ + 1;
    std::size_t moved = 0;
    for (std::size_t i = 0; i < slots; ++i) {
      if (bucket.references[i] == 0) continue;
      const Probe place = probe(hash_of(bucket, i));
      if (place.first == number || place.second == number) continue;
      fresh.tags[moved] = bucket.tags[i];
      fresh.references[moved] = bucket.references[i];
      ++moved;
      bucket.references[i] = 0;
    }
    // What the next two splits look at.
    prefetch_records(buckets_[number + 1], (1U << slots) - 1);
    __builtin_prefetch(&buckets_[number + 2]);
  }
  static void load(const void* address) noexcept {
    static_cast<void>(*static_cast<const volatile unsigned char*>(address));
  }
  [[nodiscard]] std::uint32_t matches_of(const Probe& probe) const noexcept {
    const std::uint32_t first = tag_matches(buckets_[probe.first].tags.data(), probe.tag);
    const std::uint32_t second = tag_matches(buckets_[probe.second].tags.data(), probe.tag);
    return first | (second << 16U);
  }
  void prefetch_records(const Bucket& bucket, std::uint32_t mask) const noexcept {
    for (; mask != 0; mask &= mask - 1) {
      const std::uint32_t reference = bucket.references[static_cast<std::size_t>(__builtin_ctz(mask))];
      if (reference == 0) continue;
      const auto* const bytes = reinterpret_cast<const unsigned char*>(&records_[reference - 1]);
      __builtin_prefetch(bytes, 1);
      // Records of IPv6 may lie over two cache lines.
      if constexpr (64 % sizeof(Record) != 0) __builtin_prefetch(bytes + sizeof(Record) - 1, 1);
    }
  }
  template <class Matches>
  [[nodiscard]] Record* find(const Probe& probe, std::uint32_t tagged, Matches& matches) noexcept {
    if (Record* const record = find_in(buckets_[probe.first], tagged & 0xffffU, matches)) return record;
    return find_in(buckets_[probe.second], tagged >> 16U, matches);
  }
  template <class Matches>
  [[nodiscard]] Record* find_in(const Bucket& bucket, std::uint32_t mask, Matches& matches) noexcept {
    for (; mask != 0; mask &= mask - 1) {
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
    const Probe place = probe(hash);
    Bucket& first = buckets_[place.first];
    Bucket& second = buckets_[place.second];
    if (put_in(used_slots(second) < used_slots(first) ? second : first, place.tag, reference)) return true;
    if (make_room(place.first) || make_room_further(place.first)) return put_in(first, place.tag, reference);
    if (make_room(place.second) || make_room_further(place.second)) return put_in(second, place.tag, reference);
    return false;
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
      const Probe place = probe(hash_of(bucket, i));
      const std::uint32_t other = place.first == number ? place.second : place.first;
      if (other == number || !put_in(buckets_[other], place.tag, bucket.references[i])) continue;
      bucket.references[i] = 0;
      return true;
    }
    return false;
  }
  // The same where those other buckets are full: makes room in one of them first. Buckets that are still to be split
  // hold more than others, so that a row of two full ones occurs, once in some ten thousand sessions. At most 110
  // records.
  bool make_room_further(std::uint32_t number) noexcept {
    Bucket& bucket = buckets_[number];
    for (std::size_t i = 0; i < slots; ++i) {
      const Probe place = probe(hash_of(bucket, i));
      const std::uint32_t other = place.first == number ? place.second : place.first;
      if (other == number || !make_room(other)) continue;
      static_cast<void>(put_in(buckets_[other], place.tag, bucket.references[i]));
      bucket.references[i] = 0;
      return true;
    }
    return false;
  }
  void remove_reference(std::uint32_t hash, std::uint32_t reference) noexcept {
    const Probe place = probe(hash);
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
  std::uint32_t most_buckets_;
  std::uint32_t bucket_count_;
  std::uint32_t low_mask_;  // 2^n - 1, with 2^n <= bucket_count_ < 2^(n+1)
  std::uint32_t size_ = 0;
  std::uint32_t high_water_ = 0;
  std::uint32_t free_head_ = 0;  // record number + 1; 0 = none
  std::uint64_t changes_ = 1;    // of the index
  ZeroedArray<Record> records_;
  ZeroedArray<Bucket> buckets_;
};

}  // namespace trivet::slb
