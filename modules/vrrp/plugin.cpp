#include "trivet/abi.h"
#include "vrrp/module.h"

extern "C" __attribute__((visibility("default"))) const trivet::ModuleDescriptor trivet_module_v1 =
    trivet::vrrp::descriptor;
