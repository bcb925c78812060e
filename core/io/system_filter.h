// The packet filter (classic BPF) of a receive queue on an interface that is shared with the system: frames for the
// system's own addresses do not even enter the queue.
//
// Thread: any; pure. For packet sockets of type SOCK_RAW.
#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <vector>

#include "trivet/net/address.h"

namespace trivet::core {

// Addresses beyond these are let in: the program looks at them one by one, for each frame.
inline constexpr std::size_t max_system_addresses = 64;  // of each family

// Also leaves out what this machine sends itself.
[[nodiscard]] std::vector<sock_filter> make_system_filter(const std::vector<IpAddress>& system);

}  // namespace trivet::core
