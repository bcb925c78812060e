// Topic "addresses": every address this node may answer for. Roster; the core writes real, virt and link-local
// addresses of the networks, `slb` those of its servers.
#pragma once

#include <cstdint>
#include <string_view>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"

namespace trivet {

enum class AddressScope : std::uint8_t {
  own,     // answered always: real, real6, link-local
  master,  // answered while master: virt, virt6, server addresses
};

struct OwnAddress {
  static constexpr std::string_view topic = "trivet.addresses/1";
  static constexpr TopicKind kind = TopicKind::roster;

  IpAddress address;
  AddressScope scope = AddressScope::own;
  NetworkId network = 0;      // where it is on-link; 0 = on no network (a routed service address)
  InterfaceId interface = 0;  // 0 = all interfaces of the network; else this one (link-local addresses)
  bool answers_echo = true;
  bool operator==(const OwnAddress&) const = default;
};

}  // namespace trivet
