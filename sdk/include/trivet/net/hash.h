// Hashes for tables and for balancing (XXH3). Equal on every node of the same byte order; not for secrets.
//
// Thread: any; pure.
#pragma once

#include <cstdint>
#include <span>

#include "trivet/net/address.h"

namespace trivet {

[[nodiscard]] std::uint64_t hash_bytes(std::span<const std::uint8_t> bytes, std::uint64_t seed = 0) noexcept;
[[nodiscard]] std::uint64_t hash_address(const IpAddress& address, std::uint64_t seed = 0) noexcept;

}  // namespace trivet
