#include "trivet/net/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace trivet {

std::uint64_t hash_bytes(std::span<const std::uint8_t> bytes, std::uint64_t seed) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::uint64_t hash_address(const IpAddress& address, std::uint64_t seed) noexcept {
  // Families differ in length, so that 1.2.3.4 and 102:304:: differ.
  return XXH3_64bits_withSeed(address.bytes().data(), address.is_v4() ? 4 : 16, seed);
}

}  // namespace trivet

std::size_t std::hash<trivet::IpAddress>::operator()(const trivet::IpAddress& address) const noexcept {
  return static_cast<std::size_t>(trivet::hash_address(address));
}

std::size_t std::hash<trivet::MacAddress>::operator()(const trivet::MacAddress& address) const noexcept {
  return static_cast<std::size_t>(trivet::hash_bytes(address.bytes));
}
