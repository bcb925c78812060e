#include "core/app/daemon.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <thread>

#include "core/app/config_file.h"
#include "core/app/node.h"
#include "core/app/tools.h"
#include "core/app/worker_count.h"
#include "core/app/worker_thread.h"
#include "core/cli/control_server.h"
#include "core/io/af_packet.h"
#include "core/log/log_sink.h"

namespace trivet::core {

namespace asio = boost::asio;

namespace {

constexpr auto farewell_limit = std::chrono::seconds{1};
constexpr auto last_run_limit = std::chrono::seconds{1};

std::string instance_name(int instance) {
  return instance == 0 ? std::string("trivetd") : "trivetd-" + std::to_string(instance);
}

void print(const Problems& problems) {
  for (const Problem& problem : in_file_order(problems)) std::cerr << to_string(problem) << '\n';
}

// The pid file, locked as long as the daemon lives.
class PidFile {
 public:
  [[nodiscard]] static std::optional<PidFile> create(const std::filesystem::path& path, std::string& error) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      error = path.string() + ": cannot be written: " + std::generic_category().message(errno);
      return std::nullopt;
    }
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd);
      error = path.string() + " is locked: another daemon of this instance runs (use --instance or --run-dir)";
      return std::nullopt;
    }
    const std::string text = std::to_string(::getpid()) + '\n';
    if (::ftruncate(fd, 0) != 0 || ::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      ::close(fd);
      error = path.string() + ": cannot be written";
      return std::nullopt;
    }
    return PidFile(fd, path);
  }
  PidFile(PidFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  PidFile& operator=(PidFile&&) = delete;
  PidFile(const PidFile&) = delete;
  PidFile& operator=(const PidFile&) = delete;
  ~PidFile() {
    if (fd_ < 0) return;
    std::error_code error;
    std::filesystem::remove(path_, error);
    ::close(fd_);
  }

 private:
  PidFile(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::filesystem::path path_;
};

// Puts the process into the background. The parent waits until the child has started or failed, and ends with its code.
class Background {
 public:
  // In the parent this does not return.
  void enter() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    const pid_t child = ::fork();
    if (child > 0) {
      ::close(ends[1]);
      char code = 1;
      if (::read(ends[0], &code, 1) != 1) code = 1;
      ::_exit(code);
    }
    ::close(ends[0]);
    ready_fd_ = ends[1];
    ::setsid();
  }
  // The daemon runs: the parent may end, the terminal is let go.
  void started() {
    if (ready_fd_ < 0) return;
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; ++fd) ::dup2(null, fd);
    const char code = 0;
    [[maybe_unused]] const auto written = ::write(ready_fd_, &code, 1);
    ::close(ready_fd_);
    ready_fd_ = -1;
  }

 private:
  int ready_fd_ = -1;
};

class Daemon {
 public:
  Daemon(const DaemonOptions& options, std::unique_ptr<LogSink> log)
      : options_(options),
        log_(std::move(log)),
        signals_(context_, SIGTERM, SIGINT, SIGHUP),
        timer_(context_),
        log_timer_(context_),
        start_(std::chrono::steady_clock::now()) {}

  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() { end_workers(); }  // after an exception; else they have ended

  int run(Background& background) {
    const auto text = read_config_file(options_.config_file);
    if (!text) {
      std::cerr << options_.config_file.string() << ": " << text.error().text << '\n';
      return 1;
    }
    make_node(configured_workers(*text, options_.config_file.string()));
    const Problems problems = node_->configure(*text, options_.config_file.string(), now());
    print(problems);
    if (problems.has_errors()) return 1;
    auto server =
        ControlServer::open(context_, control_socket_path(options_.run_dir, options_.instance),
                            [this](const auto& words, CommandReply reply) { command(words, std::move(reply)); });
    if (!server) {
      std::cerr << "trivetd: " << server.error().text << '\n';
      return 1;
    }
    start_workers();
    watch_links();
    wait_for_signal();
    summarize_log();
    background.started();
    const std::string workers = threads_.size() == 1 ? "" : ", " + std::to_string(threads_.size()) + " workers";
    log_->write(LogLevel::info, "core", "started with " + options_.config_file.string() + workers);
    step();
    context_.run();
    farewell();
    server->reset();
    end_workers();
    node_.reset();
    backend_.reset();
    log_->write(LogLevel::info, "core", "stopped");
    return exit_code_;
  }

 private:
  [[nodiscard]] Time now() const {
    return Time{std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - start_)};
  }

  void make_node(std::size_t workers) {
    AfPacketOptions io;
    io.take = options_.take;
    io.run_dir = options_.run_dir;
    io.warn = [this](const std::string& sentence) { log_->write(LogLevel::warning, "core", sentence); };
    io.note = [this](const std::string& sentence) { log_->write(LogLevel::info, "core", sentence); };
    backend_ = make_af_packet_backend(std::move(io));
    std::vector<std::filesystem::path> path = options_.module_path;
    path.push_back(default_module_folder());
    loader_ = std::make_unique<ModuleLoader>(std::vector<const ModuleDescriptor*>{}, std::move(path));
    NodeOptions node;
    node.io = backend_.get();
    node.loader = loader_.get();
    node.seed = (std::uint64_t{std::random_device{}()} << 32U) | std::random_device{}();
    node.workers = workers;
    node.worker_mode = WorkerMode::own_threads;
    node.log = [this](LogLevel level, LogKind kind, std::string_view module, std::string_view line) {
      log_->write(level, kind, module, line);
    };
    node.wake_control = [this] { asio::post(context_, [this] { step(); }); };
    node_ = std::make_unique<Node>(std::move(node));
  }

  void start_workers() {
    for (std::size_t number = 0; number < node_->worker_count(); ++number) {
      threads_.push_back(std::make_unique<WorkerThread>(node_->worker(number), [this] { return now(); }));
    }
    for (auto& thread : threads_) thread->start();
  }

  // A worker that is stuck cannot be ended, nor what it uses taken apart: then the process goes as it is. What it has
  // changed on interfaces is given back all the same (see kernel_guard.h).
  void end_workers() {
    for (auto& thread : threads_) thread->stop();
    const auto have_ended = [this] {
      return std::ranges::all_of(threads_, [](const auto& thread) { return thread->has_ended(); });
    };
    const auto limit = std::chrono::steady_clock::now() + last_run_limit;
    while (!have_ended() && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    if (!have_ended()) {
      log_->write(LogLevel::error, "core", "a worker does not end; the process ends without it");
      log_.reset();
      std::error_code ignored;
      std::filesystem::remove(pid_file_path(options_.run_dir, options_.instance), ignored);
      ::_exit(1);
    }
    threads_.clear();
  }

  void watch_links() {
    backend_->on_link_change([this](const std::string& name) { node_->refresh_link(name, now()); });
    if (backend_->watch_fd() < 0) return;
    // The back end owns the descriptor; Asio watches a duplicate.
    links_.emplace(context_, ::fcntl(backend_->watch_fd(), F_DUPFD_CLOEXEC, 0));
    wait_for_links();
  }
  void wait_for_links() {
    links_->async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
      if (error || stopping_) return;
      backend_->process_link_events();
      step();
      wait_for_links();
    });
  }

  void summarize_log() {
    log_timer_.expires_after(LogSink::window);
    log_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      log_->summarize();
      summarize_log();
    });
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        if (const auto reopened = log_->reopen(); !reopened) {
          log_->write(LogLevel::error, "core", reopened.error().text);
        }
        reload();
        step();
        wait_for_signal();
        return;
      }
      log_->write(LogLevel::info, "core", std::string("stopping: ") + (signal == SIGTERM ? "SIGTERM" : "SIGINT"));
      finish(0);
    });
  }

  // Reads the file again. Whatever goes wrong is a problem in the answer: what runs goes on.
  Problems reload() {
    const std::string file = options_.config_file.string();
    Problems problems;
    try {
      if (const auto text = read_config_file(options_.config_file)) {
        problems = node_->configure(*text, file, now());
      } else {
        problems.error({file, 0, 0}, text.error().text);
      }
    } catch (const std::exception& error) {
      problems.error({file, 0, 0}, std::string("the reload failed: ") + error.what());
    } catch (...) {
      problems.error({file, 0, 0}, "the reload failed: something was thrown that is no exception");
    }
    for (const Problem& problem : in_file_order(problems)) {
      log_->write(problem.severity == Severity::error ? LogLevel::error : LogLevel::warning, "core",
                  to_string(problem));
    }
    log_->write(problems.has_errors() ? LogLevel::error : LogLevel::info, "core", outcome_of(problems));
    return problems;
  }
  [[nodiscard]] std::string outcome_of(const Problems& problems) const {
    if (node_->fatal()) return "reload failed: the daemon ends";
    return problems.has_errors() ? "reload refused: nothing has changed" : "reloaded";
  }

  void command(const std::vector<std::string>& words, CommandReply reply) {
    if (words == std::vector<std::string>{"reload"}) {
      reply(reload_report());
    } else if (!words.empty() && words.front() == "save") {
      reply(save_report({words.begin() + 1, words.end()}));
    } else if (words == std::vector<std::string>{"help"}) {
      node_->command(words, now(), [reply = std::move(reply)](Report report) mutable {
        add_own_commands(report);
        reply(std::move(report));
      });
    } else {
      node_->command(words, now(), std::move(reply));
    }
    step();
  }

  // The commands that are the daemon's, not the node's.
  static void add_own_commands(Report& report) {
    if (report.tables.empty()) return;
    auto& rows = report.tables.front().rows;
    rows.push_back({"reload", "read the configuration file again", "core"});
    rows.push_back({"save [--toml]", "print the running configuration, ready to be read again", "core"});
    std::ranges::sort(rows, {}, [](const auto& row) { return std::get<std::string>(row.front()); });
  }

  Report reload_report() {
    const Problems problems = reload();
    Report report;
    for (const Problem& problem : in_file_order(problems)) report.notes.push_back(to_string(problem));
    if (problems.has_errors()) {
      report.error = outcome_of(problems);
      for (const std::string& note : report.notes) report.error += "; " + note;
    }
    if (report.error.empty()) report.notes.emplace_back("reloaded");
    return report;
  }

  // The lines of the file are the notes of the report.
  [[nodiscard]] Report save_report(const std::vector<std::string>& arguments) const {
    const bool to_toml = arguments == std::vector<std::string>{"--toml"};
    if (!arguments.empty() && !to_toml) return error_report("'save' takes no argument but --toml");
    const std::string text =
        saved_configuration(node_->tree(), node_->schema(), to_toml ? ConfigFormat::toml : ConfigFormat::native,
                            std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
    Report report;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      report.notes.push_back(text.substr(at, end - at));
      at = end == std::string::npos ? text.size() : end + 1;
    }
    return report;
  }

  void step() {
    if (stopping_) return;
    if (!node_->fatal()) node_->step(now());
    if (node_->fatal()) {
      log_->write(LogLevel::error, "core", "ending: " + *node_->fatal());
      finish(1);
      return;
    }
    arm_timer();
  }

  void arm_timer() {
    const Time next = node_->poll_at();
    if (next == never) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(start_ + next.time_since_epoch());
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) step();
    });
  }

  void finish(int code) {
    exit_code_ = code;
    stopping_ = true;
    context_.stop();
  }

  // Lets the modules' last frames out (VRRP priority 0): until every worker has run a task that was queued behind them.
  void farewell() {
    node_->stop(now());
    const auto limit = std::chrono::steady_clock::now() + farewell_limit;
    std::size_t left = node_->worker_count();
    for (std::size_t number = 0; number < node_->worker_count(); ++number) {
      node_->worker(number).run_task([] {}, [&left] { --left; });
    }
    while (left != 0 && std::chrono::steady_clock::now() < limit) {
      node_->step(now());
      std::this_thread::yield();
    }
  }

  const DaemonOptions& options_;
  std::unique_ptr<LogSink> log_;
  asio::io_context context_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  asio::steady_timer log_timer_;
  std::chrono::steady_clock::time_point start_;
  std::optional<asio::posix::stream_descriptor> links_;
  std::unique_ptr<IoBackend> backend_;
  std::unique_ptr<ModuleLoader> loader_;
  std::unique_ptr<Node> node_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  bool stopping_ = false;
  int exit_code_ = 0;
};

}  // namespace

std::filesystem::path control_socket_path(const std::filesystem::path& run_dir, int instance) {
  return run_dir / (instance_name(instance) + ".sock");
}

std::filesystem::path pid_file_path(const std::filesystem::path& run_dir, int instance) {
  return run_dir / (instance_name(instance) + ".pid");
}

std::filesystem::path default_module_folder() {
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error);
  return binary.parent_path().parent_path() / "lib" / "trivet" / "modules";
}

int run_daemon(const DaemonOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.run_dir, error);
  if (error) {
    std::cerr << "trivetd: " << options.run_dir.string() << ": cannot be made: " << error.message() << '\n';
    return 1;
  }
  Background background;
  if (!options.foreground) background.enter();
  std::string why;
  const auto pid_file = PidFile::create(pid_file_path(options.run_dir, options.instance), why);
  if (!pid_file) {
    std::cerr << "trivetd: " << why << '\n';
    return 1;
  }
  LogOptions log_options;
  log_options.level = options.log_level;
  log_options.file = options.log_file;
  if (log_options.file.empty() && !options.foreground) {
    log_options.file = options.run_dir / (instance_name(options.instance) + ".log");
  }
  auto log = LogSink::open(log_options);
  if (!log) {
    std::cerr << "trivetd: " << log.error().text << '\n';
    return 1;
  }
  try {
    return Daemon(options, std::move(*log)).run(background);
  } catch (const std::exception& failure) {
    std::cerr << "trivetd: " << failure.what() << '\n';
    return 1;
  }
}

}  // namespace trivet::core
