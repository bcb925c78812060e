// The schema: who may declare what, and the nearest known word.
#include "core/config/nearest.h"
#include "core/config/values.h"
#include "tests/core/config_test_tools.h"

namespace trivet::core::config_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

KeySpec port_key(const std::string& section, const std::string& name) {
  return make_key(section, name, integer_element("port", 1, 65535), "", "");
}

std::string error_of(const Result<void>& result) { return result ? "" : result.error().text; }

TEST(ConfigSchema, TheSchemasOfCoreAndTestsAreComplete) {
  EXPECT_THAT(make_core_schema().check_completeness(), IsEmpty());
  EXPECT_THAT(full_schema().check_completeness(), IsEmpty());
}

TEST(ConfigSchema, ADuplicateNamesBothOwners) {
  Schema schema = make_core_schema();
  must(schema.add_key(port_key("target", "weight"), "slb"));
  EXPECT_EQ(error_of(schema.add_key(port_key("target", "weight"), "nat")),
            "key \"weight\" of section \"target\" of \"nat\" exists already: \"slb\" has declared \"weight\"");
  EXPECT_EQ(error_of(schema.open_section({"target", "targets", 5, true, "", 1}, "nat")),
            "section \"target\" of \"nat\" exists already: \"core\" has declared \"target\"");
  must(schema.add_key(port_key("server", "weight"), "nat"));
}

TEST(ConfigSchema, AnAliasCollidesLikeAName) {
  Schema schema = make_core_schema();
  EXPECT_THAT(error_of(schema.add_key(port_key("network", "interface"), "x")),
              HasSubstr("\"core\" has declared \"interfaces\""));
  EXPECT_THAT(error_of(schema.open_section({"targets", "", 0, false, "", 1}, "x")), HasSubstr("exists already"));
}

TEST(ConfigSchema, UnloadedModulesGiveWayInEitherOrder) {
  Schema schema = make_core_schema();
  must(schema.add_key(port_key("target", "weight"), "nat", Loaded::no));
  must(schema.add_key(port_key("target", "weight"), "slb", Loaded::yes));
  EXPECT_EQ(schema.find_key("target", "weight")->owner, "slb");
  must(schema.add_key(port_key("target", "weight"), "tnat", Loaded::no));
  EXPECT_EQ(schema.find_key("target", "weight")->owner, "slb");
  EXPECT_EQ(schema.keys("target").size(), 6U);
}

TEST(ConfigSchema, MalformedSpecificationsAreRefusedWithAReason) {
  Schema schema = make_core_schema();
  const auto key_error = [&](const auto& change) {
    KeySpec key = port_key("target", "weight");
    change(key);
    return error_of(schema.add_key(std::move(key), "m"));
  };
  const auto expect_fault = [](const std::string& error, const std::string& fault) {
    EXPECT_THAT(error, HasSubstr(" of \"m\" is malformed: " + fault));
  };
  expect_fault(key_error([](KeySpec& key) { key.name = "a b"; }), "the name is no keyword");
  expect_fault(key_error([](KeySpec& key) { key.name = "state"; }), "the name is taken");
  expect_fault(key_error([](KeySpec& key) { key.name = "enable"; }), "the name is that of a command");
  expect_fault(key_error([](KeySpec& key) { key.alias = "weight"; }), "the alias is no other keyword");
  expect_fault(key_error([](KeySpec& key) { key.words.clear(); }), "it takes no value");
  expect_fault(key_error([](KeySpec& key) { key.words[0].elements.clear(); }), "a word has no elements");
  expect_fault(key_error([](KeySpec& key) {
                 key.words[0].is_list = true;
                 key.words[0].elements.push_back(integer_element("x", 1, 2));
               }),
               "a list repeats one element");
  expect_fault(key_error([](KeySpec& key) { key.words[0].elements[0].maximum = 0; }), "the minimum is above");
  expect_fault(key_error([](KeySpec& key) { key.words[0].elements[0] = word_element("x", {}); }),
               "a word has no choices");
  expect_fault(key_error([](KeySpec& key) { key.words[0].elements[0] = reference_element(""); }), "a reference refers");
  expect_fault(key_error([](KeySpec& key) {
                 key.words[0].is_optional = true;
                 key.words.push_back(key.words[0]);
                 key.words[1].is_optional = false;
               }),
               "a needed word follows an optional one");

  const auto section_error = [&](SectionSpec section) {
    return error_of(schema.open_section(std::move(section), "m"));
  };
  expect_fault(section_error({"no", "", 0, false, "", 1}), "the name is that of a command");
  expect_fault(section_error({"1x", "", 0, false, "", 1}), "the name is no keyword");
  expect_fault(section_error({"index", "indices", 5, true, "", 1}), "the plural \"indices\" is no regular one");
  expect_fault(section_error({"x", "", 0, true, "", 1}), "a life cycle needs numbered objects");
  expect_fault(section_error({"x", "", 70000, true, "", 1}), "the last number 70000 is above 65535");
}

TEST(ConfigSchema, CompletenessTellsOfMissingSectionsAndWrongDefaults) {
  Schema schema = make_core_schema();
  must(schema.add_key(port_key("server", "x"), "m"));
  must(schema.add_key(make_key("target", "y", reference_element("pool"), "", ""), "m"));
  must(schema.add_key(make_key("target", "z", integer_element("z", 1, 5), "6", ""), "m"));
  EXPECT_THAT(
      schema.check_completeness(),
      ElementsAre("key \"x\" of section \"server\" of \"m\": nobody opens this section",
                  "key \"y\" of section \"target\" of \"m\" refers to section \"pool\", which nobody opens",
                  "key \"z\" of section \"target\" of \"m\": the default \"6\" is no valid value: z \"6\" is out "
                  "of range, allowed is 1 to 5"));
}

TEST(ConfigSchema, KeysComeByRankThenDeclaration) {
  Schema schema;
  must(schema.open_section({"s", "", 0, false, "", 1}, "m"));
  for (const auto& [name, rank] : {std::pair("c", 2), std::pair("a", 1), std::pair("b", 2)}) {
    KeySpec key = port_key("s", name);
    key.rank = rank;
    must(schema.add_key(std::move(key), "m"));
  }
  std::vector<std::string> names;
  for (const SchemaKey* key : schema.keys("s")) names.push_back(key->spec.name);
  EXPECT_THAT(names, ElementsAre("a", "c", "b"));
}

TEST(ConfigSchema, UsageShowsHowAKeyIsWritten) {
  const Schema schema = full_schema();
  EXPECT_EQ(usage(schema.find_key("target", "http")->spec), "http <port>,<interval>,<timeout> [<path>]");
  EXPECT_EQ(usage(schema.find_key("server", "targets")->spec), "targets <target>,...");
  EXPECT_EQ(usage(schema.find_key("server", "protocol")->spec), "protocol tcp|udp");
}

TEST(ConfigNearest, DistanceCountsEditsAndSwaps) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("port", "port"), 0U);
  EXPECT_EQ(edit_distance("prot", "port"), 1U);
  EXPECT_EQ(edit_distance("PORT", "port"), 0U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(ConfigNearest, OnlyNearWordsAreSuggested) {
  const std::vector<std::string> words{"port", "protocol", "ip"};
  EXPECT_EQ(nearest("protcol", words), "protocol");
  EXPECT_EQ(nearest("xyzzy", words), std::nullopt);
  EXPECT_EQ(nearest("zz", words), std::nullopt);
  EXPECT_EQ(nearest(std::string(10000, 'a'), words), std::nullopt);
}

TEST(ConfigNearest, LongAndStrangeValuesAreShownShortAndHarmless) {
  EXPECT_EQ(core::quoted("a\x1b[0m"), "\"a?[0m\"");
  const std::string shown = core::quoted(std::string(59, 'x') + "\xc3\xa4" + "yyyy");
  EXPECT_EQ(shown, '"' + std::string(59, 'x') + "...\"");
}

}  // namespace
}  // namespace trivet::core::config_test
