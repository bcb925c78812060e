// Where log lines go: standard error (coloured on a terminal), and a file if one is named. Wraps spdlog.
//
// Equal messages are limited, so that none can fill a disk: of one text `burst` lines are written within a minute, the
// rest is counted, and the count is written when the minute is over. Changes (LogKind) are never left out.
// Thread: any; internally locked. Owner: the daemon.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "trivet/log.h"
#include "trivet/result.h"

namespace trivet::core {

struct LogOptions {
  std::filesystem::path file;  // empty: standard error
  LogLevel level = LogLevel::info;
  int burst = 10;
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
};

class LogSink {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LogSink>> open(const LogOptions& options);
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;
  ~LogSink();  // writes what is still counted

  void write(LogLevel level, LogKind kind, std::string_view module, std::string_view text);
  void write(LogLevel level, std::string_view module, std::string_view text) {
    write(level, LogKind::message, module, text);
  }
  // Writes the counts of minutes that are over. write() does so too; call it now and then, as nothing may be written.
  void summarize();
  // Goes on in a file of the same name that is made anew where somebody has moved the old one away (logrotate). When
  // that fails, the old one is kept. Nothing happens for standard error.
  [[nodiscard]] Result<void> reopen();

  static constexpr std::chrono::seconds window{60};
  static constexpr std::size_t remembered_texts = 1000;  // with more, the counts are written early

 private:
  struct Parts;
  explicit LogSink(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace trivet::core
