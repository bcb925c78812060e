// The core's own sections and keys: set, interface, network, gateway, target; and the rules between their keys.
//
// `hostname` and `modules` are commands, not sections: see TreeBuilder. Thread: control.
#pragma once

#include "core/config/schema.h"
#include "trivet/config.h"
#include "trivet/result.h"

namespace trivet::core {

// Order of sections in `save`. Modules put theirs between: vrrp 40, server 60.
struct SectionRank {
  static constexpr int set = 10;
  static constexpr int interface = 20;
  static constexpr int network = 50;
  static constexpr int gateway = 55;
  static constexpr int target = 70;
};

// A schema that holds the core's declarations.
[[nodiscard]] Schema make_core_schema();

// Rules that cross keys and objects: addr and mask go together, real lies inside, names of interfaces are unique, ...
// `check` (checker.h) calls it.
void check_core_objects(const ConfigView& config, Problems& problems);

}  // namespace trivet::core
