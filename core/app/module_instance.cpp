#include "core/app/module_instance.h"

#include <exception>

namespace trivet::core {

namespace {

// Writes down what a module declares. Errors (too many counters) are kept; the first one refuses the module.
class RecordingSetup final : public Setup {
 public:
  RecordingSetup(std::string module, Declaration& declaration, MetricsRegistry* registry)
      : module_(std::move(module)), declaration_(declaration), registry_(registry) {}

  void open_section(SectionSpec section) override { declaration_.sections.push_back(std::move(section)); }
  void add_key(KeySpec key) override { declaration_.keys.push_back(std::move(key)); }
  void wants(PacketClass classes) override { declaration_.classes |= classes; }
  void punt_urgency(PuntUrgency urgency) override { declaration_.urgency = urgency; }

  Counter counter(std::string name, std::string help) override {
    declaration_.counters.emplace_back(name, help);
    if (registry_ == nullptr) return {};
    return accept(registry_->add_counter(module_, std::move(name), std::move(help)));
  }
  DropReason drop_reason(std::string name, std::string help) override {
    declaration_.drop_reasons.emplace_back(name, help);
    if (registry_ == nullptr) return {};
    return accept(registry_->add_drop_reason(module_, std::move(name), std::move(help)));
  }
  void command(CommandSpec spec, CommandHandler handler) override {
    declaration_.commands.push_back({std::move(spec), std::move(handler)});
  }
  void must_stand_before(std::string module, std::string why) override {
    declaration_.constraints.push_back({std::move(module), std::move(why), true});
  }
  void must_stand_after(std::string module, std::string why) override {
    declaration_.constraints.push_back({std::move(module), std::move(why), false});
  }
  void steering(const Steering& steering) override { declaration_.steering = &steering; }

  [[nodiscard]] const std::string& first_error() const { return first_error_; }

 private:
  void topic(TopicId topic, TopicUse use) override { declaration_.topics.push_back({topic, use}); }

  template <class Handle>
  Handle accept(Result<Handle> handle) {
    if (handle) return *handle;
    if (first_error_.empty()) first_error_ = handle.error().text;
    return {};
  }

  std::string module_;
  Declaration& declaration_;
  MetricsRegistry* registry_;
  std::string first_error_;
};

}  // namespace

Result<std::unique_ptr<ModuleInstance>> ModuleInstance::create(const ModuleDescriptor& descriptor,
                                                               MetricsRegistry* registry) {
  std::unique_ptr<ModuleInstance> instance(new ModuleInstance(descriptor));
  const std::string who = "module '" + instance->name_ + "'";
  try {
    instance->module_ = descriptor.create();
    if (instance->module_ == nullptr) return fail(who + " made no object");
    RecordingSetup setup(instance->name_, instance->declaration_, registry);
    instance->module_->declare(setup);
    if (!setup.first_error().empty()) return fail(who + ": " + setup.first_error());
  } catch (const std::exception& error) {
    return fail(who + " failed while it was created: " + error.what());
  } catch (...) {
    return fail(who + " failed while it was created: it threw something that is no exception");
  }
  return instance;
}

ModuleInstance::~ModuleInstance() {
  if (module_ != nullptr) descriptor_.destroy(module_);
}

}  // namespace trivet::core
