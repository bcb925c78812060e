// What is announced where, and when: gratuitous ARP and unsolicited neighbour advertisements.
//
// Thread: control. Sans-IO: time comes in, actions go out.
// Sources: RFC 5227 sections 2.1.1 and 2.3 (ARP probe, one; announcements), RFC 4861 section 7.2.6 (unsolicited
// advertisements), RFC 4862 section 5.4 (one solicitation for duplicate address detection), RFC 3768 section 6.4.2 (on
// becoming master).
//
// The announcer is told the whole list of what holds now, and announces what is new in it: after a change of role, a
// new address, a link that came up, a changed MAC, all alike. Schedules:
//   scope own      IPv4: probe at once, announcement after 1 s and after 3 s. IPv6: probe at once, announcement after 1
//   s.
//                  The address is used meanwhile: nobody waits for a router's own address, and a conflict is reported.
//   scope master   announcement at once, after 1 s and after 5 s.
// Large lists are paced: `burst` messages each `slot`.
// A MAC that is to be kept fresh is announced again, one address a time in turn, after `refresh` without a frame of
// this module from it on an interface and VLAN: the tables of switches age.
#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/time.h"
#include "trivet/topics/addresses.h"

namespace trivet::arp {

// An address that this node answers for on an interface, with the MAC it answers with.
struct Announcement {
  InterfaceId interface = 0;
  MacAddress mac;
  IpAddress address;
  AddressScope scope = AddressScope::own;
  bool keep_fresh = false;
  VlanId vlan = 0;

  bool operator==(const Announcement&) const = default;
  // Those of one interface, VLAN and MAC stand side by side.
  auto operator<=>(const Announcement& other) const {
    const auto key = [](const Announcement& what) {
      return std::tie(what.interface, what.vlan, what.mac, what.address, what.scope, what.keep_fresh);
    };
    return key(*this) <=> key(other);
  }
};

enum class AnnouncementKind : std::uint8_t {
  probe,     // for own addresses: an ARP probe, or a solicitation from the unspecified address (RFC 4862)
  announce,  // gratuitous ARP, unsolicited advertisement
};

struct AnnounceAction {
  Announcement what;
  AnnouncementKind kind = AnnouncementKind::announce;
  bool operator==(const AnnounceAction&) const = default;
};

class Announcer {
 public:
  static constexpr std::size_t burst = 64;
  static constexpr Duration slot = std::chrono::milliseconds(10);

  // Zero = no refresh.
  void set_refresh(Duration refresh) { refresh_ = refresh; }

  // Everything that holds from now on. What is new is scheduled, what is gone is forgotten.
  void set(const std::vector<Announcement>& list, Time now);

  // A frame with this source MAC has left through the interface in that VLAN.
  void sent(InterfaceId interface, VlanId vlan, const MacAddress& mac, Time now);

  [[nodiscard]] Time poll_at() const;
  // What is due, in order; at most `burst`.
  [[nodiscard]] std::vector<AnnounceAction> on_time(Time now);

 private:
  struct Due {
    Time time;
    Announcement what;
    AnnouncementKind kind = AnnouncementKind::announce;
    auto operator<=>(const Due&) const = default;
  };
  // Where the tables of switches may forget a MAC.
  struct Port {
    InterfaceId interface = 0;
    VlanId vlan = 0;
    MacAddress mac;
    auto operator<=>(const Port&) const = default;
  };
  [[nodiscard]] static Port port_of(const Announcement& what) { return {what.interface, what.vlan, what.mac}; }
  struct Freshness {
    Time last_sent;
    Announcement last;  // what the last refresh announced
  };

  void schedule(const Announcement& what, Time now);
  const Announcement* next_in_turn(const Port& port, const Freshness& freshness) const;

  Duration refresh_{};
  std::set<Announcement> current_;
  std::set<Due> queue_;
  std::map<Port, Freshness> kept_fresh_;
  Time next_slot_;
};

}  // namespace trivet::arp
