// From words to values and back, by specification. The one place that knows how a value of each type is written.
//
// Thread: control. Pure but for `problems`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/schema.h"
#include "core/config/tree.h"
#include "trivet/config.h"
#include "trivet/result.h"

namespace trivet::core {

// A reference that was read, for the check whether its object exists.
struct Reference {
  std::string section;
  std::uint32_t index = 0;
  Position position;
};

// The words of a parameter as values, ranges written out, repeated references left out (with a warning). None if
// something is wrong (reported). `references`, if not null, gains those found.
[[nodiscard]] std::optional<std::vector<std::vector<ElementValue>>> read_values(const KeySpec& key,
                                                                                const Parameter& parameter,
                                                                                const Schema& schema,
                                                                                Problems& problems,
                                                                                std::vector<Reference>* references);

// The value of a key that is not given. None if it has no default (or, reported, a wrong one).
[[nodiscard]] std::optional<std::vector<std::vector<ElementValue>>> read_default(const KeySpec& key,
                                                                                 const Schema& schema,
                                                                                 Problems& problems);

// One element, without references and ranges. The error is the end of a sentence: "is out of range, ...".
[[nodiscard]] Result<ElementValue> read_element(const ElementSpec& spec, std::string_view text);

// The one way to write a value: decimal numbers, RFC 5952 addresses. No quotes.
[[nodiscard]] std::string to_text(const ElementValue& value);

// Divides the elements of a flat parameter among the words of its key. What is too much stays in the last word.
[[nodiscard]] std::vector<Word> divide(const std::vector<Element>& elements, const KeySpec& key);

// How the key is written: "ping6 <interval>,<timeout>", "targets <target>,...", "protocol tcp|udp".
[[nodiscard]] std::string usage(const KeySpec& key);

// A parameter together with what the schema knows of it.
struct ResolvedParameter {
  const SchemaKey* key = nullptr;  // null: unknown
  Parameter parameter;             // divided into words; keyword as written
  bool is_overridden = false;      // a later one of the same key counts instead
};

// The parameters of an object in the order of the file. Of several for a key that is not repeatable the last counts, a
// flat array for a repeatable key is several parameters.
[[nodiscard]] std::vector<ResolvedParameter> resolve_parameters(const Object& object, const Schema& schema);

}  // namespace trivet::core
