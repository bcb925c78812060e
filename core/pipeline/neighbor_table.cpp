#include "core/pipeline/neighbor_table.h"

#include <bit>
#include <charconv>
#include <cstring>

#include "trivet/net/words.h"

namespace trivet::core {

namespace {

constexpr std::size_t longest_probe = 256;
// A writer needs a few nanoseconds; one that is suspended in between makes the reader take the slot for empty.
constexpr int read_attempts = 4096;

enum class SlotKind : std::uint8_t { empty, removed, full };

std::uint64_t word_of(const MacAddress& mac) {
  std::uint64_t word = 0;
  std::memcpy(&word, mac.bytes.data(), mac.bytes.size());
  return word;
}

MacAddress mac_of(std::uint64_t word) {
  MacAddress mac;
  std::memcpy(mac.bytes.data(), &word, mac.bytes.size());
  return mac;
}

NeighborTable::State state_of(const NeighborEntry& entry) {
  if (entry.usable()) return NeighborTable::State::usable;
  return entry.reachability == NeighborReachability::failed ? NeighborTable::State::failed
                                                            : NeighborTable::State::unknown;
}

}  // namespace

struct NeighborTable::Key {
  AddressWords words;
  std::uint64_t tag = 0;  // network and family: the low 24 bits of a slot's tags

  Key(NetworkId network, const IpAddress& address)
      : words(words_of(address)), tag(std::uint64_t{network} | (std::uint64_t{address.is_v6()} << 16U)) {}
};

// What a slot holds, taken at one moment. Layout of `tags`: 0-15 network, 16 IPv6, 24-25 kind, 26-27 state,
// 28 needs confirmation, 32-47 interface.
struct NeighborTable::Contents {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint64_t tags = 0;
  std::uint64_t mac = 0;
  std::uint32_t version = 0;

  [[nodiscard]] SlotKind kind() const { return static_cast<SlotKind>((tags >> 24U) & 3U); }
  [[nodiscard]] State state() const { return static_cast<State>((tags >> 26U) & 3U); }
  [[nodiscard]] bool needs_confirmation() const { return ((tags >> 28U) & 1U) != 0; }
  [[nodiscard]] InterfaceId interface() const { return static_cast<InterfaceId>(tags >> 32U); }
  [[nodiscard]] bool is(const Key& key) const {
    return kind() == SlotKind::full && AddressWords{first, second} == key.words && (tags & 0xffffffU) == key.tag;
  }
};

// Twice as many slots as entries: probes stay short.
NeighborTable::NeighborTable(std::size_t capacity, std::uint64_t seed)
    : capacity_(capacity),
      mask_(std::bit_ceil(capacity < 8 ? std::size_t{16} : capacity * 2) - 1),
      seed_(seed),
      slots_(std::make_unique<Slot[]>(mask_ + 1)) {}

std::size_t NeighborTable::home(const Key& key) const noexcept {
  return static_cast<std::size_t>(hash_words(key.words, seed_ ^ key.tag)) & mask_;
}

// The sequence makes no use of fences: what a reader acquires of a half-written slot has the odd number before it, so
// the second look at the sequence sees at least that one.
NeighborTable::Contents NeighborTable::read(std::size_t index) const noexcept {
  const Slot& slot = slots_[index];
  for (int attempt = 0; attempt < read_attempts; ++attempt) {
    const std::uint32_t before = slot.sequence.load(std::memory_order_acquire);
    if ((before & 1U) != 0) continue;
    Contents contents;
    contents.first = slot.address[0].load(std::memory_order_acquire);
    contents.second = slot.address[1].load(std::memory_order_acquire);
    contents.tags = slot.tags.load(std::memory_order_acquire);
    contents.mac = slot.mac.load(std::memory_order_acquire);
    contents.version = before;
    if (slot.sequence.load(std::memory_order_relaxed) == before) return contents;
  }
  Contents busy;
  busy.tags = std::uint64_t{static_cast<std::uint8_t>(SlotKind::removed)} << 24U;
  return busy;
}

void NeighborTable::write(std::size_t index, const Contents& contents) noexcept {
  Slot& slot = slots_[index];
  const std::uint32_t sequence = slot.sequence.load(std::memory_order_relaxed);
  slot.sequence.store(sequence + 1, std::memory_order_relaxed);
  slot.address[0].store(contents.first, std::memory_order_release);
  slot.address[1].store(contents.second, std::memory_order_release);
  slot.tags.store(contents.tags, std::memory_order_release);
  slot.mac.store(contents.mac, std::memory_order_release);
  slot.used.store(0, std::memory_order_relaxed);
  slot.sequence.store(sequence + 2, std::memory_order_release);
}

bool NeighborTable::update(const NeighborEntry& entry) {
  const Key key(entry.network, entry.address);
  const std::size_t first = home(key);
  std::size_t target = mask_ + 1;  // none yet
  bool is_new = true;
  for (std::size_t probe = 0; probe < longest_probe && probe <= mask_; ++probe) {
    const std::size_t index = (first + probe) & mask_;
    const Contents contents = read(index);
    if (contents.is(key)) {
      target = index;
      is_new = false;
      break;
    }
    if (contents.kind() != SlotKind::full && target > mask_) target = index;
    if (contents.kind() == SlotKind::empty) break;
  }
  if (target > mask_ || (is_new && size_ >= capacity_)) return false;
  Contents contents;
  contents.first = key.words.first;
  contents.second = key.words.second;
  contents.mac = word_of(entry.mac);
  contents.tags = key.tag | (std::uint64_t{static_cast<std::uint8_t>(SlotKind::full)} << 24U) |
                  (std::uint64_t{static_cast<std::uint8_t>(state_of(entry))} << 26U) |
                  (std::uint64_t{entry.reachability == NeighborReachability::stale} << 28U) |
                  (std::uint64_t{entry.interface} << 32U);
  write(target, contents);
  if (is_new) ++size_;
  generation_.fetch_add(1, std::memory_order_release);
  return true;
}

void NeighborTable::erase(NetworkId network, const IpAddress& address) {
  const Key key(network, address);
  const std::size_t first = home(key);
  for (std::size_t probe = 0; probe < longest_probe && probe <= mask_; ++probe) {
    std::size_t index = (first + probe) & mask_;
    const Contents contents = read(index);
    if (contents.kind() == SlotKind::empty) return;
    if (!contents.is(key)) continue;
    Contents mark;
    mark.tags = std::uint64_t{static_cast<std::uint8_t>(SlotKind::removed)} << 24U;
    write(index, mark);
    --size_;
    // At the end of a run of slots nobody probes past this one: it and the removed ones before it become empty, so
    // that removed slots do not pile up.
    if (read((index + 1) & mask_).kind() == SlotKind::empty) {
      for (std::size_t back = 0; back <= mask_ && read(index).kind() == SlotKind::removed; ++back) {
        write(index, Contents{});
        index = (index - 1) & mask_;
      }
    }
    generation_.fetch_add(1, std::memory_order_release);
    return;
  }
}

void NeighborTable::erase(const std::string& key) {
  const std::size_t slash = key.find('/');
  if (slash == std::string::npos) return;
  NetworkId network = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + slash, network);
  const auto address = parse_ip(std::string_view(key).substr(slash + 1));
  if (error == std::errc{} && end == key.data() + slash && address) erase(network, *address);
}

void NeighborTable::clear() {
  for (std::size_t i = 0; i <= mask_; ++i) {
    if (read(i).kind() != SlotKind::empty) write(i, Contents{});
  }
  size_ = 0;
  generation_.fetch_add(1, std::memory_order_release);
}

NeighborTable::Found NeighborTable::find(NetworkId network, const IpAddress& address) const noexcept {
  const Key key(network, address);
  const std::size_t first = home(key);
  for (std::size_t probe = 0; probe < longest_probe && probe <= mask_; ++probe) {
    const std::size_t index = (first + probe) & mask_;
    const Contents contents = read(index);
    if (contents.kind() == SlotKind::empty) break;
    if (!contents.is(key)) continue;
    return {contents.state(),     contents.needs_confirmation(),     contents.interface(),
            mac_of(contents.mac), static_cast<std::uint32_t>(index), contents.version};
  }
  return {};
}

bool NeighborTable::claim_used(const Found& found) noexcept {
  Slot& slot = slots_[found.slot & mask_];
  return slot.used.load(std::memory_order_relaxed) == 0 && slot.used.exchange(1, std::memory_order_acq_rel) == 0;
}

void NeighborTable::unclaim_used(const Found& found) noexcept {
  slots_[found.slot & mask_].used.store(0, std::memory_order_relaxed);
}

}  // namespace trivet::core
