#include "sample_module.h"

namespace {
constexpr trivet::ModuleDescriptor make() {
  trivet::ModuleDescriptor descriptor = sample::sound("path_as_name");
  descriptor.name = "../good";
  return descriptor;
}
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = make();
