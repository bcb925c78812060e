// The user's script as a child process: started without waiting, read without blocking, ended when it takes too long.
//
// Thread: the agent's one. The script runs in a process group of its own, so that its children end with it; it reads
// from /dev/null, its standard error is the agent's. POSIX only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "trivet/time.h"

namespace trivet::hc::agent {

class Script {
 public:
  Script(std::string path, Duration timeout);
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;
  ~Script();  // ends a script that runs

  // The value, or a sentence that says why there is none.
  using Outcome = std::expected<std::int64_t, std::string>;

  // A process exists: running, or killed and not yet gone.
  [[nodiscard]] bool is_busy() const { return pid_ > 0; }
  // Not while busy. An outcome at once means that it could not be started.
  [[nodiscard]] std::optional<Outcome> start(Time now);
  // To be called when descriptor() is readable, a child has ended, or deadline() has come. The outcome, once.
  [[nodiscard]] std::optional<Outcome> poll(Time now);
  [[nodiscard]] Time deadline() const { return is_reported_ || !is_busy() ? never : deadline_; }
  [[nodiscard]] int descriptor() const { return pipe_; }  // -1: none

 private:
  void read_output();
  void close_pipe();
  void kill_group() const;
  [[nodiscard]] Outcome judge(int status) const;

  std::string path_;
  Duration timeout_;
  pid_t pid_ = -1;
  int pipe_ = -1;
  Time deadline_ = never;
  bool is_reported_ = true;  // the outcome of this run has been given
  std::string output_;
};

}  // namespace trivet::hc::agent
