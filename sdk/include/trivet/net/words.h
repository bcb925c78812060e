// Addresses as two numbers, for the tables of the packet path: compared and hashed without a call.
//
// Thread: any; pure. The numbers are the bytes in the machine's order: for tables of this process, not for a wire.
// hash_words() is fast and not cryptographic: where strangers choose what a table stores, its seed is a secret.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "trivet/net/address.h"

namespace trivet {

struct AddressWords {
  std::uint64_t first = 0;
  std::uint64_t second = 0;

  constexpr bool operator==(const AddressWords& other) const noexcept {
    return ((first ^ other.first) | (second ^ other.second)) == 0;
  }
};

[[nodiscard]] inline AddressWords words_of(const Ipv4Address& address) noexcept {
  std::uint32_t word = 0;
  std::memcpy(&word, address.bytes.data(), sizeof word);
  return {word, 0};
}
[[nodiscard]] inline AddressWords words_of(const Ipv6Address& address) noexcept {
  AddressWords words;
  std::memcpy(&words.first, address.bytes.data(), 8);
  std::memcpy(&words.second, address.bytes.data() + 8, 8);
  return words;
}
// Of an IPv4 address the same as above. The family is not in the words.
[[nodiscard]] inline AddressWords words_of(const IpAddress& address) noexcept {
  AddressWords words;
  std::memcpy(&words.first, address.bytes().data(), 8);
  std::memcpy(&words.second, address.bytes().data() + 8, 8);
  return words;
}

// Both halves of the product, one over the other.
[[nodiscard]] inline std::uint64_t fold_multiply(std::uint64_t left, std::uint64_t right) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(left) * right;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

[[nodiscard]] inline std::uint64_t hash_words(const AddressWords& words, std::uint64_t seed) noexcept {
  return fold_multiply(words.first ^ 0x2d358dccaa6c78a5ULL ^ seed,
                       words.second ^ 0x8bb84b93962eacc9ULL ^ std::rotl(seed, 32));
}

}  // namespace trivet
