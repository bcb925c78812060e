// Topic "role": who this node is. State; written by `vrrp`, read by everybody.
// Without a writer the node is master and uses its interfaces' own MACs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/time.h"

namespace trivet {

enum class Role : std::uint8_t { init, backup, master };

struct RoleState {
  static constexpr std::string_view topic = "trivet.role/1";
  static constexpr TopicKind kind = TopicKind::state;

  Role role = Role::master;
  std::uint8_t vrid = 0;     // 0 = no virtual router
  bool virtual_mac = false;  // frames of the master carry vrrp_mac(family, vrid) as source
  std::string reason;        // why, in words: "no advertisement for 3.2 s"
  Time since{};
  bool operator==(const RoleState&) const = default;
};

[[nodiscard]] constexpr std::string_view to_string(Role role) {
  switch (role) {
    case Role::init:
      return "init";
    case Role::backup:
      return "backup";
    case Role::master:
      return "master";
  }
  return "?";
}

}  // namespace trivet
