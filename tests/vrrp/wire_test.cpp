#include "vrrp/wire.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "trivet/net/checksum.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::vrrp {
namespace {

using testkit::bytes;
using testkit::ip4;
using Bytes = std::vector<std::uint8_t>;

// The first node of the example pair: virtual router 64, priority 200, from 10.0.0.1, no virtual IPv4 address.
const Advert seed{64, 200, 1, {}};
constexpr const char* seed_message = "21 40 c8 00 00 01 16 be 00000000 00000000";

void fix_checksum(Bytes& message) {
  message[6] = message[7] = 0;
  const std::uint16_t sum = internet_checksum(message);
  message[6] = static_cast<std::uint8_t>(sum >> 8U);
  message[7] = static_cast<std::uint8_t>(sum);
}

// The seed's message with one byte replaced and the checksum right again.
Bytes changed(std::size_t offset, std::uint8_t value) {
  Bytes message = bytes(seed_message);
  message[offset] = value;
  fix_checksum(message);
  return message;
}

AdvertError error_of(const Bytes& message, std::uint8_t hop_limit = 255) {
  const AdvertCheck check = check_advert(message, hop_limit);
  EXPECT_FALSE(check.ok);
  const auto parsed = parse_advert(message, hop_limit);
  EXPECT_FALSE(parsed.has_value());
  if (!parsed) {
    EXPECT_EQ(parsed.error(), check.error);
  }
  return check.error;
}

TEST(VrrpWire, SeedAdvertisementIsByteExact) {
  const Envelope envelope{vrrp_mac(Family::ipv4, 64), ip4("10.0.0.1"), 0x1234};
  EXPECT_EQ(build_frame(seed, envelope), bytes("01005e000012 00005e000140 0800"
                                               "45c0 0024 1234 0000 ff70 be62 0a000001 e0000012"
                                               "21 40 c8 00 00 01 16 be 00000000 00000000"));
}

TEST(VrrpWire, AdvertisementWithTwoAddressesIsByteExact) {
  const Advert advert{1, 255, 3, {ip4("10.0.0.3"), ip4("192.168.1.9")}};
  EXPECT_EQ(build_message(advert), bytes("21 01 ff 02 00 03 1444 0a000003 c0a80109 00000000 00000000"));
}

TEST(VrrpWire, WhatIsBuiltIsParsedBack) {
  for (const std::size_t count : {0U, 1U, 2U, 255U}) {
    Advert advert{200, 1, 255, {}};
    for (std::size_t i = 0; i < count; ++i) {
      advert.addresses.push_back(Ipv4Address::from_number(0x0a000000U + static_cast<std::uint32_t>(i)));
    }
    const auto parsed = parse_advert(build_message(advert), 255);
    ASSERT_TRUE(parsed.has_value()) << count;
    EXPECT_EQ(*parsed, advert);
  }
}

TEST(VrrpWire, AddressesBehindThe255thAreLeftOut) {
  Advert advert = seed;
  advert.addresses.resize(300);
  const auto parsed = parse_advert(build_message(advert), 255);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->addresses.size(), 255U);
}

TEST(VrrpWire, GoldenBytesGiveTheirValues) {
  const auto parsed = parse_advert(bytes(seed_message), 255);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, seed);
}

TEST(VrrpWire, EveryFieldThatIsWrongHasItsOwnReason) {
  EXPECT_EQ(error_of(bytes(seed_message), 254), AdvertError::hop_limit);
  EXPECT_EQ(error_of(bytes(seed_message), 0), AdvertError::hop_limit);
  EXPECT_EQ(error_of(changed(0, 0x31)), AdvertError::version);
  EXPECT_EQ(error_of(changed(0, 0x11)), AdvertError::version);
  EXPECT_EQ(error_of(changed(0, 0x22)), AdvertError::type);
  EXPECT_EQ(error_of(changed(3, 1)), AdvertError::length);
  EXPECT_EQ(error_of(changed(4, 1)), AdvertError::authentication);
  EXPECT_EQ(error_of(changed(4, 2)), AdvertError::authentication);
  Bytes longer = bytes(seed_message);
  longer.push_back(0);
  EXPECT_EQ(error_of(longer), AdvertError::length);
}

TEST(VrrpWire, AuthenticationDataIsIgnored) {
  const auto parsed = parse_advert(changed(12, 0x77), 255);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, seed);
}

TEST(VrrpWire, EveryFlippedBitIsNoticed) {
  const Bytes good = build_message({64, 200, 1, {ip4("10.0.0.3")}});
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes message = good;
    message[bit / 8] = static_cast<std::uint8_t>(message[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_FALSE(check_advert(message, 255).ok) << bit;
  }
}

TEST(VrrpWire, EveryTruncationIsRefused) {
  const Bytes good = build_message({64, 200, 1, {ip4("10.0.0.3"), ip4("10.0.0.4")}});
  for (std::size_t length = 0; length < good.size(); ++length) {
    // In a buffer of its own, so that a read behind the end is seen by the sanitizer.
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length));
    const AdvertError error = error_of(cut);
    EXPECT_EQ(error, length < advert_fixed_length ? AdvertError::too_short : AdvertError::length) << length;
  }
}

TEST(VrrpWire, ReasonsHaveDistinctNames) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < advert_error_count; ++i) {
    names.emplace_back(to_string(static_cast<AdvertError>(i)));
    EXPECT_NE(names.back(), "?");
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
}

}  // namespace
}  // namespace trivet::vrrp
