#include "core/config/tree.h"

#include <algorithm>
#include <charconv>

namespace trivet::core {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

const Object* Tree::find(std::string_view section, std::uint32_t index) const {
  for (const Object& object : objects) {
    if (object.index == index && object.section == section) return &object;
  }
  return nullptr;
}

std::vector<std::string> Tree::module_names() const {
  std::vector<std::string> names;
  names.reserve(modules.size());
  for (const Element& module : modules) names.push_back(module.text);
  return names;
}

bool is_keyword(std::string_view text) {
  if (text.empty() || text.size() > 64 || !is_letter(text.front())) return false;
  return std::ranges::all_of(text, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}

bool is_plural_of(std::string_view plural, std::string_view singular) {
  if (singular.empty() || !plural.ends_with('s')) return false;
  if (plural.starts_with(singular)) {
    const std::string_view ending = plural.substr(singular.size());
    return ending == "s" || ending == "es";
  }
  return singular.ends_with('y') && plural.ends_with("ies") &&
         plural.substr(0, plural.size() - 3) == singular.substr(0, singular.size() - 1);
}

std::size_t value_size(const std::vector<Word>& words) {
  std::size_t size = 0;
  for (const Word& word : words) {
    for (const Element& element : word.elements) size += element.text.size() + 1;
  }
  return size;
}

std::string object_name(std::string_view section, std::uint32_t index) {
  std::string name(section);
  if (index != 0) name += ' ' + std::to_string(index);
  return name;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t maximum) {
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size() || number > maximum)
    return std::nullopt;
  return number;
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_range(std::string_view text, std::uint64_t maximum) {
  const std::size_t dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash), maximum);
  const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1), maximum);
  if (!first || !last) return std::nullopt;
  return std::pair(*first, *last);
}

}  // namespace trivet::core
