// The native language: text to tree.
#include "core/config/native_parser.h"
#include "core/config/values.h"
#include "tests/core/config_test_tools.h"

namespace trivet::core::config_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> parse_errors(const std::string& text) {
  Problems problems;
  static_cast<void>(parse_configuration(text, "f", ConfigFormat::native, problems));
  return lines(problems);
}

LifeCycle state_of(const Tree& tree, const std::string& section, std::uint32_t index) {
  const Object* object = tree.find(section, index);
  EXPECT_NE(object, nullptr);
  return object == nullptr ? LifeCycle::defined : object->state;
}

std::vector<std::string> elements(const Parameter& parameter) {
  std::vector<std::string> list;
  for (const Word& word : parameter.words) {
    for (const Element& element : word.elements) list.push_back(element.text);
  }
  return list;
}

class SeedFile : public testing::TestWithParam<const char*> {};

TEST_P(SeedFile, ReadsAndChecksWithoutAnyProblem) {
  const std::string text = read_file(std::string(TRIVET_SOURCE_DIR "/examples/") + GetParam());
  Problems problems;
  const Tree tree = parse_configuration(text, GetParam(), ConfigFormat::native, problems);
  EXPECT_THAT(tree.module_names(), ElementsAre("vrrp", "arp", "ping", "hc", "master", "slb", "rt"));
  const auto view = check_configuration(tree, seed_schema(), problems);
  EXPECT_THAT(lines(problems), IsEmpty());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->all("interface").size(), 3U);
  for (const SectionView& object : view->objects) EXPECT_TRUE(object.is_active()) << object.section << object.index;
  const SectionView* target = view->find("target", 2);
  ASSERT_NE(target, nullptr);
  EXPECT_EQ(target->ipv6("ipaddr6"), parse_ipv6("2001:db8:ffff::1:2"));
  EXPECT_EQ(target->find("agent6")->integer(0), 10000);
  EXPECT_EQ(target->find("agent6")->seconds(2), std::chrono::seconds(10));
  EXPECT_EQ(view->find("network", 2)->integers("interfaces"), (std::vector<std::int64_t>{2}));
  EXPECT_EQ(view->settings().integer("vrrppreemptts"), 8);
}

INSTANTIATE_TEST_SUITE_P(Config, SeedFile, testing::Values("lb1.conf", "lb2.conf"));

TEST(ConfigNative, OneLineAndBlockGiveTheSameTree) {
  EXPECT_EQ(parse_good("set ipforwarding 1\nserver 1 port 80\n"),
            parse_good("set {\n ipforwarding 1\n}\nserver 1 {\n\tport 80\n} \n"));
}

TEST(ConfigNative, EmptyBlockOnOneLineDefines) {
  EXPECT_EQ(parse_good("interface 1 { }\nvrrp {}\n"), parse_good("interface 1 {\n}\nvrrp {\n}\n"));
}

TEST(ConfigNative, CommentsBlankLinesIndentationAndLineEndsDoNotMatter) {
  EXPECT_EQ(parse_good("\xef\xbb\xbf// gr\xfc\xdf\r\n\r\n  \tserver   1   {// x\r\n port\t80 // y\r\n\t}  // z\r\n"),
            parse_good("server 1 {\nport 80\n}"));
}

TEST(ConfigNative, TwoSlashesInsideAWordAreText) {
  const Tree tree = parse_good("target 1 {\n url http://host/path\n}\n");
  EXPECT_THAT(elements(tree.objects[0].parameters[0]), ElementsAre("http://host/path"));
}

TEST(ConfigNative, QuotesKeepBlanksCommasBracesAndEscapes) {
  const Tree tree = parse_good(R"(target 1 {
  name "a, {b} // c \"d\" \\ \n"
  script "/x y",3,"",10
})");
  EXPECT_THAT(elements(tree.objects[0].parameters[0]), ElementsAre("a, {b} // c \"d\" \\ \\n"));
  EXPECT_THAT(elements(tree.objects[0].parameters[1]), ElementsAre("/x y", "3", "", "10"));
}

TEST(ConfigNative, ElementsKnowTheirPositions) {
  const Tree tree = parse_good("// c\n\n  target 1 {\n    ping6 3,10  x\n  }\n");
  const Parameter& parameter = tree.objects[0].parameters[0];
  EXPECT_EQ(tree.objects[0].position, (Position{"test", 3, 3}));
  EXPECT_EQ(parameter.position, (Position{"test", 4, 5}));
  EXPECT_EQ(parameter.words[0].elements[1].position, (Position{"test", 4, 13}));
  EXPECT_EQ(parameter.words[1].elements[0].position, (Position{"test", 4, 17}));
}

TEST(ConfigNative, LifeCycleFoldsIntoOneState) {
  const Tree tree = parse_good(
      "server 1 { }\nserver 2 { }\nserver 3 { }\nserver 4 { }\nserver 5 { }\n"
      "register servers 2-5\nenable servers 3,4-5\ndisable server 4\nunregister server 5\n");
  EXPECT_EQ(state_of(tree, "server", 1), LifeCycle::defined);
  EXPECT_EQ(state_of(tree, "server", 2), LifeCycle::registered);
  EXPECT_EQ(state_of(tree, "server", 3), LifeCycle::enabled);
  EXPECT_EQ(state_of(tree, "server", 4), LifeCycle::registered);
  EXPECT_EQ(state_of(tree, "server", 5), LifeCycle::defined);
}

TEST(ConfigNative, RegisteringAgainDoesNotDisable) {
  const Tree tree = parse_good("server 1 { }\nregister server 1\nenable server 1\nregister server 1\n");
  EXPECT_EQ(state_of(tree, "server", 1), LifeCycle::enabled);
}

TEST(ConfigNative, SingularAndPluralMeanTheSame) {
  for (const char* word : {"policy", "policies"}) {
    const Tree tree = parse_good(std::string("policy 1 { }\nregister ") + word + " 1\n");
    EXPECT_EQ(state_of(tree, "policy", 1), LifeCycle::registered) << word;
  }
}

TEST(ConfigNative, NoRemovesAndALaterDefinitionStartsAnew) {
  const Tree tree = parse_good(
      "server 1 {\n port 80\n}\nregister server 1\nserver 2 { }\nvrrp { }\n"
      "no servers 1,2\nno vrrp\nserver 1 {\n name x\n}\n");
  ASSERT_EQ(tree.objects.size(), 1U);
  EXPECT_EQ(tree.objects[0].state, LifeCycle::defined);
  EXPECT_EQ(tree.objects[0].parameters.size(), 1U);
}

TEST(ConfigNative, ReopeningEditsAndTheLastValueWins) {
  const Tree tree =
      parse_good("modules slb\nhostname a\nhostname b\nserver 1 {\n port 80\n name x\n}\nserver 1 {\n port 81\n}\n");
  Problems problems;
  const auto view = check_configuration(tree, seed_schema(), problems);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->hostname, "b");
  EXPECT_EQ(view->find("server", 1)->integer("port"), 81);
  EXPECT_EQ(view->find("server", 1)->text("name"), "x");
}

TEST(ConfigNative, AnAliasGivenLaterReplacesTheList) {
  const Tree tree = parse_good("modules a\nhostname a\nserver 1 {\n targets 1,2\n target 3\n}\n");
  const Tree same = parse_good("modules a\nhostname a\nserver 1 {\n targets 3\n}\n");
  EXPECT_EQ(canonical(tree, seed_schema()), canonical(same, seed_schema()));
}

TEST(ConfigNative, EnableBeforeRegisterIsAnErrorThatNamesAll) {
  EXPECT_THAT(
      parse_errors("server 1 { }\nserver 2 { }\nserver 3 { }\nregister server 2\nenable servers 1-3\n"),
      ElementsAre("f:5:16: error: servers 1,3 are enabled before being registered; put \"register servers 1,3\" "
                  "above this line"));
}

TEST(ConfigNative, CommandsOnWhatIsNotDefinedAreErrors) {
  EXPECT_THAT(parse_errors("server 1 { }\nregister servers 1-4\nno server 9\nregister targets 1\nenable servrs 1\n"),
              ElementsAre("f:2:18: error: servers 2,3,4 are not defined above this line",
                          "f:3:11: error: server 9 is not defined above this line",
                          "f:4:10: error: no \"targets\" is defined above this line",
                          "f:5:8: error: no \"servrs\" is defined above this line, did you mean \"servers\"?"));
}

TEST(ConfigNative, HugeRangesAreRefusedOrCutWithoutEffort) {
  EXPECT_THAT(parse_errors("server 1 { }\nregister servers 1-4294967296000\n"),
              ElementsAre(HasSubstr("\"1-4294967296000\" is no number of a server")));
  const auto problems = parse_errors("server 1 { }\nregister servers 1-65535\n");
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr("servers 2,3,4,5,6,7,8,9 and 65526 more are not defined"));
}

TEST(ConfigNative, BackwardRangesAndZeroAreNoNumbers) {
  EXPECT_THAT(parse_errors("server 1 { }\nregister servers 3-1,0,x,-1\n"),
              ElementsAre(HasSubstr("f:2:18: error: \"3-1\""), HasSubstr("f:2:22: error: \"0\""),
                          HasSubstr("f:2:24: error: \"x\""), HasSubstr("f:2:26: error: \"-1\"")));
}

struct WrongText {
  const char* text;
  const char* problem;
};

class ConfigNativeError : public testing::TestWithParam<WrongText> {};

TEST_P(ConfigNativeError, IsOneErrorAtItsPlace) {
  EXPECT_THAT(parse_errors(GetParam().text), ElementsAre(std::string("f:") + GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Config, ConfigNativeError,
    testing::Values(
        WrongText{"server 1 {\n port 80\n", "1:1: error: section \"server 1\" is not closed, '}' is missing"},
        WrongText{"server 1 {\n port 80\nserver 2 {\n}\n",
                  "3:1: error: \"server\" inside section \"server 1\" opened in line 1, '}' is missing before it"},
        WrongText{"server 1 {\nhostname a\n",
                  "2:1: error: \"hostname\" inside section \"server 1\" opened in line 1, '}' is missing before it"},
        WrongText{"server 1\n port 80\n}\n", "1:8: error: '{' is missing behind \"server 1\""},
        WrongText{"server 1\n{\n port 80\n}\n", "1:8: error: '{' is missing behind \"server 1\""},
        WrongText{"frobnicate\n",
                  "1:1: error: \"frobnicate\" is no command; if it is a section, '{' is missing behind it"},
        WrongText{"server 1 {\n port 80\n target 1 {\n }\n}\n",
                  "3:2: error: \"target\" inside section \"server 1\" opened in line 1, '}' is missing before it"},
        WrongText{"gateway {\n}\nregister gateway 1\n",
                  "3:1: error: gateway has no number and is always enabled; register is for sections with a number"},
        WrongText{"}\n", "1:1: error: '}' without an open section"},
        WrongText{"server 1 {\n port 80 }\n", "2:10: error: '}' stands on a line of its own"},
        WrongText{"server 1 { port 80\n}\n",
                  "1:12: error: text behind '{'; each parameter stands on a line of its own"},
        WrongText{"server 1 {\n} x\n", "2:3: error: text behind '}'; put it on a line of its own"},
        WrongText{"server 0 {\n}\n", "1:8: error: the numbers of a section begin with 1, not 0"},
        WrongText{"server 99999999999999999999 {\n}\n",
                  "1:8: error: \"99999999999999999999\" is no number from 1 to 65535"},
        WrongText{"server 1,2 {\n}\n", "1:8: error: a section is opened for one number at a time"},
        WrongText{"server 1 2 {\n}\n", "1:10: error: a section opens with its name, a number if it has one, and '{'"},
        WrongText{"modules a, b\n",
                  "1:11: error: an empty place in a list; lists are written without blanks, such as: 1,2,3"},
        WrongText{"modules a b\n",
                  "1:11: error: modules takes one list, written without blanks, such as: modules vrrp,arp,ping"},
        WrongText{"modules a,b,a\n", "1:13: error: module \"a\" stands twice on the modules line"},
        WrongText{"modules ../x\n", "1:9: error: \"../x\" is no name of a module"},
        WrongText{"modules\n", "1:1: error: modules takes a list of names, such as: modules vrrp,arp,ping"},
        WrongText{"modls vrrp,arp\n", "1:1: error: unknown command \"modls\", did you mean \"modules\"?"},
        WrongText{"hostname a b\n", "1:1: error: hostname takes one name, such as: hostname LB1"},
        WrongText{"hostname \"a\n", "1:10: error: the closing quote is missing on this line"},
        WrongText{"hostname \"a\"b\n", "1:13: error: text right behind a closing quote"},
        WrongText{"hostname a\"b\"\n", "1:11: error: a quote in the middle of a word; quote the whole text"},
        WrongText{"hostname a\x01\n", "1:11: error: a control character"},
        WrongText{"hostname \xc3\x28\n", "1:10: error: \"?(\" is not UTF-8 text"},
        WrongText{"# comment\n", "1:1: error: \"#\" is neither a command nor a section; a comment begins with //"},
        WrongText{"register {\n", "1:10: error: register is a command and takes no braces"},
        WrongText{"no\n", "1:1: error: no takes what is to be removed, such as: no server 1"},
        WrongText{"server 1 {\n a{b 1\n}\n",
                  "2:3: error: a brace inside a parameter; text with braces is written in quotes"}));

TEST(ConfigNative, AllErrorsOfAFileComeAtOnceAndTheRestIsRead) {
  Problems problems;
  const Tree tree = parse_configuration("hostname\nserver x {\n}\nmodules a,,b\nserver 1 {\n port 80\n}\n", "f",
                                        ConfigFormat::native, problems);
  EXPECT_EQ(problems.list().size(), 3U);
  ASSERT_NE(tree.find("server", 1), nullptr);
  EXPECT_EQ(tree.find("server", 1)->parameters.size(), 1U);
}

TEST(ConfigNative, ReadingStopsAfterManyErrors) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "}\n";
  const auto problems = parse_errors(text);
  EXPECT_EQ(problems.size(), TreeLimits::problems + 1);
  EXPECT_THAT(problems.back(), HasSubstr("too many errors; the rest is not read"));
}

TEST(ConfigNative, TextLinesAndObjectsAreBounded) {
  EXPECT_THAT(parse_errors(std::string(TreeLimits::text_size + 1, '\n')), ElementsAre(HasSubstr("bytes; at most")));
  EXPECT_THAT(parse_errors("hostname " + std::string(TreeLimits::line_length, 'a')),
              ElementsAre(HasSubstr("f:1:1: error: a line of")));
  std::string text;
  for (std::size_t i = 1; i <= TreeLimits::objects + 1; ++i) text += "server " + std::to_string(i) + " { }\n";
  EXPECT_THAT(parse_errors(text), ElementsAre(HasSubstr("more than 8192 objects")));
}

// Time grows with the file, not with its square: at these sizes that would be minutes.
TEST(ConfigNative, FilesAtTheLimitsAreRead) {
  constexpr int objects = static_cast<int>(TreeLimits::objects);
  std::string text;
  for (int i = 1; i <= objects; ++i) {
    const std::string name = (i % 2 == 0 ? "server " : "target ") + std::to_string(i);
    text.append(name).append(" port 80\nregister ").append(name).append("\nenable ").append(name).append("\n");
  }
  const Tree tree = parse_good(text);
  EXPECT_EQ(tree.objects.size(), TreeLimits::objects);
  EXPECT_EQ(state_of(tree, "server", objects), LifeCycle::enabled);

  text = "server 1 {\n";
  while (text.size() < TreeLimits::text_size - 100) text += "port 1\n";
  const Tree repeated = parse_good(text + "port 2\n}\n");
  EXPECT_GT(resolve_parameters(repeated.objects.front(), full_schema()).size(), 200'000U);
}

TEST(ConfigNative, AFileOfRemovalsEndsWithWhatIsLeft) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += "server 7 {\n}\nno server 7\n";
  const Tree tree = parse_good("server 1 { }\n" + text + "server 7 { }\ntarget 1 { }\nserver 2 { }\nno server 1\n");
  ASSERT_EQ(tree.objects.size(), 3U);
  EXPECT_EQ(tree.objects[0].index, 7U);
  EXPECT_EQ(tree.objects[1].section, "target");
  EXPECT_EQ(tree.objects[2].index, 2U);
  EXPECT_THAT(parse_errors("server 1 { }\nno server 1\nregister server 1\n"),
              ElementsAre(HasSubstr("no \"server\" is defined above this line")));
}

TEST(ConfigNative, WhatCommandsNameInAllIsBounded) {
  std::string text;
  for (std::size_t i = 1; i <= TreeLimits::objects; ++i) text += "server " + std::to_string(i) + " { }\n";
  for (std::size_t i = 0; i < TreeLimits::named / TreeLimits::objects; ++i) text += "register servers 1-8192\n";
  EXPECT_THAT(parse_errors(text), testing::IsEmpty());
  EXPECT_THAT(parse_errors(text + "enable server 1\n"),
              ElementsAre(HasSubstr("the commands of this file name more than 1048576 objects in all")));
}

TEST(ConfigNative, EveryTruncationOfASeedFileIsReadWithoutHarm) {
  const std::string text = read_file(TRIVET_SOURCE_DIR "/examples/lb1.conf");
  for (std::size_t size = 0; size <= text.size(); ++size) {
    Problems problems;
    const Tree tree = parse_configuration(text.substr(0, size), "f", ConfigFormat::native, problems);
    EXPECT_LE(problems.list().size(), 2U) << text.substr(0, size);
  }
}

TEST(ConfigNative, AnEditIsOneTransaction) {
  const Tree tree = parse_good("server 1 {\n port 80\n}\n");
  Problems problems;
  const auto edited = edit_configuration(tree, "register server 1\nenable server 1\n", "console", problems);
  ASSERT_TRUE(edited);
  EXPECT_EQ(state_of(*edited, "server", 1), LifeCycle::enabled);
  EXPECT_FALSE(edit_configuration(tree, "register server 1\nenable server 2\n", "console", problems));
  EXPECT_THAT(lines(problems), ElementsAre("console:2:15: error: server 2 is not defined above this line"));
  EXPECT_EQ(state_of(tree, "server", 1), LifeCycle::defined);
}

TEST(ConfigNative, FormatIsToldByNameElseByContent) {
  EXPECT_EQ(detect_format("a.toml", "hostname x"), ConfigFormat::toml);
  EXPECT_EQ(detect_format("a.conf", "[set]"), ConfigFormat::native);
  EXPECT_EQ(detect_format("-", "\n  # x\n"), ConfigFormat::toml);
  EXPECT_EQ(detect_format("-", "hostname = \"a\""), ConfigFormat::toml);
  EXPECT_EQ(detect_format("-", "[server.1]"), ConfigFormat::toml);
  EXPECT_EQ(detect_format("-", " // x\n[a]"), ConfigFormat::native);
  EXPECT_EQ(detect_format("-", "hostname a"), ConfigFormat::native);
  EXPECT_EQ(detect_format("-", ""), ConfigFormat::native);
}

}  // namespace
}  // namespace trivet::core::config_test
