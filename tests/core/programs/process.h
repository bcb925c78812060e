// Runs the programs of the build, as an operator does: arguments in, exit code and both streams out.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace trivet::core {

// A program that runs. Ends with the object, if it has not before.
class Process {
 public:
  // `program`: its name in the folder of the build's binaries.
  Process(const std::string& program, const std::vector<std::string>& arguments);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // Until standard error holds `text`, or the program ends, or the deadline passes. True if it is there.
  bool wait_for_error_text(const std::string& text);
  void send_signal(int signal) const;
  // Until it has ended. The exit code; -1 when the deadline passes or a signal ended it.
  int wait();
  [[nodiscard]] const std::string& out() const { return text_[0]; }
  [[nodiscard]] const std::string& err() const { return text_[1]; }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  static Deadline deadline();
  // Reads what comes. False when both streams are at their end or the deadline has passed.
  bool read_more(Deadline deadline);

  pid_t pid_ = -1;
  int fds_[2] = {-1, -1};
  std::string text_[2];
};

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// Runs a program to its end.
Outcome run_program(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace trivet::core
