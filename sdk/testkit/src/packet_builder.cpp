#include "trivet/testkit/packet_builder.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

#include "trivet/net/checksum.h"

namespace trivet::testkit {

namespace {

template <class T>
T required(const std::optional<T>& value, std::string_view text) {
  if (!value) throw std::invalid_argument("not an address: " + std::string(text));
  return *value;
}

void append(Frame& frame, std::span<const std::uint8_t> more) { frame.insert(frame.end(), more.begin(), more.end()); }

void append16(Frame& frame, std::uint16_t value) {
  frame.push_back(static_cast<std::uint8_t>(value >> 8U));
  frame.push_back(static_cast<std::uint8_t>(value));
}

void append32(Frame& frame, std::uint32_t value) {
  append16(frame, static_cast<std::uint16_t>(value >> 16U));
  append16(frame, static_cast<std::uint16_t>(value));
}

void patch16(Frame& frame, std::size_t offset, std::uint16_t value) {
  frame[offset] = static_cast<std::uint8_t>(value >> 8U);
  frame[offset + 1] = static_cast<std::uint8_t>(value);
}

template <class Header>
Frame header_bytes(const Header& header) {
  Frame frame(sizeof header);
  std::memcpy(frame.data(), &header, sizeof header);
  return frame;
}

std::uint8_t next_protocol(const Layer* next, Family family) {
  return next == nullptr ? wire::ip_protocol::no_next : next->protocol(family);
}

ChecksumSum pseudo_header(const BuildContext& context, std::uint8_t protocol, std::size_t length) {
  ChecksumSum sum;
  if (context.source) {
    sum.add_pseudo_header(*context.source, *context.destination, protocol, static_cast<std::uint32_t>(length));
  }
  return sum;
}

// `segment`: header with a zero checksum field, then the payload.
std::uint16_t l4_checksum(const BuildContext& context, std::uint8_t protocol, const Frame& segment, bool is_partial) {
  ChecksumSum sum = pseudo_header(context, protocol, segment.size());
  if (is_partial) return sum.folded();
  sum.add(segment);
  return sum.finish();
}

// Where the IP packet of a plain frame begins; fragments() is for those only.
constexpr std::size_t l3_offset = sizeof(wire::EthernetHeader);

Frame ipv4_fragment(const Frame& frame, std::size_t header, std::size_t offset, std::size_t size, bool more,
                    std::uint32_t id) {
  Frame piece(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(l3_offset + header));
  append(piece, std::span(frame).subspan(l3_offset + header + offset, size));
  patch16(piece, l3_offset + 2, static_cast<std::uint16_t>(header + size));
  patch16(piece, l3_offset + 4, static_cast<std::uint16_t>(id));
  patch16(piece, l3_offset + 6, static_cast<std::uint16_t>((more ? 0x2000U : 0U) | (offset / 8)));
  patch16(piece, l3_offset + 10, 0);
  patch16(piece, l3_offset + 10, internet_checksum(std::span(piece).subspan(l3_offset, header)));
  return piece;
}

Frame ipv6_fragment(const Frame& frame, std::size_t offset, std::size_t size, bool more, std::uint32_t id) {
  constexpr std::size_t header = sizeof(wire::Ipv6Header);
  Frame piece(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(l3_offset + header));
  piece.push_back(piece[l3_offset + 6]);
  piece.push_back(0);
  append16(piece, static_cast<std::uint16_t>(offset | (more ? 1U : 0U)));
  append32(piece, id);
  append(piece, std::span(frame).subspan(l3_offset + header + offset, size));
  piece[l3_offset + 6] = wire::ip_protocol::fragment;
  patch16(piece, l3_offset + 4, static_cast<std::uint16_t>(piece.size() - l3_offset - header));
  return piece;
}

}  // namespace

MacAddress mac(std::string_view text) { return required(parse_mac(text), text); }
Ipv4Address ip4(std::string_view text) { return required(parse_ipv4(text), text); }
Ipv6Address ip6(std::string_view text) { return required(parse_ipv6(text), text); }
IpAddress ip(std::string_view text) { return required(parse_ip(text), text); }

MacArgument::MacArgument(std::string_view text) : value(mac(text)) {}
Ipv4Argument::Ipv4Argument(std::string_view text) : value(ip4(text)) {}
Ipv6Argument::Ipv6Argument(std::string_view text) : value(ip6(text)) {}

std::uint8_t Layer::protocol(Family) const { return 253; }

Frame Stack::bytes() const {
  std::vector<BuildContext> contexts;
  BuildContext context;
  for (const auto& layer : layers_) {
    layer->enter(context);
    contexts.push_back(context);
  }
  Frame frame;
  const Layer* next = nullptr;
  for (std::size_t i = layers_.size(); i-- > 0;) {
    frame = layers_[i]->build(contexts[i], next, std::move(frame));
    next = layers_[i].get();
  }
  return frame;
}

Frame Ethernet::build(const BuildContext&, const Layer* next, Frame inner) const {
  Frame frame;
  append(frame, destination_.bytes);
  append(frame, source_.bytes);
  append16(frame, type_.value_or(next == nullptr ? std::uint16_t{0x88b5} : next->ether_type()));
  append(frame, inner);
  return frame;
}

Frame Vlan::build(const BuildContext&, const Layer* next, Frame inner) const {
  Frame frame;
  append16(frame, tag_);
  append16(frame, next == nullptr ? std::uint16_t{0x88b5} : next->ether_type());
  append(frame, inner);
  return frame;
}

Ipv4::Ipv4(Ipv4Address source, Ipv4Address destination) {
  header_.hop_limit = 64;
  header_.source = source;
  header_.destination = destination;
}

Ipv4& Ipv4::fragment(std::size_t offset_bytes, bool more) {
  header_.flags_and_offset = static_cast<std::uint16_t>((more ? 0x2000U : 0U) | (offset_bytes / 8));
  return *this;
}

void Ipv4::enter(BuildContext& context) const {
  context.source = header_.source;
  context.destination = header_.destination;
}

Frame Ipv4::build(const BuildContext&, const Layer* next, Frame inner) const {
  wire::Ipv4Header header = header_;
  const std::size_t size = sizeof header + options_.size();
  header.version_and_length = version_and_length_.value_or(static_cast<std::uint8_t>(0x40U | (size / 4)));
  header.total_length = total_length_.value_or(static_cast<std::uint16_t>(size + inner.size()));
  header.protocol = protocol_.value_or(next_protocol(next, Family::ipv4));
  Frame frame = header_bytes(header);
  append(frame, options_);
  patch16(frame, 10, checksum_.value_or(internet_checksum(frame)));
  append(frame, inner);
  return frame;
}

Ipv6::Ipv6(Ipv6Address source, Ipv6Address destination) {
  header_.hop_limit = 64;
  header_.source = source;
  header_.destination = destination;
}

Ipv6& Ipv6::traffic_class(std::uint8_t value) {
  header_.version_class_flow = (header_.version_class_flow & 0xf00fffffU) | (std::uint32_t{value} << 20U);
  return *this;
}

Ipv6& Ipv6::flow_label(std::uint32_t value) {
  header_.version_class_flow = (header_.version_class_flow & 0xfff00000U) | (value & 0xfffffU);
  return *this;
}

Ipv6& Ipv6::version(std::uint8_t value) {
  header_.version_class_flow = (header_.version_class_flow & 0x0fffffffU) | (std::uint32_t{value} << 28U);
  return *this;
}

void Ipv6::enter(BuildContext& context) const {
  context.source = header_.source;
  context.destination = header_.destination;
}

Frame Ipv6::build(const BuildContext&, const Layer* next, Frame inner) const {
  wire::Ipv6Header header = header_;
  header.payload_length = payload_length_.value_or(static_cast<std::uint16_t>(inner.size()));
  header.next_header = next_header_.value_or(next_protocol(next, Family::ipv6));
  Frame frame = header_bytes(header);
  append(frame, inner);
  return frame;
}

Frame Extension::build(const BuildContext&, const Layer* next, Frame inner) const {
  // The second byte of a fragment header is reserved.
  const std::uint8_t units =
      number_ == wire::ip_protocol::fragment ? std::uint8_t{0} : static_cast<std::uint8_t>((body_.size() + 2) / 8 - 1);
  Frame frame{next_header_.value_or(next_protocol(next, Family::ipv6)), length_.value_or(units)};
  append(frame, body_);
  append(frame, inner);
  return frame;
}

Udp::Udp(std::uint16_t source_port, std::uint16_t destination_port) {
  header_.source_port = source_port;
  header_.destination_port = destination_port;
}

Frame Udp::build(const BuildContext& context, const Layer*, Frame inner) const {
  wire::UdpHeader header = header_;
  header.length = length_.value_or(static_cast<std::uint16_t>(sizeof header + inner.size()));
  Frame frame = header_bytes(header);
  append(frame, inner);
  std::uint16_t checksum = l4_checksum(context, wire::ip_protocol::udp, frame, is_partial_);
  if (checksum == 0) checksum = 0xffff;
  patch16(frame, 6, checksum_.value_or(checksum));
  return frame;
}

Tcp::Tcp(std::uint16_t source_port, std::uint16_t destination_port) {
  header_.source_port = source_port;
  header_.destination_port = destination_port;
  header_.window = 65535;
}

Tcp& Tcp::mss(std::uint16_t value) {
  return options({2, 4, static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)});
}

Frame Tcp::build(const BuildContext& context, const Layer*, Frame inner) const {
  wire::TcpHeader header = header_;
  const std::size_t size = sizeof header + options_.size();
  header.data_offset = data_offset_.value_or(static_cast<std::uint8_t>((size / 4) << 4U));
  Frame frame = header_bytes(header);
  append(frame, options_);
  append(frame, inner);
  patch16(frame, 16, checksum_.value_or(l4_checksum(context, wire::ip_protocol::tcp, frame, is_partial_)));
  return frame;
}

Icmp& Icmp::option(std::uint8_t type, std::span<const std::uint8_t> option_bytes) {
  body_.push_back(type);
  body_.push_back(static_cast<std::uint8_t>((option_bytes.size() + 2) / 8));
  append(body_, option_bytes);
  return *this;
}

std::uint8_t Icmp::protocol(Family family) const {
  return family == Family::ipv4 ? wire::ip_protocol::icmp : wire::ip_protocol::icmpv6;
}

Frame Icmp::build(const BuildContext& context, const Layer*, Frame inner) const {
  const bool is_v4 = context.family() == Family::ipv4;
  std::uint8_t type = type_;
  if (kind_ == Kind::echo_request) type = is_v4 ? wire::icmp_type::echo_request : wire::icmpv6_type::echo_request;
  if (kind_ == Kind::echo_reply) type = is_v4 ? wire::icmp_type::echo_reply : wire::icmpv6_type::echo_reply;
  Frame frame{type, code_, 0, 0};
  append32(frame, rest_);
  append(frame, body_);
  append(frame, inner);
  const std::uint16_t checksum =
      is_v4 ? internet_checksum(frame) : l4_checksum(context, wire::ip_protocol::icmpv6, frame, false);
  patch16(frame, 2, checksum_.value_or(checksum));
  return frame;
}

Frame Raw::build(const BuildContext&, const Layer*, Frame inner) const {
  Frame frame = bytes_;
  append(frame, inner);
  return frame;
}

Extension hop_by_hop() { return {wire::ip_protocol::hop_by_hop, {5, 2, 0, 0, 1, 0}}; }

Extension destination_options() { return {wire::ip_protocol::destination_options, {1, 4, 0, 0, 0, 0}}; }

Extension routing(std::uint8_t type, std::uint8_t segments_left) {
  Frame body{type, segments_left, 0, 0, 0, 0};
  body.resize(body.size() + std::size_t{segments_left} * 16);
  return {wire::ip_protocol::routing, std::move(body)};
}

Extension fragment_header(std::size_t offset_bytes, bool more, std::uint32_t id) {
  Frame body;
  append16(body, static_cast<std::uint16_t>((offset_bytes & 0xfff8U) | (more ? 1U : 0U)));
  append32(body, id);
  return {wire::ip_protocol::fragment, std::move(body)};
}

Icmp echo_request(std::uint16_t id, std::uint16_t sequence) {
  return {Icmp::Kind::echo_request, 0, 0, (std::uint32_t{id} << 16U) | sequence};
}

Icmp echo_reply(std::uint16_t id, std::uint16_t sequence) {
  return {Icmp::Kind::echo_reply, 0, 0, (std::uint32_t{id} << 16U) | sequence};
}

Icmp neighbor_solicitation(const Ipv6Argument& target) {
  Icmp message = icmp(wire::icmpv6_type::neighbor_solicitation, 0);
  return message.body({target.value.bytes.begin(), target.value.bytes.end()});
}

Icmp neighbor_advertisement(const Ipv6Argument& target, NaFlags flags) {
  Icmp message = icmp(wire::icmpv6_type::neighbor_advertisement, 0,
                      (flags.router ? 0x80000000U : 0U) | (flags.solicited ? 0x40000000U : 0U) |
                          (flags.override_entry ? 0x20000000U : 0U));
  return message.body({target.value.bytes.begin(), target.value.bytes.end()});
}

namespace {

Raw arp(std::uint16_t operation, const MacAddress& sender_mac, const Ipv4Address& sender, const MacAddress& target_mac,
        const Ipv4Address& target) {
  Frame frame{0, 1, 8, 0, 6, 4};
  append16(frame, operation);
  append(frame, sender_mac.bytes);
  append(frame, sender.bytes);
  append(frame, target_mac.bytes);
  append(frame, target.bytes);
  return Raw{std::move(frame), 253, wire::ether_type::arp};
}

}  // namespace

Raw arp_request(const MacArgument& sender_mac, const Ipv4Argument& sender, const Ipv4Argument& target) {
  return arp(1, sender_mac.value, sender.value, {}, target.value);
}

Raw arp_reply(const MacArgument& sender_mac, const Ipv4Argument& sender, const MacArgument& target_mac,
              const Ipv4Argument& target) {
  return arp(2, sender_mac.value, sender.value, target_mac.value, target.value);
}

Raw payload(std::string_view text) { return Raw{Frame(text.begin(), text.end())}; }

Raw payload_of(std::size_t size) {
  Frame frame(size);
  for (std::size_t i = 0; i < size; ++i) frame[i] = static_cast<std::uint8_t>(i);
  return Raw{std::move(frame)};
}

std::vector<Frame> fragments(const Frame& frame, std::size_t piece, std::uint32_t id) {
  const bool is_v4 = frame.at(l3_offset) >> 4U == 4;
  const std::size_t header = is_v4 ? std::size_t{frame[l3_offset] & 0xfU} * 4 : sizeof(wire::Ipv6Header);
  const std::size_t total = frame.size() - l3_offset - header;
  std::vector<Frame> pieces;
  for (std::size_t offset = 0; offset < total; offset += piece) {
    const std::size_t size = std::min(piece, total - offset);
    const bool more = offset + size < total;
    pieces.push_back(is_v4 ? ipv4_fragment(frame, header, offset, size, more, id)
                           : ipv6_fragment(frame, offset, size, more, id));
  }
  return pieces;
}

Frame bytes(std::string_view hex) {
  Frame frame;
  unsigned value = 0;
  bool has_half = false;
  for (const char c : hex) {
    unsigned digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<unsigned>(c - '0');
    } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
      digit = (static_cast<unsigned>(c) & 7U) + 9;
    } else if (c == ' ' || c == '\n' || c == '\t') {
      continue;
    } else {
      throw std::invalid_argument("not hex: " + std::string(hex));
    }
    value = (value << 4U) | digit;
    if (has_half) frame.push_back(static_cast<std::uint8_t>(value));
    has_half = !has_half;
  }
  if (has_half) throw std::invalid_argument("half a byte: " + std::string(hex));
  return frame;
}

}  // namespace trivet::testkit
