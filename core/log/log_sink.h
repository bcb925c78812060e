// Where log lines go: standard error (coloured on a terminal), and a file if one is named. Wraps spdlog.
//
// Equal lines are limited: after `burst` lines of one text within a minute the rest is counted and told at the end of
// the minute, so that a flapping cable cannot fill a disk. Thread: any; internally locked. Owner: the daemon.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "trivet/log.h"
#include "trivet/result.h"

namespace trivet::core {

struct LogOptions {
  std::filesystem::path file;  // empty: standard error
  LogLevel level = LogLevel::info;
  int burst = 10;
};

class LogSink {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LogSink>> open(const LogOptions& options);
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;
  ~LogSink();

  void write(LogLevel level, std::string_view module, std::string_view text);

 private:
  struct Parts;
  explicit LogSink(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace trivet::core
