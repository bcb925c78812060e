#include "hc/agent/script.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "hc/agent/responder.h"

namespace trivet::hc::agent {
namespace {

constexpr std::size_t max_output = 256;  // more is no integer

// Everything that posix_spawn needs, released on every path.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  int spawn(pid_t& pid, const std::string& path, int output) {
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigaddset(&signals, SIGPIPE);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGCHLD);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    std::string name = path;
    std::array<char*, 2> arguments{name.data(), nullptr};
    return posix_spawn(&pid, path.c_str(), &actions_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

Script::Script(std::string path, Duration timeout) : path_(std::move(path)), timeout_(timeout) {}

Script::~Script() {
  close_pipe();
  if (is_busy()) {
    kill_group();
    waitpid(pid_, nullptr, 0);
  }
}

std::optional<Script::Outcome> Script::start(Time now) {
  std::array<int, 2> ends{-1, -1};
  if (pipe(ends.data()) != 0) {
    return std::unexpected(std::string("no pipe: ") + std::strerror(errno));
  }
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  SpawnSettings settings;
  const int error = settings.spawn(pid_, path_, ends[1]);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    pid_ = -1;
    return std::unexpected(std::string("cannot be started: ") + std::strerror(error));
  }
  pipe_ = ends[0];
  output_.clear();
  deadline_ = now + timeout_;
  is_reported_ = false;
  return std::nullopt;
}

void Script::read_output() {
  std::array<char, 512> buffer{};
  while (pipe_ >= 0) {
    const ssize_t size = read(pipe_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) {
      continue;
    }
    if (size < 0 && errno == EAGAIN) {
      return;
    }
    if (size <= 0) {
      close_pipe();
      return;
    }
    output_.append(buffer.data(), static_cast<std::size_t>(size));
    if (output_.size() > max_output) {
      output_.resize(max_output + 1);  // remembered as too long; the rest is read and thrown away
    }
  }
}

std::optional<Script::Outcome> Script::poll(Time now) {
  if (!is_busy()) {
    return std::nullopt;
  }
  read_output();
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    read_output();  // what it wrote between the read above and its end
    close_pipe();   // a child that it left behind may hold the other end
    pid_ = -1;
    if (std::exchange(is_reported_, true)) {
      return std::nullopt;
    }
    return judge(status);
  }
  if (!is_reported_ && now >= deadline_) {
    kill_group();
    close_pipe();
    is_reported_ = true;
    return std::unexpected(std::string("took too long and was killed"));
  }
  return std::nullopt;
}

Script::Outcome Script::judge(int status) const {
  if (WIFSIGNALED(status)) {
    return std::unexpected("ended by signal " + std::to_string(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    return std::unexpected("ended with exit status " + std::to_string(WEXITSTATUS(status)));
  }
  const std::optional<std::int64_t> value = output_.size() > max_output ? std::nullopt : parse_value(output_);
  if (!value) {
    return std::unexpected(std::string("did not print one integer from 0 to 2^63 - 1"));
  }
  return *value;
}

void Script::kill_group() const { kill(-pid_, SIGKILL); }

void Script::close_pipe() {
  if (pipe_ >= 0) {
    close(std::exchange(pipe_, -1));
  }
}

}  // namespace trivet::hc::agent
