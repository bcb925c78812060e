// Big-endian integers of alignment 1: what header structs are made of. Reading and writing converts by itself.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace trivet {

template <class Integer>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  constexpr BigEndian(Integer value) noexcept { store(value); }  // NOLINT(google-explicit-constructor)
  constexpr BigEndian& operator=(Integer value) noexcept {
    store(value);
    return *this;
  }
  constexpr operator Integer() const noexcept { return value(); }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] constexpr Integer value() const noexcept { return swap(std::bit_cast<Integer>(bytes_)); }
  constexpr bool operator==(const BigEndian&) const = default;

 private:
  struct Bytes {
    unsigned char at[sizeof(Integer)];
    constexpr bool operator==(const Bytes&) const = default;
  };
  static constexpr Integer swap(Integer value) noexcept {
    if constexpr (std::endian::native == std::endian::big || sizeof(Integer) == 1) {
      return value;
    } else if constexpr (sizeof(Integer) == 2) {
      return __builtin_bswap16(value);
    } else if constexpr (sizeof(Integer) == 4) {
      return __builtin_bswap32(value);
    } else {
      return __builtin_bswap64(value);
    }
  }
  constexpr void store(Integer value) noexcept { bytes_ = std::bit_cast<Bytes>(swap(value)); }

  Bytes bytes_{};
};

using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;
using Be64 = BigEndian<std::uint64_t>;

static_assert(sizeof(Be16) == 2 && alignof(Be16) == 1);
static_assert(sizeof(Be32) == 4 && alignof(Be32) == 1);
static_assert(sizeof(Be64) == 8 && alignof(Be64) == 1);

}  // namespace trivet
