#include "core/config/configuration.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "core/config/checker.h"
#include "core/config/native_parser.h"
#include "core/config/native_writer.h"
#include "core/config/toml_front_end.h"

namespace trivet::core {

ConfigFormat detect_format(std::string_view file_name, std::string_view text) {
  if (file_name.ends_with(".toml")) return ConfigFormat::toml;
  if (file_name.ends_with(".conf")) return ConfigFormat::native;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty()) continue;
    // Native comments begin with //, native lines are words; TOML has '#', '[table]' and 'key = value'.
    if (line.starts_with("//")) return ConfigFormat::native;
    if (line.front() == '#' || line.front() == '[') return ConfigFormat::toml;
    const std::size_t word_end = std::min(line.find_first_of(" \t="), line.size());
    line.remove_prefix(word_end);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line.starts_with('=') ? ConfigFormat::toml : ConfigFormat::native;
  }
  return ConfigFormat::native;
}

Tree parse_configuration(std::string_view text, const std::string& source, ConfigFormat format, Problems& problems) {
  Tree tree;
  tree.source = source;
  if (format == ConfigFormat::toml) {
    parse_toml(text, source, tree, problems);
  } else {
    parse_native(text, source, tree, problems);
  }
  return tree;
}

std::optional<Tree> edit_configuration(const Tree& tree, std::string_view text, const std::string& source,
                                       Problems& problems) {
  Tree edited = tree;
  Problems found;
  parse_native(text, source, edited, found);
  for (const Problem& problem : found.list()) {
    if (problem.severity == Severity::error) {
      problems.error(problem.position, problem.text);
    } else {
      problems.warning(problem.position, problem.text);
    }
  }
  if (found.has_errors()) return std::nullopt;
  return edited;
}

std::vector<Problem> in_file_order(const Problems& problems) {
  std::vector<std::tuple<std::uint32_t, std::uint32_t, std::size_t>> order;
  for (std::size_t i = 0; i < problems.list().size(); ++i) {
    const Position& position = problems.list()[i].position;
    order.emplace_back(position.line, position.column, i);
  }
  std::ranges::sort(order);
  std::vector<Problem> list;
  list.reserve(order.size());
  for (const auto& [line, column, i] : order) list.push_back(problems.list()[i]);
  return list;
}

std::optional<ConfigView> check_configuration(const Tree& tree, const Schema& schema, Problems& problems) {
  return check_tree(tree, schema, problems);
}

ConfigView sound_part(const Tree& tree, const Schema& schema) { return sound_part_of_tree(tree, schema); }

std::string save_native(const Tree& tree, const Schema& schema, const std::vector<std::string>& header,
                        Defaults defaults) {
  return write_native(canonical(tree, schema, defaults), schema, header);
}

std::string save_toml(const Tree& tree, const Schema& schema, const std::vector<std::string>& header,
                      Defaults defaults) {
  return write_toml(canonical(tree, schema, defaults), schema, header);
}

}  // namespace trivet::core
