#include "sample_module.h"

namespace {
class ThrowingModule final : public sample::SampleModule {
 public:
  void declare(trivet::Setup& setup) override {
    SampleModule::declare(setup);
    throw std::logic_error("nothing to declare");
  }
};
trivet::Module* create() { return new ThrowingModule; }
}  // namespace

SAMPLE_EXPORT constexpr trivet::ModuleDescriptor trivet_module_v1 = {
    .name = "throwing_declare", .version = "1.0", .create = &create, .destroy = &sample::destroy};
