// The schema: every section and key that the core and the installed modules have declared.
//
// Build it once for a set of modules: the core's part first (core_schema.h), then the loaded modules in the order of
// the modules line, then, for better messages, installed modules that are not loaded. Thread: control. Plain value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/config.h"
#include "trivet/result.h"

namespace trivet::core {

enum class Loaded : std::uint8_t { yes, no };

struct SchemaKey {
  KeySpec spec;
  std::string owner;  // "core" or a module's name
  Loaded loaded = Loaded::yes;
};

struct SchemaSection {
  SectionSpec spec;
  std::string owner;
  Loaded loaded = Loaded::yes;
};

class Schema {
 public:
  // The error is a sentence that names both owners, or what is wrong with the specification. What an installed but
  // unloaded module declares never collides: loaded modules win, then the first. Nor does a reserved key: it gives way.
  Result<void> open_section(SectionSpec section, std::string owner, Loaded loaded = Loaded::yes);
  Result<void> add_key(KeySpec key, std::string owner, Loaded loaded = Loaded::yes);
  // An installed module that could not be asked what it declares, and why, in a sentence: for messages about what is
  // unknown.
  void note_refused(std::string sentence) { refused_.push_back(std::move(sentence)); }
  [[nodiscard]] const std::vector<std::string>& refused() const { return refused_; }
  // After all modules: keys whose section nobody opens, references to sections that nobody opens, defaults that are no
  // valid value. One sentence each.
  [[nodiscard]] std::vector<std::string> check_completeness() const;

  // By singular name. Null if there is none. Loaded or not.
  [[nodiscard]] const SchemaSection* find_section(std::string_view name) const;
  // By name or alias. Null if there is none. Loaded or not.
  [[nodiscard]] const SchemaKey* find_key(std::string_view section, std::string_view name) const;
  // All sections by rank, then in the order of declaration.
  [[nodiscard]] std::vector<const SchemaSection*> sections() const;
  // All keys of a section by rank, then in the order of declaration.
  [[nodiscard]] std::vector<const SchemaKey*> keys(std::string_view section) const;
  // Sections in which a key of this name exists, for messages.
  [[nodiscard]] std::vector<std::string> sections_with_key(std::string_view name) const;

 private:
  std::vector<std::string> refused_;
  std::vector<SchemaSection> sections_;
  std::vector<SchemaKey> keys_;
};

}  // namespace trivet::core
