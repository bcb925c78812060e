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

constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31U);
}

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

Pick pick_hash(std::span<const Candidate> candidates, std::uint64_t client) noexcept {
  Pick best;
  std::uint64_t best_draw = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!candidates[i].takes_sessions()) continue;
    const std::uint64_t draw = negative_log2(mix(client ^ mix(candidates[i].identity)));
    if (best) {
      // draw / weight < best_draw / best_weight, without a division: 31 bits times 16 bits.
      const std::uint64_t mine = draw * candidates[*best].weight;
      const std::uint64_t theirs = best_draw * candidates[i].weight;
      if (mine > theirs) continue;
      if (mine == theirs && candidates[i].identity >= candidates[*best].identity) continue;
    }
    best = i;
    best_draw = draw;
  }
  return best;
}

}  // namespace trivet::slb
