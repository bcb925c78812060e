#include "core/net/interface_manager.h"

#include <algorithm>
#include <set>

namespace trivet::core {

void InterfaceManager::apply(const std::vector<InterfaceObject>& objects, Time now) {
  std::set<InterfaceId> wanted;
  for (const InterfaceObject& object : objects) wanted.insert(object.spec.number);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (wanted.contains(entry->first)) {
      ++entry;
      continue;
    }
    close(entry->second);
    entry = entries_.erase(entry);
  }
  // First everything that closes, so that a name can move from one number to another.
  for (const InterfaceObject& object : objects) {
    Entry& entry = entries_[object.spec.number];
    if (entry.object.spec != object.spec || object.state != LifeCycle::enabled) close(entry);
    entry.object = object;
  }
  for (auto& [number, entry] : entries_) {
    if (entry.io == nullptr) entry.retry_at = now;
    update(entry, now);
  }
}

bool InterfaceManager::refresh(const std::string& name, Time now) {
  bool changed = false;
  for (auto& [number, entry] : entries_) {
    if (entry.object.spec.name != name) continue;
    entry.retry_at = now;
    changed = update(entry, now) || changed;
  }
  return changed;
}

bool InterfaceManager::retry(Time now) {
  bool changed = false;
  for (auto& [number, entry] : entries_) {
    if (!is_due(entry, now)) continue;
    entry.retry_at = std::min(entry.retry_at, now);
    changed = update(entry, now) || changed;
  }
  return changed;
}

// Due at once when a worker has given back what an entry waits for: the release itself wakes the control thread.
Time InterfaceManager::poll_at() const {
  Time next = never;
  for (const auto& [number, entry] : entries_) next = std::min(next, is_due(entry, Time{}) ? Time{} : entry.retry_at);
  return next;
}

bool InterfaceManager::is_due(const Entry& entry, Time now) const {
  return entry.retry_at <= now || (entry.waits_for_release && !is_leaving(entry.object.spec.name));
}

bool InterfaceManager::is_leaving(const std::string& name) const {
  const auto [first, last] = leaving_.equal_range(name);
  return std::any_of(first, last, [](const auto& item) { return !item.second.expired(); });
}

bool InterfaceManager::update(Entry& entry, Time now) {
  const LinkInfo link_before = entry.link;
  const std::string reason_before = entry.reason;
  const bool open_before = entry.io != nullptr;
  if (entry.object.state != LifeCycle::enabled) {
    entry.link = {};
    entry.reason = entry.object.state == LifeCycle::registered ? "disabled" : "not registered";
    entry.retry_at = never;
    entry.waits_for_release = false;
  } else {
    entry.link = backend_.link(entry.object.spec.name);
    // What is gone must be given back by every worker before its successor can be taken: not in this call.
    if (entry.io != nullptr && (!entry.link.exists || !entry.io->alive())) {
      close(entry);
      entry.retry_at = now + reopen_delay;
    }
    if (entry.io == nullptr && entry.retry_at <= now) open(entry, now);
    if (entry.io != nullptr) {
      entry.retry_at = never;
      entry.reason = entry.link.carrier ? "" : "no carrier";
    }
  }
  return entry.link != link_before || entry.reason != reason_before || (entry.io != nullptr) != open_before;
}

void InterfaceManager::open(Entry& entry, Time now) {
  entry.retry_at = now + retry_interval;
  entry.waits_for_release = false;
  if (!entry.link.exists) {
    entry.reason = "no such interface";
    return;
  }
  std::erase_if(leaving_, [](const auto& item) { return item.second.expired(); });
  if (leaving_.contains(entry.object.spec.name)) {
    entry.retry_at = now + reopen_delay;
    entry.waits_for_release = true;
    entry.reason = "being taken again";
    return;
  }
  auto opened = backend_.open(entry.object.spec, workers_);
  if (!opened) {
    entry.reason = opened.error().text;
    return;
  }
  entry.io = std::move(*opened);
  entry.link = backend_.link(entry.object.spec.name);  // taking an interface may bring it up
  ++ports_version_;
}

void InterfaceManager::close(Entry& entry) {
  if (entry.io == nullptr) return;
  leaving_.emplace(entry.object.spec.name, entry.io);
  closed_.push_back(std::move(entry.io));
  entry.io = nullptr;
  ++ports_version_;
}

std::vector<LinkState> InterfaceManager::states() const {
  std::vector<LinkState> list;
  for (const auto& [number, entry] : entries_) {
    LinkState state;
    state.interface = number;
    state.name = entry.object.spec.name;
    state.up = entry.io != nullptr && entry.link.carrier;
    state.reason = entry.reason;
    state.mac = entry.link.mac;
    state.mtu = entry.link.mtu;
    list.push_back(std::move(state));
  }
  return list;
}

std::map<InterfaceId, LinkInfo> InterfaceManager::links() const {
  std::map<InterfaceId, LinkInfo> list;
  for (const auto& [number, entry] : entries_) {
    LinkInfo link = entry.link;
    link.carrier = link.carrier && entry.io != nullptr;
    list[number] = link;
  }
  return list;
}

std::vector<PortEntry> InterfaceManager::ports(std::size_t worker) const {
  std::vector<PortEntry> list;
  for (const auto& [number, entry] : entries_) {
    if (entry.io != nullptr) list.push_back({number, &entry.io->port(worker)});
  }
  return list;
}

InterfaceIo* InterfaceManager::io(InterfaceId number) {
  const auto entry = entries_.find(number);
  return entry == entries_.end() ? nullptr : entry->second.io.get();
}

std::vector<std::shared_ptr<InterfaceIo>> InterfaceManager::take_closed() { return std::exchange(closed_, {}); }

}  // namespace trivet::core
