// What end-to-end tests stand on: network namespaces with cables between them, commands in them, waiting with a
// deadline.
//
// Several labs run side by side: every name carries a prefix of the process. A lab leaves nothing behind, also when the
// test fails; only a killed test does (`ip netns` shows what begins with "tv").
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace trivet::e2e {

// Asks every few milliseconds until the condition holds. False: it did not within the deadline.
[[nodiscard]] bool wait_for(const std::function<bool()>& condition,
                            std::chrono::milliseconds deadline = std::chrono::seconds{5});

// Why this process cannot make namespaces, in a few words; empty: it can.
[[nodiscard]] std::string why_no_lab();

// The calling thread is in the namespace as long as this lives.
class InNamespace {
 public:
  explicit InNamespace(const std::string& full_name);
  InNamespace(const InNamespace&) = delete;
  InNamespace& operator=(const InNamespace&) = delete;
  ~InNamespace();

 private:
  int former_;
};

struct CommandResult {
  int status = 0;  // of the shell; 128 + n after signal n
  std::string output;
};

class Lab {
 public:
  Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;
  ~Lab();

  // A namespace, with its loopback up and quiet interfaces: none has IPv6 until somebody turns it on.
  void add_namespace(const std::string& name);
  // A pair of virtual Ethernet interfaces, both up.
  void add_cable(const std::string& namespace_a, const std::string& interface_a, const std::string& namespace_b,
                 const std::string& interface_b);
  [[nodiscard]] std::string full_name(const std::string& name) const { return prefix_ + name; }

  // Runs a shell command in a namespace and waits for it.
  CommandResult try_run(const std::string& name, const std::string& command) const;
  // The same; a test failure when its status is not 0. Returns the output.
  std::string run(const std::string& name, const std::string& command) const;
  // Runs a function in a new process within the namespace; its result is the exit status. Killed with the lab.
  pid_t start(const std::string& name, const std::function<int()>& body);
  // Ends a process that start() made.
  void stop(pid_t process, int signal);

 private:
  std::string prefix_;
  std::vector<std::string> namespaces_;
  std::vector<pid_t> processes_;
};

}  // namespace trivet::e2e

// Ends a test that cannot run here; where CI is set, that is a failure.
#define TRIVET_CANNOT_RUN(why)                                                            \
  do {                                                                                    \
    if (std::getenv("CI") != nullptr) FAIL() << "end-to-end tests cannot run: " << (why); \
    GTEST_SKIP() << "end-to-end tests are skipped: " << (why);                            \
  } while (false)

// First line of each test.
#define TRIVET_NEEDS_LAB()                                                                       \
  if (const std::string why = ::trivet::e2e::why_no_lab(); !why.empty()) TRIVET_CANNOT_RUN(why); \
  static_assert(true)
