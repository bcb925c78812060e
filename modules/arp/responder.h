// What follows from an ARP or neighbour discovery message: an answer, something learnt, a conflict. Pure functions
// over the message and what the node knows about itself.
//
// Thread: any; values. The messages have passed the format's own checks (RFC 4861 section 7.1, RFC 826).
// Sources: RFC 826; RFC 5227 sections 2.1.1 and 2.4; RFC 4861 sections 7.2.3 to 7.2.5; RFC 4862 section 5.4.
//
// Addresses of scope own are answered always, with the interface's MAC; of scope master while master, with the router
// MAC; both only on interfaces of their network, in its VLAN. An own address is never learnt, nor an own, zero or group
// MAC.
#pragma once

#include <optional>
#include <vector>

#include "arp/conflicts.h"
#include "arp/neighbor_cache.h"
#include "trivet/forwarding.h"
#include "trivet/net/address.h"
#include "trivet/wire/arp.h"
#include "trivet/wire/nd.h"

namespace trivet::arp {

// How a message came in.
struct Arrival {
  InterfaceId interface = 0;
  MacAddress ethernet_source;
  bool to_group = true;  // the frame's destination was broadcast or a group
  VlanId vlan = 0;
};

// An ARP reply or a neighbour advertisement to send.
struct Answer {
  InterfaceId interface = 0;
  IpAddress address;  // what was asked for
  MacAddress mac;     // what we say, and the frame's source
  IpAddress to;
  MacAddress to_mac;
  bool solicited = true;  // false: duplicate address detection, answered to all
  VlanId vlan = 0;
  bool operator==(const Answer&) const = default;
};

struct LearntSource {
  NeighborKey key;
  NeighborPlace place;
  Learning learning = Learning::update;
  bool operator==(const LearntSource&) const = default;
};

struct LearntAdvertisement {
  NeighborKey key;
  Advertisement advertisement;
};

// A remark for the counters.
enum class Remark : std::uint8_t {
  none,
  own_frame,    // this node's own message came back: a loop between its interfaces
  dual_master,  // the virtual MAC announces a virtual address while this node is master
  invalid_mac,
};

struct Consequence {
  std::optional<Answer> answer;
  std::vector<LearntSource> sources;  // one a network of the interface and VLAN
  std::vector<LearntAdvertisement> advertisements;
  std::optional<Claim> claim;
  Remark remark = Remark::none;
};

[[nodiscard]] Consequence on_arp(const ForwardingState& node, const Arrival& arrival, const wire::ArpValues& heard);
// `source`: of the IPv6 header.
[[nodiscard]] Consequence on_solicitation(const ForwardingState& node, const Arrival& arrival,
                                          const Ipv6Address& source, const wire::NeighborSolicitation& heard);
[[nodiscard]] Consequence on_advertisement(const ForwardingState& node, const Arrival& arrival,
                                           const wire::NeighborAdvertisement& heard);

// The own address that is on-link behind an interface and VLAN, if this node answers for it now. Does not allocate:
// workers use it too.
[[nodiscard]] const OwnAddress* answered_address(const ForwardingState& node, InterfaceId interface, VlanId vlan,
                                                 const IpAddress& address) noexcept;
// The MAC that this node says for one of its addresses on an interface.
[[nodiscard]] MacAddress mac_for(const ForwardingState& node, InterfaceId interface, const OwnAddress& own);
[[nodiscard]] bool is_interface_mac(const ForwardingState& node, const MacAddress& mac) noexcept;

}  // namespace trivet::arp
