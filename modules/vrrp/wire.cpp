#include "vrrp/wire.h"

#include <algorithm>
#include <cstring>

#include "trivet/net/checksum.h"
#include "trivet/wire/headers.h"

namespace trivet::vrrp {
namespace {

constexpr std::uint8_t version_2 = 2;
constexpr std::uint8_t type_advertisement = 1;
constexpr std::uint8_t authentication_none = 0;
constexpr std::size_t most_addresses = 255;
// Class selector 6, internetwork control: switches and hosts on the way keep it in front of data.
constexpr std::uint8_t traffic_class = 0xc0;
constexpr MacAddress group4_mac{{0x01, 0x00, 0x5e, 0x00, 0x00, 0x12}};

// RFC 3768 section 5.1.
struct AdvertHeader {
  std::uint8_t version_and_type = 0;
  std::uint8_t vrid = 0;
  std::uint8_t priority = 0;
  std::uint8_t address_count = 0;
  std::uint8_t authentication_type = 0;
  std::uint8_t interval = 0;
  Be16 checksum;
};
static_assert(sizeof(AdvertHeader) == advert_fixed_length && alignof(AdvertHeader) == 1);

AdvertHeader read_header(std::span<const std::uint8_t> message) noexcept {
  AdvertHeader header;
  std::memcpy(&header, message.data(), sizeof header);
  return header;
}

template <class Header>
void append(std::vector<std::uint8_t>& bytes, const Header& header) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(&header);
  bytes.insert(bytes.end(), first, first + sizeof header);
}

}  // namespace

std::string_view to_string(AdvertError error) noexcept {
  switch (error) {
    case AdvertError::hop_limit:
      return "hop-limit";
    case AdvertError::too_short:
      return "too-short";
    case AdvertError::version:
      return "version";
    case AdvertError::type:
      return "type";
    case AdvertError::length:
      return "length";
    case AdvertError::checksum:
      return "checksum";
    case AdvertError::authentication:
      return "authentication";
  }
  return "?";
}

AdvertCheck check_advert(std::span<const std::uint8_t> message, std::uint8_t hop_limit) noexcept {
  const auto refuse = [](AdvertError error) { return AdvertCheck{false, error}; };
  if (hop_limit != required_hop_limit) return refuse(AdvertError::hop_limit);
  if (message.size() < advert_fixed_length) return refuse(AdvertError::too_short);
  const AdvertHeader header = read_header(message);
  if ((header.version_and_type >> 4U) != version_2) return refuse(AdvertError::version);
  if ((header.version_and_type & 0x0fU) != type_advertisement) return refuse(AdvertError::type);
  const std::size_t expected =
      advert_fixed_length + std::size_t{header.address_count} * sizeof(Ipv4Address) + authentication_length;
  if (message.size() != expected) return refuse(AdvertError::length);
  if (internet_checksum(message) != 0) return refuse(AdvertError::checksum);
  if (header.authentication_type != authentication_none) return refuse(AdvertError::authentication);
  return {};
}

std::expected<Advert, AdvertError> parse_advert(std::span<const std::uint8_t> message, std::uint8_t hop_limit) {
  const AdvertCheck check = check_advert(message, hop_limit);
  if (!check.ok) return std::unexpected(check.error);
  const AdvertHeader header = read_header(message);
  Advert advert{header.vrid, header.priority, header.interval, {}};
  advert.addresses.resize(header.address_count);
  if (!advert.addresses.empty()) {
    std::memcpy(advert.addresses.data(), message.data() + advert_fixed_length,
                advert.addresses.size() * sizeof(Ipv4Address));
  }
  return advert;
}

std::vector<std::uint8_t> build_message(const Advert& advert) {
  const std::size_t count = std::min(advert.addresses.size(), most_addresses);
  AdvertHeader header;
  header.version_and_type = static_cast<std::uint8_t>((version_2 << 4U) | type_advertisement);
  header.vrid = advert.vrid;
  header.priority = advert.priority;
  header.address_count = static_cast<std::uint8_t>(count);
  header.authentication_type = authentication_none;
  header.interval = advert.interval;

  std::vector<std::uint8_t> message;
  message.reserve(advert_fixed_length + count * sizeof(Ipv4Address) + authentication_length);
  append(message, header);
  for (std::size_t i = 0; i < count; ++i) append(message, advert.addresses[i]);
  message.resize(message.size() + authentication_length, 0);

  const Be16 checksum = internet_checksum(message);
  std::memcpy(message.data() + offsetof(AdvertHeader, checksum), &checksum, sizeof checksum);
  return message;
}

std::vector<std::uint8_t> build_frame(const Advert& advert, const Envelope& envelope) {
  const std::vector<std::uint8_t> message = build_message(advert);

  wire::EthernetHeader ethernet;
  ethernet.destination = group4_mac;
  ethernet.source = envelope.source_mac;
  ethernet.type = wire::ether_type::ipv4;

  wire::Ipv4Header ip;
  ip.traffic_class = traffic_class;
  ip.total_length = static_cast<std::uint16_t>(sizeof ip + message.size());
  ip.id = envelope.id;
  ip.hop_limit = required_hop_limit;
  ip.protocol = wire::ip_protocol::vrrp;
  ip.source = envelope.source;
  ip.destination = group4;
  ip.checksum = internet_checksum({reinterpret_cast<const std::uint8_t*>(&ip), sizeof ip});

  std::vector<std::uint8_t> frame;
  frame.reserve(sizeof ethernet + sizeof ip + message.size());
  append(frame, ethernet);
  append(frame, ip);
  frame.insert(frame.end(), message.begin(), message.end());
  return frame;
}

}  // namespace trivet::vrrp
