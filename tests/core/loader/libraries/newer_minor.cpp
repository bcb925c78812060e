#include "sample_module.h"

namespace {
constexpr trivet::ModuleDescriptor make() {
  trivet::ModuleDescriptor descriptor = sample::sound("newer_minor");
  descriptor.abi_minor_version = trivet::abi_minor + 1;
  return descriptor;
}
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = make();
