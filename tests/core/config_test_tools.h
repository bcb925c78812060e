// What the tests of the configuration share: reading, and problems as an operator sees them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "core/config/configuration.h"
#include "tests/core/config_test_schema.h"

namespace trivet::core::config_test {

inline std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.good()) << path;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

inline std::vector<std::string> lines(const Problems& problems) {
  std::vector<std::string> list;
  for (const Problem& problem : problems.list()) list.push_back(to_string(problem));
  return list;
}

// Reads what must be free of errors.
inline Tree parse_good(const std::string& text, ConfigFormat format = ConfigFormat::native) {
  Problems problems;
  Tree tree = parse_configuration(text, "test", format, problems);
  EXPECT_TRUE(problems.list().empty()) << testing::PrintToString(lines(problems)) << " in\n" << text;
  return tree;
}

// All problems of reading and checking, as the operator sees them.
inline std::vector<std::string> problems_of(const std::string& text, const Schema& schema,
                                            ConfigFormat format = ConfigFormat::native) {
  Problems problems;
  const Tree tree = parse_configuration(text, "f", format, problems);
  const auto view = check_configuration(tree, schema, problems);
  EXPECT_EQ(view.has_value(), !problems.has_errors());
  return lines(problems);
}

}  // namespace trivet::core::config_test
