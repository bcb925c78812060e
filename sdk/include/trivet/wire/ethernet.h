// Building Ethernet frames. Source: IEEE 802.3, IEEE 802.1Q.
//
// Thread: any; pure. Allocates: for the control thread. Frames are not padded to 60 bytes: interfaces do that.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/headers.h"

namespace trivet::wire {

[[nodiscard]] std::vector<std::uint8_t> ethernet_frame(const MacAddress& destination, const MacAddress& source,
                                                       std::uint16_t type, std::span<const std::uint8_t> payload);

// The same for an IP packet: the type follows from its version, the destination of a packet to a group (or to the
// limited broadcast) from its destination address.
[[nodiscard]] std::vector<std::uint8_t> ip_frame(const MacAddress& destination, const MacAddress& source,
                                                 std::span<const std::uint8_t> packet);
[[nodiscard]] std::vector<std::uint8_t> ip_group_frame(const MacAddress& source, std::span<const std::uint8_t> packet);

}  // namespace trivet::wire
