#include "trivet/wire/arp.h"

#include "bytes.h"
#include "trivet/wire/ethernet.h"

namespace trivet::wire {

namespace {

constexpr std::uint16_t hardware_ethernet = 1;

}  // namespace

std::optional<ArpValues> parse_arp(std::span<const std::uint8_t> payload) noexcept {
  if (payload.size() < arp_size) return std::nullopt;
  if (read16(payload, 0) != hardware_ethernet || read16(payload, 2) != ether_type::ipv4) return std::nullopt;
  if (payload[4] != 6 || payload[5] != 4) return std::nullopt;
  const std::uint16_t operation = read16(payload, 6);
  if (operation != 1 && operation != 2) return std::nullopt;
  ArpValues values{.operation = static_cast<ArpOperation>(operation),
                   .sender_mac = read_mac(payload, 8),
                   .sender = read_ipv4(payload, 14),
                   .target_mac = read_mac(payload, 18),
                   .target = read_ipv4(payload, 24)};
  if (values.sender_mac.is_multicast()) return std::nullopt;
  return values;
}

std::vector<std::uint8_t> arp_payload(const ArpValues& values) {
  Bytes bytes(arp_size);
  bytes.u16(hardware_ethernet).u16(ether_type::ipv4).u8(6).u8(4).u16(static_cast<std::uint16_t>(values.operation));
  bytes.mac(values.sender_mac).ip(values.sender).mac(values.target_mac).ip(values.target);
  return bytes.take();
}

std::vector<std::uint8_t> arp_frame(const MacAddress& destination, const ArpValues& values) {
  return ethernet_frame(destination, values.sender_mac, ether_type::arp, arp_payload(values));
}

std::vector<std::uint8_t> arp_request_frame(const MacAddress& sender_mac, const Ipv4Address& sender,
                                            const Ipv4Address& target, std::optional<MacAddress> known_mac) {
  return arp_frame(known_mac.value_or(MacAddress::broadcast()),
                   {.sender_mac = sender_mac, .sender = sender, .target_mac = {}, .target = target});
}

std::vector<std::uint8_t> arp_reply_frame(const ArpValues& request, const MacAddress& mac) {
  return arp_frame(request.sender_mac, {.operation = ArpOperation::reply,
                                        .sender_mac = mac,
                                        .sender = request.target,
                                        .target_mac = request.sender_mac,
                                        .target = request.sender});
}

std::vector<std::uint8_t> arp_announcement_frame(const MacAddress& mac, const Ipv4Address& address) {
  return arp_request_frame(mac, address, address);
}

std::vector<std::uint8_t> arp_probe_frame(const MacAddress& mac, const Ipv4Address& address) {
  return arp_request_frame(mac, {}, address);
}

}  // namespace trivet::wire
