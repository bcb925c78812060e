// The sentences that the engine gives as reasons, for logs and `show vrrp`. Pure; thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/time.h"

namespace trivet::vrrp::words {

[[nodiscard]] std::string seconds(Duration duration);  // "3.22 s"; whole seconds without a point: "8 s"
[[nodiscard]] std::string list(const std::vector<Ipv4Address>& addresses);  // "10.0.0.3, 10.0.0.4"; "none"

// Why a node became master; `master` unspecified: none has been heard.
[[nodiscard]] std::string silent(const Ipv4Address& master, Duration silence);
[[nodiscard]] std::string left(const Ipv4Address& master);
[[nodiscard]] std::string outbids(const Ipv4Address& master, std::uint8_t theirs, std::uint8_t ours);
// Why a master became backup.
[[nodiscard]] std::string beaten_by(const Ipv4Address& master, std::uint8_t theirs, std::uint8_t ours);

}  // namespace trivet::vrrp::words
