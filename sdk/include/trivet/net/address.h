// Addresses: MAC, IPv4, IPv6, "either", prefixes; text in and out.
//
// Thread: values. All types have the layout of the wire (network byte order, alignment 1), so that header structs
// hold them directly. Text follows RFC 4291 and RFC 5952 for IPv6; upper case and non-normal forms are read.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "trivet/net/endian.h"

namespace trivet {

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  [[nodiscard]] constexpr bool is_multicast() const { return (bytes[0] & 1U) != 0; }  // broadcast included
  [[nodiscard]] constexpr bool is_broadcast() const {
    return *this == MacAddress{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
  }
  [[nodiscard]] constexpr bool is_zero() const { return *this == MacAddress{}; }
  constexpr auto operator<=>(const MacAddress&) const = default;
  // Written out here and below: the default compares arrays byte by byte, or by a call.
  constexpr bool operator==(const MacAddress& other) const noexcept {
    using Words = std::array<std::uint16_t, 3>;
    const auto left = std::bit_cast<Words>(bytes);
    const auto right = std::bit_cast<Words>(other.bytes);
    return ((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2])) == 0;
  }

  static constexpr MacAddress broadcast() { return {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}; }
};

struct Ipv4Address {
  std::array<std::uint8_t, 4> bytes{};

  static constexpr Ipv4Address from_number(std::uint32_t host_order) {
    return {{static_cast<std::uint8_t>(host_order >> 24U), static_cast<std::uint8_t>(host_order >> 16U),
             static_cast<std::uint8_t>(host_order >> 8U), static_cast<std::uint8_t>(host_order)}};
  }
  [[nodiscard]] constexpr std::uint32_t number() const {
    return (std::uint32_t{bytes[0]} << 24U) | (std::uint32_t{bytes[1]} << 16U) | (std::uint32_t{bytes[2]} << 8U) |
           std::uint32_t{bytes[3]};
  }
  [[nodiscard]] constexpr bool is_unspecified() const { return number() == 0; }
  [[nodiscard]] constexpr bool is_multicast() const { return (bytes[0] & 0xf0U) == 0xe0U; }
  [[nodiscard]] constexpr bool is_loopback() const { return bytes[0] == 127; }
  [[nodiscard]] constexpr bool is_broadcast() const { return number() == 0xffffffffU; }
  constexpr auto operator<=>(const Ipv4Address&) const = default;
  constexpr bool operator==(const Ipv4Address& other) const noexcept {
    return std::bit_cast<std::uint32_t>(bytes) == std::bit_cast<std::uint32_t>(other.bytes);
  }
};

struct Ipv6Address {
  std::array<std::uint8_t, 16> bytes{};

  [[nodiscard]] constexpr bool is_unspecified() const { return *this == Ipv6Address{}; }
  [[nodiscard]] constexpr bool is_multicast() const { return bytes[0] == 0xff; }
  [[nodiscard]] constexpr bool is_link_local() const { return bytes[0] == 0xfe && (bytes[1] & 0xc0U) == 0x80U; }
  [[nodiscard]] constexpr bool is_loopback() const {
    Ipv6Address loopback;
    loopback.bytes[15] = 1;
    return *this == loopback;
  }
  constexpr auto operator<=>(const Ipv6Address&) const = default;
  constexpr bool operator==(const Ipv6Address& other) const noexcept {
    using Words = std::array<std::uint64_t, 2>;
    const auto left = std::bit_cast<Words>(bytes);
    const auto right = std::bit_cast<Words>(other.bytes);
    return ((left[0] ^ right[0]) | (left[1] ^ right[1])) == 0;
  }
};

enum class Family : std::uint8_t { ipv4 = 4, ipv6 = 6 };

// An address of either family. Unset (default) is the IPv6 unspecified address.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  constexpr IpAddress(const Ipv4Address& address) : family_(Family::ipv4) {  // NOLINT(google-explicit-constructor)
    for (std::size_t i = 0; i < 4; ++i) bytes_[i] = address.bytes[i];
  }
  constexpr IpAddress(const Ipv6Address& address) : bytes_(address.bytes) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] constexpr Family family() const { return family_; }
  [[nodiscard]] constexpr bool is_v4() const { return family_ == Family::ipv4; }
  [[nodiscard]] constexpr bool is_v6() const { return family_ == Family::ipv6; }
  // The caller knows the family; the other family gives meaningless bytes, never undefined behaviour.
  [[nodiscard]] constexpr Ipv4Address v4() const { return {{bytes_[0], bytes_[1], bytes_[2], bytes_[3]}}; }
  [[nodiscard]] constexpr Ipv6Address v6() const { return {bytes_}; }
  // 4 or 16 bytes in network order, the rest zero.
  [[nodiscard]] constexpr const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  [[nodiscard]] constexpr bool is_unspecified() const {
    return is_v4() ? v4().is_unspecified() : v6().is_unspecified();
  }
  [[nodiscard]] constexpr bool is_multicast() const { return is_v4() ? v4().is_multicast() : v6().is_multicast(); }
  constexpr auto operator<=>(const IpAddress&) const = default;
  constexpr bool operator==(const IpAddress& other) const noexcept {
    return family_ == other.family_ && Ipv6Address{bytes_} == Ipv6Address{other.bytes_};
  }

 private:
  std::array<std::uint8_t, 16> bytes_{};
  Family family_ = Family::ipv6;
};

// An address and how many of its leading bits count. Bits behind the prefix are kept but not compared by contains().
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;  // 0..32 or 0..128

  [[nodiscard]] bool contains(const IpAddress& other) const;
  [[nodiscard]] IpPrefix masked() const;  // the same prefix with the bits behind it cleared
  auto operator<=>(const IpPrefix&) const = default;
};

[[nodiscard]] std::optional<MacAddress> parse_mac(std::string_view text);        // 00:00:5e:00:01:40 or with '-'
[[nodiscard]] std::optional<Ipv4Address> parse_ipv4(std::string_view text);      // four decimal parts, no leading zeros
[[nodiscard]] std::optional<Ipv6Address> parse_ipv6(std::string_view text);      // RFC 4291 section 2.2, no zone
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text);          // either family
[[nodiscard]] std::optional<std::uint8_t> mask_length(const Ipv4Address& mask);  // none when the mask has holes

[[nodiscard]] std::string to_string(const MacAddress& address);
[[nodiscard]] std::string to_string(const Ipv4Address& address);
[[nodiscard]] std::string to_string(const Ipv6Address& address);  // RFC 5952
[[nodiscard]] std::string to_string(const IpAddress& address);
[[nodiscard]] std::string to_string(const IpPrefix& prefix);  // "10.0.0.0/8"

// Special addresses. 00-00-5E-00-01-VRID and 00-00-5E-00-02-VRID: RFC 9568 section 7.3.
[[nodiscard]] constexpr MacAddress vrrp_mac(Family family, std::uint8_t vrid) {
  return {{0x00, 0x00, 0x5e, 0x00, static_cast<std::uint8_t>(family == Family::ipv4 ? 1 : 2), vrid}};
}
[[nodiscard]] MacAddress multicast_mac(const IpAddress& group);              // RFC 1112 section 6.4, RFC 2464 section 7
[[nodiscard]] Ipv6Address solicited_node_group(const Ipv6Address& address);  // RFC 4291 section 2.7.1
[[nodiscard]] Ipv6Address link_local_address(const MacAddress& mac);         // RFC 4291 appendix A (modified EUI-64)

}  // namespace trivet

template <>
struct std::hash<trivet::IpAddress> {
  std::size_t operator()(const trivet::IpAddress& address) const noexcept;
};
template <>
struct std::hash<trivet::MacAddress> {
  std::size_t operator()(const trivet::MacAddress& address) const noexcept;
};
