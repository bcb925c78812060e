#include "core/pipeline/steering.h"

#include <algorithm>
#include <cstring>

namespace trivet::core {

namespace {

// RFC 792 and RFC 4443 section 2.1: the messages that quote a packet.
bool is_icmp_error(const Packet& packet) noexcept {
  const std::uint8_t type = packet.icmp().type;
  if (packet.is(packet_class::icmpv6)) return type < 128;
  constexpr std::uint8_t source_quench = 4;
  constexpr std::uint8_t parameter_problem = 12;
  return type == wire::icmp_type::unreachable || type == source_quench || type == wire::icmp_type::redirect ||
         type == wire::icmp_type::time_exceeded || type == parameter_problem;
}

// The addresses of a quoted packet, exchanged: it went the other way.
std::optional<AddressPair> quoted_addresses(std::span<const std::uint8_t> quoted, Family family) noexcept {
  if (family == Family::ipv4) {
    wire::Ipv4Header header;
    if (quoted.size() < sizeof header || quoted[0] >> 4U != 4) return std::nullopt;
    std::memcpy(&header, quoted.data(), sizeof header);
    return AddressPair{header.destination, header.source};
  }
  wire::Ipv6Header header;
  if (quoted.size() < sizeof header || quoted[0] >> 4U != 6) return std::nullopt;
  std::memcpy(&header, quoted.data(), sizeof header);
  return AddressPair{header.destination, header.source};
}

}  // namespace

std::optional<AddressPair> steering_addresses(const Packet& packet) noexcept {
  constexpr PacketClass local = packet_class::own | packet_class::multicast | packet_class::nd | packet_class::mld |
                                packet_class::igmp | packet_class::vrrp;
  if (!packet.is(packet_class::ipv4 | packet_class::ipv6) || packet.is(local)) return std::nullopt;
  if (packet.is(packet_class::icmp | packet_class::icmpv6) && !packet.is(packet_class::fragment) &&
      is_icmp_error(packet)) {
    const Family family = packet.is(packet_class::ipv4) ? Family::ipv4 : Family::ipv6;
    if (const auto quoted = quoted_addresses(packet.payload(), family)) return quoted;
  }
  return AddressPair{packet.source(), packet.destination()};
}

std::uint32_t fold(const IpAddress& address) noexcept {
  const auto& bytes = address.bytes();
  const auto word = [&bytes](std::size_t at) {
    return Ipv4Address{{bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]}}.number();
  };
  return word(0) ^ word(4) ^ word(8) ^ word(12);
}

std::uint32_t owner_of(const AddressPair& addresses, FarSide side, std::uint32_t workers) noexcept {
  switch (side) {
    case FarSide::source:
      return spread(fold(addresses.source), workers);
    case FarSide::destination:
      return spread(fold(addresses.destination), workers);
    case FarSide::unknown:
      break;
  }
  return spread(fold(addresses.source) ^ fold(addresses.destination), workers);
}

void Steerer::find_owners(std::span<Packet* const> packets, std::span<const Steering* const> modules,
                          std::uint32_t self, std::uint32_t workers, std::span<std::uint32_t> owners) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    owners[i] = self;
    const auto addresses = steering_addresses(*packets[i]);
    if (!addresses) continue;
    pairs_[count] = *addresses;
    sides_[count] = FarSide::unknown;
    places_[count++] = i;
  }
  if (count == 0) return;
  for (const Steering* const module : modules) {
    const std::span<FarSide> said = std::span(said_).first(count);
    std::ranges::fill(said, FarSide::unknown);
    module->find_far_sides(std::span(pairs_).first(count), said);
    for (std::size_t i = 0; i < count; ++i) {
      if (sides_[i] == FarSide::unknown) sides_[i] = said[i];
    }
  }
  for (std::size_t i = 0; i < count; ++i) owners[places_[i]] = owner_of(pairs_[i], sides_[i], workers);
}

}  // namespace trivet::core
