// The right name, but a function behind it.
extern "C" __attribute__((visibility("default"))) int trivet_module_v1() { return 1; }
