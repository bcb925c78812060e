#include "sample_module.h"

// A later ABI major: another name, and behind it a descriptor of which this core knows nothing.
SAMPLE_EXPORT constexpr int trivet_module_v9[64] = {9, 9, 9};
