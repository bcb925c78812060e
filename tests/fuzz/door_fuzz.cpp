// Fuzzes the door: the input is one frame, its first three bytes the offload fields. Whatever is let in keeps the
// promises of packet.h, and translation and checks work on it within its bounds.
//
// Links: trivet_core trivet_sdk
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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t prefix = 3;
  if (size < prefix || size > 65535 + 64) return 0;
  const std::size_t length = size - prefix;
  const auto buffer = std::make_unique<std::uint8_t[]>(length);  // exact: the sanitizer sees every byte too far
  std::memcpy(buffer.get(), data + prefix, length);
  Packet packet;
  packet.buffer = packet.data = buffer.get();
  packet.capacity = packet.length = static_cast<std::uint32_t>(length);
  packet.in_interface = 1;
  packet.checksum = static_cast<trivet::ChecksumState>(data[0] % 3);
  packet.checksum_start = data[1];
  packet.checksum_offset = data[2] % 32;
  packet.segments = static_cast<trivet::SegmentType>((data[0] / 3) % 4);
  packet.segment_size = static_cast<std::uint16_t>(data[2] * 8);
  const trivet::core::DoorFilter filter;
  if (trivet::core::examine(packet, node(), filter) != trivet::core::DoorDrop::none) {
    require(packet.classes.bits() == 0);
    return 0;
  }
  require(packet.is(packet_class::all));
  check_bounds(packet, length);
  translate(packet);
  return 0;
}
