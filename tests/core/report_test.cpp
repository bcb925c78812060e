#include <gtest/gtest.h>

#include "core/cli/report_json.h"
#include "core/cli/report_text.h"

namespace trivet::core {
namespace {

Report example() {
  Report report;
  report.fields = {{"role", "Role", std::string("master"), ""},
                   {"since", "In this role for", 12.5, "s"},
                   {"peer", "Peer", Cell{}, "s"},
                   {"tracking", "Tracking", true, ""}};
  Table table;
  table.key = "links";
  table.title = "Links";
  table.columns = {{"name", "Name"}, {"frames", "Frames"}, {"note", "Note"}};
  table.rows = {{std::string("eth1"), std::uint64_t{7}, Cell{}},
                {std::string("uplink0"), std::uint64_t{123456}, std::string("x")}};
  report.tables.push_back(table);
  report.notes = {"All well."};
  return report;
}

TEST(ReportText, AlignsLabelsAndColumnsNumbersToTheRight) {
  EXPECT_EQ(to_text(example(), Colors::off),
            "Role              master\n"
            "In this role for  12.500 s\n"
            "Peer              -\n"
            "Tracking          yes\n"
            "\n"
            "Links\n"
            "Name     Frames  Note\n"
            "eth1          7  -\n"
            "uplink0  123456  x\n"
            "\n"
            "All well.\n");
}

TEST(ReportText, ColoursOnlyWhenAskedTo) {
  EXPECT_EQ(to_text(example(), Colors::off).find('\033'), std::string::npos);
  EXPECT_NE(to_text(example(), Colors::on).find("\033[1mName"), std::string::npos);
}

TEST(ReportText, AnEmptyTableSaysSo) {
  Report report;
  report.tables.push_back({"peers", "", {{"address", "Address"}}, {}});
  EXPECT_EQ(to_text(report, Colors::off), "Address\n(none)\n");
}

TEST(ReportText, ControlCharactersInNamesDoNotReachTheTerminal) {
  Report report;
  report.fields = {{"name", "Name", std::string("a\033[2Jb\n"), ""}};
  EXPECT_EQ(to_text(report, Colors::off), "Name  a?[2Jb?\n");
}

TEST(ReportText, Utf8NamesKeepTheColumnsAligned) {
  Report report;
  report.tables.push_back({"t",
                           "",
                           {{"n", "Name"}, {"x", "X"}},
                           {{std::string("Zürich"), std::string("a")}, {std::string("Berlin"), std::string("b")}}});
  EXPECT_EQ(to_text(report, Colors::off), "Name    X\nZürich  a\nBerlin  b\n");
}

TEST(ReportJson, FieldsAreMembersAndTablesArraysOfObjects) {
  EXPECT_EQ(to_json(example()), R"({
  "role": "master",
  "since": 12.5,
  "peer": null,
  "tracking": true,
  "links": [
    {
      "name": "eth1",
      "frames": 7,
      "note": null
    },
    {
      "name": "uplink0",
      "frames": 123456,
      "note": "x"
    }
  ],
  "notes": [
    "All well."
  ]
})");
}

TEST(ReportJson, AnErrorIsAnObjectWithTheError) {
  EXPECT_EQ(to_json(error_report("no such server")), "{\n  \"error\": \"no such server\"\n}");
}

TEST(ReportJson, TextThatIsNoUtf8IsReplaced) {
  Report report;
  report.fields = {{"name", "Name", std::string("a\xff"), ""}};
  EXPECT_EQ(to_json(report), "{\n  \"name\": \"a\xef\xbf\xbd\"\n}");
}

TEST(ReportJson, SurvivesTheControlSocket) {
  const Report report = example();
  const std::string line = encode_report(report);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto back = decode_report(line);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(to_text(*back, Colors::off), to_text(report, Colors::off));
  EXPECT_EQ(to_json(*back), to_json(report));
}

TEST(ReportJson, BrokenAnswersAndCommandsAreErrorsNotCrashes) {
  for (const char* text : {"", "{", "[]", "{\"fields\":3}", R"({"fields":[[1]],"tables":[],"notes":[]})"}) {
    EXPECT_FALSE(decode_report(text).has_value()) << text;
  }
  for (const char* text : {"", "{}", "[]", "[1]", "[\"a\",null]"})
    EXPECT_FALSE(decode_command(text).has_value()) << text;
  EXPECT_FALSE(decode_command(encode_command(std::vector<std::string>(65, "x"))).has_value());
  EXPECT_FALSE(decode_command(encode_command({std::string(4097, 'x')})).has_value());
  EXPECT_EQ(decode_command(encode_command({"show", "vr rp"})), (std::vector<std::string>{"show", "vr rp"}));
}

TEST(ReportJson, CutAnywhereAnswersAndCommandsAreErrors) {
  // In buffers of their own, so that the address sanitizer sees a read behind them.
  const std::string report = encode_report(example());
  for (std::size_t length = 0; length < report.size(); ++length) {
    const std::vector<char> part(report.begin(), report.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(decode_report({part.data(), part.size()}).has_value()) << length;
  }
  const std::string command = encode_command({"show", "sessions", "--server", "1"});
  for (std::size_t length = 0; length < command.size(); ++length) {
    const std::vector<char> part(command.begin(), command.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(decode_command({part.data(), part.size()}).has_value()) << length;
  }
}

}  // namespace
}  // namespace trivet::core
