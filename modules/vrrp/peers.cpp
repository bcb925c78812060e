#include "vrrp/peers.h"

#include <algorithm>

namespace trivet::vrrp {

bool PeerTable::heard(const VrrpPeer& peer, Duration refresh) {
  const auto address_of = [](const Entry& entry) -> const IpAddress& { return entry.peer.address; };
  auto place = std::ranges::lower_bound(entries_, peer.address, {}, address_of);
  if (place != entries_.end() && place->peer.address == peer.address) {
    // Two routers that speak with one address must not turn each advertisement into news.
    const Duration age = peer.last_heard - place->published;
    const bool news = age >= refresh || (place->peer.priority != peer.priority && age >= refresh / 4);
    place->peer = peer;
    if (news) place->published = peer.last_heard;
    return news;
  }
  if (entries_.size() >= capacity) return false;
  entries_.insert(place, {peer, peer.last_heard});
  return true;
}

bool PeerTable::remove(const IpAddress& address) {
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.peer.address == address; }) != 0;
}

bool PeerTable::expire(Time now, Duration lifetime) {
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.peer.last_heard + lifetime <= now; }) != 0;
}

Time PeerTable::next_expiry(Duration lifetime) const {
  Time next = never;
  for (const Entry& entry : entries_) next = std::min(next, entry.peer.last_heard + lifetime);
  return next;
}

std::vector<VrrpPeer> PeerTable::list() const {
  std::vector<VrrpPeer> list;
  list.reserve(entries_.size());
  for (const Entry& entry : entries_) list.push_back(entry.peer);
  return list;
}

}  // namespace trivet::vrrp
