// trivetd with a file: --check and --convert, and files that are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "process.h"
#include "tests/core/loader/sample_files.h"

namespace trivet::core {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* all_modules = "vrrp,arp,ping,hc,master,slb,rt";

class TrivetdFile : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = folder_.path() / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  TemporaryFolder folder_;
};

TEST_F(TrivetdFile, AFineFileIsOneLineOnStandardOutput) {
  const std::string file = write("a.conf", std::string("hostname a\nmodules ") + all_modules + '\n');
  const Outcome outcome = run_program("trivetd", {"--check", file});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, file + ": fine\n");
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST_F(TrivetdFile, ErrorsComeInTheOrderOfTheFileWhateverFoundThem) {
  // The parser finds the third first, then the loader, then the checker.
  const std::string file =
      write("a.conf", "hostname a\nmodules arp,nonsense,slb\nserver 1 port 0\nset {\n ipforwarding 1\n");
  const Outcome outcome = run_program("trivetd", {"--check", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, file + ": 3 errors, 1 warning\n");
  const auto place = [&](const std::string& position) { return outcome.err.find(file + position); };
  EXPECT_LT(place(":2:13: error: there is no module 'nonsense'"), place(":3:15: error: port \"0\" is out of range"));
  EXPECT_LT(place(":3:15:"), place(":4:1: error: section \"set\" is not closed"));
  EXPECT_LT(place(":4:1:"), place(":5:2: warning: ipforwarding of set has no effect")) << outcome.err;
  EXPECT_NE(place(":5:2:"), std::string::npos);
}

TEST_F(TrivetdFile, ErrorsOfModulesComeWithThoseOfTheFileAndNoneFollowsFromAnother) {
  const std::string file = write("a.conf",
                                 "hostname a\n"
                                 "modules vrrp,arp,ping,hc,master,slb,rt\n"
                                 "vrrp {\n network 1\n}\n"
                                 "interface 1 name eth1\n"
                                 "network 1 {\n addr 10.0.0.0\n mask 255.0.0.0\n interface 1\n}\n"
                                 "network 2 {\n addr 10.0.0.0\n interface 1\n}\n"
                                 "server 1 {\n ipaddr 10.0.0.7\n port 99999\n targets 1\n}\n"
                                 "server 2 {\n ipaddr 10.0.0.8\n port 80\n targets 1,2\n}\n"
                                 "target 1 {\n ipaddr 127.0.0.1\n port 80\n}\n"
                                 "target 2 {\n ipaddr 10.1.0.1\n port 0\n}\n");
  const Outcome outcome = run_program("trivetd", {"--check", file});
  EXPECT_EQ(outcome.code, 1);
  std::vector<std::string> errors;
  std::istringstream lines(outcome.err);
  for (std::string line; std::getline(lines, line);) {
    const std::string start = file + ":";
    if (line.find(": error: ") != std::string::npos) errors.push_back(line.substr(start.size()));
  }
  EXPECT_THAT(errors, ElementsAre(StartsWith("3:1: error: vrrp has no vrid"),
                                  StartsWith("4:2: error: network 1 has no 'real' address"),
                                  StartsWith("13:2: error: network 2 has addr but no mask"),
                                  StartsWith("18:7: error: port \"99999\" is out of range"),
                                  StartsWith("27:2: error: ipaddr \"127.0.0.1\" is a loopback address"),
                                  StartsWith("32:7: error: port \"0\" is out of range")))
      << outcome.err;
}

TEST_F(TrivetdFile, WhatIsNoFileIsASentence) {
  const std::string pipe = (folder_.path() / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& [file, why] : std::vector<std::pair<std::string, std::string>>{
           {folder_.path().string(), "cannot be read: it is a folder"},
           {"/dev/zero", "cannot be read: it is no regular file"},
           {pipe, "cannot be read: it is no regular file"},
           {(folder_.path() / "gone").string(), "cannot be read: No such file or directory"},
           {write("large", std::string((2U << 20U) + 1, '\n')),
            "is too large for a configuration: at most 2097152 bytes are read"}}) {
    for (const char* option : {"--check", "--convert", "-c"}) {
      const Outcome outcome = run_program("trivetd", {"-f", "--run-dir", folder_.path().string(), option, file});
      EXPECT_EQ(outcome.code, 1) << option << ' ' << file;
      EXPECT_EQ(outcome.err, file + ": " + why + '\n') << option;
      EXPECT_THAT(outcome.out, IsEmpty());
    }
  }
}

TEST_F(TrivetdFile, AnEmptyFileIsNamedInEveryMessage) {
  const std::string file = write("empty.conf", "// nothing\n");
  const Outcome outcome = run_program("trivetd", {"--check", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(file + ": error: no modules"), HasSubstr(file + ": warning: no hostname")));
}

TEST_F(TrivetdFile, AConvertedFileConvertsBackIntoTheSame) {
  const Outcome toml = run_program("trivetd", {"--convert", TRIVET_SOURCE_DIR "/examples/lb1.conf"});
  EXPECT_EQ(toml.code, 0);
  EXPECT_THAT(toml.err, IsEmpty());
  EXPECT_THAT(toml.out, AllOf(StartsWith("# converted from lb1.conf\n"), HasSubstr("\n[server.1]\n")));
  const Outcome native = run_program("trivetd", {"--convert", write("a.toml", toml.out)});
  EXPECT_EQ(native.code, 0);
  EXPECT_THAT(native.out, StartsWith("// converted from a.toml\n"));
  const Outcome again = run_program("trivetd", {"--convert", write("a.conf", native.out)});
  EXPECT_EQ(again.out.substr(again.out.find('\n')), toml.out.substr(toml.out.find('\n')));
}

TEST_F(TrivetdFile, AFileWithErrorsIsNotConverted) {
  const Outcome outcome =
      run_program("trivetd", {"--convert", write("a.conf", "hostname a\nmodules arp\nfrob {\n}\n")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, HasSubstr("a.conf:3:1: error: unknown section"));
}

TEST_F(TrivetdFile, ALibraryThatIsRefusedIsNamedWhereItsKeysAreUnknown) {
  const std::filesystem::path modules = folder_.path() / "modules";
  std::filesystem::create_directory(modules);
  std::ofstream(modules / "slb.so") << "no library";
  const std::string file = write("a.conf", "hostname a\nmodules arp\nserver 1 port 80\n");
  const Outcome outcome = run_program("trivetd", {"--module-path", modules.string(), "--check", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("a.conf:3:1: error: unknown section or command \"server\", no installed module "
                                     "declares it; an installed module could not be asked: " +
                                     (modules / "slb.so").string() + ": is not an ELF file"));
}

// Keys of the language that this version does nothing with are known to the modules themselves.
TEST_F(TrivetdFile, EveryKeyOfTheLanguageIsReadAndKept) {
  const std::string file = write("a.conf", std::string("hostname a\nmodules ") + all_modules + R"(
interface 1 name eth1
network 1 {
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  interface 1
  nat inside
}
vrrp {
  vrid 1
  network 1
  peers 10.0.0.2,10.0.0.3
}
server 1 {
  ipaddr 10.0.0.9
  targets 1
  backup 2
  maxsessions 100
}
target 1 {
  ipaddr 10.0.0.11
  maxsessions 50
  alert /usr/bin/down
  upalert /usr/bin/up
  http 80,3,10 /health
  script /usr/bin/check,3,10
}
target 2 ipaddr 10.0.0.12
)");
  const Outcome checked = run_program("trivetd", {"--check", file});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_EQ(checked.out, file + ": fine (9 warnings)\n") << checked.err;
  for (const char* key :
       {"nat of network 1", "peers of vrrp", "backup of server 1", "maxsessions of server 1", "maxsessions of target 1",
        "alert of target 1", "upalert of target 1", "http of target 1", "script of target 1"}) {
    EXPECT_THAT(checked.err, HasSubstr(std::string(key) + " has no effect in this version"));
  }
  const Outcome toml = run_program("trivetd", {"--convert", file});
  const Outcome native = run_program("trivetd", {"--convert", write("a.toml", toml.out)});
  for (const char* line :
       {"nat inside", "peers 10.0.0.2,10.0.0.3", "backup 2", "maxsessions 100", "maxsessions 50", "alert /usr/bin/down",
        "upalert /usr/bin/up", "http 80,3,10 /health", "script /usr/bin/check,3,10"}) {
    EXPECT_THAT(native.out, HasSubstr(std::string("          ") + line + '\n'));
  }
}

TEST_F(TrivetdFile, AMethodOfALaterVersionIsAnErrorThatListsWhatIsAllowed) {
  const std::string file =
      write("a.conf", std::string("hostname a\nmodules ") + all_modules + "\nserver 1 method rndagent\n");
  EXPECT_THAT(run_program("trivetd", {"--check", file}).err,
              HasSubstr("3:17: error: method \"rndagent\" is not available in this version, allowed are \"rr\""));
}

// What the language promises at least: 1024 targets and 512 servers, with every module that there is.
TEST_F(TrivetdFile, AThousandTargetsAndFiveHundredServersAreFine) {
  std::string text = std::string("hostname a\nmodules ") + all_modules + '\n';
  text += "interface 1 name eth1\nregister interface 1\nenable interface 1\n";
  text += "network 1 {\naddr 10.0.0.0\nmask 255.0.0.0\nreal 10.0.0.1\ninterface 1\n}\n";
  text += "register network 1\nenable network 1\n";
  const auto address = [](int net, int i) {
    return "10." + std::to_string(net) + '.' + std::to_string(i / 200) + '.' + std::to_string(1 + i % 200);
  };
  const auto object = [&](const std::string& name, const std::string& body) {
    text.append(name).append(" {\n").append(body).append("}\nregister ").append(name);
    text.append("\nenable ").append(name).append("\n");
  };
  for (int i = 1; i <= 1024; ++i) {
    object("target " + std::to_string(i), "ipaddr " + address(1, i) + "\nport 80\nping 3,10\ntcpopen 80,3,10\n");
  }
  for (int i = 1; i <= 512; ++i) {
    object("server " + std::to_string(i), "ipaddr " + address(2, i) + "\nport 80\nprotocol tcp\ntargets " +
                                              std::to_string(2 * i - 1) + ',' + std::to_string(2 * i) + '\n');
  }
  const std::string file = write("a.conf", text);
  const Outcome outcome = run_program("trivetd", {"--check", file});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, file + ": fine\n") << outcome.err;
}

TEST(TrivetdUsage, MistakesEndWithTwoAndHelpWithZero) {
  EXPECT_EQ(run_program("trivetd", {"--frobnicate"}).code, 2);
  EXPECT_EQ(run_program("trivetd", {}).code, 2);
  EXPECT_EQ(run_program("trivetd", {"--instance", "128", "-c", "x"}).code, 2);
  EXPECT_EQ(run_program("trivetd", {"--help"}).code, 0);
  EXPECT_THAT(run_program("trivetd", {"--version"}).out, StartsWith("trivetd "));
  EXPECT_EQ(run_program("trivet", {"--instance", "x"}).code, 2);
  EXPECT_EQ(run_program("trivet", {}).code, 2);
}

}  // namespace
}  // namespace trivet::core
