#include "arp/announcer.h"

#include <algorithm>
#include <chrono>

namespace trivet::arp {

using std::chrono::seconds;

void Announcer::set(const std::vector<Announcement>& list, Time now) {
  std::set<Announcement> next(list.begin(), list.end());
  std::erase_if(queue_, [&next](const Due& due) { return !next.contains(due.what); });
  for (const Announcement& what : next) {
    if (!current_.contains(what)) schedule(what, now);
  }
  current_ = std::move(next);

  std::map<Port, Freshness> fresh;
  for (const Announcement& what : current_) {
    if (!what.keep_fresh) continue;
    const Port port = port_of(what);
    const auto known = kept_fresh_.find(port);
    fresh.emplace(port, known == kept_fresh_.end() ? Freshness{now, {}} : known->second);
  }
  kept_fresh_ = std::move(fresh);
}

void Announcer::schedule(const Announcement& what, Time now) {
  const auto add = [&](Duration after, AnnouncementKind kind) { queue_.insert({now + after, what, kind}); };
  if (what.scope == AddressScope::master) {
    add(seconds(0), AnnouncementKind::announce);
    add(seconds(1), AnnouncementKind::announce);
    add(seconds(5), AnnouncementKind::announce);
  } else if (what.address.is_v6()) {
    add(seconds(0), AnnouncementKind::probe);
    add(seconds(1), AnnouncementKind::announce);
  } else {
    add(seconds(0), AnnouncementKind::probe);
    add(seconds(1), AnnouncementKind::announce);
    add(seconds(3), AnnouncementKind::announce);
  }
}

void Announcer::sent(InterfaceId interface, VlanId vlan, const MacAddress& mac, Time now) {
  const auto found = kept_fresh_.find({interface, vlan, mac});
  if (found != kept_fresh_.end()) found->second.last_sent = now;
}

Time Announcer::poll_at() const {
  Time next = never;
  if (!queue_.empty()) next = std::max(queue_.begin()->time, next_slot_);
  if (refresh_ <= Duration::zero()) return next;
  for (const auto& [port, freshness] : kept_fresh_) next = std::min(next, freshness.last_sent + refresh_);
  return next;
}

std::vector<AnnounceAction> Announcer::on_time(Time now) {
  std::vector<AnnounceAction> out;
  if (now >= next_slot_) {
    while (!queue_.empty() && queue_.begin()->time <= now && out.size() < burst) {
      const Due due = *queue_.begin();
      queue_.erase(queue_.begin());
      sent(due.what.interface, due.what.vlan, due.what.mac, now);
      out.push_back({due.what, due.kind});
    }
    if (!out.empty()) next_slot_ = now + slot;
  }
  if (refresh_ <= Duration::zero()) return out;
  for (auto& [port, freshness] : kept_fresh_) {
    if (now < freshness.last_sent + refresh_) continue;
    freshness.last_sent = now;
    if (const Announcement* what = next_in_turn(port, freshness)) {
      freshness.last = *what;
      out.push_back({*what, AnnouncementKind::announce});
    }
  }
  return out;
}

const Announcement* Announcer::next_in_turn(const Port& port, const Freshness& freshness) const {
  const auto belongs = [&port](const Announcement& what) { return what.keep_fresh && port_of(what) == port; };
  auto candidate = current_.upper_bound(freshness.last);
  // Entries of one port stand side by side: behind the last one the turn begins again.
  if (candidate == current_.end() || !belongs(*candidate)) {
    candidate = current_.lower_bound(Announcement{port.interface, port.mac, {}, AddressScope::own, false, port.vlan});
    while (candidate != current_.end() && port_of(*candidate) == port && !belongs(*candidate)) {
      ++candidate;
    }
  }
  return candidate != current_.end() && belongs(*candidate) ? &*candidate : nullptr;
}

}  // namespace trivet::arp
