#include "rt/module.h"
#include "trivet/abi.h"
extern "C" __attribute__((visibility("default"))) const trivet::ModuleDescriptor trivet_module_v1 =
    trivet::rt::descriptor;
