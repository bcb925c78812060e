// What the configuration says about VRRP, checked and typed.
//
// Keys: the section `vrrp`, interface.trackval, gateway.trackval, set.vrrppreempt, set.vrrppreemptts.
// Thread: control. A Config is a value; nothing in it refers to the configuration it was read from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trivet/config.h"
#include "trivet/packet.h"
#include "trivet/result.h"
#include "trivet/setup.h"
#include "trivet/time.h"

namespace trivet::vrrp {

struct TrackedLink {
  InterfaceId interface = 0;
  std::string name;          // of the system: eth2
  std::uint8_t penalty = 0;  // subtracted while the link is down; above 0
  bool operator==(const TrackedLink&) const = default;
};

struct Config {
  bool has_section = false;  // false: no virtual router, the node is always master
  std::string inactive;      // not empty: why the section has no effect yet (an open reference)
  std::uint8_t vrid = 0;
  std::uint8_t priority = 100;
  std::uint8_t interval = 1;  // whole seconds
  NetworkId network = 0;
  bool tracking = false;
  bool virtual_mac = true;
  bool preempt = false;
  Duration hold{};                         // vrrppreemptts
  std::vector<TrackedLink> tracked_links;  // with tracking and a trackval, by number
  std::uint8_t gateway_penalty = 0;        // 0 = not tracked
  bool operator==(const Config&) const = default;
};

// Sections and keys that this module opens. No side effects beyond `setup`.
void declare_config(Setup& setup);

// Reads and validates. Errors and warnings go to `problems`; the result is meaningless when there are errors.
[[nodiscard]] Config read_config(const ConfigView& view, Problems& problems);

}  // namespace trivet::vrrp
