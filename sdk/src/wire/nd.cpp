#include "trivet/wire/nd.h"

#include <algorithm>

#include "bytes.h"
#include "icmpv6_message.h"
#include "trivet/wire/ethernet.h"

namespace trivet::wire {

namespace {

constexpr std::size_t max_prefixes = 16;
constexpr Ipv6Address all_nodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

namespace option_type {
constexpr std::uint8_t source_mac = 1;
constexpr std::uint8_t target_mac = 2;
constexpr std::uint8_t prefix = 3;
constexpr std::uint8_t mtu = 5;
constexpr std::uint8_t nonce = 14;
}  // namespace option_type

constexpr std::string_view bad_option = "an option has length 0 or reaches past the end";

// Calls `visit` with each option, from its type on. False when one has length 0 or is not whole: then the whole message
// is to be discarded (RFC 4861 section 4.6).
template <class Visit>
bool for_each_option(std::span<const std::uint8_t> options, Visit visit) {
  while (!options.empty()) {
    if (options.size() < 2) return false;
    const std::size_t size = std::size_t{options[1]} * 8;
    if (size == 0 || size > options.size()) return false;
    visit(options.first(size));
    options = options.subspan(size);
  }
  return true;
}

// An Ethernet link-layer address is an option of exactly 8 bytes.
void take_mac(std::span<const std::uint8_t> option, std::uint8_t type, std::optional<MacAddress>& mac) {
  if (option[0] == type && option.size() == 8 && !mac) mac = read_mac(option, 2);
}

void take_nonce(std::span<const std::uint8_t> option, std::optional<NdNonce>& nonce) {
  if (option[0] != option_type::nonce || option.size() != 8) return;
  nonce.emplace();
  std::ranges::copy(option.subspan(2), nonce->begin());
}

// Rules that hold for every message of neighbour discovery. Empty: valid so far.
std::string_view common_error(const NdContext& context, std::span<const std::uint8_t> message, std::uint8_t type,
                              std::size_t minimum) {
  if (message.size() < minimum) return "shorter than its fixed part";
  if (message[0] != type) return "another type of message";
  if (message[1] != 0) return "code is not 0";
  if (context.hop_limit != 255) return "hop limit is not 255";
  if (context.source.is_multicast()) return "source is a group";
  return {};
}

bool is_group_mac(const std::optional<MacAddress>& mac) { return mac && mac->is_multicast(); }

void take_prefix(std::span<const std::uint8_t> option, std::vector<NdPrefix>& prefixes) {
  if (option[0] != option_type::prefix || option.size() != 32 || option[2] > 128) return;
  if (prefixes.size() == max_prefixes) return;
  prefixes.push_back({.prefix = {read_ipv6(option, 16), option[2]},
                      .on_link = (option[3] & 0x80U) != 0,
                      .autonomous = (option[3] & 0x40U) != 0,
                      .valid_lifetime = read32(option, 4),
                      .preferred_lifetime = read32(option, 8)});
}

void append_mac(Bytes& bytes, std::uint8_t type, const std::optional<MacAddress>& mac) {
  if (mac) bytes.u8(type).u8(1).mac(*mac);
}

}  // namespace

Parsed<NeighborSolicitation> parse_neighbor_solicitation(const NdContext& context,
                                                         std::span<const std::uint8_t> message) noexcept {
  const auto error = common_error(context, message, icmpv6_type::neighbor_solicitation, 24);
  if (!error.empty()) return std::unexpected(error);
  NeighborSolicitation values;
  values.target = read_ipv6(message, 8);
  if (values.target.is_multicast()) return std::unexpected("target is a group");
  const bool whole = for_each_option(message.subspan(24), [&](std::span<const std::uint8_t> option) {
    take_mac(option, option_type::source_mac, values.source_mac);
    take_nonce(option, values.nonce);
  });
  if (!whole) return std::unexpected(bad_option);
  if (is_group_mac(values.source_mac)) return std::unexpected("link-layer address is a group");
  if (context.source.is_unspecified()) {
    if (context.destination != solicited_node_group(values.target)) {
      return std::unexpected("unspecified source, but destination is not the solicited-node group");
    }
    if (values.source_mac) return std::unexpected("unspecified source with a link-layer address");
  }
  return values;
}

Parsed<NeighborAdvertisement> parse_neighbor_advertisement(const NdContext& context,
                                                           std::span<const std::uint8_t> message) noexcept {
  const auto error = common_error(context, message, icmpv6_type::neighbor_advertisement, 24);
  if (!error.empty()) return std::unexpected(error);
  NeighborAdvertisement values;
  values.target = read_ipv6(message, 8);
  values.router = (message[4] & 0x80U) != 0;
  values.solicited = (message[4] & 0x40U) != 0;
  values.override_entry = (message[4] & 0x20U) != 0;
  if (values.target.is_multicast()) return std::unexpected("target is a group");
  if (values.solicited && context.destination.is_multicast()) return std::unexpected("solicited, but to a group");
  const bool whole = for_each_option(message.subspan(24), [&](std::span<const std::uint8_t> option) {
    take_mac(option, option_type::target_mac, values.target_mac);
  });
  if (!whole) return std::unexpected(bad_option);
  if (is_group_mac(values.target_mac)) return std::unexpected("link-layer address is a group");
  return values;
}

Parsed<RouterSolicitation> parse_router_solicitation(const NdContext& context,
                                                     std::span<const std::uint8_t> message) noexcept {
  const auto error = common_error(context, message, icmpv6_type::router_solicitation, 8);
  if (!error.empty()) return std::unexpected(error);
  RouterSolicitation values;
  const bool whole = for_each_option(message.subspan(8), [&](std::span<const std::uint8_t> option) {
    take_mac(option, option_type::source_mac, values.source_mac);
  });
  if (!whole) return std::unexpected(bad_option);
  if (is_group_mac(values.source_mac)) return std::unexpected("link-layer address is a group");
  if (context.source.is_unspecified() && values.source_mac) {
    return std::unexpected("unspecified source with a link-layer address");
  }
  return values;
}

Parsed<RouterAdvertisement> parse_router_advertisement(const NdContext& context,
                                                       std::span<const std::uint8_t> message) {
  const auto error = common_error(context, message, icmpv6_type::router_advertisement, 16);
  if (!error.empty()) return std::unexpected(error);
  if (!context.source.is_link_local()) return std::unexpected("source is not link-local");
  RouterAdvertisement values;
  values.hop_limit = message[4];
  values.managed = (message[5] & 0x80U) != 0;
  values.other = (message[5] & 0x40U) != 0;
  values.router_lifetime = read16(message, 6);
  values.reachable_time = read32(message, 8);
  values.retransmit_timer = read32(message, 12);
  const bool whole = for_each_option(message.subspan(16), [&](std::span<const std::uint8_t> option) {
    take_mac(option, option_type::source_mac, values.source_mac);
    take_prefix(option, values.prefixes);
    if (option[0] == option_type::mtu && option.size() == 8) values.mtu = read32(option, 4);
  });
  if (!whole) return std::unexpected(bad_option);
  if (is_group_mac(values.source_mac)) return std::unexpected("link-layer address is a group");
  return values;
}

Parsed<Redirect> parse_redirect(const NdContext& context, std::span<const std::uint8_t> message) noexcept {
  const auto error = common_error(context, message, icmpv6_type::redirect, 40);
  if (!error.empty()) return std::unexpected(error);
  if (!context.source.is_link_local()) return std::unexpected("source is not link-local");
  Redirect values{.target = read_ipv6(message, 8), .destination = read_ipv6(message, 24), .target_mac = {}};
  if (values.destination.is_multicast()) return std::unexpected("redirected destination is a group");
  if (!values.target.is_link_local() && values.target != values.destination) {
    return std::unexpected("target is neither link-local nor the destination");
  }
  const bool whole = for_each_option(message.subspan(40), [&](std::span<const std::uint8_t> option) {
    take_mac(option, option_type::target_mac, values.target_mac);
  });
  if (!whole) return std::unexpected(bad_option);
  if (is_group_mac(values.target_mac)) return std::unexpected("link-layer address is a group");
  return values;
}

std::vector<std::uint8_t> neighbor_solicitation_packet(const Ipv6Address& source, const Ipv6Address& destination,
                                                       const NeighborSolicitation& values) {
  Bytes message(40);
  message.u8(icmpv6_type::neighbor_solicitation).u8(0).u16(0).u32(0).ip(values.target);
  append_mac(message, option_type::source_mac, values.source_mac);
  if (values.nonce) message.u8(option_type::nonce).u8(1).raw(*values.nonce);
  return icmpv6_packet({.source = source, .destination = destination, .hop_limit = 255}, message);
}

std::vector<std::uint8_t> neighbor_advertisement_packet(const Ipv6Address& source, const Ipv6Address& destination,
                                                        const NeighborAdvertisement& values) {
  Bytes message(32);
  const std::uint32_t flags = (values.router ? 0x80000000U : 0U) | (values.solicited ? 0x40000000U : 0U) |
                              (values.override_entry ? 0x20000000U : 0U);
  message.u8(icmpv6_type::neighbor_advertisement).u8(0).u16(0).u32(flags).ip(values.target);
  append_mac(message, option_type::target_mac, values.target_mac);
  return icmpv6_packet({.source = source, .destination = destination, .hop_limit = 255}, message);
}

std::vector<std::uint8_t> router_solicitation_packet(const Ipv6Address& source, const Ipv6Address& destination,
                                                     const RouterSolicitation& values) {
  Bytes message(16);
  message.u8(icmpv6_type::router_solicitation).u8(0).u16(0).u32(0);
  append_mac(message, option_type::source_mac, values.source_mac);
  return icmpv6_packet({.source = source, .destination = destination, .hop_limit = 255}, message);
}

std::vector<std::uint8_t> neighbor_solicitation_frame(const MacAddress& mac, const Ipv6Address& source,
                                                      const Ipv6Address& target) {
  return ip_group_frame(mac, neighbor_solicitation_packet(source, solicited_node_group(target),
                                                          {.target = target, .source_mac = mac, .nonce = {}}));
}

std::vector<std::uint8_t> neighbor_probe_frame(const MacAddress& mac, const Ipv6Address& source,
                                               const Ipv6Address& target, const MacAddress& target_mac) {
  return ip_frame(target_mac, mac,
                  neighbor_solicitation_packet(source, target, {.target = target, .source_mac = mac, .nonce = {}}));
}

std::vector<std::uint8_t> unsolicited_advertisement_frame(const MacAddress& mac, const Ipv6Address& address,
                                                          bool router) {
  return ip_group_frame(
      mac, neighbor_advertisement_packet(
               address, all_nodes,
               {.target = address, .router = router, .solicited = false, .override_entry = true, .target_mac = mac}));
}

}  // namespace trivet::wire
