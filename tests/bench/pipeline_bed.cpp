#include "pipeline_bed.h"

#include <algorithm>

namespace trivet::bench {
namespace {

using testkit::ip;

constexpr MacAddress in_mac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress out_mac{{2, 0, 0, 0, 0, 2}};
constexpr MacAddress host_mac{{2, 0, 0, 0, 1, 1}};

}  // namespace

ForwardingState::Parts pipeline_parts() {
  ForwardingState::Parts result;
  result.interfaces = {{1, "in", in_mac, 1500, true, {1}}, {2, "out", out_mac, 1500, true, {2}}};
  for (NetworkId number = 1; number <= 2; ++number) {
    const auto byte = static_cast<std::uint8_t>(number);
    NetworkView network;
    network.number = number;
    network.interfaces = {number};
    network.prefix4 = IpPrefix{Ipv4Address{{10, 0, byte, 0}}, 24};
    network.real4 = Ipv4Address{{10, 0, byte, 1}};
    result.addresses.push_back({*network.real4, AddressScope::own, number});
    result.routes.push_back({*network.prefix4, std::nullopt, number});
    result.networks.push_back(network);
  }
  result.routes.push_back({{ip("2001:db8:2::"), 64}, std::nullopt, 2});
  return result;
}

testkit::Frame pipeline_frame(Family family) {
  using namespace testkit;
  if (family == Family::ipv6)
    return eth(host_mac, in_mac) / testkit::ipv6("2001:db8:1::9", "2001:db8:2::80") / tcp(1, 80).syn();
  return eth(host_mac, in_mac) / testkit::ipv4("10.0.1.9", "10.0.2.80") / tcp(1, 80).syn();
}

DoorBed::DoorBed(Family family) : forwarding_(pipeline_parts()), port_(pipeline_frame(family)) {
  port_.receive(pool_, packets_);
  for (Packet* const packet : packets_) packet->in_interface = 1;
}

void DoorBed::run() { examine(packets_, forwarding_, filter_, results_); }

bool DoorBed::lets_in() const {
  return std::ranges::all_of(results_, [](core::DoorDrop drop) { return drop == core::DoorDrop::none; });
}

}  // namespace trivet::bench
