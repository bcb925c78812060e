#include "sample_module.h"

namespace {
trivet::Module* create() { throw std::runtime_error("no licence on Sundays"); }
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = {
    .name = "throwing_create", .version = "1.0", .create = &create, .destroy = &sample::destroy};
