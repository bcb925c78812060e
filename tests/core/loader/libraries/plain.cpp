// A shared library that is no module.
extern "C" __attribute__((visibility("default"))) int trivet_plain_answer() { return 42; }
