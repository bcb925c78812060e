// What the sample libraries share: a module that does nothing, and a descriptor in which nothing is wrong. Each library
// then has one fault, the one that its file is named for.
#pragma once

#include <stdexcept>

#include "trivet/abi.h"
#include "trivet/module.h"

#define SAMPLE_EXPORT extern "C" __attribute__((visibility("default")))

namespace sample {

class SampleModule : public trivet::Module {
 public:
  void declare(trivet::Setup& setup) override { setup.wants(trivet::packet_class::arp); }
};

inline trivet::Module* create() { return new SampleModule; }
inline void destroy(trivet::Module* module) { delete module; }

constexpr trivet::ModuleDescriptor sound(const char* name) {
  return {.name = name, .version = "1.0", .create = &create, .destroy = &destroy};
}

}  // namespace sample
