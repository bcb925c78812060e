// Which slots of a bucket carry a tag: one comparison over all of them where the processor has it.
//
// Thread: any; pure. Both forms give the same for every input (tests/slb/session_table_test.cpp).
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace trivet::slb {

inline constexpr std::size_t bucket_slots = 10;

// Bit i: slot i has the tag. `tags` has bucket_slots elements; 32 bytes can be read from it on, aligned to 16.
[[nodiscard]] inline std::uint32_t tag_matches_portable(const std::uint16_t* tags, std::uint16_t tag) noexcept {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < bucket_slots; ++i) mask |= static_cast<std::uint32_t>(tags[i] == tag) << i;
  return mask;
}

[[nodiscard]] inline std::uint32_t tag_matches(const std::uint16_t* tags, std::uint16_t tag) noexcept {
#if defined(__SSE2__)
  const __m128i wanted = _mm_set1_epi16(static_cast<std::int16_t>(tag));
  const auto* const vectors = reinterpret_cast<const __m128i*>(tags);
  const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(vectors), wanted);
  const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(vectors + 1), wanted);
  // One byte for each of 16 places; those behind the tags do not count.
  const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
  return mask & ((1U << bucket_slots) - 1);
#else
  return tag_matches_portable(tags, tag);
#endif
}

}  // namespace trivet::slb
