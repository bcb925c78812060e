#include "trivet/wire/icmp.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "bytes.h"
#include "icmpv6_message.h"

namespace trivet::wire {

namespace {

struct TypeAndCode {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
};

// In the order of IcmpError.
constexpr std::array<TypeAndCode, 6> codes4{{{3, 0}, {3, 13}, {3, 1}, {3, 3}, {11, 0}, {3, 4}}};
constexpr std::array<TypeAndCode, 6> codes6{{{1, 0}, {1, 1}, {1, 3}, {1, 4}, {3, 0}, {2, 0}}};
constexpr std::uint8_t source_quench = 4;
constexpr std::uint8_t parameter_problem4 = 12;

bool is_error4(std::uint8_t type) {
  return type == icmp_type::unreachable || type == source_quench || type == icmp_type::redirect ||
         type == icmp_type::time_exceeded || type == parameter_problem4;
}

// Errors have the highest bit clear (RFC 4443 section 2.1); redirects are treated like them.
bool is_error6(std::uint8_t type) { return type < 128 || type == icmpv6_type::redirect; }

bool is_single_host(const IpAddress& address) {
  if (address.is_unspecified() || address.is_multicast()) return false;
  if (address.is_v6()) return !address.v6().is_loopback();
  // 0/8, 127/8 and class E with the limited broadcast (RFC 1812 section 4.3.2.7).
  const std::uint8_t first = address.v4().bytes[0];
  return first != 0 && first != 127 && first < 240;
}

void put16(std::span<std::uint8_t> bytes, std::size_t offset, std::uint16_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value >> 8U);
  bytes[offset + 1] = static_cast<std::uint8_t>(value);
}

// The layer 3 header of the error; payload length `size`.
void write_header(std::span<std::uint8_t> out, const IpAddress& source, const IpAddress& destination,
                  std::size_t size) {
  if (source.is_v4()) {
    // Precedence 6 for errors (RFC 1812 section 4.3.2.5).
    Ipv4Header header;
    header.traffic_class = 0xc0;
    header.total_length = static_cast<std::uint16_t>(sizeof header + size);
    header.hop_limit = 64;
    header.protocol = ip_protocol::icmp;
    header.source = source.v4();
    header.destination = destination.v4();
    std::memcpy(out.data(), &header, sizeof header);
    put16(out, 10, internet_checksum(out.first(sizeof header)));
  } else {
    Ipv6Header header;
    header.payload_length = static_cast<std::uint16_t>(size);
    header.next_header = ip_protocol::icmpv6;
    header.hop_limit = 64;
    header.source = source.v6();
    header.destination = destination.v6();
    std::memcpy(out.data(), &header, sizeof header);
  }
}

}  // namespace

std::vector<std::uint8_t> echo_packet(const IpAddress& source, const IpAddress& destination, const EchoValues& values,
                                      std::span<const std::uint8_t> data, std::uint8_t hop_limit) {
  const bool is_v4 = destination.is_v4();
  const std::uint8_t request = is_v4 ? icmp_type::echo_request : icmpv6_type::echo_request;
  const std::uint8_t reply = is_v4 ? icmp_type::echo_reply : icmpv6_type::echo_reply;
  Bytes message(sizeof(IcmpHeader) + data.size());
  message.u8(values.is_reply ? reply : request).u8(0).u16(0).u16(values.id).u16(values.sequence).raw(data);
  if (!is_v4) {
    return icmpv6_packet({.source = source.v6(), .destination = destination.v6(), .hop_limit = hop_limit}, message);
  }
  message.patch16(2, internet_checksum(message.view()));
  return ip_packet(source, destination, ip_protocol::icmp, hop_limit, message.view());
}

std::optional<EchoValues> parse_echo(Family family, std::span<const std::uint8_t> message) noexcept {
  if (message.size() < sizeof(IcmpHeader) || message[1] != 0) return std::nullopt;
  const std::uint8_t request = family == Family::ipv4 ? icmp_type::echo_request : icmpv6_type::echo_request;
  const std::uint8_t reply = family == Family::ipv4 ? icmp_type::echo_reply : icmpv6_type::echo_reply;
  if (message[0] != request && message[0] != reply) return std::nullopt;
  return EchoValues{.is_reply = message[0] == reply, .id = read16(message, 4), .sequence = read16(message, 6)};
}

bool may_answer_with_error(std::span<const std::uint8_t> original, IcmpError error) noexcept {
  const auto values = parse_quoted(original);
  if (!values || values->is_later_fragment || !is_single_host(values->source)) return false;
  const bool is_v4 = values->source.is_v4();
  if (is_v4 && (values->destination.is_multicast() || values->destination.v4().is_broadcast())) return false;
  if (!is_v4 && values->destination.is_multicast() && error != IcmpError::too_big) return false;
  const bool is_icmp = values->protocol == (is_v4 ? ip_protocol::icmp : ip_protocol::icmpv6);
  if (!is_icmp) return true;
  if (original.size() <= values->l4_offset) return false;
  const std::uint8_t type = original[values->l4_offset];
  return is_v4 ? !is_error4(type) : !is_error6(type);
}

std::size_t write_icmp_error(std::span<std::uint8_t> out, const IpAddress& source, IcmpError error, std::uint32_t mtu,
                             std::span<const std::uint8_t> original) noexcept {
  const auto values = parse_quoted(original);
  if (!values || values->source.family() != source.family()) return 0;
  const bool is_v4 = source.is_v4();
  const std::size_t ip_size = is_v4 ? sizeof(Ipv4Header) : sizeof(Ipv6Header);
  const std::size_t limit = std::min(out.size(), is_v4 ? max_icmp_error : max_icmpv6_error);
  if (limit < ip_size + sizeof(IcmpHeader)) return 0;
  const auto quoted = original.first(std::min(original.size(), limit - ip_size - sizeof(IcmpHeader)));
  const std::size_t size = sizeof(IcmpHeader) + quoted.size();

  write_header(out, source, values->source, size);
  const auto [type, code] = (is_v4 ? codes4 : codes6)[static_cast<std::size_t>(error)];
  IcmpHeader icmp{.type = type, .code = code, .checksum = {}, .rest = {}};
  // RFC 1191 section 4: IPv4 has 16 bits for the MTU.
  if (error == IcmpError::too_big) icmp.rest = is_v4 ? std::min(mtu, 0xffffU) : mtu;
  const auto message = out.subspan(ip_size, size);
  std::memcpy(message.data(), &icmp, sizeof icmp);
  std::memcpy(message.data() + sizeof icmp, quoted.data(), quoted.size());
  ChecksumSum sum;
  if (!is_v4) {
    sum.add_pseudo_header(source, values->source, ip_protocol::icmpv6, static_cast<std::uint32_t>(size));
  }
  sum.add(message);
  put16(message, 2, sum.finish());
  return ip_size + size;
}

std::vector<std::uint8_t> icmp_error_packet(const IpAddress& source, IcmpError error, std::uint32_t mtu,
                                            std::span<const std::uint8_t> original) {
  std::vector<std::uint8_t> packet(source.is_v4() ? max_icmp_error : max_icmpv6_error);
  packet.resize(write_icmp_error(packet, source, error, mtu, original));
  return packet;
}

std::optional<IcmpErrorValues> parse_icmp_error(Family family, std::span<const std::uint8_t> message) noexcept {
  if (message.size() < sizeof(IcmpHeader)) return std::nullopt;
  const std::uint8_t type = message[0];
  const bool is_v4 = family == Family::ipv4;
  if (is_v4 ? (!is_error4(type) || type == icmp_type::redirect) : type >= 128) return std::nullopt;
  IcmpErrorValues values{.type = type, .code = message[1], .quoted = message.subspan(sizeof(IcmpHeader)), .packet = {}};
  if (is_v4 && type == icmp_type::unreachable && values.code == 4) values.mtu = read16(message, 6);
  if (!is_v4 && type == icmpv6_type::too_big) values.mtu = read32(message, 4);
  const auto quoted = parse_quoted(values.quoted);
  if (!quoted || quoted->source.family() != family) return std::nullopt;
  values.packet = *quoted;
  return values;
}

}  // namespace trivet::wire
