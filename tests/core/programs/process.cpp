#include "process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace trivet::core {

Process::Process(const std::string& program, const std::vector<std::string>& arguments) {
  int out[2];
  int err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
    ADD_FAILURE() << "no pipe";
    return;
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  std::string path = std::string(PROGRAM_FOLDER) + '/' + program;
  std::vector<std::string> words = arguments;
  std::vector<char*> argv{path.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  if (::posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv.data(), environ) != 0) {
    pid_ = -1;
    ADD_FAILURE() << path << " does not start";
  }
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  ::close(err[1]);
  fds_[0] = out[0];
  fds_[1] = err[0];
}

Process::~Process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int fd : fds_) {
    if (fd >= 0) ::close(fd);
  }
}

Process::Deadline Process::deadline() { return std::chrono::steady_clock::now() + std::chrono::seconds{60}; }

bool Process::read_more(Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left <= left.zero() || (fds_[0] < 0 && fds_[1] < 0)) return false;
  pollfd polled[2] = {{fds_[0], POLLIN, 0}, {fds_[1], POLLIN, 0}};  // poll() passes over those below 0
  const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(left).count() + 1;
  if (::poll(polled, 2, static_cast<int>(timeout)) <= 0) return true;
  for (std::size_t i = 0; i < 2; ++i) {
    if (polled[i].revents == 0) continue;
    char buffer[4096];
    const ssize_t got = ::read(fds_[i], buffer, sizeof(buffer));
    if (got > 0) {
      text_[i].append(buffer, static_cast<std::size_t>(got));
    } else {
      ::close(fds_[i]);
      fds_[i] = -1;
    }
  }
  return true;
}

bool Process::wait_for_error_text(const std::string& text) {
  const Deadline end = deadline();
  while (text_[1].find(text) == std::string::npos) {
    if (!read_more(end)) return false;
  }
  return true;
}

void Process::send_signal(int signal) const {
  if (pid_ > 0) ::kill(pid_, signal);
}

int Process::wait() {
  const Deadline end = deadline();
  while (read_more(end)) {
  }
  if (pid_ < 0 || fds_[0] >= 0 || fds_[1] >= 0) return -1;
  int status = 0;
  ::waitpid(pid_, &status, 0);  // its streams are closed: it ends
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Outcome run_program(const std::string& program, const std::vector<std::string>& arguments) {
  Process process(program, arguments);
  const int code = process.wait();
  return {code, process.out(), process.err()};
}

}  // namespace trivet::core
