// ICMP and ICMPv6 errors about packets that could not be forwarded: when one may be sent, and its bytes.
//
// Thread: worker; pure but for the pool. Sources: RFC 792, RFC 1122 section 3.2.2, RFC 1191, RFC 1812 section 4.3,
// RFC 4443 sections 2.4 and 3.
//
// Known limit: the error quotes the packet as it is now. Where a module has translated its addresses before, the quote
// has the translated ones.
#pragma once

#include <cstdint>
#include <expected>

#include "core/pipeline/packet_pool.h"
#include "trivet/forwarding.h"
#include "trivet/packet.h"

namespace trivet::core {

enum class IcmpError : std::uint8_t {
  hop_limit,            // time exceeded in transit
  no_route,             // destination network unreachable; IPv6: no route to destination
  address_unreachable,  // destination host unreachable; IPv6: address unreachable
  too_big,              // fragmentation needed; IPv6: packet too big
};

// Why there is none.
enum class NoIcmpError : std::uint8_t {
  no_source,  // the network has no real address of the packet's family
  no_buffer,
};

// False for packets that no error may be about: ICMP errors and redirects, later fragments, packets to or from a group
// or a broadcast (of layer 2 too), from an unspecified, loopback or own address, or without a network they came in by.
[[nodiscard]] bool may_answer_with_error(const Packet& packet, const ForwardingState& forwarding) noexcept;

// False where nobody can speak: the network that the packet came in by has no real address of its family.
[[nodiscard]] bool has_error_source(const Packet& packet, const ForwardingState& forwarding) noexcept;

// The error as a packet of this node, ready to be routed to the other's source: from the real address of the network
// that the other came in by, with as much of it as fits in 576 (IPv4) or 1,280 bytes. `mtu` for too_big.
[[nodiscard]] std::expected<Packet*, NoIcmpError> make_icmp_error(const Packet& about, IcmpError error,
                                                                  std::uint32_t mtu, std::uint16_t ipv4_id,
                                                                  const ForwardingState& forwarding,
                                                                  PacketPool& pool) noexcept;

}  // namespace trivet::core
