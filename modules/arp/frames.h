// The frames that this module sends, from the values that its engines hand out.
//
// Thread: control; pure, allocates. The formats are those of trivet/wire.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "arp/announcer.h"
#include "arp/membership.h"
#include "arp/neighbor_cache.h"
#include "arp/responder.h"
#include "trivet/forwarding.h"

namespace trivet::arp {

using Frame = std::vector<std::uint8_t>;

// An ARP reply (RFC 826) or a neighbour advertisement (RFC 4861 section 7.2.4: override set; router = ip forwarding).
[[nodiscard]] Frame answer_frame(const Answer& answer, bool router);

// ARP probe or announcement (RFC 5227 sections 2.1.1 and 2.3), unsolicited advertisement (RFC 4861 section 7.2.6), or
// the solicitation of duplicate address detection (RFC 4862 section 5.4.2).
[[nodiscard]] Frame announcement_frame(const AnnounceAction& action, bool router);

// The question after a neighbour as this node asks it out of `interface`, from the interface's own MAC. By broadcast or
// group, or to `known_mac`. Source: IPv6: real6, for link-local neighbours and without a real6 the link-local address;
// IPv4: real; without: virt and the router MAC while master, else the form of an ARP probe.
// None when the network or the interface does not exist.
[[nodiscard]] std::optional<Frame> solicitation_frame(const ForwardingState& node, const NeighborKey& key,
                                                      InterfaceId interface, std::optional<MacAddress> known_mac);

// An MLD or IGMP message from the interface's own MAC: MLD from its link-local address, IGMP from the first `real` of
// its networks in that VLAN, else 0.0.0.0 (RFC 3376 section 4.2.13). None when the interface does not exist.
[[nodiscard]] std::optional<Frame> report_frame(const ForwardingState& node, const MembershipReport& report);

}  // namespace trivet::arp
