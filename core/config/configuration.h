// The configuration subsystem as the node and the tools use it.
//
//   text -> parse_configuration -> Tree       before modules are loaded: tree.module_names() says which
//   Tree + Schema -> check -> ConfigView      after they have declared their keys
//   ConfigView, ConfigView -> diff            what a reload changes
//   Tree + Schema -> save_native, save_toml   `save`, `convert`
//
// All functions are pure but for `problems`, which they add to. Thread: control.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/core_schema.h"
#include "core/config/diff.h"
#include "core/config/schema.h"
#include "core/config/tree.h"
#include "trivet/config.h"
#include "trivet/result.h"

namespace trivet::core {

enum class ConfigFormat : std::uint8_t { native, toml };

// What the file's name says (.toml), else what the text looks like.
[[nodiscard]] ConfigFormat detect_format(std::string_view file_name, std::string_view text);

// Reads a whole file. All errors of the text go to `problems`; what could be read is returned even then. `source` is
// the file's name for positions. Needs no schema.
[[nodiscard]] Tree parse_configuration(std::string_view text, const std::string& source, ConfigFormat format,
                                       Problems& problems);

// Console: native commands applied to a copy of `tree`. None (with errors) when one of them is wrong: a complete line
// or section is one transaction.
[[nodiscard]] std::optional<Tree> edit_configuration(const Tree& tree, std::string_view text, const std::string& source,
                                                     Problems& problems);

// The problems by line and column, as an operator reads a file; those without line first, else in the order reported.
[[nodiscard]] std::vector<Problem> in_file_order(const Problems& problems);

// Checks every value, resolves references, fills in defaults, and applies the core's rules between keys. None if
// `problems` has an error then (one from before included). Keys and sections of modules that are installed but not
// loaded give a warning and are not in the view.
[[nodiscard]] std::optional<ConfigView> check_configuration(const Tree& tree, const Schema& schema, Problems& problems);

// What modules can be asked about in a tree with errors: the objects without one, and without a reference to one that
// has (nor by others in between), and the settings. What modules find there does not follow from other errors.
[[nodiscard]] ConfigView sound_part(const Tree& tree, const Schema& schema);

// Whether a writer leaves out values that are the key's default.
enum class Defaults : std::uint8_t { left_out, written };

// The one form of a tree that all trees with the same meaning share: sections by rank and index, keys by rank and
// under their names, lists written out, numbers and addresses in normal form. Values that the schema does not know or
// that are wrong stay as they are. Two trees mean the same if their canonical forms are equal.
[[nodiscard]] Tree canonical(const Tree& tree, const Schema& schema, Defaults defaults = Defaults::left_out);

// The text of the configuration in canonical form, ready to be read again. `header`: comment lines at the top, without
// comment signs ("configuration taken <date>", "<product> <version> (created <date>)").
[[nodiscard]] std::string save_native(const Tree& tree, const Schema& schema, const std::vector<std::string>& header,
                                      Defaults defaults = Defaults::left_out);
[[nodiscard]] std::string save_toml(const Tree& tree, const Schema& schema, const std::vector<std::string>& header,
                                    Defaults defaults = Defaults::left_out);

}  // namespace trivet::core
