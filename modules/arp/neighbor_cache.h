// The neighbour cache: who has which MAC behind which interface, kept true by asking again. ARP and neighbour
// discovery share it.
//
// Thread: control. Sans-IO: time and random numbers come in, actions go out, to be carried out in their order.
// Sources: RFC 4861 sections 7.2.3 (solicitations), 7.2.5 (advertisements), 7.3.2, 7.3.3 (states) and 10 (constants);
// RFC 826; RFC 6583 section 6 (bounds on what a scan can do).
//
//      wanted                answer, solicited
//   ---------> INCOMPLETE ----------------------> REACHABLE <-------------------+
//                |    |                             |   ^                       |
//     3 tries, 1 s    | source heard,        30 s * |   | solicited answer      | solicited
//                |    | unsolicited answer  0.5-1.5 |   |                       | answer
//                v    v                             v   |        5 s            |
//             FAILED  +--------------------------> STALE --used--> DELAY ---> PROBE --3 tries, 1 s--> erased
//                |                                   |
//                +--3 s--> erased                    +--20 min unused--> erased
//
// A neighbour's place is its MAC and the interface where it was heard: a network may span several interfaces, and a
// neighbour that is heard behind another one has moved.
//
// Bounds: `entries` in all; `per_interface` behind one interface; `unresolved` without a MAC. When a bound is met, a
// stale entry goes, those first that this node never used itself, the longest unconfirmed first; entries in use stay,
// and the newcomer is refused (wanted: published as failed at once). Among the unresolved, failed ones go, then the one
// that has waited longest, so that a scan of unused addresses keeps no other from being found; addresses that the
// configuration names (targets, the gateway) are never pushed out while they are being resolved.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/random.h"
#include "trivet/time.h"
#include "trivet/topics/neighbors.h"

namespace trivet::arp {

struct NeighborKey {
  NetworkId network = 0;
  IpAddress address;
  auto operator<=>(const NeighborKey&) const = default;
};

struct NeighborKeyHash {
  std::size_t operator()(const NeighborKey& key) const noexcept;
};

// Where a neighbour is.
struct NeighborPlace {
  MacAddress mac;
  InterfaceId interface = 0;
  bool operator==(const NeighborPlace&) const = default;
};

// What an advertisement, or an ARP reply or announcement, says.
struct Advertisement {
  InterfaceId interface = 0;
  MacAddress mac;
  bool has_mac = true;     // a neighbour advertisement may leave its link-layer address out
  bool solicited = false;  // an answer to this node
  bool override = true;    // replaces what is known
};

enum class Learning : std::uint8_t {
  update,  // only what is known already
  create,  // also what is new: the sender has asked for this node and will be answered
};

struct PublishEntry {
  NeighborEntry entry;
  bool operator==(const PublishEntry&) const = default;
};
struct EraseEntry {
  NeighborKey key;
  bool operator==(const EraseEntry&) const = default;
};
// Ask for the address: place.interface 0 = by multicast or broadcast, out of every interface of the network that is
// up; else by unicast to the place.
struct Solicit {
  NeighborKey key;
  NeighborPlace place;
  bool operator==(const Solicit&) const = default;
};
using CacheAction = std::variant<PublishEntry, EraseEntry, Solicit>;
using CacheActions = std::vector<CacheAction>;

struct CacheLimits {
  std::size_t entries = 8192;
  std::size_t per_interface = 4096;
  std::size_t unresolved = 1024;

  // The bounds that belong to a cache of `entries`.
  static CacheLimits of(std::size_t entries);
  bool operator==(const CacheLimits&) const = default;
};

class NeighborCache {
 public:
  static constexpr Duration reachable_time = std::chrono::seconds(30);  // times 0.5 to 1.5
  static constexpr Duration retransmit_time = std::chrono::seconds(1);
  static constexpr Duration delay_time = std::chrono::seconds(5);
  static constexpr Duration failed_time = std::chrono::seconds(3);
  static constexpr Duration stale_time = std::chrono::minutes(20);
  static constexpr Duration in_use_time = std::chrono::seconds(60);  // a used entry is safe that long after its use
  static constexpr Duration settle_time = std::chrono::seconds(1);   // a second answer behind another interface is void
  static constexpr unsigned tries = 3;

  struct Entry {
    NeighborEntry shown;
    Time deadline = never;  // of the next transition or try
    Time confirmed;         // the last proof that it is there
    Time since;             // in this state
    unsigned tries_done = 0;
    bool used = false;  // this node has had something to send to it
    bool configured = false;
  };

  NeighborCache(CacheLimits limits, Random random);

  // New bounds; entries above them leave as others come.
  void set_limits(CacheLimits limits) { limits_ = limits; }
  // The addresses that the configuration names.
  void set_configured(std::set<IpAddress> addresses);

  // This node has a packet for a neighbour that egress does not know.
  [[nodiscard]] CacheActions wanted(const NeighborKey& key, Time now);
  // This node has sent to a stale neighbour.
  [[nodiscard]] CacheActions used(const NeighborKey& key, Time now);
  // The source of a solicitation or of an ARP request, with its link-layer address. The caller has excluded groups,
  // zero and own addresses.
  [[nodiscard]] CacheActions heard_source(const NeighborKey& key, NeighborPlace place, Learning learning, Time now);
  // An advertisement; never creates an entry.
  [[nodiscard]] CacheActions heard_advertisement(const NeighborKey& key, const Advertisement& advertisement, Time now);

  // Forgets what was heard behind the interface.
  [[nodiscard]] CacheActions link_down(InterfaceId interface);
  // Forgets every entry for which `keep(const NeighborEntry&)` is false.
  template <class Predicate>
  [[nodiscard]] CacheActions retain(Predicate keep) {
    std::vector<NeighborKey> gone;
    for (const auto& [key, entry] : entries_) {
      if (!keep(entry.shown)) gone.push_back(key);
    }
    return erase_all(std::move(gone));
  }

  [[nodiscard]] Time poll_at() const { return timers_.empty() ? never : timers_.begin()->first; }
  [[nodiscard]] CacheActions on_time(Time now);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const Entry* find(const NeighborKey& key) const;
  // All entries, by network and address.
  [[nodiscard]] std::vector<const Entry*> list() const;

 private:
  using Order = std::set<std::pair<Time, NeighborKey>>;

  // Takes an entry out of all indexes, or puts it in as its present state demands: every change stands between the two.
  void unlink(const NeighborKey& key, const Entry& entry);
  void link(const NeighborKey& key, const Entry& entry);
  void enter(const NeighborKey& key, Entry& entry, NeighborReachability state, Time now, CacheActions& out);
  // As enter(), at a new place; false when the place's interface has no room: the entry is gone then.
  bool enter_at(const NeighborKey& key, Entry& entry, NeighborPlace place, NeighborReachability state, Time now,
                CacheActions& out);
  void erase(const NeighborKey& key, CacheActions& out);
  CacheActions erase_all(std::vector<NeighborKey> keys);
  bool make_room(InterfaceId interface, Time now, CacheActions& out);
  bool evict_from(InterfaceId interface, Time now, CacheActions& out);
  bool evict_any(Time now, CacheActions& out);
  void expire(const NeighborKey& key, Time now, CacheActions& out);
  void try_again(const NeighborKey& key, Entry& entry, Time now, CacheActions& out);
  Entry& insert(const NeighborKey& key);
  Duration reachable_for();
  static bool is_settled_elsewhere(const Entry& entry, InterfaceId interface, Time now);

  CacheLimits limits_;
  Random random_;
  std::unordered_map<NeighborKey, Entry, NeighborKeyHash> entries_;
  std::set<IpAddress> configured_;
  Order timers_;
  std::map<InterfaceId, Order>
      evictable_;  // stale ones behind an interface, unresolved ones under 0; least worth first
  std::array<std::size_t, max_interfaces + 1> behind_{};  // entries by interface; 0: unresolved
};

}  // namespace trivet::arp
