#include "sample_module.h"

namespace {
trivet::Module* create() { throw 42; }
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = {
    .name = "throwing_number", .version = "1.0", .create = &create, .destroy = &sample::destroy};
