// Internet checksums: RFC 1071 (sums), RFC 1624 (incremental update), and the partial sums of offloading hosts.
//
// Thread: any; pure. Sums are kept un-folded in 64 bits, as big-endian 16-bit words in host numbers; finish() folds
// and complements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "trivet/net/address.h"

namespace trivet {

// A running one's complement sum. Add() of an odd number of bytes pads with zero, so only the last add may be odd.
class ChecksumSum {
 public:
  void add(std::span<const std::uint8_t> bytes) noexcept;
  void add16(std::uint16_t value) noexcept { sum_ += value; }
  void add32(std::uint32_t value) noexcept {
    add16(static_cast<std::uint16_t>(value >> 16U));
    add16(static_cast<std::uint16_t>(value));
  }
  // Pseudo-header of RFC 793 (IPv4) and RFC 8200 section 8.1 (IPv6). Both addresses have the same family.
  void add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                         std::uint32_t length) noexcept;
  // Folded, not complemented: what a frame with a partial checksum carries in its field.
  [[nodiscard]] std::uint16_t folded() const noexcept;
  // Folded and complemented: what goes into a header. UDP writes 0xffff instead of 0 (RFC 768), which is the caller's.
  [[nodiscard]] std::uint16_t finish() const noexcept { return static_cast<std::uint16_t>(~folded()); }

 private:
  std::uint64_t sum_ = 0;
};

[[nodiscard]] std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) noexcept;

// The change that replacing some 16-bit words by others makes to a sum: sum(new) + ~sum(old), folded. Adding two
// deltas adds their changes.
struct ChecksumDelta {
  std::uint16_t value = 0;

  [[nodiscard]] static ChecksumDelta of(std::span<const std::uint8_t> old_bytes,
                                        std::span<const std::uint8_t> new_bytes) noexcept;  // even lengths
  [[nodiscard]] static ChecksumDelta of(std::uint16_t old_word, std::uint16_t new_word) noexcept;
  [[nodiscard]] ChecksumDelta operator+(ChecksumDelta other) const noexcept;
};

// RFC 1624 equation 3: the checksum field after the change. For a complete (complemented) checksum.
[[nodiscard]] std::uint16_t update_checksum(std::uint16_t field, ChecksumDelta delta) noexcept;
// For a field that holds the un-complemented pseudo-header sum of a partial checksum: same change, opposite sign.
[[nodiscard]] std::uint16_t update_partial_checksum(std::uint16_t field, ChecksumDelta delta) noexcept;

}  // namespace trivet
