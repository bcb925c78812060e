#include "trivet/net/checksum.h"

#include <bit>
#include <cstring>

#include "trivet/net/ones_complement.h"

namespace trivet {

namespace {

std::uint64_t load64(const std::uint8_t* bytes) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::uint64_t add_carry(std::uint64_t sum, std::uint64_t value) noexcept {
  sum += value;
  return sum + static_cast<std::uint64_t>(sum < value);
}

// Sums in the machine's byte order, eight bytes at a time, and swaps the folded result: the sum of swapped words is the
// swapped sum (RFC 1071 section 2 (B)).
std::uint16_t folded_sum(const std::uint8_t* bytes, std::size_t size) noexcept {
  std::uint64_t even = 0;
  std::uint64_t odd = 0;
  for (; size >= 16; bytes += 16, size -= 16) {
    even = add_carry(even, load64(bytes));
    odd = add_carry(odd, load64(bytes + 8));
  }
  if (size >= 8) {
    even = add_carry(even, load64(bytes));
    bytes += 8;
    size -= 8;
  }
  if (size != 0) {
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes, size);  // what is missing reads as zero, in either byte order
    odd = add_carry(odd, rest);
  }
  const std::uint16_t folded = ones_complement::fold(add_carry(even, odd));
  return std::endian::native == std::endian::little ? __builtin_bswap16(folded) : folded;
}

}  // namespace

void ChecksumSum::add(std::span<const std::uint8_t> bytes) noexcept { sum_ += folded_sum(bytes.data(), bytes.size()); }

void ChecksumSum::add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                    std::uint32_t length) noexcept {
  // An IPv4 address is the first four of the sixteen bytes, the others are zero and add nothing.
  add(source.bytes());
  add(destination.bytes());
  add16(protocol);
  add32(length);
}

std::uint16_t ChecksumSum::folded() const noexcept { return ones_complement::fold(sum_); }

std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) noexcept {
  return static_cast<std::uint16_t>(~folded_sum(bytes.data(), bytes.size()));
}

ChecksumDelta ChecksumDelta::of(std::span<const std::uint8_t> old_bytes,
                                std::span<const std::uint8_t> new_bytes) noexcept {
  return {ones_complement::difference(folded_sum(new_bytes.data(), new_bytes.size()),
                                      folded_sum(old_bytes.data(), old_bytes.size()))};
}

ChecksumDelta ChecksumDelta::of(std::uint16_t old_word, std::uint16_t new_word) noexcept {
  return {ones_complement::difference(new_word, old_word)};
}

ChecksumDelta ChecksumDelta::operator+(ChecksumDelta other) const noexcept {
  return {ones_complement::fold(std::uint64_t{value} + other.value)};
}

std::uint16_t update_checksum(std::uint16_t field, ChecksumDelta delta) noexcept {
  return ones_complement::update_complete(field, delta.value);
}

std::uint16_t update_partial_checksum(std::uint16_t field, ChecksumDelta delta) noexcept {
  return ones_complement::update_partial(field, delta.value);
}

}  // namespace trivet
