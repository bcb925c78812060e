#include "sample_module.h"

namespace {
trivet::Module* create_nothing() { return nullptr; }
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = {
    .name = "null_object", .version = "1.0", .create = &create_nothing, .destroy = &sample::destroy};
