// Probes as bytes and answers as values: ICMP and ICMPv6 echo (RFC 792, RFC 4443), the opening of a TCP connection
// (RFC 9293), the agent protocol over UDP, and the quotations in ICMP errors.
//
// Thread: any; pure. build_*() gives a whole IPv4 or IPv6 packet with all checksums. parse_*() gets the bytes from the
// layer 4 header to the end of the packet, of a packet whose checksum has been found right; none: malformed, or not
// of the kind that it looks for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hc/probe.h"
#include "trivet/net/address.h"

namespace trivet::hc::wire {

inline constexpr std::size_t echo_payload_size = 16;  // "TVHC", slot (4), nonce (8)

[[nodiscard]] std::vector<std::uint8_t> build_probe(const Probe& probe);
[[nodiscard]] std::vector<std::uint8_t> build_segment(const Segment& segment);

[[nodiscard]] std::optional<EchoAnswer> parse_echo_reply(const IpAddress& source, const IpAddress& destination,
                                                         std::span<const std::uint8_t> l4);
[[nodiscard]] std::optional<TcpAnswer> parse_segment(const IpAddress& source, const IpAddress& destination,
                                                     std::span<const std::uint8_t> l4);
[[nodiscard]] std::optional<AgentAnswer> parse_agent_answer(const IpAddress& source, const IpAddress& destination,
                                                            std::span<const std::uint8_t> l4);
// The family is that of the error; the quoted packet has the same.
[[nodiscard]] std::optional<ErrorAnswer> parse_icmp_error(Family family, std::span<const std::uint8_t> l4);

}  // namespace trivet::hc::wire
