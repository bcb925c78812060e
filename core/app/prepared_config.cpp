#include "core/app/prepared_config.h"

#include <algorithm>
#include <exception>
#include <set>

namespace trivet::core {

namespace {

void load_modules(PreparedConfig& prepared, ModuleLoader& loader, MetricsRegistry& registry,
                  const FindRunning& find_running, Problems& problems) {
  std::set<std::string> seen;
  for (const Element& element : prepared.tree.modules) {
    if (!seen.insert(element.text).second) continue;  // a repeated name has been reported by the reader
    PreparedConfig::Entry entry;
    entry.name = element.text;
    entry.running = find_running(element.text);
    if (const auto changed = loader.changed(element.text)) problems.warning(element.position, *changed);
    if (entry.running == nullptr) {
      const auto descriptor = loader.find(element.text);
      if (!descriptor) {
        problems.error(element.position, descriptor.error().text);
        continue;
      }
      auto created = ModuleInstance::create(**descriptor, &registry);
      if (!created) {
        problems.error(element.position, created.error().text);
        continue;
      }
      entry.created = std::move(*created);
    }
    prepared.modules.push_back(std::move(entry));
  }
}

void declare(Schema& schema, const ModuleInstance& instance, Loaded loaded, std::vector<std::string>& errors) {
  for (const SectionSpec& section : instance.declaration().sections) {
    if (auto opened = schema.open_section(section, instance.name(), loaded); !opened && loaded == Loaded::yes) {
      errors.push_back(opened.error().text);
    }
  }
  for (const KeySpec& key : instance.declaration().keys) {
    if (auto added = schema.add_key(key, instance.name(), loaded); !added && loaded == Loaded::yes) {
      errors.push_back(added.error().text);
    }
  }
}

void build_schema(PreparedConfig& prepared, ModuleLoader& loader, Problems& problems) {
  std::vector<std::string> errors;
  prepared.schema = make_core_schema();
  for (const PreparedConfig::Entry& entry : prepared.modules) {
    declare(prepared.schema, entry.instance(), Loaded::yes, errors);
  }
  for (const std::string& name : loader.installed()) {
    const bool loaded = std::ranges::any_of(prepared.modules, [&](const auto& entry) { return entry.name == name; });
    if (loaded) continue;
    const auto instance = describe_module(loader, name);
    if (instance) {
      declare(prepared.schema, **instance, Loaded::no, errors);
    } else {
      prepared.schema.note_refused(instance.error().text);
    }
  }
  const Position file{prepared.tree.source, 0, 0};
  const Position where = prepared.tree.modules.empty() ? file : prepared.tree.modules.front().position;
  for (const std::string& error : errors) problems.error(where, error);
  for (const std::string& error : prepared.schema.check_completeness()) problems.error(where, error);
}

void check_order(const PreparedConfig& prepared, Problems& problems) {
  const auto place = [&](const std::string& name) {
    return std::ranges::find_if(prepared.modules, [&](const auto& entry) { return entry.name == name; });
  };
  for (const PreparedConfig::Entry& entry : prepared.modules) {
    for (const Declaration::Constraint& constraint : entry.instance().declaration().constraints) {
      const auto self = place(entry.name);
      const auto other = place(constraint.module);
      if (other == prepared.modules.end() || (constraint.before ? self < other : other < self)) continue;
      const auto element = std::ranges::find_if(prepared.tree.modules,
                                                [&](const Element& candidate) { return candidate.text == entry.name; });
      problems.error(element == prepared.tree.modules.end() ? Position{prepared.tree.source, 0, 0} : element->position,
                     "module '" + entry.name + "' must stand " + (constraint.before ? "before" : "after") + " '" +
                         constraint.module + "' on the modules line: " + constraint.why);
    }
  }
}

// What modules say about the sound part of a configuration that is refused already, so that all errors come at once.
// Warnings about a part would mislead, and nothing is made of plans.
void check_sound_part(PreparedConfig& prepared, Problems& problems) {
  const ConfigView part = sound_part(prepared.tree, prepared.schema);
  Problems found;
  for (const PreparedConfig::Entry& entry : prepared.modules) {
    try {
      static_cast<void>(entry.instance().module().check(part, found));
    } catch (...) {  // NOLINT(bugprone-empty-catch): it will be asked again, about the whole
    }
  }
  for (const Problem& problem : found.list()) {
    if (problem.severity == Severity::error) problems.error(problem.position, problem.text);
  }
}

void check_modules(PreparedConfig& prepared, Problems& problems) {
  const Position file{prepared.tree.source, 0, 0};
  for (PreparedConfig::Entry& entry : prepared.modules) {
    try {
      entry.plan = entry.instance().module().check(prepared.view, problems);
      if (entry.plan == nullptr && !problems.has_errors()) {
        problems.error(file, "module '" + entry.name + "' refuses the configuration without saying why");
      }
    } catch (const std::exception& error) {
      problems.error(file, "module '" + entry.name + "' failed while it checked the configuration: " + error.what());
    } catch (...) {
      problems.error(file, "module '" + entry.name + "' failed while it checked the configuration");
    }
  }
}

}  // namespace

std::optional<PreparedConfig> prepare_configuration(std::string_view text, const std::string& source,
                                                    ModuleLoader& loader, MetricsRegistry& registry,
                                                    const FindRunning& find_running, Problems& problems) {
  PreparedConfig prepared;
  prepared.tree = parse_configuration(text, source, detect_format(source, text), problems);
  load_modules(prepared, loader, registry, find_running, problems);
  build_schema(prepared, loader, problems);
  check_order(prepared, problems);
  auto view = check_configuration(prepared.tree, prepared.schema, problems);
  if (!view || problems.has_errors()) {
    check_sound_part(prepared, problems);
    return std::nullopt;
  }
  prepared.view = std::move(*view);
  check_modules(prepared, problems);
  if (problems.has_errors()) return std::nullopt;
  return prepared;
}

Result<std::unique_ptr<ModuleInstance>> describe_module(ModuleLoader& loader, const std::string& name) {
  const auto descriptor = loader.find(name);
  if (!descriptor) return std::unexpected(descriptor.error());
  return ModuleInstance::create(**descriptor, nullptr);
}

}  // namespace trivet::core
