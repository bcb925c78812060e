// One loaded module: its object, what it declared, and its face to the node (Setup and Host).
//
// Thread: control. Ownership: the node owns instances; an instance owns its module object and ends it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/metrics/registry.h"
#include "trivet/abi.h"
#include "trivet/module.h"

namespace trivet::core {

// What a module has declared. Pure data: `describe` prints it.
struct Declaration {
  struct Constraint {
    std::string module;
    std::string why;
    bool before = false;  // this module must stand before `module`; else after
  };
  struct TopicDeclaration {
    TopicId topic;
    TopicUse use = TopicUse::publishes;
  };
  struct CommandDeclaration {
    CommandSpec spec;
    CommandHandler handler;
  };
  std::vector<SectionSpec> sections;
  std::vector<KeySpec> keys;
  PacketClass classes;
  PuntUrgency urgency = PuntUrgency::normal;
  std::vector<std::pair<std::string, std::string>> counters;      // name, help
  std::vector<std::pair<std::string, std::string>> drop_reasons;  // name, help
  std::vector<CommandDeclaration> commands;
  std::vector<TopicDeclaration> topics;
  std::vector<Constraint> constraints;
  const Steering* steering = nullptr;  // the module object's
};

// A module object with its descriptor and declaration.
class ModuleInstance {
 public:
  // Creates the object and lets it declare. Counters and reasons get their ids from `registry`; null (describe): none.
  // Whatever the module throws becomes the error.
  static Result<std::unique_ptr<ModuleInstance>> create(const ModuleDescriptor& descriptor, MetricsRegistry* registry);
  ModuleInstance(const ModuleInstance&) = delete;
  ModuleInstance& operator=(const ModuleInstance&) = delete;
  ~ModuleInstance();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const ModuleDescriptor& descriptor() const { return descriptor_; }
  [[nodiscard]] const Declaration& declaration() const { return declaration_; }
  [[nodiscard]] Module& module() { return *module_; }

 private:
  explicit ModuleInstance(const ModuleDescriptor& descriptor) : descriptor_(descriptor), name_(descriptor.name) {}

  const ModuleDescriptor& descriptor_;
  std::string name_;
  Declaration declaration_;
  Module* module_ = nullptr;
};

}  // namespace trivet::core
