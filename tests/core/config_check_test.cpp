// Tree and schema to the view: types, ranges, references, defaults, rules, and what an operator is told.
#include "tests/core/config_test_tools.h"

namespace trivet::core::config_test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string head = "hostname a\nmodules m\n";

std::vector<std::string> problems_in_body(const std::string& body) { return problems_of(head + body, full_schema()); }

ConfigView view_of(const std::string& body, const Schema& schema) {
  Problems problems;
  const Tree tree = parse_configuration(head + body, "f", ConfigFormat::native, problems);
  auto view = check_configuration(tree, schema, problems);
  EXPECT_TRUE(view.has_value()) << testing::PrintToString(lines(problems));
  return view.value_or(ConfigView{});
}

struct WrongValue {
  const char* body;     // begins in line 3
  const char* problem;  // behind "f:"
};

class ConfigCheckError : public testing::TestWithParam<WrongValue> {};

TEST_P(ConfigCheckError, IsOneProblemAtItsPlace) {
  EXPECT_THAT(problems_in_body(GetParam().body), ElementsAre(std::string("f:") + GetParam().problem));
}

INSTANTIATE_TEST_SUITE_P(
    Values, ConfigCheckError,
    testing::Values(
        WrongValue{"server 1 port 70000", "3:15: error: port \"70000\" is out of range, allowed is 1 to 65535"},
        WrongValue{"server 1 port 99999999999999999999",
                   "3:15: error: port \"99999999999999999999\" is out of range, allowed is 1 to 65535"},
        WrongValue{"network 1 vlan 0", "3:16: error: vlan \"0\" is out of range, allowed is 1 to 4094"},
        WrongValue{"network 1 vlan 4095", "3:16: error: vlan \"4095\" is out of range, allowed is 1 to 4094"},
        WrongValue{"interface 1 passthrough on",
                   "3:25: error: passthrough \"on\" is unknown, allowed are \"enable\" and \"disable\""},
        WrongValue{"server 1 port 80x", "3:15: error: port \"80x\" is no whole number, allowed is 1 to 65535"},
        WrongValue{"server 1 port", "3:10: error: port needs a value; it is written: port <port>"},
        WrongValue{"server 1 port 80// web",
                   "3:20: error: port has too many words, a comment needs a blank before //; it is written: port "
                   "<port>"},
        WrongValue{"server 1 port 80//web",
                   "3:15: error: port \"80//web\" is no whole number, allowed is 1 to 65535, a comment needs a blank "
                   "before //"},
        WrongValue{"server 1 port 80 81", "3:18: error: port has too many words; it is written: port <port>"},
        WrongValue{"server 1 port 80,81", "3:15: error: port has 2 values instead of 1; it is written: port <port>"},
        WrongValue{"server 1 name Rack 3",
                   "3:20: error: name has too many words, text with blanks is written in quotes; it is written: name "
                   "<text>"},
        WrongValue{"server 1 protocol tpc",
                   "3:19: error: protocol \"tpc\" is unknown, did you mean \"tcp\"? allowed are \"tcp\" and \"udp\""},
        WrongValue{
            "server 1 method fastest",
            "3:17: error: method \"fastest\" is unknown, allowed are \"rr\", \"random\", \"hash\", \"first\" and "
            "\"session\""},
        WrongValue{"server 1 ipaddr 10.0.0.256", "3:17: error: ipaddr \"10.0.0.256\" is no IPv4 address"},
        WrongValue{"server 1 ipaddr 2001:db8::1",
                   "3:17: error: ipaddr \"2001:db8::1\" is an IPv6 address, an IPv4 address is needed"},
        WrongValue{"server 1 ipaddr6 10.0.0.1",
                   "3:18: error: ipaddr6 \"10.0.0.1\" is an IPv4 address, an IPv6 address is needed"},
        WrongValue{"policy 1 peer x", "3:15: error: peer \"x\" is neither an IPv4 nor an IPv6 address"},
        WrongValue{"server 1 prot tcp", "3:10: error: unknown keyword \"prot\" in server 1, did you mean \"port\"?"},
        WrongValue{"server 1 weight 3", "3:10: error: unknown keyword \"weight\" in server 1, it is one of target"},
        WrongValue{"zone 1 zzzzzz 3",
                   "3:8: error: unknown keyword \"zzzzzz\" in zone 1; known here: ports, port, level"},
        WrongValue{"srever 1 { }", "3:1: error: unknown section or command \"srever\", did you mean \"server\"?"},
        WrongValue{"benchmark { }",
                   "3:1: error: unknown section or command \"benchmark\", no installed module declares it"},
        WrongValue{"servers 1 { }", "3:1: error: section \"servers\" is opened as \"server\""},
        WrongValue{"server 1025 { }", "3:1: error: number 1025 of server is out of range, allowed is 1 to 1024"},
        WrongValue{"server { }", "3:1: error: server needs a number from 1 to 1024, such as: server 1"},
        WrongValue{"vrrp 1 { }", "3:1: error: vrrp takes no number, 1 was given"},
        WrongValue{"zone 1 { }\nregister zone 1",
                   "4:15: error: zone is always enabled; it cannot be registered or enabled"},
        WrongValue{"set sessiontimeout 0.5",
                   "3:20: error: sessiontimeout \"0.5\" is out of range, allowed is 1 to 86400"},
        WrongValue{"set sessiontimeout 1e3",
                   "3:20: error: sessiontimeout \"1e3\" is no number of seconds, allowed is 1 to 86400"},
        WrongValue{"gateway {\nipaddr6 2001:db8::1\nping6 3\n}",
                   "5:7: error: ping6 has 1 value instead of 2; it is written: ping6 <interval>,<timeout>"},
        WrongValue{"gateway {\nipaddr6 2001:db8::1\nping6 3,x\n}",
                   "5:9: error: timeout of ping6 \"x\" is no number of seconds, allowed is 0.1 to 3600"},
        WrongValue{"server 1 targets 1-5000",
                   "3:18: error: target in targets \"1-5000\" is out of range, allowed is 1 to 4096"},
        WrongValue{"server 1 targets 3-1",
                   "3:18: error: target in targets \"3-1\" is a range that runs backwards, allowed is 1 to 4096"},
        WrongValue{"server 1 targets 0", "3:18: error: target in targets \"0\" is out of range, allowed is 1 to 4096"},
        WrongValue{"zone 1 ports 1-9000",
                   "3:14: error: ports \"1-9000\" makes the list longer than 8192, allowed is 1 to 65535"},
        WrongValue{"zone 1 level -11", "3:14: error: level \"-11\" is out of range, allowed is -10 to 10"}));

INSTANTIATE_TEST_SUITE_P(
    Rules, ConfigCheckError,
    testing::Values(
        // One mistake is one error: what the object lacks because of it is not told.
        WrongValue{"frobnicate",
                   "3:1: error: \"frobnicate\" is no command; if it is a section, '{' is missing behind it"},
        WrongValue{"interface 1 { name eth1 }",
                   "3:15: error: text behind '{'; each parameter stands on a line of its own"},
        WrongValue{"interface 1 {\nname \"eth1\n}", "4:6: error: the closing quote is missing on this line"},
        WrongValue{"interface 1 { }", "3:1: error: interface 1 has no name, such as: name eth1"},
        WrongValue{"interface 1 name eth0123456789abc",
                   "3:13: error: name \"eth0123456789abc\" can be no interface's: at most 15 characters, no blank, '/' "
                   "or ':'"},
        WrongValue{"interface 1 name eth1\ninterface 2 name eth1",
                   "4:13: error: interface 2 and interface 1 have the same name \"eth1\""},
        WrongValue{"interface 1 {\nname eth1\nthreads 65\n}",
                   "5:9: error: threads \"65\" is out of range, allowed is 1 to 64"},
        WrongValue{"interface 1 name e\nnetwork 1 {\naddr 10.0.0.0\ninterface 1\n}",
                   "5:1: error: network 1 has addr but no mask; they go together"},
        WrongValue{"interface 1 name e\nnetwork 1 {\nmask 255.0.0.0\ninterface 1\n}",
                   "5:1: error: network 1 has mask but no addr; they go together"},
        WrongValue{"interface 1 name e\nnetwork 1 {\nreal 10.0.0.1\ninterface 1\n}",
                   "5:1: error: network 1 has real but no addr and mask"},
        WrongValue{"interface 1 name e\nnetwork 1 {\naddr 10.0.0.0\nmask 255.0.255.0\ninterface 1\n}",
                   "6:1: error: mask \"255.0.255.0\" has holes; a mask is ones followed by zeros, such as "
                   "255.255.255.0"},
        WrongValue{"interface 1 name e\nnetwork 1 {\naddr 10.0.0.0\nmask 255.0.0.0\nreal 11.0.0.1\ninterface 1\n}",
                   "7:1: error: real \"11.0.0.1\" lies outside 10.0.0.0/8 of network 1"},
        WrongValue{
            "interface 1 name e\nnetwork 1 {\naddr 10.0.0.0\nmask 255.0.0.0\nreal 10.255.255.255\ninterface 1\n}",
            "7:1: error: real \"10.255.255.255\" is the broadcast address of 10.0.0.0/8"},
        WrongValue{"interface 1 name e\nnetwork 1 {\naddr 10.0.0.0\nmask 255.0.0.0\nreal 10.0.0.0\ninterface 1\n}",
                   "7:1: error: real \"10.0.0.0\" is the network address of 10.0.0.0/8"},
        WrongValue{"interface 1 name e\nnetwork 1 {\naddr 10.0.0.1\nmask 255.0.0.0\nreal 10.0.0.1\ninterface 1\n}",
                   "5:1: warning: addr \"10.0.0.1\" is no network address; 10.0.0.0/8 is used"},
        WrongValue{"interface 1 name e\nnetwork 1 {\nreal6 2001:db8::1\ninterface 1\n}",
                   "5:1: error: network 1 has real6 but no mask6"},
        WrongValue{"interface 1 name e\nnetwork 1 {\nmask6 64\nreal6 2001:db8::1\nvirt6 2001:db9::1\ninterface 1\n}",
                   "7:1: error: virt6 \"2001:db9::1\" lies outside 2001:db8::/64 of network 1"},
        WrongValue{"interface 1 name e\nnetwork 1 {\nmask6 64\nreal6 ff02::1\ninterface 1\n}",
                   "6:1: error: real6 \"ff02::1\" is a multicast address"},
        WrongValue{"interface 1 name e\nnetwork 1 {\nmask6 64\nvirt6 2001:db8::1\ninterface 1\n}",
                   "6:1: warning: network 1 has virt6 but no real6: while backup this node has no such address there"},
        WrongValue{
            "interface 1 {\nname e\npassthrough enable\n}\nnetwork 1 {\nmask6 64\nvirt6 2001:db8::1\ninterface 1\n}",
            "9:1: warning: network 1 has virt6 but no real6, and the link-local address of interface 1, which is "
            "shared (passthrough), is the system's: this node finds no IPv6 neighbours there; add real6"},
        WrongValue{"network 1 {\nmask6 64\nreal6 2001:db8::1\n}",
                   "3:1: error: network 1 has no interfaces, such as: interfaces 1,2"},
        WrongValue{"interface 1 name e\nnetwork 1 interface 1",
                   "4:1: error: network 1 has no address: addr and mask, or mask6 with real6 or virt6"},
        WrongValue{"gateway { }", "3:1: warning: gateway has neither ipaddr nor ipaddr6 and no effect"},
        WrongValue{"gateway ipaddr 10.0.0.1", "3:9: warning: gateway \"10.0.0.1\" lies in no network"},
        WrongValue{"gateway ipaddr6 fe80::1",
                   "3:9: error: ipaddr6 \"fe80::1\" is a link-local address, which may lie in any network; give the "
                   "gateway's global address"},
        WrongValue{"gateway ipaddr 0.0.0.0", "3:9: error: ipaddr \"0.0.0.0\" is the unspecified address"},
        WrongValue{"target 1 { }", "3:1: warning: target 1 has neither ipaddr nor ipaddr6 and gets no traffic"},
        WrongValue{"target 1 ipaddr 127.0.0.1", "3:10: error: ipaddr \"127.0.0.1\" is a loopback address"}));

TEST(ConfigCheck, OverlappingActiveNetworksGetAWarning) {
  const std::string two =
      "interface 1 name e\ninterface 2 name f\nregister interfaces 1,2\nenable interfaces 1,2\n"
      "network 1 {\nmask6 48\nreal6 2001:db8::1\ninterface 1\n}\n"
      "network 2 {\nmask6 64\nreal6 2001:db8::2\ninterface 2\n}\n";
  EXPECT_THAT(problems_in_body(two), IsEmpty());
  EXPECT_THAT(problems_in_body(two + "register networks 1,2\nenable networks 1,2\n"),
              ElementsAre("f:13:1: warning: network 2 (2001:db8::/64) overlaps network 1 (2001:db8::/48)"));
}

TEST(ConfigCheck, BothAddressesOfASlash31AreHosts) {
  EXPECT_THAT(problems_in_body("interface 1 name e\nnetwork 1 {\naddr 10.0.0.0\nmask 255.255.255.254\nreal 10.0.0.0\n"
                               "virt 10.0.0.1\ninterface 1\n}\n"),
              IsEmpty());
}

TEST(ConfigCheck, WhatIsMissingInAnEmptyFileNamesTheFile) {
  for (const char* text : {"", "// only a comment\n"}) {
    EXPECT_THAT(problems_of(text, full_schema()), ElementsAre(testing::StartsWith("f: warning: no hostname"),
                                                              testing::StartsWith("f: error: no modules")));
  }
}

TEST(ConfigCheck, ParametersOfAnObjectAndErrorsAreBounded) {
  std::string text = "server 1 {\n";
  for (std::size_t i = 0; i <= TreeLimits::parameters; ++i) text += "port 1\n";
  EXPECT_THAT(problems_in_body(text + "}\n"),
              ElementsAre("f:3:1: error: server 1 has 8193 parameters, at most 8192 are read"));
  text.clear();
  for (int i = 1; i <= 1000; ++i) text += "server " + std::to_string(i) + " frob 1\n";
  const auto problems = problems_in_body(text);
  EXPECT_EQ(problems.size(), TreeLimits::problems + 1);
  EXPECT_THAT(problems.back(), HasSubstr("too many errors; the rest is not checked"));
}

TEST(ConfigCheck, ReferencesAreBoundedAndManyOpenOnesAreToldShortly) {
  EXPECT_THAT(problems_in_body("server 1 targets 1-8"), testing::SizeIs(8));
  const auto problems = problems_in_body("server 1 targets 1-4096");
  ASSERT_EQ(problems.size(), TreeLimits::open_references + 1);
  EXPECT_EQ(problems.back(), "f:3:18: warning: server 1 refers to further objects that do not exist");
  std::string text;
  for (int i = 1; i <= 1024; ++i) text += "server " + std::to_string(i) + " targets 1-4096\n";
  EXPECT_THAT(problems_in_body(text), Contains("f:19:11: error: with this line the objects refer to more than 65536 "
                                               "others in all"));
}

TEST(ConfigCheck, AReservedKeyIsKeptAndSavedButHasNoEffect) {
  Schema schema = full_schema();
  const std::string body =
      "interface 1 name e\nnetwork 1 {\nnat inside\naddr 10.0.0.0\nmask 255.0.0.0\ninterface 1\n}\n";
  EXPECT_THAT(problems_of(head + body, schema),
              ElementsAre("f:5:1: warning: nat of network 1 has no effect in this version; it is kept and saved"));
  EXPECT_FALSE(view_of(body, schema).find("network", 1)->has("nat"));
  EXPECT_THAT(save_native(parse_good(head + body), schema, {}), HasSubstr("          nat inside\n"));
  EXPECT_THAT(save_toml(parse_good(head + body), schema, {}), HasSubstr("nat = \"inside\"\n"));
  EXPECT_THAT(problems_of(head + "network 1 nat left\n", schema),
              Contains("f:3:15: error: nat \"left\" is unknown, allowed are \"inside\" and \"outside\""));
  // A module that has the key takes it.
  must(schema.add_key(make_key("network", "nat", word_element("side", {"inside", "outside"}), "", ""), "nat"));
  EXPECT_THAT(problems_of(head + body, schema), IsEmpty());
  EXPECT_TRUE(view_of(body, schema).find("network", 1)->has("nat"));
}

TEST(ConfigCheck, AWordOfALaterVersionIsToldFromAMistake) {
  Schema schema = make_core_schema();
  KeySpec key = make_key("set", "method", word_element("method", {"rr", "hash"}), "", "");
  key.words.front().elements.front().later_choices = {"agent"};
  must(schema.add_key(std::move(key), "m"));
  EXPECT_THAT(problems_of(head + "set method agent\n", schema),
              ElementsAre("f:3:12: error: method \"agent\" is not available in this version, allowed are \"rr\" and "
                          "\"hash\""));
}

TEST(ConfigCheck, WhatIsUnknownNamesModulesThatCouldNotBeAsked) {
  Schema schema = make_core_schema();
  schema.note_refused("/x/slb.so: is not an ELF file");
  EXPECT_THAT(problems_of(head + "server 1 { }\n", schema),
              ElementsAre("f:3:1: error: unknown section or command \"server\", no installed module declares it; an "
                          "installed module could not be asked: /x/slb.so: is not an ELF file"));
  EXPECT_THAT(problems_of(head + "set sessiontimeout 1\n", schema),
              ElementsAre("f:3:5: error: unknown keyword \"sessiontimeout\" in set; an installed module could not be "
                          "asked: /x/slb.so: is not an ELF file"));
}

TEST(ConfigCheck, MissingModulesIsAnErrorAndMissingHostnameAWarning) {
  EXPECT_THAT(problems_of("", full_schema()),
              ElementsAre(HasSubstr("warning: no hostname is given"), HasSubstr("error: no modules are named")));
  // A line that is there but wrong has its own error.
  EXPECT_THAT(problems_of("hostname \"\nmodules a,,b\n", full_schema()).size(), 2U);
  EXPECT_THAT(
      problems_of("hostname a_b!\nmodules m\n", full_schema()),
      ElementsAre("f:1:10: error: hostname \"a_b!\" is no host name: letters, digits, '-', '_' and '.', at most "
                  "253"));
}

TEST(ConfigCheck, AnOpenReferenceIsAWarningAndKeepsItsObjectInactive) {
  Problems problems;
  const std::string text =
      head + "server 1 targets 1,3\nregister server 1\nenable server 1\ntarget 1 ipaddr 10.0.0.1\n";
  const Tree tree = parse_configuration(text, "f", ConfigFormat::native, problems);
  const auto view = check_configuration(tree, full_schema(), problems);
  ASSERT_TRUE(view);
  EXPECT_THAT(lines(problems), ElementsAre("f:3:20: warning: server 1 refers to target 3, which does not exist; server "
                                           "1 stays inactive until it does"));
  EXPECT_TRUE(view->find("server", 1)->has_open_reference);
  EXPECT_FALSE(view->find("server", 1)->is_active());
  EXPECT_EQ(view->find("server", 1)->integers("targets"), (std::vector<std::int64_t>{1, 3}));
  // The target comes: closed.
  const auto edited = edit_configuration(tree, "target 3 ipaddr 10.0.0.3\n", "console", problems);
  ASSERT_TRUE(edited);
  Problems later;
  const auto closed = check_configuration(*edited, full_schema(), later);
  ASSERT_TRUE(closed);
  EXPECT_TRUE(closed->find("server", 1)->is_active());
  EXPECT_THAT(lines(later), IsEmpty());
}

TEST(ConfigCheck, RangesAreWrittenOutInOrderAndRepeatedReferencesLeftOut) {
  const ConfigView view = view_of("zone 1 ports 443,80-82\nserver 1 targets 5,1-3,2\n", full_schema());
  EXPECT_EQ(view.find("zone", 1)->integers("ports"), (std::vector<std::int64_t>{443, 80, 81, 82}));
  EXPECT_EQ(view.find("server", 1)->integers("targets"), (std::vector<std::int64_t>{5, 1, 2, 3}));
}

TEST(ConfigCheck, DefaultsAreThereButNotGiven) {
  const ConfigView view = view_of("server 1 { }\nzone 1 { }\n", full_schema());
  const SectionView& server = *view.find("server", 1);
  EXPECT_EQ(server.text("method"), "rr");
  EXPECT_THAT(server.given, IsEmpty());
  EXPECT_FALSE(server.has("port"));
  EXPECT_EQ(view.find("zone", 1)->integer("level"), -3);
  EXPECT_EQ(view.settings().seconds("sessiontimeout"), std::chrono::seconds(600));
  EXPECT_EQ(view.settings().integer("ipforwarding"), 0);
}

TEST(ConfigCheck, ObjectsComeBySectionRankThenNumber) {
  const ConfigView view =
      view_of("target 10 { }\ntarget 2 { }\nserver 1 { }\nvrrp vrid 1\ninterface 1 name e\n", seed_schema());
  std::vector<std::string> names;
  for (const SectionView& object : view.objects) names.push_back(object_name(object.section, object.index));
  EXPECT_THAT(names, ElementsAre("set", "interface 1", "vrrp", "server 1", "target 2", "target 10"));
}

TEST(ConfigCheck, TextMayHoldCommasAndRepeatableKeysAllCount) {
  const ConfigView view = view_of("server 1 name a,b\ntarget 1 {\nscript /a,1,2\nscript /b,3,4.5\n}\n", full_schema());
  EXPECT_EQ(view.find("server", 1)->text("name"), "a,b");
  const auto scripts = view.find("target", 1)->all("script");
  ASSERT_EQ(scripts.size(), 2U);
  EXPECT_EQ(scripts[0]->text(), "/a");
  EXPECT_EQ(scripts[1]->text(), "/b");
  EXPECT_EQ(scripts[1]->seconds(2), std::chrono::milliseconds(4500));
}

TEST(ConfigCheck, AWrongValueIsAnErrorEvenWhenALaterOneReplacesIt) {
  EXPECT_THAT(problems_in_body("server 1 {\nport 0\nport 80\n}\n"), ElementsAre(HasSubstr("f:4:6: error: port \"0\"")));
}

TEST(ConfigCheck, KeysAndSectionsOfUnloadedModulesAreKeptWithoutEffect) {
  Schema schema = make_core_schema();
  add_hc(schema);
  add_vrrp(schema, Loaded::no);
  add_slb(schema, Loaded::no);
  const std::string text = head +
                           "interface 1 {\nname e\ntrackval 10\n}\nregister interface 1\nserver 1 {\nport 80\n}\n"
                           "register server 1\n";
  Problems problems;
  const Tree tree = parse_configuration(text, "f", ConfigFormat::native, problems);
  const auto view = check_configuration(tree, schema, problems);
  ASSERT_TRUE(view);
  EXPECT_THAT(lines(problems),
              ElementsAre("f:5:1: warning: trackval of interface 1 has no effect: the key belongs to module \"vrrp\", "
                          "which is not on the modules line",
                          "f:8:1: warning: server 1 has no effect: section \"server\" belongs to module \"slb\", which "
                          "is not on the modules line"));
  EXPECT_FALSE(view->find("interface", 1)->has("trackval"));
  EXPECT_EQ(view->find("server", 1), nullptr);
  const std::string saved = save_native(tree, schema, {});
  EXPECT_THAT(saved, HasSubstr("trackval 10"));
  EXPECT_THAT(saved, HasSubstr("port 80"));
  EXPECT_THAT(saved, HasSubstr("register  server 1"));
}

TEST(ConfigCheck, ErrorsInOneObjectDoNotHideThoseInAnother) {
  const auto problems = problems_in_body(
      "server 1 port 0\nnetwork 1 {\naddr 10.0.0.0\nmask x\n}\nnetwork 2 {\nreal 10.0.0.1\ninterface 9\n}\n");
  EXPECT_THAT(problems, Contains(HasSubstr("f:3:15: error: port \"0\"")));
  EXPECT_THAT(problems, Contains(HasSubstr("f:6:6: error: mask \"x\"")));
  EXPECT_THAT(problems, Contains(HasSubstr("f:9:1: error: network 2 has real but no addr and mask")));
  EXPECT_THAT(problems, testing::Not(Contains(HasSubstr("has addr but no mask"))));
}

TEST(ConfigCheck, ProblemsCanBeReadInTheOrderOfTheFile) {
  Problems problems;
  problems.error({"f", 3, 2}, "c");
  problems.warning({"f", 1, 1}, "b");
  problems.error({"f", 3, 1}, "c1");
  problems.warning({"f", 0, 0}, "a");
  std::vector<std::string> texts;
  for (const Problem& problem : in_file_order(problems)) texts.push_back(problem.text);
  EXPECT_THAT(texts, ElementsAre("a", "b", "c1", "c"));
}

}  // namespace
}  // namespace trivet::core::config_test
