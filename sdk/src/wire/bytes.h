// Writing packet bytes in order. Private to the SDK's sources; reading is done with wire::read16 and read32.
//
// Thread: values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/net/checksum.h"

namespace trivet::wire {

class Bytes {
 public:
  explicit Bytes(std::size_t expected) { bytes_.reserve(expected); }

  Bytes& u8(std::uint8_t value) {
    bytes_.push_back(value);
    return *this;
  }
  Bytes& u16(std::uint16_t value) {
    return u8(static_cast<std::uint8_t>(value >> 8U)).u8(static_cast<std::uint8_t>(value));
  }
  Bytes& u32(std::uint32_t value) {
    return u16(static_cast<std::uint16_t>(value >> 16U)).u16(static_cast<std::uint16_t>(value));
  }
  Bytes& raw(std::span<const std::uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Bytes& mac(const MacAddress& address) { return raw(address.bytes); }
  Bytes& ip(const Ipv4Address& address) { return raw(address.bytes); }
  Bytes& ip(const Ipv6Address& address) { return raw(address.bytes); }
  void patch16(std::size_t offset, std::uint16_t value) {
    bytes_[offset] = static_cast<std::uint8_t>(value >> 8U);
    bytes_[offset + 1] = static_cast<std::uint8_t>(value);
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::span<const std::uint8_t> view() const { return bytes_; }
  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

[[nodiscard]] inline std::uint16_t read16(std::span<const std::uint8_t> bytes, std::size_t offset) {
  return static_cast<std::uint16_t>((bytes[offset] << 8U) | bytes[offset + 1]);
}

[[nodiscard]] inline std::uint32_t read32(std::span<const std::uint8_t> bytes, std::size_t offset) {
  return (std::uint32_t{read16(bytes, offset)} << 16U) | read16(bytes, offset + 2);
}

[[nodiscard]] inline Ipv4Address read_ipv4(std::span<const std::uint8_t> bytes, std::size_t offset) {
  return {{bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]}};
}

[[nodiscard]] inline Ipv6Address read_ipv6(std::span<const std::uint8_t> bytes, std::size_t offset) {
  Ipv6Address address;
  for (std::size_t i = 0; i < address.bytes.size(); ++i) address.bytes[i] = bytes[offset + i];
  return address;
}

[[nodiscard]] inline MacAddress read_mac(std::span<const std::uint8_t> bytes, std::size_t offset) {
  MacAddress address;
  for (std::size_t i = 0; i < address.bytes.size(); ++i) address.bytes[i] = bytes[offset + i];
  return address;
}

}  // namespace trivet::wire
