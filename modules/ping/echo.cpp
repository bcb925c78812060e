#include "ping/echo.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "trivet/net/checksum.h"
#include "trivet/wire/headers.h"

namespace trivet::ping {

namespace {

constexpr std::uint16_t more_fragments4 = 0x2000;
constexpr std::size_t ethernet = sizeof(wire::EthernetHeader);
constexpr std::size_t most_headers = ethernet + sizeof(wire::Ipv6Header) + sizeof(wire::Ipv6FragmentHeader);

wire::IcmpHeader& header_of(std::span<std::uint8_t> message) {
  return *reinterpret_cast<wire::IcmpHeader*>(message.data());
}
const wire::IcmpHeader& header_of(std::span<const std::uint8_t> message) {
  return *reinterpret_cast<const wire::IcmpHeader*>(message.data());
}

std::uint16_t first_word(const wire::IcmpHeader& header) {
  return static_cast<std::uint16_t>((header.type << 8U) | header.code);
}

void set_checksum(wire::Ipv4Header& header) {
  header.checksum = 0;
  header.checksum = internet_checksum({reinterpret_cast<const std::uint8_t*>(&header), header.header_length()});
}

void turn_around_ipv4(Packet& packet) {
  wire::Ipv4Header& header = packet.ipv4();
  std::swap(header.source, header.destination);
  header.hop_limit = reply_hop_limit;
  header.flags_and_offset = 0;  // egress may cut it
  // A route that was recorded or prescribed is not this way back's: End of Options List.
  std::fill_n(reinterpret_cast<std::uint8_t*>(&header) + sizeof header, header.header_length() - sizeof header,
              std::uint8_t{0});
  set_checksum(header);
}

// Moves Ethernet and IPv6 header up to the message, over the extension headers.
void remove_extensions(Packet& packet) {
  const std::size_t headers = packet.l3_offset + sizeof(wire::Ipv6Header);
  const std::size_t surplus = packet.l4_offset - headers;
  if (surplus == 0) return;
  std::memmove(packet.data + surplus, packet.data, headers);
  packet.data += surplus;
  packet.length -= static_cast<std::uint32_t>(surplus);
  packet.l4_offset = static_cast<std::uint16_t>(headers);
  packet.payload_offset = static_cast<std::uint16_t>(headers + sizeof(wire::IcmpHeader));
  packet.fragment_header_offset = 0;
  wire::Ipv6Header& header = packet.ipv6();
  header.next_header = wire::ip_protocol::icmpv6;
  header.payload_length = static_cast<std::uint16_t>(packet.length - headers);
}

void turn_around_ipv6(Packet& packet) {
  remove_extensions(packet);
  wire::Ipv6Header& header = packet.ipv6();
  std::swap(header.source, header.destination);
  header.hop_limit = reply_hop_limit;
}

// The device was to complete the sum: it is done here, so that the frame needs no offload on its way out.
void complete_checksum(Packet& packet) {
  wire::IcmpHeader& header = packet.icmp();
  header.checksum = 0;
  const auto message = packet.l4_bytes();
  ChecksumSum sum;
  if (packet.is(packet_class::ipv6)) {
    sum.add_pseudo_header(packet.source(), packet.destination(), wire::ip_protocol::icmpv6,
                          static_cast<std::uint32_t>(message.size()));
  }
  sum.add(message);
  header.checksum = sum.finish();
}

std::size_t write_ipv4_header(std::uint8_t* at, const Piece& piece) {
  wire::Ipv4Header header;
  header.traffic_class = piece.traffic_class;
  header.total_length = static_cast<std::uint16_t>(sizeof header + piece.bytes.size());
  header.id = static_cast<std::uint16_t>(piece.id);
  header.flags_and_offset =
      static_cast<std::uint16_t>(piece.offset / 8 | (piece.more ? more_fragments4 : std::uint16_t{0}));
  header.hop_limit = reply_hop_limit;
  header.protocol = wire::ip_protocol::icmp;
  header.source = piece.source.v4();
  header.destination = piece.destination.v4();
  set_checksum(header);
  std::memcpy(at, &header, sizeof header);
  return sizeof header;
}

std::size_t write_ipv6_header(std::uint8_t* at, const Piece& piece) {
  const std::size_t extension = piece.is_fragment() ? sizeof(wire::Ipv6FragmentHeader) : 0;
  wire::Ipv6Header header;
  header.version_class_flow = 0x60000000U | (std::uint32_t{piece.traffic_class} << 20U);
  header.payload_length = static_cast<std::uint16_t>(extension + piece.bytes.size());
  header.next_header = piece.is_fragment() ? wire::ip_protocol::fragment : wire::ip_protocol::icmpv6;
  header.hop_limit = reply_hop_limit;
  header.source = piece.source.v6();
  header.destination = piece.destination.v6();
  std::memcpy(at, &header, sizeof header);
  if (piece.is_fragment()) {
    wire::Ipv6FragmentHeader fragment;
    fragment.next_header = wire::ip_protocol::icmpv6;
    fragment.offset_and_more = static_cast<std::uint16_t>(piece.offset | (piece.more ? 1U : 0U));
    fragment.id = piece.id;
    std::memcpy(at + sizeof header, &fragment, sizeof fragment);
  }
  return sizeof header + extension;
}

}  // namespace

bool is_echo_request(Family family, std::span<const std::uint8_t> message) noexcept {
  if (message.size() < sizeof(wire::IcmpHeader)) return false;
  const wire::IcmpHeader& header = header_of(message);
  const auto wanted = family == Family::ipv4 ? wire::icmp_type::echo_request : wire::icmpv6_type::echo_request;
  return header.type == wanted && header.code == 0;
}

bool is_checksum_right(const IpAddress& source, const IpAddress& destination,
                       std::span<const std::uint8_t> message) noexcept {
  ChecksumSum sum;
  if (source.is_v6()) {
    sum.add_pseudo_header(source, destination, wire::ip_protocol::icmpv6, static_cast<std::uint32_t>(message.size()));
  }
  sum.add(message);
  return sum.finish() == 0;
}

void make_reply(Family family, std::span<std::uint8_t> message) noexcept {
  wire::IcmpHeader& header = header_of(message);
  const std::uint16_t before = first_word(header);
  header.type = family == Family::ipv4 ? wire::icmp_type::echo_reply : wire::icmpv6_type::echo_reply;
  header.checksum = update_checksum(header.checksum, ChecksumDelta::of(before, first_word(header)));
}

void turn_around(Packet& packet) noexcept {
  const bool is_ipv4 = packet.is(packet_class::ipv4);
  make_reply(is_ipv4 ? Family::ipv4 : Family::ipv6, packet.frame().subspan(packet.l4_offset));
  if (is_ipv4) {
    turn_around_ipv4(packet);
  } else {
    turn_around_ipv6(packet);
  }
  if (packet.checksum == ChecksumState::partial) complete_checksum(packet);
  packet.checksum = ChecksumState::unverified;
}

std::size_t whole_size(Family family, std::size_t mtu) noexcept {
  const std::size_t header = family == Family::ipv4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header);
  return mtu < header ? 0 : mtu - header;
}

std::size_t piece_size(Family family, std::size_t mtu) noexcept {
  const std::size_t headers =
      family == Family::ipv4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header) + sizeof(wire::Ipv6FragmentHeader);
  return mtu < headers + 8 ? 8 : (mtu - headers) / 8 * 8;
}

std::size_t room_for_piece(const Packet& packet) noexcept {
  const std::size_t room = packet.capacity - packet.headroom();
  return room < most_headers ? 0 : (room - most_headers) / 8 * 8;
}

bool write_piece(Packet& packet, const Piece& piece) noexcept {
  const bool is_ipv4 = piece.source.is_v4();
  if (piece.bytes.empty() || packet.capacity - packet.headroom() < most_headers + piece.bytes.size()) return false;
  wire::EthernetHeader link;
  packet.ether_type = is_ipv4 ? wire::ether_type::ipv4 : wire::ether_type::ipv6;
  link.type = packet.ether_type;
  std::memcpy(packet.data, &link, ethernet);
  std::uint8_t* at = packet.data + ethernet;
  at += is_ipv4 ? write_ipv4_header(at, piece) : write_ipv6_header(at, piece);
  std::memcpy(at, piece.bytes.data(), piece.bytes.size());
  packet.length = static_cast<std::uint32_t>(static_cast<std::size_t>(at - packet.data) + piece.bytes.size());
  packet.l3_offset = ethernet;
  packet.protocol = is_ipv4 ? wire::ip_protocol::icmp : wire::ip_protocol::icmpv6;
  packet.classes = packet_class::all | (is_ipv4 ? packet_class::ipv4 : packet_class::ipv6);
  if (piece.is_fragment()) {
    packet.classes |= packet_class::fragment;
    if (!is_ipv4) packet.fragment_header_offset = ethernet + sizeof(wire::Ipv6Header);
  }
  if (piece.offset == 0) {
    packet.classes |= is_ipv4 ? packet_class::icmp : packet_class::icmpv6;
    packet.l4_offset = static_cast<std::uint16_t>(at - packet.data);
    packet.payload_offset = static_cast<std::uint16_t>(packet.l4_offset + sizeof(wire::IcmpHeader));
  }
  packet.checksum = ChecksumState::unverified;
  return true;
}

}  // namespace trivet::ping
