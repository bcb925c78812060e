// Sorts received frames onto receive queues, inside the kernel: a classic BPF program that returns a queue number.
//
// Thread: any; pure. The program runs as selector of a packet fan-out group, so its loads count from the network header
// (the kernel has taken VLAN tags off). Queues of an interface with N workers: 0..N-1 data, N critical, N+1 local.
//   critical: ARP; VRRP (IP protocol 112); IGMP; ICMPv6 neighbour discovery and MLD, behind a hop-by-hop header too.
//   local:    other ICMP and ICMPv6; frames whose destination is one of this node's own addresses.
//   data:     the rest, spread over the workers by source and destination address.
// What is not critical cannot push what is critical out of its queue.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <vector>

#include "trivet/net/address.h"

namespace trivet::core {

// Own addresses beyond these count as data: the program looks at them one by one, for each frame.
inline constexpr std::size_t max_filtered_addresses = 64;  // of each family

struct QueueLayout {
  std::size_t workers = 1;
  [[nodiscard]] std::size_t critical() const { return workers; }
  [[nodiscard]] std::size_t local() const { return workers + 1; }
  [[nodiscard]] std::size_t count() const { return workers + 2; }
};

[[nodiscard]] std::vector<sock_filter> make_traffic_filter(QueueLayout queues, const std::vector<IpAddress>& own);

}  // namespace trivet::core
