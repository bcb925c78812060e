// Writes a canonical tree in the native language. See save_native in configuration.h for the contract.
//
// The first word of a line is left-justified in ten columns, bodies are indented by ten. Thread: control. Pure.
#pragma once

#include <string>
#include <vector>

#include "core/config/schema.h"
#include "core/config/tree.h"

namespace trivet::core {

// `tree` is in canonical form; the schema tells plurals and aliases.
[[nodiscard]] std::string write_native(const Tree& tree, const Schema& schema, const std::vector<std::string>& header);

// One element as it is written: bare where that reads back as the same text, else in quotes.
[[nodiscard]] std::string native_element(const std::string& text);

}  // namespace trivet::core
