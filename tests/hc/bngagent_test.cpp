// bngagent as the process that it is: on loopback, with a port of the system's choice, ended by its pid.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hc/agent_wire.h"

extern char** environ;

namespace trivet::hc {
namespace {

using namespace std::chrono_literals;
using agent_wire::Answer;
using Clock = std::chrono::steady_clock;

constexpr auto deadline_for_anything = 20s;
constexpr int patience = 20000;  // the same, as poll() wants it

int milliseconds_to(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

// A child process with standard output and standard error in one pipe.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    output_ = ends[0];
    posix_spawn_file_actions_t actions{};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    arguments.insert(arguments.begin(), TRIVET_BNGAGENT);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) {
      pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, TRIVET_BNGAGENT, &actions, nullptr, pointers.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(output_);
  }

  // Everything printed so far, read until `text` is in it or the pipe ends or the deadline comes.
  const std::string& read_until(const std::string& text) {
    const auto end = Clock::now() + deadline_for_anything;
    while (printed_.find(text) == std::string::npos) {
      pollfd wait{output_, POLLIN, 0};
      if (poll(&wait, 1, milliseconds_to(end)) <= 0) {
        ADD_FAILURE() << "'" << text << "' has not been printed, only: " << printed_;
        break;
      }
      std::array<char, 1024> buffer{};
      const ssize_t size = read(output_, buffer.data(), buffer.size());
      if (size <= 0) {
        break;
      }
      printed_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return printed_;
  }
  std::uint16_t port() {
    const std::string start = "listening on UDP port ";
    const std::string& text = read_until("\n");
    const std::size_t at = text.find(start);
    EXPECT_NE(at, std::string::npos) << text;
    return at == std::string::npos ? std::uint16_t{0}
                                   : static_cast<std::uint16_t>(std::atoi(text.c_str() + at + start.size()));
  }
  void send_signal(int number) const { kill(pid_, number); }
  // The exit status; -1 when it did not exit by itself.
  int wait() {
    read_until("\f never printed: reads up to the end");
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  std::string printed_;
};

// A balancer's end: a socket that asks one agent on loopback.
class Asker {
 public:
  Asker(bool use_ipv6, std::uint16_t port) : socket_(socket(use_ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(0x7f000001);
    // Connected: only answers from the very address and port that were asked are received.
    EXPECT_EQ(use_ipv6 ? connect(socket_, reinterpret_cast<const sockaddr*>(&v6), sizeof(v6))
                       : connect(socket_, reinterpret_cast<const sockaddr*>(&v4), sizeof(v4)),
              0);
  }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() { close(socket_); }

  void send(std::span<const std::uint8_t> bytes) const {
    EXPECT_EQ(::send(socket_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  std::optional<Answer> receive() const {
    pollfd wait{socket_, POLLIN, 0};
    if (poll(&wait, 1, patience) != 1) {
      return std::nullopt;
    }
    std::array<std::uint8_t, 512> bytes{};
    const ssize_t size = recv(socket_, bytes.data(), bytes.size(), 0);
    EXPECT_EQ(size, static_cast<ssize_t>(agent_wire::message_size));
    const auto answer =
        agent_wire::parse_answer(std::span(bytes).first(static_cast<std::size_t>(std::max<ssize_t>(size, 0))));
    EXPECT_TRUE(answer);
    return answer ? std::optional<Answer>(*answer) : std::nullopt;
  }
  std::optional<Answer> ask(std::uint64_t nonce) const {
    send(agent_wire::encode(agent_wire::Request{nonce}));
    return receive();
  }
  // The kernel says that nobody listens (ICMP port unreachable).
  bool is_refused() const {
    send(agent_wire::encode(agent_wire::Request{1}));
    pollfd wait{socket_, POLLIN, 0};
    std::array<std::uint8_t, 64> bytes{};
    return poll(&wait, 1, patience) == 1 && recv(socket_, bytes.data(), bytes.size(), 0) < 0 && errno == ECONNREFUSED;
  }
  // Asks until the answer carries the value, or is without one.
  bool ask_until(std::optional<std::int64_t> value) const {
    const auto end = Clock::now() + deadline_for_anything;
    for (std::uint64_t nonce = 1; Clock::now() < end; ++nonce) {
      const auto answer = ask(nonce);
      if (!answer || answer->nonce != nonce) {
        return false;
      }
      if (answer->value == value) {
        return true;
      }
      poll(nullptr, 0, 20);  // between two questions; the condition is the answer
    }
    return false;
  }

 private:
  int socket_;
};

// A script in a folder of its own, removed at the end.
class ScriptFile {
 public:
  ScriptFile() {
    std::string folder = (std::filesystem::temp_directory_path() / "bngagent-test-XXXXXX").string();
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  explicit ScriptFile(const std::string& body) : ScriptFile() { write(body); }
  ScriptFile(const ScriptFile&) = delete;
  ScriptFile& operator=(const ScriptFile&) = delete;
  ~ScriptFile() { std::filesystem::remove_all(folder_); }

  // Swapped in as a whole: the agent may start it at any moment.
  void write(const std::string& body) const {
    const std::filesystem::path next = folder_ / "next";
    std::ofstream(next) << "#!/bin/sh\n" << body << '\n';
    chmod(next.c_str(), 0755);
    std::filesystem::rename(next, path());
  }
  [[nodiscard]] std::string path() const { return (folder_ / "script").string(); }
  [[nodiscard]] std::string file(const char* name) const { return (folder_ / name).string(); }

 private:
  std::filesystem::path folder_;
};

TEST(BngAgent, AnswersWithTheLoadOverIpv4) {
  Process agent({"0"});
  const Asker asker(false, agent.port());
  const auto answer = asker.ask(0x1122334455667788ULL);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->nonce, 0x1122334455667788ULL);
  ASSERT_TRUE(answer->value);
  double load = 0;
  ASSERT_EQ(getloadavg(&load, 1), 1);
  EXPECT_NEAR(static_cast<double>(*answer->value), load * 100, 300) << "load average x 100";
}

TEST(BngAgent, AnswersOverIpv6AndNotOverIpv4) {
  Process agent({"-6", "0"});
  const std::uint16_t port = agent.port();
  EXPECT_TRUE(Asker(true, port).ask(1));
  EXPECT_TRUE(Asker(false, port).is_refused()) << "somebody listens on the IPv4 port";
}

TEST(BngAgent, IgnoresInvalidRequestsAndStillAnswersValidOnes) {
  Process agent({"0"});
  const Asker asker(false, agent.port());
  const agent_wire::Bytes good = agent_wire::encode(agent_wire::Request{1});
  for (std::size_t length = 0; length < good.size(); ++length) {
    asker.send(std::span(good).first(length));
  }
  asker.send(std::vector<std::uint8_t>(1400, 0x54));
  asker.send(agent_wire::encode(Answer{5, 5}));
  const auto answer = asker.ask(2);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->nonce, 2U) << "an earlier datagram has been answered";
  agent.send_signal(SIGTERM);
  EXPECT_NE(agent.read_until("over the limit").find("1 requests answered, 26 invalid ones ignored"), std::string::npos);
}

TEST(BngAgent, EndsCleanlyOnSignals) {
  for (const int number : {SIGTERM, SIGINT}) {
    Process agent({"0"});
    EXPECT_NE(agent.port(), 0);
    agent.send_signal(number);
    EXPECT_EQ(agent.wait(), 0);
  }
}

// The process that the starter has left behind, found by the script that only this test uses.
pid_t daemon_of(const std::string& script) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline");
    const std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (line.find("bngagent") != std::string::npos && line.find(script) != std::string::npos) {
      return static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
    }
  }
  return -1;
}

TEST(BngAgent, GoesIntoTheBackgroundOnceThePortIsOpen) {
  const ScriptFile script("echo 7");
  Process starter({"-d", "-s", script.path(), "0"});
  const std::uint16_t port = starter.port();
  // Standard output is closed: nobody who waits for the end of a pipe waits for the daemon.
  EXPECT_EQ(starter.wait(), 0);
  const pid_t daemon = daemon_of(script.path());
  ASSERT_GT(daemon, 0);
  const Asker asker(false, port);
  const auto answer = asker.ask(5);
  EXPECT_TRUE(answer && answer->value == 7);
  EXPECT_NE(getsid(daemon), getsid(0));
  EXPECT_NE(getsid(daemon), daemon) << "a session leader could get a terminal";
  EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(daemon) + "/cwd"), "/");
  for (const char* const descriptor : {"0", "1", "2"}) {
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(daemon) + "/fd/" + descriptor), "/dev/null");
  }
  // The port is taken: the second one says so itself.
  Process second({"-d", std::to_string(port)});
  second.read_until("is another bngagent running?");
  EXPECT_EQ(second.wait(), 1);
  kill(daemon, SIGTERM);
  const auto end = Clock::now() + deadline_for_anything;
  while (daemon_of(script.path()) > 0 && Clock::now() < end) poll(nullptr, 0, 10);  // the condition is its end
  EXPECT_TRUE(asker.is_refused());
}

TEST(BngAgent, SaysWhenThePortIsInUse) {
  Process first({"0"});
  const std::string port = std::to_string(first.port());
  Process second({port});
  EXPECT_EQ(second.read_until("another"), "bngagent: cannot listen on UDP port " + port +
                                              " over IPv4: Address already in use; is another bngagent running?\n");
  EXPECT_EQ(second.wait(), 1);
}

TEST(BngAgent, RefusesWrongArguments) {
  struct Row {
    std::vector<std::string> arguments;
    std::string said;
    int status;
  };
  const Row rows[] = {{{}, "PORT is required", 2},
                      {{"65536"}, "65536", 2},
                      {{"0", "--nonsense"}, "--nonsense", 2},
                      {{"-s", "/does/not/exist", "0"}, "does not exist or is not executable", 1},
                      {{"--help"}, "load average of one minute x 100", 0}};
  for (const Row& row : rows) {
    Process agent(row.arguments);
    EXPECT_NE(agent.read_until(row.said).find(row.said), std::string::npos);
    EXPECT_EQ(agent.wait(), row.status);
  }
}

TEST(BngAgent, AnswersWithWhatTheScriptPrints) {
  const ScriptFile script("echo 4711");
  Process agent({"-s", script.path(), "0"});
  const Asker asker(false, agent.port());
  const auto answer = asker.ask(9);  // the very first one waits for the script
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, (Answer{9, 4711}));
}

TEST(BngAgent, FollowsTheScriptAndItsFailure) {
  const ScriptFile script("echo 1");
  Process agent({"-s", script.path(), "0"});
  const Asker asker(false, agent.port());
  EXPECT_TRUE(asker.ask_until(1));
  script.write("echo 2");
  EXPECT_TRUE(asker.ask_until(2));
  script.write("echo 3; exit 5");
  EXPECT_TRUE(asker.ask_until(std::nullopt));
  agent.read_until("ended with exit status 5; answering without a value");
  script.write("echo 4");
  EXPECT_TRUE(asker.ask_until(4));
  agent.read_until("gives values again");
}

TEST(BngAgent, RunsTheScriptAtMostOnceASecond) {
  const ScriptFile script;
  script.write("echo x >> " + script.file("runs") + "\necho 1");
  const auto start = Clock::now();
  {
    Process agent({"-s", script.path(), "0"});
    const Asker asker(false, agent.port());
    for (std::uint64_t nonce = 1; nonce <= 300; ++nonce) {
      ASSERT_TRUE(asker.ask(nonce));
    }
    agent.send_signal(SIGTERM);
    EXPECT_EQ(agent.wait(), 0);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  EXPECT_LE(static_cast<double>(std::filesystem::file_size(script.file("runs"))) / 2, 1 + seconds);
}

TEST(BngAgent, HangingScriptIsKilledWithItsChildrenAndBlocksNoAnswer) {
  const ScriptFile script("echo 8");
  Process agent({"--script-timeout", "0.3", "-s", script.path(), "0"});
  const Asker asker(false, agent.port());
  EXPECT_TRUE(asker.ask_until(8));
  script.write("sleep 1000 & echo $! > " + script.file("child") + "\nwait");
  EXPECT_TRUE(asker.ask_until(std::nullopt));
  agent.read_until("took too long and was killed");
  // The sleeping child is gone, too: its number is free or another's, or it is a zombie of init for a moment.
  pid_t child = 0;
  std::ifstream(script.file("child")) >> child;
  ASSERT_GT(child, 0);
  const auto end = Clock::now() + deadline_for_anything;
  const std::string status = "/proc/" + std::to_string(child) + "/cmdline";
  std::string command = "sleep";
  while (command.find("sleep") != std::string::npos && Clock::now() < end) {
    std::ifstream file(status);
    command.assign(std::istreambuf_iterator<char>(file), {});
    poll(nullptr, 0, 10);
  }
  EXPECT_EQ(command.find("sleep"), std::string::npos);
  script.write("echo 9");
  EXPECT_TRUE(asker.ask_until(9));
}

TEST(BngAgent, EndsAtOnceWhileAScriptHangs) {
  const ScriptFile script("sleep 1000");
  Process agent({"--script-timeout", "60", "-s", script.path(), "0"});
  EXPECT_NE(agent.port(), 0);
  agent.send_signal(SIGTERM);
  const auto start = Clock::now();
  EXPECT_EQ(agent.wait(), 0);
  EXPECT_LT(Clock::now() - start, deadline_for_anything);
}

}  // namespace
}  // namespace trivet::hc
