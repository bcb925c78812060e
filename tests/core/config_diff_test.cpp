// What a reload changes.
#include "core/config/diff.h"
#include "tests/core/config_test_tools.h"

namespace trivet::core::config_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ConfigView view_of(const std::string& text) {
  Problems problems;
  const Tree tree = parse_configuration(text, "f", ConfigFormat::native, problems);
  auto view = check_configuration(tree, full_schema(), problems);
  EXPECT_TRUE(view.has_value()) << testing::PrintToString(lines(problems));
  return view.value_or(ConfigView{});
}

std::vector<std::string> changes(const std::string& before, const std::string& after) {
  const std::string head = "hostname a\nmodules vrrp,arp\n";
  return describe(diff(view_of(head + before), view_of(head + after)));
}

TEST(ConfigDiff, SpellingAndDefaultsAreNoChange) {
  EXPECT_THAT(changes("server 1 {\ntargets 1-3\n}\ntarget 1 { }",
                      "target 1 weight 01\nserver 1 {\nmethod rr\ntarget 1,2,3\n}\nset { }"),
              IsEmpty());
}

TEST(ConfigDiff, EveryKindOfChangeIsTold) {
  const ConfigView before = view_of("hostname a\nmodules vrrp,arp\nserver 1 port 80\n");
  const ConfigView after = view_of("hostname b\nmodules arp\nserver 1 port 80\n");
  EXPECT_THAT(describe(diff(before, after)), ElementsAre("hostname a -> b", "modules vrrp,arp -> arp"));
  EXPECT_THAT(changes("set ipforwarding 0", "set ipforwarding 1"), ElementsAre("set ipforwarding 0 -> 1"));
  EXPECT_THAT(changes("server 1 port 80\ntarget 1 { }",
                      "server 1 {\nport 81\nname \"x y\"\n}\ntarget 2 { }\nregister target 2"),
              ElementsAre("server 1 changed: port 80 -> 81, name \"x y\" added", "target 2 added: registered",
                          "target 1 removed"));
  EXPECT_THAT(changes("server 1 name x\nregister server 1", "server 1 { }\nregister server 1\nenable server 1"),
              ElementsAre("server 1 changed: name x removed, registered -> enabled"));
  EXPECT_THAT(changes("target 1 script /a,1,2", "target 1 {\nscript /a,1,2\nscript /b,1,2\n}"),
              ElementsAre("target 1 changed: script /a,1,2 -> /a,1,2; /b,1,2"));
}

TEST(ConfigDiff, AnObjectThatBecomesInactiveHasChanged) {
  const std::string server = "server 1 target 1\nregister server 1\nenable server 1\n";
  EXPECT_THAT(
      changes(server + "target 1 { }", server),
      ElementsAre("server 1 changed: now inactive, it refers to something that does not exist", "target 1 removed"));
}

TEST(ConfigDiff, TheDataNamesStatesAndKeys) {
  const ConfigDiff result = diff(view_of("hostname a\nmodules m\nserver 1 port 80\n"),
                                 view_of("hostname a\nmodules m\nserver 1 port 81\nregister server 1\n"));
  ASSERT_EQ(result.objects.size(), 1U);
  EXPECT_EQ(result.objects[0], (ObjectChange{ChangeKind::changed,
                                             "server",
                                             1,
                                             LifeCycle::defined,
                                             LifeCycle::registered,
                                             false,
                                             false,
                                             {KeyChange{"port", "80", "81"}}}));
  EXPECT_FALSE(result.hostname || result.modules);
}

}  // namespace
}  // namespace trivet::core::config_test
