#include "sample_module.h"

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = sample::sound("good");
