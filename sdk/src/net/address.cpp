#include "trivet/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>

namespace trivet {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

std::optional<std::uint8_t> hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<std::uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<std::uint8_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<std::uint8_t>(digit - 'A' + 10);
  return std::nullopt;
}

// A decimal number of 0..255 without leading zeros, taken from the front of `text`.
std::optional<std::uint8_t> take_octet(std::string_view& text) {
  unsigned value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && digits < 4 && text[digits] >= '0' && text[digits] <= '9') {
    value = value * 10 + static_cast<unsigned>(text[digits] - '0');
    ++digits;
  }
  if (digits == 0 || digits > 3 || value > 255 || (digits > 1 && text[0] == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<std::uint8_t>(value);
}

std::size_t bit_count(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

// The bits of byte `index` that belong to a prefix of `length` bits.
std::uint8_t prefix_mask(std::size_t length, std::size_t index) {
  if (length >= index * 8 + 8) return 0xff;
  if (length <= index * 8) return 0;
  return static_cast<std::uint8_t>(0xff00U >> (length - index * 8));
}

void append_hex_group(std::string& text, unsigned group) {
  bool started = false;
  for (unsigned shift = 16; shift != 0;) {
    shift -= 4;
    const unsigned digit = (group >> shift) & 0xfU;
    started = started || digit != 0 || shift == 0;
    if (started) text += hex_digits[digit];
  }
}

struct ZeroRun {
  std::size_t first = 8;
  std::size_t length = 0;
};

// The run that "::" stands for: the longest of at least two groups, the first of equals (RFC 5952 section 4.2).
ZeroRun longest_zero_run(const std::array<unsigned, 8>& groups) {
  ZeroRun best;
  std::size_t i = 0;
  while (i < groups.size()) {
    const std::size_t first = i;
    while (i < groups.size() && groups[i] == 0) ++i;
    if (i - first >= 2 && i - first > best.length) best = {first, i - first};
    if (i == first) ++i;
  }
  return best;
}

}  // namespace

bool IpPrefix::contains(const IpAddress& other) const {
  if (other.family() != address.family()) return false;
  const std::size_t bits = std::min<std::size_t>(length, bit_count(address));
  for (std::size_t i = 0; i * 8 < bits; ++i) {
    if (((address.bytes()[i] ^ other.bytes()[i]) & prefix_mask(bits, i)) != 0) return false;
  }
  return true;
}

IpPrefix IpPrefix::masked() const {
  std::array<std::uint8_t, 16> bytes = address.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] &= prefix_mask(length, i);
  if (address.is_v4()) return {Ipv4Address{{bytes[0], bytes[1], bytes[2], bytes[3]}}, length};
  return {Ipv6Address{bytes}, length};
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  const char separator = text[2];
  if (separator != ':' && separator != '-') return std::nullopt;
  MacAddress mac;
  for (std::size_t i = 0; i < mac.bytes.size(); ++i) {
    const auto high = hex_value(text[i * 3]);
    const auto low = hex_value(text[i * 3 + 1]);
    if (!high || !low) return std::nullopt;
    if (i != 0 && text[i * 3 - 1] != separator) return std::nullopt;
    mac.bytes[i] = static_cast<std::uint8_t>((*high << 4U) | *low);
  }
  return mac;
}

std::optional<Ipv4Address> parse_ipv4(std::string_view text) {
  Ipv4Address address;
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    if (i != 0) {
      if (text.empty() || text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    const auto octet = take_octet(text);
    if (!octet) return std::nullopt;
    address.bytes[i] = *octet;
  }
  if (!text.empty()) return std::nullopt;
  return address;
}

std::optional<Ipv6Address> parse_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::ranges::copy(text, terminated.begin());
  Ipv6Address address;
  if (inet_pton(AF_INET6, terminated.data(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  if (const auto v4 = parse_ipv4(text)) return IpAddress{*v4};
  if (const auto v6 = parse_ipv6(text)) return IpAddress{*v6};
  return std::nullopt;
}

std::optional<std::uint8_t> mask_length(const Ipv4Address& mask) {
  const int ones = std::countl_one(mask.number());
  if (std::popcount(mask.number()) != ones) return std::nullopt;
  return static_cast<std::uint8_t>(ones);
}

std::string to_string(const MacAddress& address) {
  std::string text;
  text.reserve(17);
  for (const std::uint8_t byte : address.bytes) {
    if (!text.empty()) text += ':';
    text += hex_digits[byte >> 4U];
    text += hex_digits[byte & 0xfU];
  }
  return text;
}

std::string to_string(const Ipv4Address& address) {
  std::string text;
  for (const std::uint8_t byte : address.bytes) {
    if (!text.empty()) text += '.';
    text += std::to_string(byte);
  }
  return text;
}

std::string to_string(const Ipv6Address& address) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = (unsigned{address.bytes[i * 2]} << 8U) | address.bytes[i * 2 + 1];
  }
  const ZeroRun run = longest_zero_run(groups);
  // IPv4-mapped addresses show the IPv4 address (RFC 5952 section 5).
  if (run.first == 0 && run.length == 5 && groups[5] == 0xffff) {
    return "::ffff:" +
           to_string(Ipv4Address{{address.bytes[12], address.bytes[13], address.bytes[14], address.bytes[15]}});
  }
  std::string text;
  for (std::size_t i = 0; i < groups.size();) {
    if (i == run.first) {
      text += "::";
      i += run.length;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    append_hex_group(text, groups[i]);
    ++i;
  }
  return text;
}

std::string to_string(const IpAddress& address) {
  return address.is_v4() ? to_string(address.v4()) : to_string(address.v6());
}

std::string to_string(const IpPrefix& prefix) {
  return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}

MacAddress multicast_mac(const IpAddress& group) {
  const auto& bytes = group.bytes();
  if (group.is_v4()) {
    return {{0x01, 0x00, 0x5e, static_cast<std::uint8_t>(bytes[1] & 0x7fU), bytes[2], bytes[3]}};
  }
  return {{0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]}};
}

Ipv6Address solicited_node_group(const Ipv6Address& address) {
  return {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, address.bytes[13], address.bytes[14], address.bytes[15]}};
}

Ipv6Address link_local_address(const MacAddress& mac) {
  const auto& m = mac.bytes;
  return {
      {0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2U), m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}};
}

}  // namespace trivet
