// Log lines of the control thread. The data path never logs.
//
// Thread: control. The core adds time, node and module, limits the rate of equal lines, and owns the sinks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trivet {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

class Log {
 public:
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // One event, one line, no line break. Write what changed and why: "role backup -> master: no advertisement for 3.2
  // s".
  virtual void write(LogLevel level, std::string_view text) = 0;

  void debug(std::string_view text) { write(LogLevel::debug, text); }
  void info(std::string_view text) { write(LogLevel::info, text); }
  void warning(std::string_view text) { write(LogLevel::warning, text); }
  void error(std::string_view text) { write(LogLevel::error, text); }

 protected:
  Log() = default;
  ~Log() = default;
};

}  // namespace trivet
