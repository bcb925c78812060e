#include "core/pipeline/door.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

#include "core/pipeline/vlan_tag.h"
#include "trivet/net/checksum.h"
#include "trivet/net/words.h"
#include "trivet/wire/arp.h"
#include "trivet/wire/headers.h"
#include "trivet/wire/ip.h"

namespace trivet::core {

namespace {

constexpr std::size_t largest_datagram = 65535;
constexpr MacAddress all_hosts4{{0x01, 0x00, 0x5e, 0, 0, 1}};  // 224.0.0.1: joined by every host (RFC 1112 section 4)
constexpr MacAddress all_nodes6{{0x33, 0x33, 0, 0, 0, 1}};     // ff02::1 (RFC 4291 section 2.8)

// Bytes as a number in the machine's order: to compare and to sum, not to count with.
template <class Word>
Word load(const std::uint8_t* bytes) noexcept {
  Word word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// The number that load() makes of these.
using EightBytes = std::array<std::uint8_t, 8>;
constexpr std::uint64_t number_of(const EightBytes& bytes) noexcept { return std::bit_cast<std::uint64_t>(bytes); }

// A MAC as a number: every frame compares several.
std::uint64_t number_of(const MacAddress& mac) noexcept {
  std::uint32_t low = 0;
  std::uint16_t high = 0;
  std::memcpy(&low, mac.bytes.data(), sizeof low);
  std::memcpy(&high, mac.bytes.data() + sizeof low, sizeof high);
  return (std::uint64_t{high} << 32U) | low;
}

bool has_virtual_macs(const RoleState& role) noexcept {
  return role.role == Role::master && role.virtual_mac && role.vrid != 0;
}

bool is_virtual_mac(std::uint64_t mac, const RoleState& role) noexcept {
  return has_virtual_macs(role) &&
         (mac == number_of(vrrp_mac(Family::ipv4, role.vrid)) || mac == number_of(vrrp_mac(Family::ipv6, role.vrid)));
}

bool is_for_us(const MacAddress& mac, const InterfaceView& interface, const ForwardingState& state,
               const DoorFilter& filter) noexcept {
  const std::uint64_t number = number_of(mac);
  if (number == number_of(interface.mac)) return true;
  if (!mac.is_multicast()) return is_virtual_mac(number, state.role());
  return mac.is_broadcast() || mac == all_hosts4 || mac == all_nodes6 || filter.has(interface.number, mac);
}

// Where the frame may be of several networks.
template <class Address>
[[gnu::noinline]] NetworkId network_by_source(const InterfaceView& interface, const VlanView& vlan,
                                              const Address& source, const ForwardingState& state) noexcept {
  const NetworkId number = state.network_of(source, interface.number, vlan.vlan);
  return number != 0 ? number : vlan.networks.front();
}

// Null: an interface without networks.
template <class Address>
NetworkId network_of(const InterfaceView& interface, const VlanView* vlan, const Address& source,
                     const ForwardingState& state) noexcept {
  if (vlan == nullptr) return 0;
  return vlan->networks.size() == 1 ? vlan->networks.front() : network_by_source(interface, *vlan, source, state);
}

bool is_broadcast(const Ipv4Address& address) noexcept { return address.is_broadcast(); }
bool is_broadcast(const Ipv6Address&) noexcept { return false; }

// The header's length is a multiple of four. Nearly all have no options.
bool has_right_sum(const std::uint8_t* header, std::size_t length) noexcept {
  if (length != sizeof(wire::Ipv4Header)) return internet_checksum({header, length}) == 0;
  // Words in the machine's order make the same sum with its bytes swapped (RFC 1071 section 2 (B)).
  const auto first = load<std::uint64_t>(header);
  const auto second = load<std::uint64_t>(header + 8);
  std::uint64_t sum = first + second;
  sum += static_cast<std::uint64_t>(sum < second);  // the carry goes round
  const auto third = std::uint64_t{load<std::uint32_t>(header + 16)};
  sum += third;
  sum += static_cast<std::uint64_t>(sum < third);
  // Each half added to the other, carry included: the upper one is the sum of both.
  sum += std::rotl(sum, 32);
  auto folded = static_cast<std::uint32_t>(sum >> 32U);
  folded += std::rotl(folded, 16);
  return folded >> 16U == 0xffffU;
}

// Where a partial checksum is to be, and whether segments can be cut, of a packet with these bounds and class bits.
bool has_right_offload(const Packet& packet, std::size_t l3_offset, std::size_t length, PacketClass classes) noexcept {
  if (packet.checksum == ChecksumState::partial) {
    const std::size_t field = std::size_t{packet.checksum_start} + packet.checksum_offset;
    if (packet.checksum_start < l3_offset || field + 2 > length) return false;
  }
  if (packet.segments == SegmentType::none) return true;
  const PacketClass wanted = packet.segments == SegmentType::udp ? packet_class::udp : packet_class::tcp;
  return packet.segment_size != 0 && classes.has_any(wanted) && !classes.has_any(packet_class::fragment);
}

// The bit of an own address, none of a foreign one.
template <class Address>
PacketClass own_class(const Address& destination, InterfaceId interface, const ForwardingState& state) noexcept {
  const OwnAddress* own = state.find_address(destination);
  // A link-local address is the node's on its own interface only.
  if (own == nullptr || (own->interface != 0 && own->interface != interface)) return {};
  return own->scope == AddressScope::own ? packet_class::own : packet_class::virtual_ip;
}

// One frame on its way through the checks.
class Examination {
 public:
  // `interface`: of the packet; null when there is none.
  Examination(Packet& packet, const ForwardingState& state, const DoorFilter& filter,
              const InterfaceView* interface) noexcept
      : packet_(packet), state_(state), filter_(filter), interface_(interface) {}

  [[gnu::flatten]] DoorDrop run() noexcept;

 private:
  DoorDrop vlan() noexcept;
  [[gnu::noinline]] DoorDrop arp() noexcept;
  DoorDrop ipv4() noexcept;
  [[gnu::noinline]] DoorDrop ipv4_options(std::size_t begin, std::size_t end) const noexcept;
  [[gnu::noinline]] DoorDrop ipv4_fragment(const wire::Ipv4Header& header, std::size_t header_length) noexcept;
  DoorDrop ipv6() noexcept;
  DoorDrop ipv6_extensions() noexcept;
  [[gnu::noinline]] DoorDrop ipv6_fragment(std::size_t at) noexcept;
  template <class Address>
  DoorDrop addresses(const Address& source, const Address& destination) noexcept;
  DoorDrop fragment_range(std::size_t offset, std::size_t size, bool more) const noexcept;
  template <class Address>
  DoorDrop layer4() noexcept;
  DoorDrop tcp() noexcept;
  DoorDrop udp() noexcept;
  [[gnu::noinline]] DoorDrop icmp() noexcept;
  DoorDrop whole_message(PacketClass bit, DoorDrop reason) noexcept;

  // Bytes from the layer 4 header to the end.
  [[nodiscard]] std::size_t left() const noexcept { return packet_.length - packet_.l4_offset; }
  // A header that does not fit is an attack on filters in a first fragment, else plain nonsense.
  [[nodiscard]] DoorDrop cut_short(DoorDrop otherwise) const noexcept {
    return is_first_fragment_ ? DoorDrop::tiny_fragment : otherwise;
  }
  template <class Header>
  [[nodiscard]] const Header& at(std::size_t offset) const noexcept {
    return *reinterpret_cast<const Header*>(packet_.data + offset);
  }
  void add(PacketClass bits) noexcept { classes_ |= bits; }

  Packet& packet_;
  const ForwardingState& state_;
  const DoorFilter& filter_;
  const InterfaceView* interface_;
  const VlanView* vlan_ = nullptr;  // the networks that the frame may belong to
  PacketClass classes_ = packet_class::all;
  bool is_first_fragment_ = false;
  bool is_later_fragment_ = false;
};

DoorDrop Examination::run() noexcept {
  packet_.classes = {};
  packet_.l3_offset = sizeof(wire::EthernetHeader);
  packet_.l4_offset = 0;
  packet_.payload_offset = 0;
  packet_.fragment_header_offset = 0;
  packet_.protocol = 0;
  packet_.network = 0;
  if (packet_.length < sizeof(wire::EthernetHeader)) return DoorDrop::truncated;
  if (interface_ == nullptr) return DoorDrop::interface_gone;
  const auto& ethernet = at<wire::EthernetHeader>(0);
  if (!is_for_us(ethernet.destination, *interface_, state_, filter_)) return DoorDrop::not_for_us;
  if (ethernet.source.is_multicast()) return DoorDrop::bad_source;
  DoorDrop drop = vlan();
  if (drop != DoorDrop::none) return drop;

  packet_.ether_type = at<wire::EthernetHeader>(0).type;
  drop = DoorDrop::unknown_ether_type;
  if (packet_.ether_type == wire::ether_type::ipv4) {
    drop = ipv4();
  } else if (packet_.ether_type == wire::ether_type::ipv6) {
    drop = ipv6();
  } else if (packet_.ether_type == wire::ether_type::arp) {
    drop = arp();
  }
  if (drop != DoorDrop::none) return drop;
  if (!has_right_offload(packet_, packet_.l3_offset, packet_.length, classes_)) return DoorDrop::bad_offload;
  packet_.classes = classes_;
  return DoorDrop::none;
}

DoorDrop Examination::vlan() noexcept {
  if (!take_vlan_tag(packet_)) return DoorDrop::truncated;
  vlan_ = interface_->find_vlan(packet_.vlan);
  if (vlan_ != nullptr || (packet_.vlan == 0 && interface_->networks.empty())) return DoorDrop::none;
  return packet_.vlan == 0 ? DoorDrop::untagged : DoorDrop::foreign_vlan;
}

DoorDrop Examination::arp() noexcept {
  const std::size_t begin = packet_.l3_offset;
  if (packet_.length < begin + wire::arp_size) return DoorDrop::truncated;
  constexpr std::array<std::uint8_t, 6> ipv4_over_ethernet{0, 1, 8, 0, 6, 4};
  if (std::memcmp(packet_.data + begin, ipv4_over_ethernet.data(), ipv4_over_ethernet.size()) != 0) {
    return DoorDrop::arp_header;
  }
  packet_.length = static_cast<std::uint32_t>(begin + wire::arp_size);
  const auto& sender = at<Ipv4Address>(begin + 14);
  const auto& target = at<Ipv4Address>(begin + 24);
  // A probe (RFC 5227) has no sender address; its network is that of the address it asks for.
  packet_.network = network_of(*interface_, vlan_, sender.is_unspecified() ? target : sender, state_);
  add(packet_class::arp);
  return DoorDrop::none;
}

DoorDrop Examination::ipv4() noexcept {
  const std::size_t begin = packet_.l3_offset;
  const std::size_t available = packet_.length - begin;
  if (available < sizeof(wire::Ipv4Header)) return DoorDrop::truncated;
  const auto& header = at<wire::Ipv4Header>(begin);
  if ((header.version_and_length >> 4U) != 4) return DoorDrop::bad_version;
  const std::size_t header_length = header.header_length();
  if (header_length < sizeof header || header_length > available) return DoorDrop::bad_header_length;
  const std::size_t total = header.total_length;
  if (total < header_length || total > available) return DoorDrop::bad_length;
  if (!has_right_sum(packet_.data + begin, header_length)) return DoorDrop::bad_ip_checksum;
  if (header_length > sizeof header) {
    const DoorDrop drop = ipv4_options(begin + sizeof header, begin + header_length);
    if (drop != DoorDrop::none) return drop;
  }
  packet_.length = static_cast<std::uint32_t>(begin + total);
  packet_.protocol = header.protocol;
  packet_.l4_offset = static_cast<std::uint16_t>(begin + header_length);
  add(packet_class::ipv4);
  DoorDrop drop = addresses(header.source, header.destination);
  if (drop == DoorDrop::none && header.is_fragment()) drop = ipv4_fragment(header, header_length);
  return drop == DoorDrop::none ? layer4<Ipv4Address>() : drop;
}

DoorDrop Examination::ipv4_options(std::size_t begin, std::size_t end) const noexcept {
  constexpr std::uint8_t end_of_options = 0;
  constexpr std::uint8_t no_operation = 1;
  constexpr std::uint8_t loose_route = 131;
  constexpr std::uint8_t strict_route = 137;
  while (begin < end) {
    const std::uint8_t type = packet_.data[begin];
    if (type == end_of_options) return DoorDrop::none;
    if (type == no_operation) {
      ++begin;
      continue;
    }
    if (type == loose_route || type == strict_route) return DoorDrop::source_route;
    if (end - begin < 2) return DoorDrop::ip_options;
    const std::size_t length = packet_.data[begin + 1];
    if (length < 2 || length > end - begin) return DoorDrop::ip_options;
    begin += length;
  }
  return DoorDrop::none;
}

DoorDrop Examination::fragment_range(std::size_t offset, std::size_t size, bool more) const noexcept {
  if (size == 0 || (more && size % 8 != 0) || offset + size > largest_datagram) return DoorDrop::bad_fragment;
  return DoorDrop::none;
}

DoorDrop Examination::ipv4_fragment(const wire::Ipv4Header& header, std::size_t header_length) noexcept {
  const std::size_t offset = header.fragment_offset();
  const bool more = (header.flags_and_offset.value() & 0x2000U) != 0;
  // Reassembled, header and payload share the 16 bits of the total length.
  const DoorDrop drop = fragment_range(offset, header.total_length - header_length, more);
  if (drop != DoorDrop::none || offset + header.total_length > largest_datagram) return DoorDrop::bad_fragment;
  // Offset 8 would rewrite the flags of a TCP header that filters have already seen (RFC 3128).
  if (offset == 8 && header.protocol == wire::ip_protocol::tcp) return DoorDrop::tiny_fragment;
  is_first_fragment_ = offset == 0;
  is_later_fragment_ = offset != 0;
  add(packet_class::fragment);
  return DoorDrop::none;
}

DoorDrop Examination::ipv6() noexcept {
  const std::size_t begin = packet_.l3_offset;
  const std::size_t available = packet_.length - begin;
  if (available < sizeof(wire::Ipv6Header)) return DoorDrop::truncated;
  const auto& header = at<wire::Ipv6Header>(begin);
  if ((packet_.data[begin] >> 4U) != 6) return DoorDrop::bad_version;
  const std::size_t total = sizeof header + header.payload_length;
  if (total > available) return DoorDrop::bad_length;
  packet_.length = static_cast<std::uint32_t>(begin + total);
  packet_.protocol = header.next_header;
  packet_.l4_offset = static_cast<std::uint16_t>(begin + sizeof header);
  add(packet_class::ipv6);
  DoorDrop drop = addresses(header.source, header.destination);
  if (drop == DoorDrop::none) drop = ipv6_extensions();
  return drop == DoorDrop::none ? layer4<Ipv6Address>() : drop;
}

DoorDrop Examination::ipv6_extensions() noexcept {
  for (std::size_t count = 0; !is_later_fragment_; ++count) {
    const bool is_fragment_header = packet_.protocol == wire::ip_protocol::fragment;
    const bool is_routing = packet_.protocol == wire::ip_protocol::routing;
    const bool is_plain = is_routing || packet_.protocol == wire::ip_protocol::hop_by_hop ||
                          packet_.protocol == wire::ip_protocol::destination_options;
    if (!is_fragment_header && !is_plain) break;
    if (count == wire::max_extension_headers) return DoorDrop::extension_headers;
    if (packet_.protocol == wire::ip_protocol::hop_by_hop && count != 0) return DoorDrop::extension_headers;
    const std::size_t begin = packet_.l4_offset;
    if (left() < 8) return cut_short(DoorDrop::truncated);
    const std::uint8_t next = packet_.data[begin];
    if (is_fragment_header) {
      const DoorDrop drop = ipv6_fragment(begin);
      if (drop != DoorDrop::none) return drop;
      packet_.l4_offset = static_cast<std::uint16_t>(begin + sizeof(wire::Ipv6FragmentHeader));
      packet_.protocol = next;
      continue;
    }
    const std::size_t length = (std::size_t{packet_.data[begin + 1]} + 1) * 8;
    if (length > left()) return cut_short(DoorDrop::truncated);
    if (is_routing && packet_.data[begin + 3] != 0) {
      if (packet_.data[begin + 2] == 0) return DoorDrop::source_route;
      // Not yet at its last destination: what follows is not to be looked at (and its checksum is for another address).
      break;
    }
    packet_.l4_offset = static_cast<std::uint16_t>(begin + length);
    packet_.protocol = next;
  }
  return DoorDrop::none;
}

DoorDrop Examination::ipv6_fragment(std::size_t begin) noexcept {
  if (packet_.fragment_header_offset != 0) return DoorDrop::bad_fragment;
  packet_.fragment_header_offset = static_cast<std::uint16_t>(begin);
  const auto& header = at<wire::Ipv6FragmentHeader>(begin);
  const std::size_t offset = header.offset();
  // Alone and whole (RFC 6946): handled like a packet that is no fragment.
  if (offset == 0 && !header.more()) return DoorDrop::none;
  const DoorDrop drop = fragment_range(offset, left() - sizeof header, header.more());
  if (drop != DoorDrop::none) return drop;
  is_first_fragment_ = offset == 0;
  is_later_fragment_ = offset != 0;
  add(packet_class::fragment);
  return DoorDrop::none;
}

template <class Address>
DoorDrop Examination::addresses(const Address& source, const Address& destination) noexcept {
  if (source.is_multicast() || source.is_loopback() || is_broadcast(source)) return DoorDrop::bad_source;
  if (destination.is_unspecified() || destination.is_loopback()) return DoorDrop::bad_destination;

  packet_.network = network_of(*interface_, vlan_, source, state_);
  if (destination.is_multicast() || is_broadcast(destination)) {
    add(packet_class::multicast);
    return DoorDrop::none;
  }
  if (packet_.ethernet().destination.is_multicast()) return DoorDrop::group_frame;
  add(own_class(destination, packet_.in_interface, state_));
  return DoorDrop::none;
}

template <class Address>
DoorDrop Examination::layer4() noexcept {
  if (is_later_fragment_) {
    packet_.l4_offset = 0;
    return DoorDrop::none;
  }
  constexpr bool is_v4 = std::is_same_v<Address, Ipv4Address>;
  packet_.payload_offset = packet_.l4_offset;
  DoorDrop drop = DoorDrop::none;
  if (packet_.protocol == wire::ip_protocol::tcp) {
    drop = tcp();
  } else if (packet_.protocol == wire::ip_protocol::udp) {
    drop = udp();
  } else if (packet_.protocol == (is_v4 ? wire::ip_protocol::icmp : wire::ip_protocol::icmpv6)) {
    drop = icmp();
  } else if (packet_.protocol == wire::ip_protocol::igmp && is_v4) {
    drop = whole_message(packet_class::igmp, DoorDrop::igmp_header);
  } else if (packet_.protocol == wire::ip_protocol::vrrp) {
    drop = whole_message(packet_class::vrrp, DoorDrop::vrrp_header);
  } else {
    add(packet_class::other_ip);
  }
  return drop;
}

DoorDrop Examination::tcp() noexcept {
  if (left() < sizeof(wire::TcpHeader)) return cut_short(DoorDrop::tcp_header);
  const std::size_t length = at<wire::TcpHeader>(packet_.l4_offset).header_length();
  if (length < sizeof(wire::TcpHeader)) return DoorDrop::tcp_header;
  if (length > left()) return cut_short(DoorDrop::tcp_header);
  packet_.payload_offset = static_cast<std::uint16_t>(packet_.l4_offset + length);
  add(packet_class::tcp);
  return DoorDrop::none;
}

DoorDrop Examination::udp() noexcept {
  if (left() < sizeof(wire::UdpHeader)) return cut_short(DoorDrop::udp_header);
  const std::size_t length = at<wire::UdpHeader>(packet_.l4_offset).length;
  if (length < sizeof(wire::UdpHeader)) return DoorDrop::udp_length;
  if (!is_first_fragment_ && length > left()) return DoorDrop::udp_length;
  packet_.payload_offset = static_cast<std::uint16_t>(packet_.l4_offset + sizeof(wire::UdpHeader));
  add(packet_class::udp);
  return DoorDrop::none;
}

DoorDrop Examination::icmp() noexcept {
  if (left() < sizeof(wire::IcmpHeader)) return cut_short(DoorDrop::icmp_header);
  packet_.payload_offset = static_cast<std::uint16_t>(packet_.l4_offset + sizeof(wire::IcmpHeader));
  if (classes_.has_any(packet_class::ipv4)) {
    add(packet_class::icmp);
    return DoorDrop::none;
  }
  add(packet_class::icmpv6);
  if (packet_.fragment_header_offset != 0) return DoorDrop::none;  // RFC 6980: then it is not neighbour discovery
  const std::uint8_t type = packet_.data[packet_.l4_offset];
  if (type >= wire::icmpv6_type::router_solicitation && type <= wire::icmpv6_type::redirect) add(packet_class::nd);
  if ((type >= wire::icmpv6_type::mld_query && type <= wire::icmpv6_type::mld_done) ||
      type == wire::icmpv6_type::mldv2_report) {
    add(packet_class::mld);
  }
  return DoorDrop::none;
}

// IGMP and VRRP: never fragmented, both with 8 fixed bytes. A first fragment of one is nobody's.
DoorDrop Examination::whole_message(PacketClass bit, DoorDrop reason) noexcept {
  constexpr std::size_t fixed = 8;
  if (is_first_fragment_) return DoorDrop::none;
  if (left() < fixed) return reason;
  add(bit);
  return DoorDrop::none;
}

// True only for addresses that source and destination of a packet between two hosts may have; not for all of them.
bool is_plainly_a_host(const Ipv4Address& address) noexcept {
  const std::uint8_t first = address.bytes[0];
  return first != 0 && first < 224 && first != 127;
}
bool is_plainly_a_host(const Ipv6Address& address) noexcept {
  return load<std::uint64_t>(address.bytes.data()) != 0 && !address.is_multicast();
}

// The length of the TCP or UDP header; 0 where there is none of them, or something is wrong with it. `left`: bytes from
// there to the end of the packet.
std::size_t plain_l4_length(const std::uint8_t* header, std::uint8_t protocol, std::size_t left) noexcept {
  if (protocol == wire::ip_protocol::tcp) {
    if (left < sizeof(wire::TcpHeader)) return 0;
    const std::size_t length = reinterpret_cast<const wire::TcpHeader*>(header)->header_length();
    return length >= sizeof(wire::TcpHeader) && length <= left ? length : 0;
  }
  if (protocol != wire::ip_protocol::udp || left < sizeof(wire::UdpHeader)) return 0;
  const std::size_t length = reinterpret_cast<const wire::UdpHeader*>(header)->length;
  return length >= sizeof(wire::UdpHeader) && length <= left ? sizeof(wire::UdpHeader) : 0;
}

// The straight way in for what nearly all frames are: untagged, to a MAC of this node, with a whole TCP or UDP packet
// from a host to a host, without IPv4 options or IPv6 extension headers. It lets in only; what it does not know to be
// right it leaves as it is, for an Examination to judge. So it may know less than that one, never more.
//
// Holds what all frames of a burst ask of the interface that they came in by.
class StraightWay {
 public:
  StraightWay(InterfaceId number, const ForwardingState& state) noexcept;
  [[nodiscard]] InterfaceId number() const noexcept { return number_; }
  [[nodiscard]] const InterfaceView* interface() const noexcept { return interface_; }

  // False: the packet is unchanged.
  [[gnu::flatten]] bool lets_in(Packet& packet) noexcept {
    if (packet.length < l3_at + sizeof(wire::Ipv4Header) + sizeof(wire::UdpHeader)) return false;
    const std::uint64_t start = load<std::uint64_t>(packet.data) & start_bits;
    if (start != macs_[0] && start != macs_[1] && start != macs_[2]) return false;
    const std::uint16_t type = packet.ethernet().type;
    if (type == wire::ether_type::ipv4) return lets_in_ipv4(packet);
    return type == wire::ether_type::ipv6 && lets_in_ipv6(packet);
  }

 private:
  static constexpr std::size_t l3_at = sizeof(wire::EthernetHeader);
  // The destination MAC, and of the source the bit that only groups have.
  static constexpr std::uint64_t start_bits = number_of(EightBytes{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0});
  static constexpr std::uint64_t no_mac = ~start_bits;  // no frame starts like that

  // What own_class() said of an address.
  struct Destination {
    AddressWords address;
    PacketClass bits;
  };

  bool lets_in_ipv4(Packet& packet) noexcept;
  bool lets_in_ipv6(Packet& packet) noexcept;
  // `left`: bytes behind the layer 3 header, of which there are no more in the frame.
  template <class Header>
  bool lets_in_ip(Packet& packet, const Header& header, std::uint8_t protocol, std::size_t left) noexcept;

  InterfaceId number_;
  const ForwardingState* state_;
  const InterfaceView* interface_;
  const VlanView* untagged_ = nullptr;
  bool has_several_networks_ = false;
  NetworkId network_ = 0;  // of untagged frames, where it is not the source that decides
  // The packets of a burst often go to the same address. None of them goes to that of zeros.
  Destination last4_;
  Destination last6_;
  std::array<std::uint64_t, 3> macs_{no_mac, no_mac, no_mac};
};

StraightWay::StraightWay(InterfaceId number, const ForwardingState& state) noexcept
    : number_(number), state_(&state), interface_(state.interface(number)) {
  if (interface_ == nullptr) return;
  untagged_ = interface_->find_vlan(0);
  if (untagged_ != nullptr) network_ = untagged_->networks.front();
  has_several_networks_ = untagged_ != nullptr && untagged_->networks.size() > 1;
  const bool takes_untagged = untagged_ != nullptr || interface_->networks.empty();
  if (!takes_untagged || interface_->mac.is_multicast()) return;
  const auto start_of = [](const MacAddress& mac) {
    EightBytes bytes{};
    std::ranges::copy(mac.bytes, bytes.begin());
    return number_of(bytes);
  };
  macs_[0] = start_of(interface_->mac);
  if (!has_virtual_macs(state.role())) return;
  macs_[1] = start_of(vrrp_mac(Family::ipv4, state.role().vrid));
  macs_[2] = start_of(vrrp_mac(Family::ipv6, state.role().vrid));
}

inline bool StraightWay::lets_in_ipv4(Packet& packet) noexcept {
  // No options; neither more fragments nor an offset.
  constexpr std::uint64_t bits = number_of(EightBytes{0xff, 0, 0, 0, 0, 0, 0x3f, 0xff});
  constexpr std::uint64_t plain = number_of(EightBytes{0x45, 0, 0, 0, 0, 0, 0, 0});
  const std::uint8_t* const begin = packet.data + l3_at;
  if ((load<std::uint64_t>(begin) & bits) != plain) return false;
  const auto& header = *reinterpret_cast<const wire::Ipv4Header*>(begin);
  // Of a total below the header's length this wraps round, and is too much for any frame.
  const std::size_t left = std::size_t{header.total_length} - sizeof header;
  if (left > packet.length - l3_at - sizeof header || !has_right_sum(begin, sizeof header)) return false;
  return lets_in_ip(packet, header, header.protocol, left);
}

inline bool StraightWay::lets_in_ipv6(Packet& packet) noexcept {
  const std::uint8_t* const begin = packet.data + l3_at;
  const auto& header = *reinterpret_cast<const wire::Ipv6Header*>(begin);
  if (packet.length < l3_at + sizeof header || *begin >> 4U != 6) return false;
  const std::size_t left = header.payload_length;
  if (left > packet.length - l3_at - sizeof header) return false;
  return lets_in_ip(packet, header, header.next_header, left);
}

template <class Header>
inline bool StraightWay::lets_in_ip(Packet& packet, const Header& header, std::uint8_t protocol,
                                    std::size_t left) noexcept {
  if (!is_plainly_a_host(header.source) || !is_plainly_a_host(header.destination)) return false;
  constexpr bool is_v4 = std::is_same_v<Header, wire::Ipv4Header>;
  constexpr std::size_t l4_at = l3_at + sizeof header;
  const std::size_t l4_length = plain_l4_length(packet.data + l4_at, protocol, left);
  if (l4_length == 0) return false;
  const PacketClass classes = packet_class::all | (is_v4 ? packet_class::ipv4 : packet_class::ipv6) |
                              (protocol == wire::ip_protocol::tcp ? packet_class::tcp : packet_class::udp);
  if (!has_right_offload(packet, l3_at, l4_at + left, classes)) return false;

  packet.length = static_cast<std::uint32_t>(l4_at + left);
  Destination& last = is_v4 ? last4_ : last6_;
  const AddressWords destination = words_of(header.destination);
  if (destination != last.address) {
    last.bits = own_class(header.destination, number_, *state_);
    last.address = destination;
  }
  packet.classes = classes | last.bits;
  packet.network = network_;
  if (has_several_networks_) packet.network = network_by_source(*interface_, *untagged_, header.source, *state_);
  packet.vlan = 0;
  packet.l3_offset = l3_at;
  packet.l4_offset = l4_at;
  packet.payload_offset = static_cast<std::uint16_t>(l4_at + l4_length);
  packet.fragment_header_offset = 0;
  packet.ether_type = is_v4 ? wire::ether_type::ipv4 : wire::ether_type::ipv6;
  packet.protocol = protocol;
  return true;
}

}  // namespace

void DoorFilter::add(InterfaceId interface, const MacAddress& group) {
  if (has(interface, group)) return;
  if ((size_ + 1) * 2 > slots_.size()) {
    std::vector<std::uint64_t> old(slots_.size() * 2);
    old.swap(slots_);
    for (const std::uint64_t entry : old) {
      if (entry == 0) continue;
      std::size_t at = position(entry);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = entry;
    }
  }
  const std::uint64_t entry = key(interface, group);
  std::size_t at = position(entry);
  while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = entry;
  ++size_;
}

DoorDrop examine(Packet& packet, const ForwardingState& state, const DoorFilter& filter) noexcept {
  return Examination(packet, state, filter, state.interface(packet.in_interface)).run();
}

bool examine(std::span<Packet* const> packets, const ForwardingState& state, const DoorFilter& filter,
             std::span<DoorDrop> results) noexcept {
  constexpr std::size_t ahead = 4;
  unsigned refusals = 0;
  // A burst comes in by one interface.
  StraightWay way(packets.empty() ? InterfaceId{0} : packets.front()->in_interface, state);
  for (std::size_t i = 0; i < std::min(ahead, packets.size()); ++i) __builtin_prefetch(packets[i]->data);
  for (std::size_t i = 0; i < packets.size(); ++i) {
    if (i + ahead < packets.size()) __builtin_prefetch(packets[i + ahead]->data);
    Packet& packet = *packets[i];
    if (packet.in_interface != way.number()) way = StraightWay(packet.in_interface, state);
    results[i] = way.lets_in(packet) ? DoorDrop::none : Examination(packet, state, filter, way.interface()).run();
    refusals |= static_cast<unsigned>(results[i]);
  }
  return refusals == 0;
}

}  // namespace trivet::core
