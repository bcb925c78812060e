#include "ping/reassembly.h"

#include <algorithm>

namespace trivet::ping {

namespace {

std::size_t units_of(std::size_t bytes) { return (bytes + 7) / 8; }

}  // namespace

Reassembly::Reassembly() : slots_(slots) {
  for (Slot& slot : slots_) slot.bytes.resize(largest);
}

Reassembly::Outcome Reassembly::add(const FragmentKey& key, const Fragment& fragment, Time now) noexcept {
  const std::size_t size = fragment.bytes.size();
  const bool ragged = fragment.more && size % unit != 0;
  if (size == 0 || ragged || fragment.offset % unit != 0 || fragment.offset + size > largest) return Outcome::invalid;

  Slot* found = find(key);
  Slot& slot = found != nullptr ? *found : open(key, now);
  if (slot.state == State::void_) return Outcome::overlap;
  const std::size_t known = covered(slot, fragment);
  const bool consistent = fits(slot, fragment);
  if (known == units_of(size) && consistent &&
      std::equal(fragment.bytes.begin(), fragment.bytes.end(),
                 slot.bytes.begin() + static_cast<std::ptrdiff_t>(fragment.offset))) {
    return Outcome::duplicate;
  }
  if (known != 0 || !consistent) {
    slot.state = State::void_;
    return Outcome::overlap;
  }
  const Outcome outcome = store(slot, fragment);
  if (outcome == Outcome::complete) {
    slot.state = State::free;
    packet_ = std::span(slot.bytes).first(slot.total);
  }
  return outcome;
}

std::size_t Reassembly::expire(Time now) noexcept {
  std::size_t incomplete = 0;
  for (Slot& slot : slots_) {
    if (slot.state == State::free || now < expiry(slot)) continue;
    if (slot.state == State::open) ++incomplete;
    slot.state = State::free;
  }
  return incomplete;
}

std::size_t Reassembly::pending() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(slots_, [](const Slot& slot) { return slot.state != State::free; }));
}

Reassembly::Slot* Reassembly::find(const FragmentKey& key) noexcept {
  const auto found =
      std::ranges::find_if(slots_, [&key](const Slot& slot) { return slot.state != State::free && slot.key == key; });
  return found == slots_.end() ? nullptr : &*found;
}

Reassembly::Slot& Reassembly::open(const FragmentKey& key, Time now) noexcept {
  Slot* unused = nullptr;
  Slot* oldest = &slots_.front();
  Slot* oldest_of_source = nullptr;
  std::size_t of_source = 0;
  for (Slot& slot : slots_) {
    if (slot.state == State::free) {
      if (unused == nullptr) unused = &slot;
      continue;
    }
    if (oldest->state == State::free || slot.since < oldest->since) oldest = &slot;
    if (slot.key.source != key.source) continue;
    ++of_source;
    if (oldest_of_source == nullptr || slot.since < oldest_of_source->since) oldest_of_source = &slot;
  }
  Slot* chosen = unused != nullptr ? unused : oldest;
  if (of_source >= per_source) chosen = oldest_of_source;
  chosen->state = State::open;
  chosen->key = key;
  chosen->since = now;
  chosen->received = 0;
  chosen->end = 0;
  chosen->total = 0;
  chosen->units.reset();
  return *chosen;
}

Time Reassembly::expiry(const Slot& slot) { return slot.since + (slot.key.source.is_v4() ? time_limit4 : time_limit6); }

// The fragment does not contradict what is known about where the packet ends.
bool Reassembly::fits(const Slot& slot, const Fragment& fragment) noexcept {
  const std::size_t end = fragment.offset + fragment.bytes.size();
  if (!fragment.more) return slot.total == 0 ? end >= slot.end : end == slot.total;
  return slot.total == 0 || end < slot.total;
}

std::size_t Reassembly::covered(const Slot& slot, const Fragment& fragment) noexcept {
  const std::size_t first = fragment.offset / unit;
  const std::size_t count = units_of(fragment.bytes.size());
  std::size_t known = 0;
  for (std::size_t i = first; i < first + count; ++i) known += slot.units[i] ? 1U : 0U;
  return known;
}

Reassembly::Outcome Reassembly::store(Slot& slot, const Fragment& fragment) noexcept {
  const std::size_t size = fragment.bytes.size();
  std::ranges::copy(fragment.bytes, slot.bytes.begin() + static_cast<std::ptrdiff_t>(fragment.offset));
  for (std::size_t i = fragment.offset / unit; i < fragment.offset / unit + units_of(size); ++i) slot.units[i] = true;
  slot.received += size;
  slot.end = std::max(slot.end, fragment.offset + size);
  if (!fragment.more) slot.total = fragment.offset + size;
  return slot.total != 0 && slot.received == slot.total ? Outcome::complete : Outcome::stored;
}

}  // namespace trivet::ping
