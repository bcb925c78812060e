#include "core/log/log_sink.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace trivet::core {

namespace {

using WallClock = std::chrono::steady_clock;
constexpr auto window = std::chrono::minutes{1};
constexpr std::size_t remembered_texts = 1000;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

struct LogSink::Parts {
  struct Seen {
    WallClock::time_point since;
    int lines = 0;
  };
  std::unique_ptr<spdlog::logger> logger;
  int burst = 10;
  std::mutex mutex;
  std::map<std::string, Seen, std::less<>> seen;
};

Result<std::unique_ptr<LogSink>> LogSink::open(const LogOptions& options) {
  auto parts = std::make_unique<Parts>();
  try {
    spdlog::sink_ptr sink;
    if (options.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file.string());
    }
    parts->logger = std::make_unique<spdlog::logger>("trivetd", std::move(sink));
    parts->logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%-7l%$ %v");
    parts->logger->set_level(to_spdlog(options.level));
    parts->logger->flush_on(spdlog::level::debug);
    parts->burst = options.burst;
  } catch (const std::exception& error) {
    return fail(std::string("the log cannot be opened: ") + error.what());
  }
  return std::unique_ptr<LogSink>(new LogSink(std::move(parts)));
}

LogSink::LogSink(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
LogSink::~LogSink() = default;

void LogSink::write(LogLevel level, std::string_view module, std::string_view text) {
  const std::scoped_lock lock(parts_->mutex);
  const WallClock::time_point now = WallClock::now();
  std::string key = std::string(module) + ' ' + std::string(text);
  if (parts_->seen.size() > remembered_texts) parts_->seen.clear();
  Parts::Seen& seen = parts_->seen[key];
  if (now - seen.since > window) {
    if (seen.lines > parts_->burst) {
      parts_->logger->log(to_spdlog(level), "{:<6} (the next line was left out {} times)", module,
                          seen.lines - parts_->burst);
    }
    seen = {now, 0};
  }
  if (++seen.lines > parts_->burst) return;
  parts_->logger->log(to_spdlog(level), "{:<6} {}", module, text);
}

}  // namespace trivet::core
