// Log lines of the control thread. The data path never logs.
//
// Thread: control. The core adds time, node and module, limits the rate of equal messages, and owns the sinks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trivet {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

// A message may come again and again (a table is full); of many equal ones some are counted instead of written. A
// change (role, link, health, an address that two claim) is a piece of the node's history: each is written.
enum class LogKind : std::uint8_t { message, change };

class Log {
 public:
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // One event, one line, no line break. Write what changed and why: "role backup -> master: no advertisement for 3.2
  // s".
  virtual void write(LogLevel level, LogKind kind, std::string_view text) = 0;

  void debug(std::string_view text) { write(LogLevel::debug, LogKind::message, text); }
  void info(std::string_view text) { write(LogLevel::info, LogKind::message, text); }
  void warning(std::string_view text) { write(LogLevel::warning, LogKind::message, text); }
  void error(std::string_view text) { write(LogLevel::error, LogKind::message, text); }
  void change(LogLevel level, std::string_view text) { write(level, LogKind::change, text); }

 protected:
  Log() = default;
  ~Log() = default;
};

}  // namespace trivet
