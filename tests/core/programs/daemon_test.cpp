// Running daemons without interfaces: save and reload, and two of them beside each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/config/configuration.h"
#include "process.h"
#include "tests/core/loader/sample_files.h"

namespace trivet::core {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

// Interfaces that no machine has: each is a state, so the daemon runs without any right.
constexpr const char* text = R"(hostname LB1
modules vrrp,arp,ping,hc,master,slb,rt
set ipforwarding 1
interface 1 name trivet-none
register interface 1
enable interface 1
network 1 {
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  interface 1
  nat inside
}
register network 1
enable network 1
server 1 {
  name "Web	1, { }"
  ipaddr 10.0.0.9
  port 80
  targets 1,2
}
register server 1
target 1 ipaddr 10.0.0.11
target 2 ipaddr 10.0.0.12
register targets 1,2
enable target 2
)";

class RunningDaemon : public ::testing::Test {
 protected:
  RunningDaemon() : file_(write("a.conf", text)) {}

  std::string write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  std::vector<std::string> arguments(const std::string& run_dir, const std::string& instance = "0") {
    return {"-f", "-c", file_, "--run-dir", (folder_.path() / run_dir).string(), "--instance", instance};
  }
  // The daemon has answered once, so that it can be asked.
  static void expect_started(Process& daemon) {
    EXPECT_TRUE(daemon.wait_for_error_text("started with ")) << daemon.err();
  }
  Outcome ask(const std::vector<std::string>& words, const std::string& run_dir = "run") {
    std::vector<std::string> all{"--run-dir", (folder_.path() / run_dir).string()};
    all.insert(all.end(), words.begin(), words.end());
    return run_program("trivet", all);
  }
  // What the file means, whatever its form.
  static std::string meaning(const std::string& file) {
    const Outcome toml = run_program("trivetd", {"--convert", file});
    EXPECT_EQ(toml.code, 0) << toml.err;
    return toml.out.substr(toml.out.find('\n'));
  }

  TemporaryFolder folder_;
  std::string file_;
};

TEST_F(RunningDaemon, SavePrintsAFileThatMeansTheSame) {
  Process daemon("trivetd", arguments("run"));
  expect_started(daemon);
  const Outcome native = ask({"save"});
  EXPECT_EQ(native.code, 0) << native.err;
  EXPECT_THAT(native.out.substr(0, native.out.find("hostname")),
              MatchesRegex("// configuration taken [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4}\n"
                           "// Trivet [0-9.]+ \\(created [0-9]{4}/[0-9]{2}/[0-9]{2}\\)\n"));
  EXPECT_THAT(native.out, AllOf(HasSubstr("\nhostname  LB1\n"), HasSubstr("          nat inside\n"),
                                EndsWith("\n// end of configuration\n")));
  EXPECT_EQ(meaning(write("saved.conf", native.out)), meaning(file_));

  const Outcome toml = ask({"save", "--toml"});
  EXPECT_THAT(toml.out, StartsWith("# configuration taken "));
  const Outcome back = run_program("trivetd", {"--convert", write("saved.toml", toml.out)});
  EXPECT_EQ(meaning(write("back.conf", back.out)), meaning(file_));

  EXPECT_THAT(ask({"save", "x"}).err, HasSubstr("'save' takes no argument but --toml"));
  EXPECT_THAT(ask({"help"}).out, AllOf(HasSubstr("save [--toml]"), HasSubstr("reload")));
  daemon.send_signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
}

TEST_F(RunningDaemon, AReloadThatCannotReadItsFileSaysWhyAndTheDaemonGoesOn) {
  Process daemon("trivetd", arguments("run"));
  expect_started(daemon);
  std::filesystem::remove(file_);
  EXPECT_THAT(ask({"reload"}).err, HasSubstr(file_ + ": error: cannot be read: No such file or directory"));
  std::filesystem::create_directory(file_);
  EXPECT_THAT(ask({"reload"}).err, HasSubstr(file_ + ": error: cannot be read: it is a folder"));
  std::filesystem::remove(file_);
  std::filesystem::create_symlink("/dev/zero", file_);
  EXPECT_THAT(ask({"reload"}).err, HasSubstr(file_ + ": error: cannot be read: it is no regular file"));
  daemon.send_signal(SIGHUP);
  EXPECT_TRUE(daemon.wait_for_error_text("it is no regular file"));
  std::filesystem::remove(file_);
  write("a.conf", text);
  EXPECT_EQ(ask({"reload"}).code, 0);
  daemon.send_signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
}

TEST_F(RunningDaemon, ALogFileThatWasMovedAwayIsMadeAnewBySighup) {
  const std::filesystem::path log = folder_.path() / "a.log";
  std::vector<std::string> all = arguments("run");
  all.insert(all.end(), {"--log-file", log.string()});
  Process daemon("trivetd", all);
  // The log is opened before the socket answers.
  for (int tries = 0; tries < 1000 && ask({"help"}).code != 0; ++tries) continue;
  std::filesystem::rename(log, log.string() + ".1");
  daemon.send_signal(SIGHUP);
  for (int tries = 0; tries < 1000 && !std::filesystem::exists(log); ++tries) static_cast<void>(ask({"help"}));
  EXPECT_EQ(ask({"reload"}).code, 0);
  std::ifstream stream(log);
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(stream), {}), HasSubstr("reloaded"));
  daemon.send_signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
}

TEST_F(RunningDaemon, ErrorsOfAReloadComeInTheOrderOfTheFile) {
  Process daemon("trivetd", arguments("run"));
  expect_started(daemon);
  write("a.conf", "hostname a\nmodules arp,nonsense\nset {\n");
  const Outcome outcome = ask({"reload"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_LT(outcome.err.find("a.conf:2:13: error"), outcome.err.find("a.conf:3:1: error")) << outcome.err;
  daemon.send_signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
}

TEST_F(RunningDaemon, AModuleThatIsReplacedOnDiskIsToldAtAReload) {
  const std::filesystem::path modules = folder_.path() / "modules";
  std::filesystem::create_directory(modules);
  std::filesystem::copy_file(MODULE_FOLDER "/rt.so", modules / "rt.so");
  auto words = arguments("run");
  words.insert(words.end(), {"--module-path", modules.string()});
  Process daemon("trivetd", words);
  expect_started(daemon);
  const std::string sentence = (modules / "rt.so").string() + " has changed since it was loaded";
  EXPECT_THAT(ask({"reload"}).out, ::testing::Not(HasSubstr(sentence)));
  std::filesystem::copy_file(MODULE_FOLDER "/rt.so", modules / "new");
  std::filesystem::rename(modules / "new", modules / "rt.so");
  const Outcome outcome = ask({"reload"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("a.conf:2:"), HasSubstr(sentence)));
  daemon.send_signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
}

TEST_F(RunningDaemon, ASecondDaemonNeedsAnotherInstanceOrFolder) {
  Process first("trivetd", arguments("run"));
  expect_started(first);
  const Outcome same = run_program("trivetd", arguments("run"));
  EXPECT_EQ(same.code, 1);
  EXPECT_EQ(same.err, "trivetd: " + (folder_.path() / "run" / "trivetd.pid").string() +
                          " is locked: another daemon of this instance runs (use --instance or --run-dir)\n");
  EXPECT_EQ(ask({"help"}).code, 0) << "the first one still answers";

  Process other("trivetd", arguments("run", "7"));
  expect_started(other);
  Process elsewhere("trivetd", arguments("run2"));
  expect_started(elsewhere);
  EXPECT_EQ(ask({"--instance", "7", "help"}).code, 0);
  EXPECT_EQ(ask({"help"}, "run2").code, 0);
  for (Process* daemon : {&first, &other, &elsewhere}) {
    daemon->send_signal(SIGTERM);
    EXPECT_EQ(daemon->wait(), 0);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "run")) << "pid files and sockets are gone";
  EXPECT_EQ(ask({"help"}).code, 2);
  EXPECT_THAT(ask({"help"}).err, HasSubstr("no daemon answers at"));
}

TEST_F(RunningDaemon, WhatAKilledDaemonLeavesBehindDoesNotStopTheNext) {
  {
    Process killed("trivetd", arguments("run"));
    expect_started(killed);
    killed.send_signal(SIGKILL);
    EXPECT_EQ(killed.wait(), -1);
  }
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "run" / "trivetd.sock"));
  Process daemon("trivetd", arguments("run"));
  expect_started(daemon);
  EXPECT_EQ(ask({"help"}).code, 0);
  daemon.send_signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
}

TEST_F(RunningDaemon, ASocketThatSomebodyListensOnIsLeftAlone) {
  const std::filesystem::path run = folder_.path() / "run";
  std::filesystem::create_directory(run);
  const std::string path = (run / "trivetd.sock").string();
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  const Outcome outcome = run_program("trivetd", arguments("run"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(path + " is in use: another daemon of this instance runs"));
  EXPECT_TRUE(std::filesystem::exists(path));
  ::close(listener);
}

}  // namespace
}  // namespace trivet::core
