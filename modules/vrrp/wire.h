// VRRP advertisements as they lie on the wire: build, check, parse. Version 2 (RFC 3768) over IPv4.
//
// Pure functions; thread: any. check_advert() neither allocates nor throws and is what the data path uses; whatever it
// accepts, parse_advert() turns into values. Sources: RFC 3768 section 5 (format), section 7.1 (what a receiver must
// verify), section 7.3 (virtual router MAC). An advertisement of another version is refused by name, so that version 3
// finds its place beside these functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>
#include <vector>

#include "trivet/net/address.h"

namespace trivet::vrrp {

inline constexpr Ipv4Address group4{{224, 0, 0, 18}};    // RFC 3768 section 5.2.2
inline constexpr std::uint8_t required_hop_limit = 255;  // RFC 3768 section 5.2.3
inline constexpr std::uint8_t owner_priority = 255;      // RFC 3768 section 5.3.4
inline constexpr std::uint8_t leaving_priority = 0;      // RFC 3768 section 5.3.4: the master stops
inline constexpr std::size_t advert_fixed_length = 8;    // up to the first address
inline constexpr std::size_t authentication_length = 8;  // RFC 3768 section 5.3.10: present and zero with type 0

// The values of one advertisement.
struct Advert {
  std::uint8_t vrid = 0;
  std::uint8_t priority = 0;
  std::uint8_t interval = 1;           // whole seconds
  std::vector<Ipv4Address> addresses;  // may be empty; at most 255
  bool operator==(const Advert&) const = default;
};

// Why an advertisement is refused, whatever the configuration.
enum class AdvertError : std::uint8_t {
  hop_limit,  // not 255: it has crossed a router, or was made up far away
  too_short,  // not even the fixed part
  version,    // not version 2
  type,       // not ADVERTISEMENT
  length,     // not fixed part + addresses + authentication data
  checksum,
  authentication,  // a type other than 0
};
inline constexpr std::size_t advert_error_count = 7;

[[nodiscard]] std::string_view to_string(AdvertError error) noexcept;  // in kebab-case: "hop-limit"

struct AdvertCheck {
  bool ok = true;
  AdvertError error{};
};

// `message`: from the VRRP version field to the end of the IP packet.
[[nodiscard]] AdvertCheck check_advert(std::span<const std::uint8_t> message, std::uint8_t hop_limit) noexcept;
[[nodiscard]] std::expected<Advert, AdvertError> parse_advert(std::span<const std::uint8_t> message,
                                                              std::uint8_t hop_limit);

// Of a message that check_advert() has accepted.
[[nodiscard]] inline std::uint8_t vrid_of(std::span<const std::uint8_t> message) noexcept { return message[1]; }

// The VRRP message alone, with its checksum. Addresses behind the 255th are left out.
[[nodiscard]] std::vector<std::uint8_t> build_message(const Advert& advert);

// What surrounds a message on the way out.
struct Envelope {
  MacAddress source_mac;
  Ipv4Address source;
  std::uint16_t id = 0;  // IPv4 identification; a sender knows its own advertisements by it when they come back
};

// A whole Ethernet frame to 224.0.0.18 (01:00:5e:00:00:12), hop limit 255.
[[nodiscard]] std::vector<std::uint8_t> build_frame(const Advert& advert, const Envelope& envelope);

}  // namespace trivet::vrrp
