// What an interface's driver says of itself and what it can be told, by the ethtool calls.
//
// Thread: any; each call stands alone. An interface that is gone, or a driver without the call, gives the default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trivet/net/address.h"

namespace trivet::core {

[[nodiscard]] std::string driver_name(const std::string& interface);
// Receive queues in use; at least 1.
[[nodiscard]] std::uint32_t receive_queues(const std::string& interface);
[[nodiscard]] std::uint32_t interface_mtu(int interface_index);
[[nodiscard]] MacAddress interface_mac(int interface_index);

// Whether a feature is on, by the name that the kernel has for it. One that the kernel does not know is off.
[[nodiscard]] bool has_feature(const std::string& interface, std::string_view feature);

// Whether the driver takes VLAN tags out of received frames.
enum class VlanTags { in_the_frame, taken_off };
[[nodiscard]] VlanTags vlan_tags(const std::string& interface);
// False when the driver refuses.
bool set_vlan_tags(const std::string& interface, VlanTags wanted);

}  // namespace trivet::core
