// Results and problems: how errors travel. Nothing in the SDK throws.
//
// Thread: values. A Result carries one error for a programmer or a log line; Problems collects many for a user.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

namespace trivet {

struct Error {
  std::string text;  // one sentence without a full stop
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::string text) { return std::unexpected(Error{std::move(text)}); }

// Where in a configuration something stands. Lines and columns count from 1; 0 = unknown (made by program).
struct Position {
  std::string source;  // file name, or "console"
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  bool operator==(const Position&) const = default;
};

enum class Severity : std::uint8_t { warning, error };

struct Problem {
  Severity severity = Severity::error;
  Position position;
  std::string text;
};

// The sink for everything that is wrong with a configuration. All problems are reported, not only the first.
class Problems {
 public:
  void error(Position position, std::string text) {
    list_.push_back({Severity::error, std::move(position), std::move(text)});
    ++errors_;
  }
  void warning(Position position, std::string text) {
    list_.push_back({Severity::warning, std::move(position), std::move(text)});
  }
  [[nodiscard]] bool has_errors() const { return errors_ != 0; }
  [[nodiscard]] const std::vector<Problem>& list() const { return list_; }

 private:
  std::vector<Problem> list_;
  std::size_t errors_ = 0;
};

// "file:line:column: error: text"; parts that are unknown are left out.
[[nodiscard]] std::string to_string(const Problem& problem);

}  // namespace trivet
