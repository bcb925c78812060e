#include "trivet/wire/ethernet.h"

#include "bytes.h"

namespace trivet::wire {

namespace {

std::uint16_t type_of(std::span<const std::uint8_t> packet) {
  return !packet.empty() && (packet[0] >> 4U) == 4 ? ether_type::ipv4 : ether_type::ipv6;
}

}  // namespace

std::vector<std::uint8_t> ethernet_frame(const MacAddress& destination, const MacAddress& source, std::uint16_t type,
                                         std::span<const std::uint8_t> payload) {
  Bytes bytes(sizeof(EthernetHeader) + payload.size());
  bytes.mac(destination).mac(source).u16(type).raw(payload);
  return bytes.take();
}

std::vector<std::uint8_t> ip_frame(const MacAddress& destination, const MacAddress& source,
                                   std::span<const std::uint8_t> packet) {
  return ethernet_frame(destination, source, type_of(packet), packet);
}

std::vector<std::uint8_t> ip_group_frame(const MacAddress& source, std::span<const std::uint8_t> packet) {
  MacAddress destination = MacAddress::broadcast();
  if (type_of(packet) == ether_type::ipv6 && packet.size() >= sizeof(Ipv6Header)) {
    destination = multicast_mac(read_ipv6(packet, 24));
  } else if (packet.size() >= sizeof(Ipv4Header) && read_ipv4(packet, 16).is_multicast()) {
    destination = multicast_mac(read_ipv4(packet, 16));
  }
  return ip_frame(destination, source, packet);
}

}  // namespace trivet::wire
