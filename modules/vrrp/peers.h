// The other routers of the virtual router that have been heard, aged out and bounded.
//
// Sans-IO; thread: control. At most `capacity` entries; a new router waits until an old one has been silent for its
// lifetime, so that forged ones push no real one out and a flood of them brings no news.
#pragma once

#include <cstddef>
#include <vector>

#include "trivet/time.h"
#include "trivet/topics/vrrp_peers.h"

namespace trivet::vrrp {

class PeerTable {
 public:
  static constexpr std::size_t capacity = 16;

  // True when the list deserves to be published: an entry is new, or has another priority or an age of `refresh`, and
  // was not said to have changed within a quarter of `refresh`.
  bool heard(const VrrpPeer& peer, Duration refresh);
  // True when an entry has gone.
  bool remove(const IpAddress& address);  // it has said good-bye
  bool expire(Time now, Duration lifetime);
  void clear() { entries_.clear(); }

  [[nodiscard]] Time next_expiry(Duration lifetime) const;  // never when empty
  [[nodiscard]] std::vector<VrrpPeer> list() const;         // by address

 private:
  struct Entry {
    VrrpPeer peer;
    Time published;
  };
  std::vector<Entry> entries_;  // by address
};

}  // namespace trivet::vrrp
