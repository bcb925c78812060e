// Frames that read like the packet:
//
//     Frame f = eth("02:00:00:00:00:01", router_mac) / ipv6("2001:db8::1", "2001:db8::2").hop_limit(3)
//               / tcp(1234, 80).syn().mss(1440) / payload("x");
//
// Lengths, protocol numbers, EtherTypes and checksums are right unless a layer overrides them; that is what tests of
// hostile input do. A stack that begins with an IP layer is an IP packet without a frame.
//
// Thread: values. Text that is no address throws std::invalid_argument: a mistake in the test.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/headers.h"

namespace trivet::testkit {

using Frame = std::vector<std::uint8_t>;

// Arguments that are addresses or their text.
struct MacArgument {
  MacArgument(const MacAddress& address) : value(address) {}              // NOLINT(google-explicit-constructor)
  MacArgument(std::string_view text);                                     // NOLINT(google-explicit-constructor)
  MacArgument(const char* text) : MacArgument(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  MacAddress value;
};
struct Ipv4Argument {
  Ipv4Argument(const Ipv4Address& address) : value(address) {}              // NOLINT(google-explicit-constructor)
  Ipv4Argument(std::string_view text);                                      // NOLINT(google-explicit-constructor)
  Ipv4Argument(const char* text) : Ipv4Argument(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Ipv4Address value;
};
struct Ipv6Argument {
  Ipv6Argument(const Ipv6Address& address) : value(address) {}              // NOLINT(google-explicit-constructor)
  Ipv6Argument(std::string_view text);                                      // NOLINT(google-explicit-constructor)
  Ipv6Argument(const char* text) : Ipv6Argument(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Ipv6Address value;
};

// Addresses from text, for tests: mac("02:00:00:00:00:01"), ip4("10.0.0.1"), ip6("2001:db8::1"), ip("either").
[[nodiscard]] MacAddress mac(std::string_view text);
[[nodiscard]] Ipv4Address ip4(std::string_view text);
[[nodiscard]] Ipv6Address ip6(std::string_view text);
[[nodiscard]] IpAddress ip(std::string_view text);

// What a layer knows of the layers around it while it is built.
struct BuildContext {
  std::optional<IpAddress> source;  // of the nearest IP layer outside
  std::optional<IpAddress> destination;
  [[nodiscard]] Family family() const { return source && source->is_v4() ? Family::ipv4 : Family::ipv6; }
};

class Layer {
 public:
  virtual ~Layer() = default;
  // What the layer before writes into its type or protocol field.
  [[nodiscard]] virtual std::uint16_t ether_type() const { return 0x88b5; }  // local experimental
  [[nodiscard]] virtual std::uint8_t protocol(Family family) const;          // 253: experimental
  virtual void enter(BuildContext& context) const { static_cast<void>(context); }
  // The layer's bytes with `inner` behind them. `next`: the layer behind, or null.
  [[nodiscard]] virtual Frame build(const BuildContext& context, const Layer* next, Frame inner) const = 0;

 protected:
  Layer() = default;
  Layer(const Layer&) = default;
  Layer& operator=(const Layer&) = default;
};

// Layers in order, outermost first; turns into bytes wherever bytes are wanted.
class Stack {
 public:
  template <class L>
  void push(L layer) {
    layers_.push_back(std::make_shared<const L>(std::move(layer)));
  }
  [[nodiscard]] Frame bytes() const;
  operator Frame() const { return bytes(); }  // NOLINT(google-explicit-constructor)

 private:
  std::vector<std::shared_ptr<const Layer>> layers_;
};

template <class L>
concept IsLayer = std::is_base_of_v<Layer, std::remove_cvref_t<L>>;

template <IsLayer A, IsLayer B>
[[nodiscard]] Stack operator/(const A& outer, const B& inner) {
  Stack stack;
  stack.push(outer);
  stack.push(inner);
  return stack;
}
template <IsLayer B>
[[nodiscard]] Stack operator/(Stack stack, const B& inner) {
  stack.push(inner);
  return stack;
}

class Ethernet final : public Layer {
 public:
  Ethernet(MacAddress source, MacAddress destination) : source_(source), destination_(destination) {}
  Ethernet& type(std::uint16_t value) { return type_ = value, *this; }
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  MacAddress source_;
  MacAddress destination_;
  std::optional<std::uint16_t> type_;
};

class Vlan final : public Layer {
 public:
  explicit Vlan(std::uint16_t id) : tag_(id) {}
  [[nodiscard]] std::uint16_t ether_type() const override { return wire::ether_type::vlan; }
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  std::uint16_t tag_;
};

class Ipv4 final : public Layer {
 public:
  Ipv4(Ipv4Address source, Ipv4Address destination);
  Ipv4& hop_limit(std::uint8_t value) { return header_.hop_limit = value, *this; }
  Ipv4& traffic_class(std::uint8_t value) { return header_.traffic_class = value, *this; }
  Ipv4& id(std::uint16_t value) { return header_.id = value, *this; }
  Ipv4& dont_fragment() { return header_.flags_and_offset = 0x4000, *this; }
  Ipv4& fragment(std::size_t offset_bytes, bool more);
  Ipv4& options(Frame bytes) { return options_ = std::move(bytes), *this; }  // a multiple of 4
  Ipv4& protocol_number(std::uint8_t value) { return protocol_ = value, *this; }
  Ipv4& version_and_length(std::uint8_t value) { return version_and_length_ = value, *this; }
  Ipv4& total_length(std::uint16_t value) { return total_length_ = value, *this; }
  Ipv4& checksum(std::uint16_t value) { return checksum_ = value, *this; }
  [[nodiscard]] std::uint16_t ether_type() const override { return wire::ether_type::ipv4; }
  [[nodiscard]] std::uint8_t protocol(Family) const override { return 4; }
  void enter(BuildContext& context) const override;
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  wire::Ipv4Header header_;
  Frame options_;
  std::optional<std::uint8_t> protocol_;
  std::optional<std::uint8_t> version_and_length_;
  std::optional<std::uint16_t> total_length_;
  std::optional<std::uint16_t> checksum_;
};

class Ipv6 final : public Layer {
 public:
  Ipv6(Ipv6Address source, Ipv6Address destination);
  Ipv6& hop_limit(std::uint8_t value) { return header_.hop_limit = value, *this; }
  Ipv6& traffic_class(std::uint8_t value);
  Ipv6& flow_label(std::uint32_t value);
  Ipv6& next_header(std::uint8_t value) { return next_header_ = value, *this; }
  Ipv6& payload_length(std::uint16_t value) { return payload_length_ = value, *this; }
  Ipv6& version(std::uint8_t value);
  [[nodiscard]] std::uint16_t ether_type() const override { return wire::ether_type::ipv6; }
  [[nodiscard]] std::uint8_t protocol(Family) const override { return 41; }
  void enter(BuildContext& context) const override;
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  wire::Ipv6Header header_;
  std::optional<std::uint8_t> next_header_;
  std::optional<std::uint16_t> payload_length_;
};

// An IPv6 extension header of the common form, or a fragment header.
class Extension final : public Layer {
 public:
  // `body`: what follows next header and length; size + 2 is a multiple of 8.
  Extension(std::uint8_t number, Frame body) : number_(number), body_(std::move(body)) {}
  Extension& length_field(std::uint8_t value) { return length_ = value, *this; }
  Extension& next_header(std::uint8_t value) { return next_header_ = value, *this; }
  [[nodiscard]] std::uint8_t protocol(Family) const override { return number_; }
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  std::uint8_t number_;
  Frame body_;
  std::optional<std::uint8_t> length_;
  std::optional<std::uint8_t> next_header_;
};

class Udp final : public Layer {
 public:
  Udp(std::uint16_t source_port, std::uint16_t destination_port);
  Udp& length(std::uint16_t value) { return length_ = value, *this; }
  Udp& checksum(std::uint16_t value) { return checksum_ = value, *this; }
  Udp& no_checksum() { return checksum(0); }
  Udp& partial_checksum() { return is_partial_ = true, *this; }  // the folded pseudo-header sum, as offloading hosts
  [[nodiscard]] std::uint8_t protocol(Family) const override { return wire::ip_protocol::udp; }
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  wire::UdpHeader header_;
  std::optional<std::uint16_t> length_;
  std::optional<std::uint16_t> checksum_;
  bool is_partial_ = false;
};

class Tcp final : public Layer {
 public:
  Tcp(std::uint16_t source_port, std::uint16_t destination_port);
  Tcp& syn() { return add(wire::TcpHeader::syn); }
  Tcp& fin() { return add(wire::TcpHeader::fin); }
  Tcp& rst() { return add(wire::TcpHeader::rst); }
  Tcp& psh() { return add(wire::TcpHeader::psh); }
  Tcp& ack() { return add(wire::TcpHeader::ack); }
  Tcp& ack(std::uint32_t number) { return header_.acknowledgement = number, ack(); }
  Tcp& seq(std::uint32_t number) { return header_.sequence = number, *this; }
  Tcp& flags(std::uint8_t value) { return header_.flags = value, *this; }
  Tcp& window(std::uint16_t value) { return header_.window = value, *this; }
  Tcp& mss(std::uint16_t value);
  Tcp& options(Frame bytes) { return options_ = std::move(bytes), *this; }      // a multiple of 4
  Tcp& data_offset(std::uint8_t value) { return data_offset_ = value, *this; }  // the whole byte
  Tcp& checksum(std::uint16_t value) { return checksum_ = value, *this; }
  Tcp& partial_checksum() { return is_partial_ = true, *this; }
  [[nodiscard]] std::uint8_t protocol(Family) const override { return wire::ip_protocol::tcp; }
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  Tcp& add(std::uint8_t flag) { return header_.flags = static_cast<std::uint8_t>(header_.flags | flag), *this; }
  wire::TcpHeader header_;
  Frame options_;
  std::optional<std::uint8_t> data_offset_;
  std::optional<std::uint16_t> checksum_;
  bool is_partial_ = false;
};

// ICMP behind IPv4, ICMPv6 behind IPv6. What follows in the stack is its body.
class Icmp final : public Layer {
 public:
  enum class Kind : std::uint8_t { typed, echo_request, echo_reply };
  Icmp(Kind kind, std::uint8_t type, std::uint8_t code, std::uint32_t rest)
      : kind_(kind), type_(type), code_(code), rest_(rest) {}
  Icmp& code(std::uint8_t value) { return code_ = value, *this; }
  Icmp& checksum(std::uint16_t value) { return checksum_ = value, *this; }
  Icmp& body(Frame bytes) { return body_ = std::move(bytes), *this; }
  // Appends an option of neighbour discovery: type, length in units of 8, `bytes` (6 for a MAC).
  Icmp& option(std::uint8_t type, std::span<const std::uint8_t> bytes);
  Icmp& source_mac(const MacArgument& address) { return option(1, address.value.bytes); }
  Icmp& target_mac(const MacArgument& address) { return option(2, address.value.bytes); }
  [[nodiscard]] std::uint8_t protocol(Family family) const override;
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  Kind kind_;
  std::uint8_t type_;
  std::uint8_t code_;
  std::uint32_t rest_;
  Frame body_;
  std::optional<std::uint16_t> checksum_;
};

// Bytes as they are, with the numbers that the layer before writes.
class Raw final : public Layer {
 public:
  explicit Raw(Frame bytes, std::uint8_t protocol = 253, std::uint16_t ether_type = 0x88b5)
      : bytes_(std::move(bytes)), protocol_(protocol), ether_type_(ether_type) {}
  [[nodiscard]] std::uint16_t ether_type() const override { return ether_type_; }
  [[nodiscard]] std::uint8_t protocol(Family) const override { return protocol_; }
  [[nodiscard]] Frame build(const BuildContext& context, const Layer* next, Frame inner) const override;

 private:
  Frame bytes_;
  std::uint8_t protocol_;
  std::uint16_t ether_type_;
};

[[nodiscard]] inline Ethernet eth(const MacArgument& source, const MacArgument& destination) {
  return {source.value, destination.value};
}
[[nodiscard]] inline Vlan vlan(std::uint16_t id) { return Vlan{id}; }
[[nodiscard]] inline Ipv4 ipv4(const Ipv4Argument& source, const Ipv4Argument& destination) {
  return {source.value, destination.value};
}
[[nodiscard]] inline Ipv6 ipv6(const Ipv6Argument& source, const Ipv6Argument& destination) {
  return {source.value, destination.value};
}
[[nodiscard]] Extension hop_by_hop();           // router alert, padded
[[nodiscard]] Extension destination_options();  // padding only
[[nodiscard]] Extension routing(std::uint8_t type, std::uint8_t segments_left);
[[nodiscard]] Extension fragment_header(std::size_t offset_bytes, bool more, std::uint32_t id);
[[nodiscard]] inline Udp udp(std::uint16_t source_port, std::uint16_t destination_port) {
  return {source_port, destination_port};
}
[[nodiscard]] inline Tcp tcp(std::uint16_t source_port, std::uint16_t destination_port) {
  return {source_port, destination_port};
}
[[nodiscard]] inline Icmp icmp(std::uint8_t type, std::uint8_t code, std::uint32_t rest = 0) {
  return {Icmp::Kind::typed, type, code, rest};
}
[[nodiscard]] Icmp echo_request(std::uint16_t id, std::uint16_t sequence);
[[nodiscard]] Icmp echo_reply(std::uint16_t id, std::uint16_t sequence);
// Neighbour discovery; put it behind ipv6(...).hop_limit(255).
[[nodiscard]] Icmp neighbor_solicitation(const Ipv6Argument& target);
struct NaFlags {
  bool router = false;
  bool solicited = false;
  bool override_entry = false;
};
[[nodiscard]] Icmp neighbor_advertisement(const Ipv6Argument& target, NaFlags flags);
// Behind eth().
[[nodiscard]] Raw arp_request(const MacArgument& sender_mac, const Ipv4Argument& sender, const Ipv4Argument& target);
[[nodiscard]] Raw arp_reply(const MacArgument& sender_mac, const Ipv4Argument& sender, const MacArgument& target_mac,
                            const Ipv4Argument& target);
// Behind IP: any protocol; VRRP and IGMP messages as bytes.
[[nodiscard]] inline Raw ip_payload(std::uint8_t protocol, Frame bytes) { return Raw{std::move(bytes), protocol}; }
[[nodiscard]] inline Raw vrrp(Frame bytes) { return ip_payload(wire::ip_protocol::vrrp, std::move(bytes)); }
[[nodiscard]] inline Raw igmp(Frame bytes) { return ip_payload(wire::ip_protocol::igmp, std::move(bytes)); }
[[nodiscard]] Raw payload(std::string_view text);
[[nodiscard]] inline Raw payload(Frame bytes) { return Raw{std::move(bytes)}; }
// `size` bytes that count up from 0.
[[nodiscard]] Raw payload_of(std::size_t size);

// Cuts the IP packet of a whole frame (without VLAN tag and extension headers) into fragments of at most
// `piece` bytes of IP payload (a multiple of 8). The checksum of layer 4 stays that of the whole.
[[nodiscard]] std::vector<Frame> fragments(const Frame& frame, std::size_t piece, std::uint32_t id);

// Bytes from hex text; blanks and line ends are skipped: bytes("00 5e 00").
[[nodiscard]] Frame bytes(std::string_view hex);

}  // namespace trivet::testkit
