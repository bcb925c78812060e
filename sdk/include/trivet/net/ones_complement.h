// One's complement arithmetic on 16-bit words (RFC 1071, RFC 1624), inline for the packet path.
//
// Thread: any; pure. Zero has two forms, 0 and 0xffff; a fold of a sum that is not 0 never yields 0.
#pragma once

#include <bit>
#include <cstdint>

namespace trivet::ones_complement {

[[nodiscard]] constexpr std::uint16_t fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffffffffU) + (sum >> 32U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

// The same for sums below 2^32: the upper half takes in the lower one, and the carry of adding them.
[[nodiscard]] constexpr std::uint16_t fold_few(std::uint32_t sum) noexcept {
  return static_cast<std::uint16_t>((sum + std::rotl(sum, 16)) >> 16U);
}

// new - old, as a value in 0..0xfffe: "no change" is always 0, so that it changes no field.
[[nodiscard]] constexpr std::uint16_t difference(std::uint64_t new_sum, std::uint16_t old_folded) noexcept {
  const std::uint16_t value = fold(new_sum + static_cast<std::uint16_t>(~old_folded));
  return value == 0xffffU ? std::uint16_t{0} : value;
}

// RFC 1624, equation 3. `delta`: the sum of a few differences.
[[nodiscard]] constexpr std::uint16_t update_complete(std::uint16_t field, std::uint32_t delta) noexcept {
  return static_cast<std::uint16_t>(~fold_few(std::uint32_t{static_cast<std::uint16_t>(~field)} + delta));
}

[[nodiscard]] constexpr std::uint16_t update_partial(std::uint16_t field, std::uint32_t delta) noexcept {
  return fold_few(std::uint32_t{field} + delta);
}

// difference() of two words.
[[nodiscard]] constexpr std::uint16_t word_difference(std::uint16_t new_word, std::uint16_t old_word) noexcept {
  const std::uint16_t value = fold_few(std::uint32_t{new_word} + static_cast<std::uint16_t>(~old_word));
  return value == 0xffffU ? std::uint16_t{0} : value;
}

}  // namespace trivet::ones_complement
