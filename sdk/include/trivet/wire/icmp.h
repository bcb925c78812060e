// ICMP and ICMPv6: echo, and errors about packets. Sources: RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3;
// RFC 4443.
//
// Thread: any; pure. The error functions do not allocate: the data path uses them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/headers.h"
#include "trivet/wire/ip.h"

namespace trivet::wire {

struct EchoValues {
  bool is_reply = false;
  std::uint16_t id = 0;
  std::uint16_t sequence = 0;
  bool operator==(const EchoValues&) const = default;
};

// A whole IP packet of the addresses' family, checksums complete.
[[nodiscard]] std::vector<std::uint8_t> echo_packet(const IpAddress& source, const IpAddress& destination,
                                                    const EchoValues& values, std::span<const std::uint8_t> data,
                                                    std::uint8_t hop_limit = 64);
// `message`: from the ICMP type on. None when it is no echo request or reply of that family.
[[nodiscard]] std::optional<EchoValues> parse_echo(Family family, std::span<const std::uint8_t> message) noexcept;

// What an error says. Type and code follow from the family of the packet that it is about.
enum class IcmpError : std::uint8_t {
  no_route,          // 3/0, 1/0
  prohibited,        // 3/13, 1/1
  host_unreachable,  // 3/1, 1/3
  port_unreachable,  // 3/3, 1/4
  time_exceeded,     // 11/0, 3/0
  too_big,           // 3/4 (fragmentation needed), 2/0; with the MTU
};

// The longest error packet: 576 bytes (RFC 1812 section 4.3.2.3), 1,280 bytes (RFC 4443 section 2.4 (c)).
inline constexpr std::size_t max_icmp_error = 576;
inline constexpr std::size_t max_icmpv6_error = 1280;

// False where no error may be sent (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)): about an ICMP error or a
// redirect, a later fragment, a packet to a group or broadcast (IPv6 too_big may), or one whose source is no single
// host. `original`: the packet from its IP header on. Link-layer broadcasts are the caller's to know.
[[nodiscard]] bool may_answer_with_error(std::span<const std::uint8_t> original, IcmpError error) noexcept;

// Writes the whole IP packet of an error about `original` from `source` (of the same family) to its source into `out`:
// as much of the original is quoted as the limits above and `out` allow. Returns its length; 0 when `original` has no
// whole IP header or `out` is too small for the headers. `mtu`: for too_big. Does not ask may_answer_with_error().
std::size_t write_icmp_error(std::span<std::uint8_t> out, const IpAddress& source, IcmpError error, std::uint32_t mtu,
                             std::span<const std::uint8_t> original) noexcept;
// The same in a new buffer; empty for failure.
[[nodiscard]] std::vector<std::uint8_t> icmp_error_packet(const IpAddress& source, IcmpError error, std::uint32_t mtu,
                                                          std::span<const std::uint8_t> original);

// An ICMP or ICMPv6 error message, read. `quoted` points into the message.
struct IcmpErrorValues {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t mtu = 0;  // of fragmentation needed and too big; else 0
  std::span<const std::uint8_t> quoted;
  QuotedValues packet;  // what the quoted bytes say
};
// None: no error message, or what it quotes is no IP packet of the same family.
[[nodiscard]] std::optional<IcmpErrorValues> parse_icmp_error(Family family,
                                                              std::span<const std::uint8_t> message) noexcept;

}  // namespace trivet::wire
