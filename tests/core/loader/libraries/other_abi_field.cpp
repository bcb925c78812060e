#include "sample_module.h"

namespace {
constexpr trivet::ModuleDescriptor make() {
  trivet::ModuleDescriptor descriptor = sample::sound("other_abi_field");
  descriptor.abi_major_version = 2;
  return descriptor;
}
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = make();
