#include "trivet/packet.h"

#include <array>
#include <bit>
#include <cstring>

#include "trivet/net/checksum.h"
#include "trivet/net/ones_complement.h"
#include "trivet/net/words.h"

namespace trivet {

namespace {

using ones_complement::difference;
using ones_complement::fold;
using ones_complement::update_complete;
using ones_complement::update_partial;
using ones_complement::word_difference;

using rewriting::Side;

std::uint64_t word_sum(const Ipv4Address& address) noexcept {
  const std::uint32_t number = address.number();
  return (number >> 16U) + (number & 0xffffU);
}

std::uint64_t word_sum(const Ipv6Address& address) noexcept {
  std::array<std::uint32_t, 4> words{};
  static_assert(sizeof words == sizeof address.bytes);
  std::memcpy(words.data(), address.bytes.data(), sizeof words);
  std::uint64_t sum = 0;
  for (const std::uint32_t word : words) {
    sum += std::endian::native == std::endian::little ? std::byteswap(word) : word;
  }
  return sum;
}

// The packet's own layer 4 field is completed by the device. A partial checksum may also stand deeper, in an
// encapsulated packet: then the outer field is complete.
bool has_partial_field(const Packet& packet) noexcept {
  return packet.checksum == ChecksumState::partial && packet.checksum_start == packet.l4_offset;
}

// `address_delta` counts in both forms; ports are summed later by the device where the field is partial.
std::uint16_t updated_field(const Packet& packet, std::uint16_t field, std::uint16_t address_delta,
                            std::uint16_t port_delta) noexcept {
  if (has_partial_field(packet)) return update_partial(field, address_delta);
  return update_complete(field, std::uint32_t{address_delta} + port_delta);
}

template <Side side>
void rewrite_tcp(Packet& packet, std::uint16_t port, std::uint16_t address_delta) noexcept {
  wire::TcpHeader& tcp = packet.tcp();
  Be16& field = side == Side::source ? tcp.source_port : tcp.destination_port;
  tcp.checksum = updated_field(packet, tcp.checksum, address_delta, word_difference(port, field));
  field = port;
}

template <Side side>
void rewrite_udp(Packet& packet, std::uint16_t port, std::uint16_t address_delta) noexcept {
  wire::UdpHeader& udp = packet.udp();
  Be16& port_field = side == Side::source ? udp.source_port : udp.destination_port;
  const std::uint16_t port_delta = word_difference(port, port_field);
  port_field = port;
  const std::uint16_t field = udp.checksum;
  if (field == 0) return;
  const std::uint16_t updated = updated_field(packet, field, address_delta, port_delta);
  // A computed 0 would read as "none" (RFC 768).
  udp.checksum = updated == 0 ? std::uint16_t{0xffff} : updated;
}

// Protocols without a class of their own whose checksum covers the pseudo-header: UDP-Lite (RFC 3828 section 3.1) and
// DCCP (RFC 4340 section 9.1). Both have ports, which stay, and the field at the same place.
void rewrite_other(Packet& packet, std::uint16_t address_delta) noexcept {
  constexpr std::uint8_t dccp = 33;
  constexpr std::uint8_t udp_lite = 136;
  constexpr std::size_t position = 6;
  if (packet.protocol != dccp && packet.protocol != udp_lite) return;
  if (packet.l4_bytes().size() < position + sizeof(Be16)) return;
  Be16& field = *reinterpret_cast<Be16*>(packet.data + packet.l4_offset + position);
  const std::uint16_t updated = updated_field(packet, field, address_delta, 0);
  // UDP-Lite always has a checksum, and 0 is none.
  field = packet.protocol == udp_lite && updated == 0 ? std::uint16_t{0xffff} : updated;
}

template <class Address>
std::uint16_t delta_of(const Address& old_address, const Address& address) noexcept {
  return difference(word_sum(address), fold(word_sum(old_address)));
}

}  // namespace

namespace rewriting {

template <Side side>
void rewrite_layer4(Packet& packet, std::uint16_t port, std::uint16_t address_delta) noexcept {
  if (packet.is(packet_class::tcp)) {
    rewrite_tcp<side>(packet, port, address_delta);
  } else if (packet.is(packet_class::udp)) {
    rewrite_udp<side>(packet, port, address_delta);
  } else if (packet.is(packet_class::icmpv6)) {
    wire::IcmpHeader& icmp = packet.icmp();
    icmp.checksum = updated_field(packet, icmp.checksum, address_delta, 0);
  } else if (packet.is(packet_class::other_ip)) {
    rewrite_other(packet, address_delta);
  }
}

template void rewrite_layer4<Side::source>(Packet&, std::uint16_t, std::uint16_t) noexcept;
template void rewrite_layer4<Side::destination>(Packet&, std::uint16_t, std::uint16_t) noexcept;

}  // namespace rewriting

namespace {

template <Side side>
void rewrite(Packet& packet, const IpAddress& address, std::uint16_t port) noexcept {
  if (packet.is(packet_class::ipv4)) {
    const wire::Ipv4Header& ip = packet.ipv4();
    const Ipv4Address replacement = address.v4();
    const ChecksumDelta delta{delta_of(side == Side::source ? ip.source : ip.destination, replacement)};
    rewriting::rewrite<side>(packet, replacement, port, delta);
  } else {
    const wire::Ipv6Header& ip = packet.ipv6();
    const Ipv6Address replacement = address.v6();
    const ChecksumDelta delta{delta_of(side == Side::source ? ip.source : ip.destination, replacement)};
    rewriting::rewrite<side>(packet, replacement, port, delta);
  }
}

bool has_right_sum(const Packet& packet, std::span<const std::uint8_t> bytes, bool with_pseudo_header) noexcept {
  ChecksumSum sum;
  if (with_pseudo_header) {
    sum.add_pseudo_header(packet.source(), packet.destination(), packet.protocol,
                          static_cast<std::uint32_t>(bytes.size()));
  }
  sum.add(bytes);
  return sum.folded() == 0xffffU;
}

bool udp_checksum_ok(const Packet& packet) noexcept {
  const wire::UdpHeader& udp = packet.udp();
  // "None" is for IPv4 only (RFC 8200 section 8.1).
  if (udp.checksum.value() == 0) return packet.is(packet_class::ipv4);
  return has_right_sum(packet, packet.l4_bytes().first(udp.length), true);
}

bool vrrp_checksum_ok(const Packet& packet) noexcept {
  const auto bytes = packet.l4_bytes();
  // Version 3 covers the pseudo-header, version 2 does not (RFC 5798 section 5.2.8, RFC 3768 section 5.3.8).
  return !bytes.empty() && has_right_sum(packet, bytes, (bytes[0] >> 4U) >= 3);
}

}  // namespace

std::uint32_t flow_hash(const Packet& packet) noexcept {
  if (!packet.is(packet_class::ipv4 | packet_class::ipv6)) return 0;
  std::uint32_t ports = 0;
  if (packet.is(packet_class::tcp | packet_class::udp) && !packet.is(packet_class::fragment)) {
    std::memcpy(&ports, packet.data + packet.l4_offset, sizeof ports);
  }
  // Later fragments of IPv6 know no more than their fragment header says of the headers behind.
  const std::uint8_t protocol = packet.is(packet_class::ipv6) && packet.is(packet_class::fragment)
                                    ? packet.data[packet.fragment_header_offset]
                                    : packet.protocol;
  const std::uint64_t rest = (std::uint64_t{protocol} << 32U) | ports;
  std::uint64_t hash = 0;
  if (packet.is(packet_class::ipv4)) {
    const wire::Ipv4Header& header = packet.ipv4();
    const std::uint64_t both = (words_of(header.source).first << 32U) | words_of(header.destination).first;
    hash = fold_multiply(both ^ 0x2d358dccaa6c78a5ULL, rest ^ 0x8bb84b93962eacc9ULL);
  } else {
    const wire::Ipv6Header& header = packet.ipv6();
    const AddressWords source = words_of(header.source);
    const AddressWords destination = words_of(header.destination);
    hash = fold_multiply(source.first ^ rest ^ 0x2d358dccaa6c78a5ULL, source.second ^ 0x8bb84b93962eacc9ULL);
    hash = fold_multiply(destination.first ^ hash, destination.second ^ 0xa0761d6478bd642fULL);
  }
  return static_cast<std::uint32_t>(hash ^ (hash >> 32U));
}

bool l4_checksum_ok(const Packet& packet) noexcept {
  if (packet.l4_offset == 0 || packet.is(packet_class::fragment)) return false;
  if (has_partial_field(packet)) return true;
  if (packet.is(packet_class::tcp | packet_class::udp)) {
    if (packet.checksum == ChecksumState::verified) return true;
    return packet.is(packet_class::udp) ? udp_checksum_ok(packet) : has_right_sum(packet, packet.l4_bytes(), true);
  }
  if (packet.is(packet_class::icmpv6)) return has_right_sum(packet, packet.l4_bytes(), true);
  if (packet.is(packet_class::icmp | packet_class::igmp)) return has_right_sum(packet, packet.l4_bytes(), false);
  return packet.is(packet_class::vrrp) && vrrp_checksum_ok(packet);
}

void rewrite_source(Packet& packet, const IpAddress& address, std::uint16_t port) noexcept {
  rewrite<Side::source>(packet, address, port);
}

void rewrite_destination(Packet& packet, const IpAddress& address, std::uint16_t port) noexcept {
  rewrite<Side::destination>(packet, address, port);
}

}  // namespace trivet
