#include "slb/schedulers/hash.h"

#include <array>
#include <bit>

namespace trivet::slb {
namespace {

constexpr unsigned fraction_bits = 24;
constexpr unsigned table_bits = 8;

// log2(1 + i / 256) with 24 fractional bits: repeated squaring gives one bit after the other.
constexpr std::uint64_t fraction_of_log2(std::uint64_t mantissa_32) {
  std::uint64_t x = mantissa_32;  // in [1, 2) with 31 fractional bits
  std::uint64_t result = 0;
  for (unsigned bit = 0; bit < fraction_bits; ++bit) {
    x = (x * x) >> 31U;
    result <<= 1U;
    if (x >= (std::uint64_t{2} << 31U)) {
      x >>= 1U;
      result |= 1U;
    }
  }
  return result;
}

constexpr auto log_table = [] {
  std::array<std::uint64_t, (1U << table_bits) + 1> table{};
  for (std::uint64_t i = 0; i < (1U << table_bits); ++i) {
    table[i] = fraction_of_log2((std::uint64_t{1} << 31U) + (i << (31U - table_bits)));
  }
  table[1U << table_bits] = std::uint64_t{1} << fraction_bits;
  return table;
}();

}  // namespace

std::uint64_t negative_log2(std::uint64_t value) noexcept {
  if (value == ~std::uint64_t{0}) return 0;
  const std::uint64_t x = value + 1;
  const auto exponent = static_cast<unsigned>(std::bit_width(x)) - 1U;
  const std::uint64_t mantissa = x << (63U - exponent);  // the leading one at bit 63
  const std::uint64_t below_one = mantissa & ~(std::uint64_t{1} << 63U);
  const std::uint64_t place = below_one >> (63U - table_bits);
  const std::uint64_t between = (below_one >> (63U - table_bits - 16U)) & 0xffffU;
  const std::uint64_t step = log_table[place + 1] - log_table[place];
  const std::uint64_t fraction = log_table[place] + ((step * between) >> 16U);
  const std::uint64_t log = (std::uint64_t{exponent} << fraction_bits) + fraction;
  const std::uint64_t full = std::uint64_t{64} << fraction_bits;
  return log >= full ? 0 : full - log;
}

// Most draws are seen to lose without their logarithm: where a candidate has no more weight than the best, and its
// number is so much smaller that the logarithms cannot be equal (that much is a 2^-20th).
Pick pick_hash(std::span<const Candidate> candidates, const PassedOver& passed_over, std::uint64_t client) noexcept {
  Pick best;
  std::uint64_t best_draw = 0;
  std::uint64_t least_number = 0;
  std::uint16_t best_weight = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    const std::uint64_t number = salt_of(client ^ candidate.salt);
    if (number < least_number && candidate.weight <= best_weight) continue;
    if (passed_over.has(i)) continue;
    const std::uint64_t draw = negative_log2(number);
    if (best) {
      // draw / weight < best_draw / best_weight, without a division: 31 bits times 16 bits.
      const std::uint64_t mine = draw * best_weight;
      const std::uint64_t theirs = best_draw * candidate.weight;
      if (mine > theirs) continue;
      if (mine == theirs && candidate.identity >= candidates[*best].identity) continue;
    }
    best = i;
    best_draw = draw;
    best_weight = candidate.weight;
    least_number = number - (number >> 20U);
  }
  return best;
}

}  // namespace trivet::slb
