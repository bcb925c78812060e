// A small read-only hash map in one block of memory, for look-ups in the data path.
//
// Built on the control thread, then constant; find() from any thread, without allocation. A key has operator== and a
// function `std::uint64_t flat_hash(const Key&)` beside it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace trivet::slb {

template <class Key, class Value>
class FlatMap {
 public:
  FlatMap() = default;
  // Of equal keys the first one counts.
  explicit FlatMap(const std::vector<std::pair<Key, Value>>& entries) {
    if (entries.empty()) return;
    slots_.resize(std::bit_ceil(entries.size() * 2));
    mask_ = slots_.size() - 1;
    for (const auto& [key, value] : entries) {
      std::size_t at = flat_hash(key) & mask_;
      while (slots_[at].used && !(slots_[at].key == key)) at = (at + 1) & mask_;
      if (!slots_[at].used) slots_[at] = {key, value, true};
    }
  }

  [[nodiscard]] const Value* find(const Key& key) const noexcept {
    std::size_t at = flat_hash(key) & mask_;
    while (slots_[at].used) {
      if (slots_[at].key == key) return &slots_[at].value;
      at = (at + 1) & mask_;
    }
    return nullptr;
  }

 private:
  struct Slot {
    Key key{};
    Value value{};
    bool used = false;
  };
  // An empty map has one that is not used: find() need not ask. Not so one that was moved from: it is asked no more.
  std::vector<Slot> slots_ = std::vector<Slot>(1);
  std::size_t mask_ = 0;
};

}  // namespace trivet::slb
