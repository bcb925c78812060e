#include "core/log/log_sink.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace trivet::core {

namespace {

using Instant = std::chrono::steady_clock::time_point;

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
    Instant since;
    LogLevel level = LogLevel::info;
    int lines = 0;
  };
  using Key = std::pair<std::string, std::string>;  // module, text

  void put(LogLevel level, std::string_view module, std::string_view text) {
    logger->log(to_spdlog(level), "{:<6} {}", module, text);
  }
  void summarize(const Key& key, const Seen& entry) {
    if (entry.lines <= burst) return;
    logger->log(to_spdlog(entry.level), "{:<6} (left out {} times: {})", key.first, entry.lines - burst, key.second);
  }
  void summarize_until(Instant now) {
    if (now < next_end) return;
    next_end = Instant::max();
    std::erase_if(seen, [&](const auto& item) {
      const Instant end = item.second.since + window;
      if (end <= now) summarize(item.first, item.second);
      if (end > now) next_end = std::min(next_end, end);
      return end <= now;
    });
  }
  void summarize_all() {
    for (const auto& [key, entry] : seen) summarize(key, entry);
    seen.clear();
    next_end = Instant::max();
  }

  // Throws when the file cannot be opened.
  [[nodiscard]] spdlog::sink_ptr make_sink() const {
    if (file.empty()) return std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
  }
  void use(spdlog::sink_ptr sink) {
    logger->sinks() = {std::move(sink)};
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%-7l%$ %v");
  }

  std::unique_ptr<spdlog::logger> logger;
  std::filesystem::path file;
  int burst = 10;
  std::function<Instant()> clock;
  std::mutex mutex;
  std::map<Key, Seen> seen;
  Instant next_end = Instant::max();  // of the oldest window
};

Result<std::unique_ptr<LogSink>> LogSink::open(const LogOptions& options) {
  auto parts = std::make_unique<Parts>();
  try {
    parts->file = options.file;
    parts->logger = std::make_unique<spdlog::logger>("trivetd");
    parts->use(parts->make_sink());
    parts->logger->set_level(to_spdlog(options.level));
    parts->logger->flush_on(spdlog::level::debug);
    parts->burst = options.burst;
    parts->clock = options.clock;
  } catch (const std::exception& error) {
    return fail(std::string("the log cannot be opened: ") + error.what());
  }
  return std::unique_ptr<LogSink>(new LogSink(std::move(parts)));
}

LogSink::LogSink(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
LogSink::~LogSink() { parts_->summarize_all(); }

void LogSink::write(LogLevel level, LogKind kind, std::string_view module, std::string_view text) {
  const std::scoped_lock lock(parts_->mutex);
  if (!parts_->logger->should_log(to_spdlog(level))) return;
  const Instant now = parts_->clock();
  parts_->summarize_until(now);
  if (kind == LogKind::message) {
    if (parts_->seen.size() >= remembered_texts) parts_->summarize_all();
    const auto [entry, is_new] = parts_->seen.try_emplace(Parts::Key{module, text}, Parts::Seen{now, level, 0});
    if (is_new) parts_->next_end = std::min(parts_->next_end, now + window);
    if (++entry->second.lines > parts_->burst) return;
  }
  parts_->put(level, module, text);
}

Result<void> LogSink::reopen() {
  const std::scoped_lock lock(parts_->mutex);
  if (parts_->file.empty()) return {};
  try {
    parts_->use(parts_->make_sink());
  } catch (const std::exception& error) {
    return fail(std::string("the log cannot be opened again: ") + error.what());
  }
  return {};
}

void LogSink::summarize() {
  const std::scoped_lock lock(parts_->mutex);
  parts_->summarize_until(parts_->clock());
}

}  // namespace trivet::core
