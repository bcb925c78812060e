// Topic "links": the state of each interface. Keyed state; written by the core.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"

namespace trivet {

struct LinkState {
  static constexpr std::string_view topic = "trivet.links/1";
  static constexpr TopicKind kind = TopicKind::state;

  InterfaceId interface = 0;
  std::string name;
  bool up = false;     // taken and with carrier; a disabled interface is down
  std::string reason;  // why it is down: "no carrier", "no such interface", "disabled"
  MacAddress mac;
  std::uint32_t mtu = 1500;

  [[nodiscard]] std::string key() const { return std::to_string(interface); }
  bool operator==(const LinkState&) const = default;
};

}  // namespace trivet
