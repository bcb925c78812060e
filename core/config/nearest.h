// "Did you mean": the known word nearest to a wrong one. Pure. Thread: any.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace trivet::core {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`; letters of either case are
// equal.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The candidate at the smallest distance, if that is at most about a third of the word (at least 1); the first of
// equals.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

// The end of an error message: `, did you mean "port"?`, or without a near one `; known here: a, b, c`, or nothing when
// there is no candidate or too many to list.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string> candidates);

// A value in double quotes for a message, cut when it is long, with control characters replaced.
[[nodiscard]] std::string quoted(std::string_view value);

}  // namespace trivet::core
