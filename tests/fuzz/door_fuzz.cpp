// Fuzzes the door: the input is one frame, its first three bytes the offload fields. Whatever is let in keeps the
// promises of packet.h, and translation and checks work on it within its bounds. In a burst it fares as it does alone.
//
// Links: trivet_core trivet_sdk
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "core/pipeline/door.h"
#include "trivet/forwarding.h"
#include "trivet/packet.h"

namespace {

using trivet::Packet;
namespace packet_class = trivet::packet_class;

void require(bool holds) {
  if (!holds) std::abort();
}

const trivet::ForwardingState& node() {
  static const trivet::ForwardingState state([] {
    trivet::ForwardingState::Parts parts;
    parts.interfaces.push_back(
        {.number = 1, .name = "eth1", .mac = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500, .up = true, .networks = {1, 2}});
    parts.networks.resize(2);
    parts.networks[0].number = 1;
    parts.networks[1].number = 2;
    parts.networks[1].vlan = 5;
    parts.addresses.push_back({.address = trivet::Ipv4Address{{10, 0, 0, 1}}, .network = 1});
    return parts;
  }());
  return state;
}

void check_bounds(const Packet& packet, std::size_t given) {
  const std::size_t length = packet.length;
  const auto fits = [&](bool promised, std::size_t offset, std::size_t size) {
    require(!promised || (offset != 0 && offset + size <= length));
  };
  require(length <= given);
  fits(packet.is(packet_class::ipv4), packet.l3_offset, sizeof(trivet::wire::Ipv4Header));
  fits(packet.is(packet_class::ipv6), packet.l3_offset, sizeof(trivet::wire::Ipv6Header));
  fits(packet.is(packet_class::tcp), packet.l4_offset, sizeof(trivet::wire::TcpHeader));
  fits(packet.is(packet_class::udp), packet.l4_offset, sizeof(trivet::wire::UdpHeader));
  fits(packet.is(packet_class::icmp | packet_class::icmpv6), packet.l4_offset, sizeof(trivet::wire::IcmpHeader));
  fits(packet.is(packet_class::igmp | packet_class::vrrp), packet.l4_offset, 8);
  fits(packet.fragment_header_offset != 0, packet.fragment_header_offset, sizeof(trivet::wire::Ipv6FragmentHeader));
  require(packet.payload_offset <= length);
  require(!packet.is(packet_class::ipv4) || !packet.is(packet_class::ipv6 | packet_class::arp));
  const bool has_flow = packet.is(packet_class::tcp | packet_class::udp) && !packet.is(packet_class::fragment);
  require(!has_flow || packet.payload_offset > packet.l4_offset);
}

// A right packet stays right under translation and back, and its bytes return.
void translate(Packet& packet) {
  if (!packet.is(packet_class::ipv4 | packet_class::ipv6)) return;
  const bool was_right = trivet::l4_checksum_ok(packet);
  const trivet::IpAddress before = packet.destination();
  const std::uint16_t port = packet.is(packet_class::tcp)   ? packet.tcp().destination_port.value()
                             : packet.is(packet_class::udp) ? packet.udp().destination_port.value()
                                                            : std::uint16_t{0};
  trivet::IpAddress other = trivet::Ipv4Address{{192, 0, 2, 77}};
  if (before.is_v6()) other = trivet::Ipv6Address{{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}};
  trivet::rewrite_destination(packet, other, 4711);
  const bool is_translated =
      packet.is(packet_class::tcp | packet_class::udp | packet_class::icmp | packet_class::icmpv6);
  require(!is_translated || trivet::l4_checksum_ok(packet) == was_right);
  trivet::rewrite_destination(packet, before, port);
  require(!is_translated || trivet::l4_checksum_ok(packet) == was_right);
  require(packet.destination() == before);
  if (packet.hop_limit() > 1) trivet::decrement_hop_limit(packet);
}

constexpr std::size_t prefix = 3;

// A packet of the input in a buffer of just its size: the sanitizer sees every byte too far.
struct Given {
  explicit Given(std::span<const std::uint8_t> input)
      : buffer(std::make_unique<std::uint8_t[]>(input.size() - prefix)) {
    std::memcpy(buffer.get(), input.data() + prefix, input.size() - prefix);
    packet.buffer = packet.data = buffer.get();
    packet.capacity = packet.length = static_cast<std::uint32_t>(input.size() - prefix);
    packet.in_interface = 1;
    packet.checksum = static_cast<trivet::ChecksumState>(input[0] % 3);
    packet.checksum_start = input[1];
    packet.checksum_offset = input[2] % 32;
    packet.segments = static_cast<trivet::SegmentType>((input[0] / 3) % 4);
    packet.segment_size = static_cast<std::uint16_t>(input[2] * 8);
  }

  std::unique_ptr<std::uint8_t[]> buffer;
  Packet packet;
};

void compare(const Packet& one, const Packet& other) {
  require(one.headroom() == other.headroom() && one.length == other.length && one.classes == other.classes);
  require(one.network == other.network && one.vlan == other.vlan && one.ether_type == other.ether_type);
  require(one.l3_offset == other.l3_offset && one.l4_offset == other.l4_offset && one.protocol == other.protocol);
  require(one.payload_offset == other.payload_offset && one.fragment_header_offset == other.fragment_header_offset);
  require(one.checksum == other.checksum && one.checksum_start == other.checksum_start);
  require(std::memcmp(one.data, other.data, one.length) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < prefix || size > 65535 + 64) return 0;
  Given alone({data, size});
  Given in_burst({data, size});
  Given next({data, size});
  Packet& packet = alone.packet;
  const trivet::core::DoorFilter filter;
  const trivet::core::DoorDrop drop = trivet::core::examine(packet, node(), filter);
  const std::array<Packet*, 2> burst{&in_burst.packet, &next.packet};
  std::array<trivet::core::DoorDrop, 2> drops{};
  require(trivet::core::examine(burst, node(), filter, drops) == (drop == trivet::core::DoorDrop::none));
  for (std::size_t i = 0; i < burst.size(); ++i) {
    require(drops[i] == drop);
    compare(*burst[i], packet);
  }
  if (drop != trivet::core::DoorDrop::none) {
    require(packet.classes.bits() == 0);
    return 0;
  }
  require(packet.is(packet_class::all));
  check_bounds(packet, size - prefix);
  translate(packet);
  return 0;
}
