// A configuration on its way in: parsed and checked, with the modules it names created, nothing applied.
//
// Thread: control. Dropping it undoes everything.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/app/module_instance.h"
#include "core/config/configuration.h"
#include "core/loader/module_loader.h"

namespace trivet::core {

struct PreparedConfig {
  struct Entry {
    std::string name;
    std::unique_ptr<ModuleInstance> created;  // null: `running` goes on
    ModuleInstance* running = nullptr;
    std::unique_ptr<Plan> plan;

    [[nodiscard]] ModuleInstance& instance() const { return created ? *created : *running; }
  };
  Tree tree;
  Schema schema;
  ConfigView view;
  std::vector<Entry> modules;  // in the order of the modules line
};

// Finds the running instance of a module, or null.
using FindRunning = std::function<ModuleInstance*(const std::string& name)>;

// Parses, loads, checks. None with errors in `problems`. Touches nothing that runs; new modules' counters and drop
// reasons are entered into `registry`.
[[nodiscard]] std::optional<PreparedConfig> prepare_configuration(std::string_view text, const std::string& source,
                                                                  ModuleLoader& loader, MetricsRegistry& registry,
                                                                  const FindRunning& find_running, Problems& problems);

// What an installed module declares. The error says why it does not load.
[[nodiscard]] Result<std::unique_ptr<ModuleInstance>> describe_module(ModuleLoader& loader, const std::string& name);

}  // namespace trivet::core
