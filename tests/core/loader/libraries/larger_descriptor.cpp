#include "sample_module.h"

namespace {
constexpr trivet::ModuleDescriptor make() {
  trivet::ModuleDescriptor descriptor = sample::sound("larger_descriptor");
  descriptor.size = 4096;
  return descriptor;
}
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = make();
