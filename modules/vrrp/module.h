// Module `vrrp`: speaks VRRP and says what role this node has.
//
// Thread: control. See README.md for what it does, engine.h for how it decides.
#pragma once

#include "trivet/abi.h"

namespace trivet::vrrp {

[[nodiscard]] Module* create_module();
void destroy_module(Module* module);

// Essential: a node whose VRRP has failed must not go on as master.
inline constexpr ModuleDescriptor descriptor{
    .name = "vrrp", .version = "1.0", .create = create_module, .destroy = destroy_module, .essential = 1};

}  // namespace trivet::vrrp
