// Writing and reading again, in both languages; the canonical form.
#include <random>

#include "core/config/native_writer.h"
#include "core/config/toml_front_end.h"
#include "tests/core/config_test_tools.h"

namespace trivet::core::config_test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr ConfigFormat both_formats[] = {ConfigFormat::native, ConfigFormat::toml};

std::string save(const Tree& tree, const Schema& schema, ConfigFormat format, Defaults defaults = Defaults::left_out) {
  return format == ConfigFormat::native ? save_native(tree, schema, {"a header"}, defaults)
                                        : save_toml(tree, schema, {"a header"}, defaults);
}

void expect_round_trips(const Tree& tree, const Schema& schema) {
  const Tree expected = canonical(tree, schema);
  for (const ConfigFormat first : both_formats) {
    const std::string text = save(tree, schema, first);
    const Tree again = parse_good(text, first);
    ASSERT_EQ(canonical(again, schema), expected) << text;
    EXPECT_EQ(save(again, schema, first), text);
    const ConfigFormat second = first == ConfigFormat::native ? ConfigFormat::toml : ConfigFormat::native;
    const std::string converted = save(again, schema, second);
    ASSERT_EQ(canonical(parse_good(converted, second), schema), expected) << converted;
  }
}

TEST(ConfigRoundTrip, TheSeedFilesSurviveBothLanguages) {
  const Schema schema = seed_schema();
  for (const char* name : {"lb1.conf", "lb2.conf"}) {
    const Tree tree = parse_good(read_file(std::string(TRIVET_SOURCE_DIR "/examples/") + name));
    expect_round_trips(tree, schema);
    Problems problems;
    const auto before = check_configuration(tree, schema, problems);
    for (const ConfigFormat format : both_formats) {
      const auto after = check_configuration(parse_good(save(tree, schema, format), format), schema, problems);
      ASSERT_TRUE(before && after);
      EXPECT_TRUE(diff(*before, *after).empty()) << testing::PrintToString(describe(diff(*before, *after)));
      EXPECT_EQ(after->modules, before->modules);
    }
  }
}

TEST(ConfigRoundTrip, NativeOutputHasTheFormOfTheOriginal) {
  const Tree tree = parse_good(
      "target 2 ipaddr 10.0.0.2\nhostname LB1\nmodules vrrp,slb\nset ipforwarding 1\nset vrrppreempt 0\n"
      "interface 2 {\ntrackval 10\nname eth2\n}\ninterface 1 name eth1\nregister interfaces 1,2\nenable interface 2\n"
      "vrrp {\nnetwork 1\nvrid 64\n}\n"
      "network 1 {\ninterfaces 2\nVIRT\n}\nno network 1\nnetwork 1 {\ninterfaces 2\nreal6 2001:DB8:0::2:1\nmask6 048\n"
      "name \"the net\"\n}\nregister network 1\n"
      "server 1 {\ntargets 2-4\nport 80\nsessionid src\n}\n");
  EXPECT_EQ(save_native(tree, seed_schema(), {"configuration taken today", "Trivet 0.1.0 (created then)"}),
            "// configuration taken today\n"
            "// Trivet 0.1.0 (created then)\n"
            "hostname  LB1\n"
            "modules   vrrp,slb\n"
            "set       {\n"
            "          ipforwarding 1\n"
            "}\n"
            "interface 1 {\n"
            "          name eth1\n"
            "}\n"
            "interface 2 {\n"
            "          name eth2\n"
            "          trackval 10\n"
            "}\n"
            "register  interfaces 1,2\n"
            "enable    interface 2\n"
            "vrrp      {\n"
            "          vrid 64\n"
            "          network 1\n"
            "}\n"
            "network   1 {\n"
            "          name \"the net\"\n"
            "          mask6 48\n"
            "          real6 2001:db8::2:1\n"
            "          interface 2\n"
            "}\n"
            "register  network 1\n"
            "server    1 {\n"
            "          port 80\n"
            "          targets 2,3,4\n"
            "}\n"
            "target    2 {\n"
            "          ipaddr 10.0.0.2\n"
            "}\n"
            "// end of configuration\n");
}

TEST(ConfigRoundTrip, TomlOutputIsOrderedByRankAndNumber) {
  const Tree tree = parse_good(
      "hostname a\nmodules b\ntarget 10 ping6 3,1.5\ntarget 2 {\nhttp 80,3,10 /x\n}\nregister target 2\n"
      "register target 10\nenable target 10\ninterface 1 name 5\npolicy 1 {\npeer 10.0.0.1\npeer ::1\n}\n");
  EXPECT_EQ(save_toml(tree, full_schema(), {"h"}),
            "# h\nhostname = \"a\"\nmodules = [\"b\"]\n\n[interface.1]\nstate = \"defined\"\nname = \"5\"\n\n"
            "[target.2]\nstate = \"registered\"\nhttp = [80, 3, 10, \"/x\"]\n\n[target.10]\nping6 = [3, 1.5]\n\n"
            "[policy.1]\nstate = \"defined\"\npeer = [\"10.0.0.1\", \"::1\"]\n# end of configuration\n");
}

TEST(ConfigRoundTrip, DefaultsAreWrittenOnRequest) {
  const Tree tree = parse_good("hostname a\nmodules b\nset ipforwarding 0\nserver 1 method rr\n");
  const Schema schema = seed_schema();
  EXPECT_THAT(save_native(tree, schema, {}), Not(HasSubstr("ipforwarding")));
  EXPECT_THAT(save_native(tree, schema, {}), Not(HasSubstr("set")));
  EXPECT_THAT(save_native(tree, schema, {}, Defaults::written), HasSubstr("ipforwarding 0"));
  EXPECT_THAT(save_toml(tree, schema, {}, Defaults::written), HasSubstr("method = \"rr\""));
}

TEST(ConfigRoundTrip, SpellingDoesNotMatterInTheCanonicalForm) {
  const Schema schema = full_schema();
  const Tree a = parse_good(
      "server 1 {\ntargets 1-3\nport 080\nipaddr6 2001:DB8:0:0::1\nname \"x\"\n}\nset sessiontimeout 5.50\n");
  const Tree b =
      parse_good("set {\nsessiontimeout 5.5\n}\nserver 1 {\nname x\nipaddr6 2001:db8::1\nport 80\ntarget 1,2,3\n}\n");
  EXPECT_NE(a, b);
  EXPECT_EQ(canonical(a, schema), canonical(b, schema));
}

TEST(ConfigRoundTrip, UnknownAndWrongThingsAreKeptAsTheyAre) {
  const Schema schema = make_core_schema();
  const Tree tree = parse_good("future 3 {\nkey a,b \"c d\"\nkey e\n}\nregister future 3\ntarget 1 port x\n");
  const Tree expected = canonical(tree, schema);
  for (const ConfigFormat format : both_formats) {
    const std::string text = save(tree, schema, format);
    EXPECT_EQ(canonical(parse_good(text, format), schema), expected) << text;
  }
}

// A random text element out of characters that are hard to write.
std::string random_text(std::mt19937& random) {
  static const std::vector<std::string> pieces{"a", "B",  "7", " ", "\t", ",", "\"",       "\\", "{",
                                               "}", "//", "#", "'", "=",  "[", "\xc3\xa4", "-"};
  std::string text;
  for (std::size_t left = random() % 6; left > 0; --left) text += pieces[random() % pieces.size()];
  return text;
}

std::string random_element(const ElementSpec& spec, std::mt19937& random) {
  switch (spec.type) {
    case ElementType::integer:
      return std::to_string(static_cast<std::int64_t>(spec.minimum) +
                            static_cast<std::int64_t>(random() % 1000) %
                                static_cast<std::int64_t>(spec.maximum - spec.minimum + 1));
    case ElementType::seconds:
      return std::to_string(1 + random() % 3000) + (random() % 2 == 0 ? "" : "." + std::to_string(random() % 1000));
    case ElementType::word:
      return spec.choices[random() % spec.choices.size()];
    case ElementType::ipv4:
      return "10." + std::to_string(random() % 256) + ".0." + std::to_string(random() % 256);
    case ElementType::ipv6:
      return "2001:DB8::" + std::to_string(random() % 9999);
    case ElementType::ip:
      return random() % 2 == 0 ? "10.1.1.1" : "FE80::1";
    case ElementType::reference:
      return std::to_string(1 + random() % 200);
    case ElementType::text:
      break;
  }
  return random_text(random);
}

Parameter random_parameter(const KeySpec& key, std::mt19937& random) {
  Parameter parameter;
  parameter.keyword = !key.alias.empty() && random() % 2 == 0 ? key.alias : key.name;
  for (const WordSpec& spec : key.words) {
    if (spec.is_optional && random() % 2 == 0) break;
    Word& word = parameter.words.emplace_back();
    const std::size_t repeats = spec.is_list ? 1 + random() % 5 : 1;
    for (std::size_t i = 0; i < repeats; ++i) {
      for (const ElementSpec& element : spec.elements)
        word.elements.push_back({random_element(element, random), true, {}});
    }
  }
  return parameter;
}

Tree random_tree(const Schema& schema, std::mt19937& random) {
  Tree tree;
  tree.hostname = Element{"host" + std::to_string(random() % 100), false, {}};
  tree.modules = {Element{"m1", false, {}}, Element{"m2", false, {}}};
  for (const SchemaSection* section : schema.sections()) {
    const std::uint32_t last = std::min(section->spec.last_index, 40U);
    for (std::uint32_t i = std::min(1U, last); i <= last; ++i) {
      if (random() % 4 != 0) continue;
      Object& object = tree.objects.emplace_back();
      object.section = section->spec.name;
      object.index = i;
      object.state = i == 0 ? LifeCycle::enabled : static_cast<LifeCycle>(random() % 3);
      for (const SchemaKey* key : schema.keys(object.section)) {
        const std::size_t times = key->spec.repeatable ? random() % 4 : random() % 2;
        for (std::size_t n = 0; n < times; ++n) object.parameters.push_back(random_parameter(key->spec, random));
      }
      std::shuffle(object.parameters.begin(), object.parameters.end(), random);
    }
  }
  std::shuffle(tree.objects.begin(), tree.objects.end(), random);
  return tree;
}

// What one language takes the other takes as well: sizes are counted in the same way.
TEST(ConfigRoundTrip, BothLanguagesHaveTheSameLimitOfAValue) {
  const Schema schema = full_schema();
  const std::string head[] = {"hostname a\nmodules m\nserver 1 {\nname ",
                              "hostname = \"a\"\nmodules = [\"m\"]\n[server.1]\nname = "};
  const std::string tail[] = {"\n}\n", "\n"};
  for (const ConfigFormat format : both_formats) {
    const std::size_t which = format == ConfigFormat::native ? 0 : 1;
    const auto with = [&](std::size_t size) { return head[which] + '"' + std::string(size, 'x') + '"' + tail[which]; };
    const auto fits = problems_of(with(TreeLimits::value_size - 1), schema, format);
    EXPECT_THAT(fits, testing::IsEmpty());
    EXPECT_THAT(problems_of(with(TreeLimits::value_size), schema, format),
                testing::ElementsAre("f:4:1: error: the value of \"name\" has 65537 bytes, at most 65536 are read"));
  }
}

TEST(ConfigRoundTrip, ManyParametersOfOneKeyAreNoValueThatIsTooLong) {
  const Schema schema = full_schema();
  std::string text = "policy 1 {\n";
  for (int i = 0; i < 8000; ++i)
    text += "peer 10.100." + std::to_string(100 + i / 100) + '.' + std::to_string(100 + i % 100) + '\n';
  expect_round_trips(parse_good(text + "}\n"), schema);
}

TEST(ConfigRoundTrip, ATabInQuotedTextSurvivesBothLanguages) {
  expect_round_trips(parse_good("server 1 name \"a\tb\"\n"), full_schema());
}

class RandomTree : public testing::TestWithParam<unsigned> {};

TEST_P(RandomTree, SurvivesBothLanguages) {
  std::mt19937 random(GetParam());
  const Schema schema = full_schema();
  const Tree tree = random_tree(schema, random);
  expect_round_trips(tree, schema);
}

INSTANTIATE_TEST_SUITE_P(Config, RandomTree, testing::Range(0U, 40U));

}  // namespace
}  // namespace trivet::core::config_test
