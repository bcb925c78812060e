// ARP for IPv4 over Ethernet. Sources: RFC 826; RFC 5227 (probes, announcements).
//
// Thread: any; pure. Parsing does not allocate; building does (control thread).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/headers.h"

namespace trivet::wire {

inline constexpr std::size_t arp_size = 28;

enum class ArpOperation : std::uint16_t { request = 1, reply = 2 };

struct ArpValues {
  ArpOperation operation = ArpOperation::request;
  MacAddress sender_mac;
  Ipv4Address sender;
  MacAddress target_mac;
  Ipv4Address target;
  bool operator==(const ArpValues&) const = default;

  // RFC 5227 section 1.1: asks for an address without claiming it.
  [[nodiscard]] bool is_probe() const { return operation == ArpOperation::request && sender.is_unspecified(); }
  // A claim of the sender's own address: announcement of RFC 5227, or a gratuitous reply.
  [[nodiscard]] bool is_announcement() const { return sender == target && !sender.is_unspecified(); }
};

// `payload`: what follows the Ethernet header; bytes behind the 28 are padding. None: too short, not IPv4 over
// Ethernet, neither request nor reply, or a sender MAC that is a group.
[[nodiscard]] std::optional<ArpValues> parse_arp(std::span<const std::uint8_t> payload) noexcept;
[[nodiscard]] std::vector<std::uint8_t> arp_payload(const ArpValues& values);

// Whole frames. The Ethernet source is the sender's MAC.
[[nodiscard]] std::vector<std::uint8_t> arp_frame(const MacAddress& destination, const ArpValues& values);
// "Who has `target`?", broadcast, or unicast to `known_mac` (RFC 1122 section 2.3.2.1, polling).
[[nodiscard]] std::vector<std::uint8_t> arp_request_frame(const MacAddress& sender_mac, const Ipv4Address& sender,
                                                          const Ipv4Address& target,
                                                          std::optional<MacAddress> known_mac = std::nullopt);
// The answer to `request`: `mac` has the address that it asked for.
[[nodiscard]] std::vector<std::uint8_t> arp_reply_frame(const ArpValues& request, const MacAddress& mac);
// RFC 5227 section 2.3: a broadcast request with sender and target the same.
[[nodiscard]] std::vector<std::uint8_t> arp_announcement_frame(const MacAddress& mac, const Ipv4Address& address);
// RFC 5227 section 2.1.1.
[[nodiscard]] std::vector<std::uint8_t> arp_probe_frame(const MacAddress& mac, const Ipv4Address& address);

}  // namespace trivet::wire
