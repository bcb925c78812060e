// IPv6 neighbour discovery messages. Sources: RFC 4861 (formats: section 4, validity: 6.1, 7.1, 8.1), RFC 3971 section
// 5.3.2 and RFC 7527 (nonce), RFC 6980 (never fragmented, which the door sees to).
//
// Thread: any; pure. Parsing of solicitations and advertisements of neighbours does not allocate.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/headers.h"

namespace trivet::wire {

// Why a message is not valid; a constant text.
template <class T>
using Parsed = std::expected<T, std::string_view>;

// What the rules of validity need to know of the IPv6 header. The checksum is the caller's (l4_checksum_ok).
struct NdContext {
  Ipv6Address source;
  Ipv6Address destination;
  std::uint8_t hop_limit = 0;
};

using NdNonce = std::array<std::uint8_t, 6>;

struct NeighborSolicitation {
  Ipv6Address target;
  std::optional<MacAddress> source_mac;  // source link-layer address option
  std::optional<NdNonce> nonce;
  bool operator==(const NeighborSolicitation&) const = default;
};

struct NeighborAdvertisement {
  Ipv6Address target;
  bool router = false;
  bool solicited = false;
  bool override_entry = false;           // the flag "override"
  std::optional<MacAddress> target_mac;  // target link-layer address option
  bool operator==(const NeighborAdvertisement&) const = default;
};

struct RouterSolicitation {
  std::optional<MacAddress> source_mac;
  bool operator==(const RouterSolicitation&) const = default;
};

struct NdPrefix {
  IpPrefix prefix;
  bool on_link = false;
  bool autonomous = false;
  std::uint32_t valid_lifetime = 0;      // seconds
  std::uint32_t preferred_lifetime = 0;  // seconds
  bool operator==(const NdPrefix&) const = default;
};

struct RouterAdvertisement {
  std::uint8_t hop_limit = 0;
  bool managed = false;
  bool other = false;
  std::uint16_t router_lifetime = 0;   // seconds; 0 = no default router
  std::uint32_t reachable_time = 0;    // milliseconds; 0 = unspecified
  std::uint32_t retransmit_timer = 0;  // milliseconds; 0 = unspecified
  std::optional<MacAddress> source_mac;
  std::optional<std::uint32_t> mtu;
  std::vector<NdPrefix> prefixes;  // at most 16, further ones are left out
  bool operator==(const RouterAdvertisement&) const = default;
};

struct Redirect {
  Ipv6Address target;
  Ipv6Address destination;
  std::optional<MacAddress> target_mac;
  bool operator==(const Redirect&) const = default;
};

// `message`: the ICMPv6 message from its type on. A message of another type is an error, too.
[[nodiscard]] Parsed<NeighborSolicitation> parse_neighbor_solicitation(const NdContext& context,
                                                                       std::span<const std::uint8_t> message) noexcept;
[[nodiscard]] Parsed<NeighborAdvertisement> parse_neighbor_advertisement(
    const NdContext& context, std::span<const std::uint8_t> message) noexcept;
[[nodiscard]] Parsed<RouterSolicitation> parse_router_solicitation(const NdContext& context,
                                                                   std::span<const std::uint8_t> message) noexcept;
[[nodiscard]] Parsed<RouterAdvertisement> parse_router_advertisement(const NdContext& context,
                                                                     std::span<const std::uint8_t> message);
[[nodiscard]] Parsed<Redirect> parse_redirect(const NdContext& context, std::span<const std::uint8_t> message) noexcept;

// Whole IPv6 packets, hop limit 255, checksum complete.
[[nodiscard]] std::vector<std::uint8_t> neighbor_solicitation_packet(const Ipv6Address& source,
                                                                     const Ipv6Address& destination,
                                                                     const NeighborSolicitation& values);
[[nodiscard]] std::vector<std::uint8_t> neighbor_advertisement_packet(const Ipv6Address& source,
                                                                      const Ipv6Address& destination,
                                                                      const NeighborAdvertisement& values);
[[nodiscard]] std::vector<std::uint8_t> router_solicitation_packet(const Ipv6Address& source,
                                                                   const Ipv6Address& destination,
                                                                   const RouterSolicitation& values);

// Whole frames for the usual cases.
// "Who has `target`?" to its solicited-node group, with the sender's link-layer address (RFC 4861 section 7.2.2).
[[nodiscard]] std::vector<std::uint8_t> neighbor_solicitation_frame(const MacAddress& mac, const Ipv6Address& source,
                                                                    const Ipv6Address& target);
// The same, unicast to a neighbour that is already known (section 7.3.3).
[[nodiscard]] std::vector<std::uint8_t> neighbor_probe_frame(const MacAddress& mac, const Ipv6Address& source,
                                                             const Ipv6Address& target, const MacAddress& target_mac);
// Unsolicited, to all nodes (section 7.2.6): `mac` has `address`. Sent from that address.
[[nodiscard]] std::vector<std::uint8_t> unsolicited_advertisement_frame(const MacAddress& mac,
                                                                        const Ipv6Address& address, bool router);

}  // namespace trivet::wire
