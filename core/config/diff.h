// What changes between two checked configurations, as data and in words. Pure.
//
// Values are compared, not text: a spelling or a default written out is no change. Thread: control.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trivet/config.h"

namespace trivet::core {

struct KeyChange {
  std::string key;
  std::optional<std::string> before;  // as text; none = not given and no default
  std::optional<std::string> after;
  bool operator==(const KeyChange&) const = default;
};

enum class ChangeKind : std::uint8_t { added, removed, changed };

struct ObjectChange {
  ChangeKind kind = ChangeKind::changed;
  std::string section;
  std::uint32_t index = 0;
  std::optional<LifeCycle> state_before;  // none = added
  std::optional<LifeCycle> state_after;   // none = removed
  bool active_before = false;
  bool active_after = false;
  std::vector<KeyChange> keys;  // of changed objects only
  bool operator==(const ObjectChange&) const = default;
};

struct ConfigDiff {
  std::optional<KeyChange> hostname;
  std::optional<KeyChange> modules;
  std::vector<KeyChange> settings;    // the `set` section
  std::vector<ObjectChange> objects;  // others; in the order of the new configuration, then the removed ones

  [[nodiscard]] bool empty() const { return !hostname && !modules && settings.empty() && objects.empty(); }
};

[[nodiscard]] ConfigDiff diff(const ConfigView& before, const ConfigView& after);

// One line for each change, for logs and the console: "server 1 changed: port 80 -> 8080". Empty diff: no line.
[[nodiscard]] std::vector<std::string> describe(const ConfigDiff& diff);

}  // namespace trivet::core
