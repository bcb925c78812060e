// The core's own console commands: show interfaces, networks, drops, counters, modules, topics; and help.
//
// Thread: control.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/bus/event_bus.h"
#include "core/metrics/registry.h"
#include "core/net/interface_manager.h"
#include "core/net/objects.h"
#include "core/pipeline/forwarding_worker.h"
#include "core/pipeline/shared_state.h"
#include "trivet/command.h"
#include "trivet/config.h"

namespace trivet::core {

// What the commands show, as references into the node for the time of one call.
struct CoreCommandContext {
  struct ModuleInfo {
    std::string name;
    std::string version;
    ModuleId id = 0;
    bool failed = false;
    PacketClass classes;
    bool has_workers = false;
  };
  struct CommandEntry {
    std::string module;
    CommandSpec spec;
  };
  const ConfigView& config;
  const InterfaceManager& interfaces;
  const NetObjects& objects;
  SharedState& shared;
  const EventBus& bus;
  const std::vector<std::unique_ptr<ForwardingWorker>>& workers;
  std::vector<ModuleInfo> modules;     // in the order of the modules line
  std::vector<CommandEntry> commands;  // all of the node, by name
};

[[nodiscard]] const std::vector<CommandSpec>& core_command_specs();

// The words behind `name` if `words` begin with it ("show vrrp" and {"show", "vrrp", "x"} give {"x"}); else none.
[[nodiscard]] std::optional<std::vector<std::string>> match_command(const std::string& name,
                                                                    const std::vector<std::string>& words);
// None if it is not one of the core's.
[[nodiscard]] std::optional<Report> run_core_command(const CoreCommandContext& context,
                                                     const std::vector<std::string>& words);
// The answer to arguments of a command that takes none.
[[nodiscard]] Report no_argument_taken(const std::string& command, const std::string& argument);
// The answer to what nobody knows: says so, and names commands that come near.
[[nodiscard]] Report unknown_command(const CoreCommandContext& context, const std::vector<std::string>& words);

}  // namespace trivet::core
