#include "lab.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>
#include <thread>

namespace trivet::e2e {

namespace {

CommandResult shell(const std::string& command) {
  CommandResult result;
  FILE* pipe = ::popen(("exec 2>&1; " + command).c_str(), "re");
  if (pipe == nullptr) return {127, "cannot start a shell"};
  std::array<char, 4096> part{};
  for (std::size_t size = 0; (size = std::fread(part.data(), 1, part.size(), pipe)) > 0;) {
    result.output.append(part.data(), size);
  }
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string{"'\\''"} : std::string(1, c);
  return result + "'";
}

}  // namespace

bool wait_for(const std::function<bool()>& condition, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

std::string why_no_lab() {
  if (::geteuid() != 0) return "they need root";
  static const CommandResult probe = shell(
      "n=tvprobe$$; ip netns add $n && ip -n $n link add name a0 type veth peer name b0; s=$?; ip netns del $n; exit "
      "$s");
  return probe.status == 0 ? "" : "network namespaces with veth do not work here: " + probe.output;
}

InNamespace::InNamespace(const std::string& full_name)
    : former_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const int wanted = ::open(("/run/netns/" + full_name).c_str(), O_RDONLY | O_CLOEXEC);
  const bool done = former_ >= 0 && wanted >= 0 && ::setns(wanted, CLONE_NEWNET) == 0;
  if (wanted >= 0) ::close(wanted);
  if (!done) throw std::runtime_error("cannot enter the namespace " + full_name);
}

InNamespace::~InNamespace() {
  if (::setns(former_, CLONE_NEWNET) != 0) std::abort();  // everything after would run in the wrong place
  ::close(former_);
}

Lab::Lab() {
  static int count = 0;
  prefix_ = "tv" + std::to_string(::getpid()) + "x" + std::to_string(count++) + "-";
}

Lab::~Lab() {
  while (!processes_.empty()) stop(processes_.back(), SIGKILL);
  for (const std::string& name : namespaces_) shell("ip netns del " + name);
}

void Lab::add_namespace(const std::string& name) {
  const std::string full = full_name(name);
  const CommandResult result = shell("ip netns add " + full);
  ASSERT_EQ(result.status, 0) << result.output;
  namespaces_.push_back(full);
  run(name, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1 && ip link set lo up");
}

void Lab::add_cable(const std::string& namespace_a, const std::string& interface_a, const std::string& namespace_b,
                    const std::string& interface_b) {
  run(namespace_a,
      "ip link add name " + interface_a + " type veth peer name " + interface_b + " netns " + full_name(namespace_b));
  run(namespace_a, "ip link set " + interface_a + " up");
  run(namespace_b, "ip link set " + interface_b + " up");
}

CommandResult Lab::try_run(const std::string& name, const std::string& command) const {
  return shell("ip netns exec " + full_name(name) + " sh -c " + quoted(command));
}

std::string Lab::run(const std::string& name, const std::string& command) const {
  CommandResult result = try_run(name, command);
  EXPECT_EQ(result.status, 0) << name << ": " << command << ": " << result.output;
  return std::move(result.output);
}

pid_t Lab::start(const std::string& name, const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int status = 125;
    try {
      const InNamespace inside{full_name(name)};
      status = body();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(status);
  }
  EXPECT_GT(child, 0);
  if (child > 0) processes_.push_back(child);
  return child;
}

void Lab::stop(pid_t process, int signal) {
  const auto found = std::ranges::find(processes_, process);
  if (found == processes_.end()) return;
  processes_.erase(found);
  ::kill(process, signal);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace trivet::e2e
