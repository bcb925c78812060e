// The 8-bit and 16-bit floating point codes of group queries. Private to the SDK's sources. Sources: RFC 3376 section
// 4.1.1 and 4.1.7; RFC 3810 section 5.1.3 and 5.1.9.
//
// Thread: any; pure. Encoding rounds down to what the code can say.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace trivet::wire {

// `mantissa_bits` of mantissa below three bits of exponent below the flag bit.
[[nodiscard]] constexpr std::uint32_t decode_float(std::uint32_t code, unsigned mantissa_bits) {
  const std::uint32_t flag = 1U << (mantissa_bits + 3);
  if (code < flag) return code;
  const std::uint32_t mantissa = code & ((1U << mantissa_bits) - 1);
  const std::uint32_t exponent = (code >> mantissa_bits) & 7U;
  return (mantissa | (1U << mantissa_bits)) << (exponent + 3);
}

[[nodiscard]] constexpr std::uint32_t encode_float(std::uint32_t value, unsigned mantissa_bits) {
  const std::uint32_t flag = 1U << (mantissa_bits + 3);
  if (value < flag) return value;
  const std::uint32_t largest = ((2U << mantissa_bits) - 1) << 10U;
  value = std::min(value, largest);
  const auto shift = static_cast<std::uint32_t>(std::bit_width(value)) - mantissa_bits - 1;
  const std::uint32_t mantissa = (value >> shift) & ((1U << mantissa_bits) - 1);
  return flag | ((shift - 3) << mantissa_bits) | mantissa;
}

static_assert(decode_float(0x7f, 4) == 127 && decode_float(0x80, 4) == 128 && decode_float(0xff, 4) == 31744);
static_assert(encode_float(128, 4) == 0x80 && encode_float(31744, 4) == 0xff && encode_float(1U << 30U, 4) == 0xff);
static_assert(decode_float(0x8000, 12) == 32768 && encode_float(32768, 12) == 0x8000);

}  // namespace trivet::wire
