// Module `master`: the gate that lets packets on only while this node is master.
//
// Thread: control. See README.md.
#pragma once

#include "trivet/abi.h"

namespace trivet::master {

[[nodiscard]] Module* create_module();
void destroy_module(Module* module);

// Essential: without the gate a backup would forward beside the master.
inline constexpr ModuleDescriptor descriptor{
    .name = "master", .version = "1.0", .create = create_module, .destroy = destroy_module, .essential = 1};

}  // namespace trivet::master
