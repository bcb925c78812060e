#include "sample_module.h"

// Calls a function that no library has.
extern "C" int trivet_function_that_is_nowhere();

namespace {
trivet::Module* create() { return trivet_function_that_is_nowhere() == 0 ? sample::create() : nullptr; }
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = {
    .name = "unresolved", .version = "1.0", .create = &create, .destroy = &sample::destroy};
