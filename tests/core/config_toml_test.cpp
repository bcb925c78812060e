// TOML: text to tree.
#include "core/config/toml_front_end.h"
#include "tests/core/config_test_tools.h"

namespace trivet::core::config_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string head = "hostname = \"a\"\nmodules = [\"m\"]\n";

std::vector<std::string> problems_in_body(const std::string& body) {
  return problems_of(head + body, full_schema(), ConfigFormat::toml);
}

void expect_same(const std::string& toml, const std::string& native) {
  const Schema schema = full_schema();
  EXPECT_EQ(canonical(parse_good(toml, ConfigFormat::toml), schema), canonical(parse_good(native), schema)) << toml;
}

TEST(ConfigToml, MeansTheSameAsTheNativeForm) {
  expect_same(
      "hostname = \"LB1\"\nmodules = [\"vrrp\", \"slb\"]\n[set]\nipforwarding = 1\nsessiontimeout = 5.5\n"
      "[vrrp]\nvrid = 64\ntracking = \"enable\"\n[server.10]\ntargets = [1, \"2-3\"]\nname = \"a, b\"\n"
      "[server.2]\nstate = \"registered\"\n[server.3]\nstate = \"defined\"\ntargets = 7\n"
      "[target.1]\nping6 = [3, 10]\nhttp = [80, 3, 10, \"/x\"]\nscript = [[\"/a\", 1, 2], [\"/b\", 3, 4]]\n",
      "hostname LB1\nmodules vrrp,slb\nset {\nipforwarding 1\nsessiontimeout 5.5\n}\nvrrp {\nvrid 64\ntracking "
      "enable\n}\n"
      "server 10 {\ntargets 1-3\nname \"a, b\"\n}\nserver 2 { }\nserver 3 target 7\ntarget 1 {\nping6 3,10\n"
      "http 80,3,10 /x\nscript /a,1,2\nscript /b,3,4\n}\nregister servers 2,10\nregister target 1\n"
      "enable server 10\nenable target 1\n");
}

TEST(ConfigToml, ArraysDivideAsTheKeySays) {
  expect_same("[policy.1]\nvia = [1, 2, 3, \"strict\"]\n",
              "policy 1 via 1-3 strict\nregister policy 1\nenable policy 1\n");
  expect_same("[policy.1]\nvia = [[[1, 2], \"strict\"]]\n",
              "policy 1 via 1,2 strict\nregister policy 1\nenable policy 1\n");
  expect_same("[policy.1]\npeer = [\"::1\", \"10.0.0.1\"]\nlabels = [[\"a\", \"b\"], \"c\"]\n",
              "policy 1 {\npeer ::1\npeer 10.0.0.1\nlabels a,b\nlabel c\n}\nregister policy 1\nenable policy 1\n");
}

TEST(ConfigToml, TheOrderOfTheFileIsKept) {
  const Tree tree = parse_good("[target.10]\nzz = 1\naa = 2\n[target.9]\n", ConfigFormat::toml);
  ASSERT_EQ(tree.objects.size(), 2U);
  EXPECT_EQ(tree.objects[0].index, 10U);
  EXPECT_EQ(tree.objects[0].parameters[0].keyword, "zz");
  EXPECT_EQ(tree.objects[0].parameters[0].position, (Position{"test", 2, 1}));
  EXPECT_EQ(tree.objects[0].parameters[1].words[0].elements[0].position, (Position{"test", 3, 6}));
}

struct WrongToml {
  const char* body;     // begins in line 3
  const char* problem;  // behind "f:"
};

class ConfigTomlError : public testing::TestWithParam<WrongToml> {};

TEST_P(ConfigTomlError, IsOneErrorAtItsPlace) {
  EXPECT_THAT(problems_in_body(GetParam().body), ElementsAre(std::string("f:") + GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Config, ConfigTomlError,
    testing::Values(
        WrongToml{"[server.1]\nport = 70000\n", "4:8: error: port \"70000\" is out of range, allowed is 1 to 65535"},
        WrongToml{"[server.1]\nport = [80, 81]\n",
                  "4:9: error: port has 2 values instead of 1; it is written: port <port>"},
        WrongToml{"[server.1]\nport = []\n", "4:1: error: port needs a value; it is written: port <port>"},
        WrongToml{"[server.1]\nprot = 80\n",
                  "4:1: error: unknown keyword \"prot\" in server 1, did you mean \"port\"?"},
        WrongToml{"[server.1]\nprotocol = true\n",
                  "4:12: error: protocol \"true\" is unknown, allowed are \"tcp\" and \"udp\""},
        WrongToml{"[server.1]\nport = 1979-05-27\n",
                  "4:8: error: port has a value of a kind that is not used here; a string, a number or an array of "
                  "them is needed"},
        WrongToml{"[server.1]\nname = {a = 1}\n",
                  "4:8: error: name has a value of a kind that is not used here; a string, a number or an array of "
                  "them is needed"},
        WrongToml{"[server.1]\nname = \"a\\nb\"\n", "4:8: error: a control character in the value of name"},
        WrongToml{"[server.1]\nstate = \"up\"\n",
                  "4:9: error: state \"up\" is unknown, allowed are \"defined\", \"registered\" and \"enabled\""},
        WrongToml{"[set]\nstate = \"enabled\"\n",
                  "4:1: error: set has no state: it has no number and is always enabled"},
        WrongToml{"[[server]]\nport = 80\n", "3:3: error: [[server]] is no section; write [server.1]"},
        WrongToml{"[server]\n1 = 80\n", "4:1: error: server 1 is no table; write [server.1]"},
        WrongToml{"[server.01]\n", "3:9: error: \"01\" is no number from 1 to 65535"},
        WrongToml{"[server.0]\n", "3:9: error: \"0\" is no number from 1 to 65535"},
        WrongToml{"[vrrp.1]\n", "3:7: error: vrrp takes no number, 1 was given"},
        WrongToml{"[\"a b\"]\n", "3:2: error: \"a b\" is no name of a section"},
        WrongToml{"[server.1]\n\"a b\" = 1\n", "4:1: error: \"a b\" is no keyword"}));

TEST(ConfigToml, ASyntaxErrorIsTheOnlyOneAndHasItsPlace) {
  EXPECT_THAT(problems_of("[server.1]\nport = \n[x\n", full_schema(), ConfigFormat::toml),
              ElementsAre(StartsWith("f:2:8: error: TOML: ")));
}

TEST(ConfigToml, WhatTheLibraryDoesNotExpectIsAnErrorToo) {
  EXPECT_THAT(problems_of("[[ = 1\n", full_schema(), ConfigFormat::toml),
              ElementsAre(StartsWith("f:1: error: TOML: ")));
  EXPECT_THAT(
      problems_of(head + "[server.1]\nport = 1\n[[ = 1\n[server.2]\nport = 2\n", full_schema(), ConfigFormat::toml),
      ElementsAre(StartsWith("f:5: error: TOML: ")));
}

TEST(ConfigToml, ValuesOutsideSectionsAreNamed) {
  EXPECT_THAT(problems_of("hostnam = \"a\"\n" + head, full_schema(), ConfigFormat::toml),
              ElementsAre("f:1:1: error: \"hostnam\" is a value outside every section, did you mean \"hostname\"?"));
}

TEST(ConfigToml, SizesAreBounded) {
  EXPECT_THAT(problems_of(std::string(TreeLimits::text_size + 1, '\n'), full_schema(), ConfigFormat::toml),
              ElementsAre(HasSubstr("bytes; at most")));
  EXPECT_THAT(problems_in_body("[server.1]\nname = \"" + std::string(TreeLimits::value_size, 'x') + "\"\n"),
              ElementsAre(HasSubstr("f:4:1: error: the value of \"name\" has")));
}

TEST(ConfigToml, EveryTruncationIsReadWithoutHarm) {
  const std::string text = save_toml(parse_good(read_file(TRIVET_SOURCE_DIR "/examples/lb1.conf")), seed_schema(), {});
  for (std::size_t size = 0; size <= text.size(); ++size) {
    Problems problems;
    static_cast<void>(parse_configuration(text.substr(0, size), "f", ConfigFormat::toml, problems));
    EXPECT_LE(problems.list().size(), 1U) << text.substr(0, size);
  }
}

}  // namespace
}  // namespace trivet::core::config_test
