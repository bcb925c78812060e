#include "sample_module.h"

namespace {
constexpr trivet::ModuleDescriptor make() {
  trivet::ModuleDescriptor descriptor = sample::sound("smaller_descriptor");
  descriptor.size = 32;
  return descriptor;
}
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = make();
