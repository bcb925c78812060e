// The native language: lines of commands and sections with one parameter a line.
//
// Grammar of a line (a word is a comma list of elements; an element is bare or "quoted" with \" and \\):
//   hostname WORD | modules LIST | register|enable|disable|unregister SECTION LIST | no SECTION [LIST]
//   SECTION [NUMBER] {        opens (again); parameters follow, one a line; "}" on a line of its own closes
//   SECTION [NUMBER] { }      opens and closes
//   SECTION [NUMBER] KEYWORD WORD...     one parameter without a block
// "//" at the start of a line or behind a blank begins a comment; inside a word it is text. Text is UTF-8.
// Thread: any. Pure but for `tree` and `problems`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/tree.h"
#include "trivet/result.h"

namespace trivet::core {

// Applies the commands of `text` to `tree`. All errors go to `problems`, up to TreeLimits::problems.
void parse_native(std::string_view text, const std::string& source, Tree& tree, Problems& problems);

// The words of a parameter, as behind its keyword. None if the text is malformed.
[[nodiscard]] std::optional<std::vector<Word>> parse_words(std::string_view text);

}  // namespace trivet::core
