#include "core/config/values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "core/config/native_parser.h"
#include "core/config/nearest.h"

namespace trivet::core {
namespace {

std::string number_text(double number) {
  char buffer[400];  // a double without exponent has up to 309 digits and a fraction
  const auto [end, error] = std::to_chars(std::begin(buffer), std::end(buffer), number, std::chars_format::fixed);
  return error == std::errc() ? std::string(buffer, end) : "0";
}

std::string out_of_range(const ElementSpec& spec) {
  return "is out of range, allowed is " + number_text(spec.minimum) + " to " + number_text(spec.maximum);
}

std::string choice_list(const ElementSpec& spec) {
  std::string text = spec.choices.size() == 1 ? "allowed is " : "allowed are ";
  for (std::size_t i = 0; i < spec.choices.size(); ++i) {
    if (i != 0) text += i + 1 == spec.choices.size() ? " and " : ", ";
    text += quoted(spec.choices[i]);
  }
  return text;
}

// Only digits, one point, digits: what people write. No exponent, no "inf", no sign.
std::optional<double> parse_seconds(std::string_view text) {
  const auto is_plain = [](char c) { return (c >= '0' && c <= '9') || c == '.'; };
  if (text.empty() || text.size() > 32 || !std::ranges::all_of(text, is_plain)) return std::nullopt;
  double number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<ElementValue> read_integer(const ElementSpec& spec, std::string_view text) {
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (stop != text.data() + text.size() || error == std::errc::invalid_argument) {
    return fail("is no whole number, allowed is " + number_text(spec.minimum) + " to " + number_text(spec.maximum));
  }
  const auto value = static_cast<double>(number);
  if (error != std::errc() || value < spec.minimum || value > spec.maximum) return fail(out_of_range(spec));
  return number;
}

Result<ElementValue> read_address(ElementType type, std::string_view text) {
  const auto v4 = parse_ipv4(text);
  const auto v6 = parse_ipv6(text);
  if (v4 && type != ElementType::ipv6) return *v4;
  if (v6 && type != ElementType::ipv4) return *v6;
  if (v4) return fail("is an IPv4 address, an IPv6 address is needed");
  if (v6) return fail("is an IPv6 address, an IPv4 address is needed");
  if (type == ElementType::ip) return fail("is neither an IPv4 nor an IPv6 address");
  return fail(type == ElementType::ipv4 ? "is no IPv4 address" : "is no IPv6 address");
}

// A comma list that a single text element takes whole.
Word joined(const Word& word) {
  Word result;
  result.elements.push_back(word.elements.front());
  for (std::size_t i = 1; i < word.elements.size(); ++i) {
    result.elements.front().text += ',' + word.elements[i].text;
  }
  return result;
}

std::size_t needed_words(const KeySpec& key) {
  return static_cast<std::size_t>(
      std::ranges::count_if(key.words, [](const WordSpec& word) { return !word.is_optional; }));
}

std::string count_text(std::size_t count) { return std::to_string(count) + (count == 1 ? " value" : " values"); }

class ValueReader {
 public:
  ValueReader(const KeySpec& key, const Schema& schema, Problems& problems, std::vector<Reference>* references)
      : key_(&key), schema_(&schema), problems_(&problems), references_(references) {}

  std::optional<std::vector<std::vector<ElementValue>>> read(const Parameter& parameter) {
    const std::size_t count = parameter.words.size();
    if (count < needed_words(*key_) || count > key_->words.size()) {
      const bool is_empty = count == 0;
      const Position& where = count > key_->words.size() ? parameter.words[key_->words.size()].elements.front().position
                                                         : parameter.position;
      wrong(where, parameter.keyword + (is_empty                     ? " needs a value"
                                        : count > key_->words.size() ? " has too many words" + extra_hint(parameter)
                                                                     : " has too few words"));
      return std::nullopt;
    }
    std::vector<std::vector<ElementValue>> values;
    values.reserve(count);
    for (std::size_t i = 0; i < count; ++i) values.push_back(read_word(key_->words[i], parameter.words[i]));
    if (!is_good_) return std::nullopt;
    return values;
  }

 private:
  void wrong(const Position& position, const std::string& text) {
    problems_->error(position, text + "; it is written: " + usage(*key_));
    is_good_ = false;
  }

  // "port 80// web": two slashes inside a word are text.
  static bool has_slashes(const Element& element) {
    return !element.quoted && element.text.find("//") != std::string::npos;
  }
  static constexpr const char* slashes_hint = ", a comment needs a blank before //";

  // The usual reasons for too many words.
  [[nodiscard]] std::string extra_hint(const Parameter& parameter) const {
    const bool is_comment = std::ranges::any_of(
        parameter.words, [](const Word& word) { return std::ranges::any_of(word.elements, has_slashes); });
    return is_comment ? slashes_hint : text_hint();
  }

  // "name Rack 3"
  [[nodiscard]] std::string text_hint() const {
    const bool is_text = key_->words.back().elements.back().type == ElementType::text;
    return is_text ? ", text with blanks is written in quotes" : "";
  }

  std::vector<ElementValue> read_word(const WordSpec& spec, const Word& word) {
    if (spec.is_list) return read_list(spec.elements.front(), word);
    const bool is_text = spec.elements.size() == 1 && spec.elements.front().type == ElementType::text;
    const Word& used = is_text && word.elements.size() > 1 ? (joined_ = joined(word)) : word;
    std::vector<ElementValue> values;
    if (used.elements.size() != spec.elements.size()) {
      wrong(used.elements.front().position, key_->name + " has " + count_text(used.elements.size()) + " instead of " +
                                                std::to_string(spec.elements.size()));
      return values;
    }
    for (std::size_t i = 0; i < used.elements.size(); ++i) read_one(spec.elements[i], used.elements[i], values);
    return values;
  }

  void read_one(const ElementSpec& spec, const Element& element, std::vector<ElementValue>& values) {
    if (spec.type == ElementType::reference) {
      add_range(spec, element, element.text, values);
      return;
    }
    auto value = read_element(spec, element.text);
    if (value) {
      values.push_back(std::move(*value));
      return;
    }
    const bool is_key_itself = key_->words.size() == 1 && key_->words.front().elements.size() == 1;
    const std::string what =
        is_key_itself || spec.name.empty() || spec.name == key_->name ? key_->name : spec.name + " of " + key_->name;
    problems_->error(element.position, what + ' ' + quoted(element.text) + ' ' + value.error().text +
                                           (has_slashes(element) ? slashes_hint : ""));
    is_good_ = false;
  }

  std::vector<ElementValue> read_list(const ElementSpec& spec, const Word& word) {
    std::vector<ElementValue> values;
    for (const Element& element : word.elements) {
      const bool has_range = spec.type == ElementType::integer || spec.type == ElementType::reference;
      if (has_range && element.text.find('-', 1) != std::string::npos) {
        add_range(spec, element, element.text, values);
      } else {
        read_one(spec, element, values);
      }
    }
    return values;
  }

  // "3" and "3-8" of numbers and references.
  void add_range(const ElementSpec& spec, const Element& element, std::string_view text,
                 std::vector<ElementValue>& values) {
    const bool is_reference = spec.type == ElementType::reference;
    const std::uint64_t first_allowed = is_reference ? 1 : static_cast<std::uint64_t>(std::max(0.0, spec.minimum));
    const std::uint64_t last_allowed =
        is_reference ? last_index(spec.refers_to) : static_cast<std::uint64_t>(std::min(spec.maximum, 9e15));
    const auto fault = [&](const std::string& reason) {
      problems_->error(element.position, (is_reference ? spec.refers_to + " in " : "") + key_->name + ' ' +
                                             quoted(element.text) + ' ' + reason + ", allowed is " +
                                             std::to_string(first_allowed) + " to " + std::to_string(last_allowed));
      is_good_ = false;
    };
    const auto range = parse_range(text, UINT64_MAX);
    if (!range) return fault(is_reference ? "is no number" : "is no number and no range");
    if (range->first > range->second) return fault("is a range that runs backwards");
    if (range->first < first_allowed || range->second > last_allowed) return fault("is out of range");
    if (range->second - range->first >= TreeLimits::range_size - std::min(values.size(), TreeLimits::range_size)) {
      return fault("makes the list longer than " + std::to_string(TreeLimits::range_size));
    }
    for (std::uint64_t number = range->first; number <= range->second; ++number) {
      add_number(spec, element, static_cast<std::int64_t>(number), values);
    }
  }

  void add_number(const ElementSpec& spec, const Element& element, std::int64_t number,
                  std::vector<ElementValue>& values) {
    if (spec.type == ElementType::reference) {
      if (!seen_.insert(number).second) {
        problems_->warning(element.position,
                           spec.refers_to + ' ' + std::to_string(number) + " stands twice in " + key_->name);
        return;
      }
      if (references_ != nullptr) {
        references_->push_back({spec.refers_to, static_cast<std::uint32_t>(number), element.position});
      }
    }
    values.emplace_back(number);
  }

  [[nodiscard]] std::uint64_t last_index(const std::string& section) const {
    const SchemaSection* found = schema_->find_section(section);
    return found == nullptr || found->spec.last_index == 0 ? TreeLimits::index : found->spec.last_index;
  }

  const KeySpec* key_;
  const Schema* schema_;
  Problems* problems_;
  std::vector<Reference>* references_;
  std::set<std::int64_t> seen_;
  Word joined_;
  bool is_good_ = true;
};

bool is_simple(const KeySpec& key) {
  return key.words.size() == 1 && !key.words.front().is_list && key.words.front().elements.size() == 1;
}

}  // namespace

std::optional<std::vector<std::vector<ElementValue>>> read_values(const KeySpec& key, const Parameter& parameter,
                                                                  const Schema& schema, Problems& problems,
                                                                  std::vector<Reference>* references) {
  return ValueReader(key, schema, problems, references).read(parameter);
}

std::optional<std::vector<std::vector<ElementValue>>> read_default(const KeySpec& key, const Schema& schema,
                                                                   Problems& problems) {
  if (key.default_text.empty()) return std::nullopt;
  Parameter parameter;
  parameter.keyword = key.name;
  const bool is_text = is_simple(key) && key.words.front().elements.front().type == ElementType::text;
  auto words = parse_words(key.default_text);
  if (is_text && (!words || words->size() != 1)) {
    words = std::vector<Word>{Word{{Element{key.default_text, true, {}}}}};
  }
  if (!words) return std::nullopt;
  parameter.words = std::move(*words);
  return read_values(key, parameter, schema, problems, nullptr);
}

Result<ElementValue> read_element(const ElementSpec& spec, std::string_view text) {
  switch (spec.type) {
    case ElementType::integer:
    case ElementType::reference:
      return read_integer(spec, text);
    case ElementType::seconds: {
      const auto number = parse_seconds(text);
      if (!number) {
        return fail("is no number of seconds, allowed is " + number_text(spec.minimum) + " to " +
                    number_text(spec.maximum));
      }
      if (*number < spec.minimum || *number > spec.maximum) return fail(out_of_range(spec));
      return *number;
    }
    case ElementType::word:
      if (std::ranges::find(spec.choices, text) == spec.choices.end()) {
        if (std::ranges::find(spec.later_choices, text) != spec.later_choices.end()) {
          return fail("is not available in this version, " + choice_list(spec));
        }
        const auto near = nearest(text, spec.choices);
        const bool say_near = near && spec.choices.size() > 1;
        return fail((say_near ? "is unknown, did you mean " + quoted(*near) + "? " + choice_list(spec)
                              : "is unknown, " + choice_list(spec)));
      }
      return std::string(text);
    case ElementType::ipv4:
    case ElementType::ipv6:
    case ElementType::ip:
      return read_address(spec.type, text);
    case ElementType::text:
      break;
  }
  return std::string(text);
}

std::string to_text(const ElementValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&value)) return number_text(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* address = std::get_if<Ipv4Address>(&value)) return to_string(*address);
  return to_string(std::get<Ipv6Address>(value));
}

std::vector<Word> divide(const std::vector<Element>& elements, const KeySpec& key) {
  std::size_t needed = 0;  // by the words that follow
  for (const WordSpec& word : key.words) {
    if (!word.is_optional) needed += word.elements.size();
  }
  std::vector<Word> words;
  auto next = elements.begin();
  for (const WordSpec& spec : key.words) {
    if (next == elements.end()) break;
    if (!spec.is_optional) needed -= spec.elements.size();
    const auto left = static_cast<std::size_t>(elements.end() - next);
    std::size_t take = std::min(spec.elements.size(), left);
    if (spec.is_list) take = std::max<std::size_t>(1, left - std::min(left, needed));
    const auto end = next + static_cast<std::ptrdiff_t>(take);
    words.push_back(Word{{next, end}});
    next = end;
  }
  if (next != elements.end()) words.back().elements.insert(words.back().elements.end(), next, elements.end());
  return words;
}

std::string usage(const KeySpec& key) {
  std::string text = key.name;
  for (const WordSpec& word : key.words) {
    std::string form;
    for (const ElementSpec& element : word.elements) {
      if (!form.empty()) form += ',';
      if (element.type == ElementType::word) {
        for (std::size_t i = 0; i < element.choices.size(); ++i) form += (i == 0 ? "" : "|") + element.choices[i];
      } else {
        form += '<' + (element.name.empty() ? "value" : element.name) + '>';
      }
    }
    if (word.is_list) form += ",...";
    text += word.is_optional ? " [" + form + ']' : ' ' + form;
  }
  return text;
}

std::vector<ResolvedParameter> resolve_parameters(const Object& object, const Schema& schema) {
  std::vector<ResolvedParameter> resolved;
  std::map<const SchemaKey*, std::size_t> last;  // of a key that is not repeatable: its last place in `resolved`
  for (const Parameter& parameter : object.parameters) {
    const SchemaKey* key = schema.find_key(object.section, parameter.keyword);
    if (key == nullptr) {
      resolved.push_back({nullptr, parameter});
      continue;
    }
    if (!key->spec.repeatable) {
      const auto [place, is_first] = last.emplace(key, resolved.size());
      if (!is_first) resolved[place->second].is_overridden = true;
      place->second = resolved.size();
    }
    const bool is_flat = parameter.flat && parameter.words.size() == 1;
    if (!is_flat) {
      resolved.push_back({key, parameter});
    } else if (key->spec.repeatable && is_simple(key->spec)) {
      for (const Element& element : parameter.words.front().elements) {
        resolved.push_back({key, {parameter.keyword, {Word{{element}}}, false, element.position}});
      }
    } else {
      resolved.push_back({key, parameter});
      resolved.back().parameter.words = divide(parameter.words.front().elements, key->spec);
      resolved.back().parameter.flat = false;
    }
  }
  return resolved;
}

}  // namespace trivet::core
