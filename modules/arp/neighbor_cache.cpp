#include "arp/neighbor_cache.h"

#include <algorithm>

#include "trivet/net/hash.h"

namespace trivet::arp {

namespace {

using Reachability = NeighborReachability;

bool has_place(Reachability state) { return state != Reachability::incomplete && state != Reachability::failed; }

// What an evictable entry is worth, as a time: the lowest goes first. Entries that this node used count as younger
// than all that were only heard.
Time worth(const NeighborCache::Entry& entry) {
  if (entry.shown.reachability == Reachability::failed) return entry.since;
  if (entry.shown.reachability == Reachability::incomplete) return entry.since + NeighborCache::stale_time;
  return entry.used ? entry.since + NeighborCache::stale_time : entry.confirmed;
}

bool is_evictable(const NeighborCache::Entry& entry) {
  switch (entry.shown.reachability) {
    case Reachability::stale:
    case Reachability::failed:
      return true;
    case Reachability::incomplete:
      return !entry.configured;
    case Reachability::reachable:
    case Reachability::delay:
    case Reachability::probe:
      break;
  }
  return false;
}

}  // namespace

std::size_t NeighborKeyHash::operator()(const NeighborKey& key) const noexcept {
  return static_cast<std::size_t>(hash_address(key.address, key.network));
}

CacheLimits CacheLimits::of(std::size_t entries) {
  return {entries, entries / 2, std::max<std::size_t>(entries / 8, 1)};
}

NeighborCache::NeighborCache(CacheLimits limits, Random random) : limits_(limits), random_(random) {}

void NeighborCache::set_configured(std::set<IpAddress> addresses) {
  configured_ = std::move(addresses);
  for (auto& [key, entry] : entries_) {
    unlink(key, entry);
    entry.configured = configured_.contains(key.address);
    link(key, entry);
  }
}

CacheActions NeighborCache::wanted(const NeighborKey& key, Time now) {
  CacheActions out;
  if (const auto found = entries_.find(key); found != entries_.end()) {
    Entry& entry = found->second;
    entry.used = true;
    // Egress asks because it has missed the entry: say it again. While incomplete the answer is on its way.
    if (entry.shown.reachability != Reachability::incomplete) out.emplace_back(PublishEntry{entry.shown});
    return out;
  }
  if (!make_room(0, now, out)) {
    NeighborEntry refused;
    refused.network = key.network;
    refused.address = key.address;
    refused.reachability = Reachability::failed;
    out.emplace_back(PublishEntry{refused});
    out.emplace_back(EraseEntry{key});
    return out;
  }
  Entry& entry = insert(key);
  entry.used = true;
  enter(key, entry, Reachability::incomplete, now, out);
  try_again(key, entry, now, out);
  return out;
}

CacheActions NeighborCache::used(const NeighborKey& key, Time now) {
  CacheActions out;
  const auto found = entries_.find(key);
  if (found == entries_.end()) return out;
  found->second.used = true;
  if (found->second.shown.reachability == Reachability::stale) {
    unlink(key, found->second);
    enter(key, found->second, Reachability::delay, now, out);
  }
  return out;
}

CacheActions NeighborCache::heard_source(const NeighborKey& key, NeighborPlace place, Learning learning, Time now) {
  CacheActions out;
  if (place.interface == 0 || place.interface > max_interfaces) return out;
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    if (learning == Learning::update || !make_room(place.interface, now, out)) return out;
    Entry& entry = insert(key);
    entry.shown.mac = place.mac;
    entry.shown.interface = place.interface;
    entry.confirmed = now;
    enter(key, entry, Reachability::stale, now, out);
    return out;
  }
  Entry& entry = found->second;
  if (has_place(entry.shown.reachability)) {
    const bool same = NeighborPlace{entry.shown.mac, entry.shown.interface} == place;
    if (same || is_settled_elsewhere(entry, place.interface, now)) return out;
  }
  unlink(key, entry);
  entry.confirmed = now;
  enter_at(key, entry, place, Reachability::stale, now, out);
  return out;
}

CacheActions NeighborCache::heard_advertisement(const NeighborKey& key, const Advertisement& advertisement, Time now) {
  CacheActions out;
  const auto found = entries_.find(key);
  if (found == entries_.end() || advertisement.interface == 0 || advertisement.interface > max_interfaces) return out;
  Entry& entry = found->second;
  if (!has_place(entry.shown.reachability)) {
    if (!advertisement.has_mac) return out;
    unlink(key, entry);
    entry.confirmed = now;
    enter_at(key, entry, {advertisement.mac, advertisement.interface},
             advertisement.solicited ? Reachability::reachable : Reachability::stale, now, out);
    return out;
  }

  const NeighborPlace known{entry.shown.mac, entry.shown.interface};
  const NeighborPlace told{advertisement.has_mac ? advertisement.mac : known.mac, advertisement.interface};
  const bool moved = told != known;
  if (moved && advertisement.solicited && is_settled_elsewhere(entry, told.interface, now)) return out;
  if (moved && !advertisement.override) {
    if (entry.shown.reachability == Reachability::reachable) {
      unlink(key, entry);
      enter(key, entry, Reachability::stale, now, out);
    }
    return out;
  }
  if (!moved && !advertisement.solicited) return out;
  unlink(key, entry);
  entry.confirmed = now;
  enter_at(key, entry, told, advertisement.solicited ? Reachability::reachable : Reachability::stale, now, out);
  return out;
}

CacheActions NeighborCache::link_down(InterfaceId interface) {
  return retain([interface](const NeighborEntry& entry) { return entry.interface != interface || interface == 0; });
}

CacheActions NeighborCache::on_time(Time now) {
  CacheActions out;
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const NeighborKey key = timers_.begin()->second;
    expire(key, now, out);
  }
  return out;
}

const NeighborCache::Entry* NeighborCache::find(const NeighborKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<const NeighborCache::Entry*> NeighborCache::list() const {
  std::vector<const Entry*> all;
  all.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) {
    return NeighborKey{a->shown.network, a->shown.address} < NeighborKey{b->shown.network, b->shown.address};
  });
  return all;
}

NeighborCache::Entry& NeighborCache::insert(const NeighborKey& key) {
  Entry& entry = entries_[key];
  entry.shown.network = key.network;
  entry.shown.address = key.address;
  entry.configured = configured_.contains(key.address);
  return entry;
}

void NeighborCache::unlink(const NeighborKey& key, const Entry& entry) {
  timers_.erase({entry.deadline, key});
  if (is_evictable(entry)) evictable_[entry.shown.interface].erase({worth(entry), key});
  --behind_[entry.shown.interface];
}

void NeighborCache::link(const NeighborKey& key, const Entry& entry) {
  timers_.insert({entry.deadline, key});
  if (is_evictable(entry)) evictable_[entry.shown.interface].insert({worth(entry), key});
  ++behind_[entry.shown.interface];
}

void NeighborCache::enter(const NeighborKey& key, Entry& entry, Reachability state, Time now, CacheActions& out) {
  entry.shown.reachability = state;
  entry.since = now;
  entry.tries_done = 0;
  switch (state) {
    case Reachability::incomplete:
      entry.deadline = now + retransmit_time;
      break;
    case Reachability::reachable:
      entry.deadline = now + reachable_for();
      break;
    case Reachability::stale:
      entry.deadline = now + stale_time;
      break;
    case Reachability::delay:
      entry.deadline = now + delay_time;
      break;
    case Reachability::probe:
      entry.deadline = now + retransmit_time;
      break;
    case Reachability::failed:
      entry.deadline = now + failed_time;
      break;
  }
  link(key, entry);
  out.emplace_back(PublishEntry{entry.shown});
}

bool NeighborCache::enter_at(const NeighborKey& key, Entry& entry, NeighborPlace place, Reachability state, Time now,
                             CacheActions& out) {
  const bool changes_interface = entry.shown.interface != place.interface;
  if (changes_interface && behind_[place.interface] >= limits_.per_interface &&
      !evict_from(place.interface, now, out)) {
    NeighborEntry refused = entry.shown;
    refused.reachability = Reachability::failed;
    out.emplace_back(PublishEntry{refused});
    out.emplace_back(EraseEntry{key});
    entries_.erase(NeighborKey{key});
    return false;
  }
  entry.shown.mac = place.mac;
  entry.shown.interface = place.interface;
  enter(key, entry, state, now, out);
  return true;
}

void NeighborCache::erase(const NeighborKey& key, CacheActions& out) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  const NeighborKey copy = key;  // `key` may be the key of the index that unlink() removes
  unlink(copy, found->second);
  entries_.erase(found);
  out.emplace_back(EraseEntry{copy});
}

CacheActions NeighborCache::erase_all(std::vector<NeighborKey> keys) {
  std::sort(keys.begin(), keys.end());  // the table has no order; a run has
  CacheActions out;
  for (const NeighborKey& key : keys) erase(key, out);
  return out;
}

bool NeighborCache::make_room(InterfaceId interface, Time now, CacheActions& out) {
  const std::size_t share = interface == 0 ? limits_.unresolved : limits_.per_interface;
  if (behind_[interface] >= share && !evict_from(interface, now, out)) return false;
  return entries_.size() < limits_.entries || evict_any(now, out) || evict_from(0, now, out);
}

bool NeighborCache::evict_from(InterfaceId interface, Time now, CacheActions& out) {
  const auto found = evictable_.find(interface);
  if (found == evictable_.end() || found->second.empty()) return false;
  const NeighborKey key = found->second.begin()->second;
  const Entry& entry = entries_.at(key);
  const bool in_use = entry.used && entry.shown.reachability == Reachability::stale && now < entry.since + in_use_time;
  if (in_use) return false;
  erase(key, out);
  return true;
}

bool NeighborCache::evict_any(Time now, CacheActions& out) {
  InterfaceId candidate = 0;
  Time lowest = never;
  for (const auto& [interface, order] : evictable_) {
    if (!order.empty() && order.begin()->first < lowest) {
      lowest = order.begin()->first;
      candidate = interface;
    }
  }
  return lowest != never && evict_from(candidate, now, out);
}

void NeighborCache::expire(const NeighborKey& key, Time now, CacheActions& out) {
  Entry& entry = entries_.at(key);
  switch (entry.shown.reachability) {
    case Reachability::incomplete:
      if (entry.tries_done < tries) return try_again(key, entry, now, out);
      unlink(key, entry);
      return enter(key, entry, Reachability::failed, now, out);
    case Reachability::reachable:
      unlink(key, entry);
      return enter(key, entry, Reachability::stale, now, out);
    case Reachability::delay:
      unlink(key, entry);
      enter(key, entry, Reachability::probe, now, out);
      return try_again(key, entry, now, out);
    case Reachability::probe:
      if (entry.tries_done < tries) return try_again(key, entry, now, out);
      return erase(key, out);  // RFC 4861 section 7.3.3: traffic resolves it anew, by multicast
    case Reachability::stale:
    case Reachability::failed:
      return erase(key, out);
  }
}

void NeighborCache::try_again(const NeighborKey& key, Entry& entry, Time now, CacheActions& out) {
  unlink(key, entry);
  ++entry.tries_done;
  entry.deadline = now + retransmit_time;
  link(key, entry);
  NeighborPlace to;
  if (entry.shown.reachability == Reachability::probe) to = {entry.shown.mac, entry.shown.interface};
  out.emplace_back(Solicit{key, to});
}

Duration NeighborCache::reachable_for() {
  return std::chrono::duration_cast<Duration>(reachable_time * (0.5 + random_.unit()));
}

bool NeighborCache::is_settled_elsewhere(const Entry& entry, InterfaceId interface, Time now) {
  return entry.shown.interface != interface && now < entry.confirmed + settle_time;
}

}  // namespace trivet::arp
