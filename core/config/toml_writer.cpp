// Written by hand, not by TOML++: that sorts tables as text, so that target 10 would stand before target 2.
#include <algorithm>
#include <span>

#include "core/config/toml_front_end.h"
#include "core/config/values.h"

namespace trivet::core {
namespace {

// A TOML basic string. The tree holds UTF-8 without control characters.
std::string toml_string(std::string_view text) {
  std::string written = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') written += '\\';
    written += c;
  }
  return written + '"';
}

// Whether a bare TOML integer reads back as the same text.
bool is_toml_integer(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return false;
  return digits.front() != '0' || text == "0";
}

// Whether a bare TOML float reads back as the same text.
bool is_toml_float(std::string_view text) {
  if (text.find('.') == std::string_view::npos || text.size() > 15) return false;
  ElementSpec any;
  any.type = ElementType::seconds;
  const auto value = read_element(any, text);
  return value && to_text(*value) == text;
}

// The type of each element as the words are laid out; none where the schema does not know.
std::optional<ElementType> type_of(const KeySpec* key, std::size_t word, std::size_t element) {
  if (key == nullptr || word >= key->words.size()) return std::nullopt;
  const WordSpec& spec = key->words[word];
  const std::size_t place = spec.is_list ? 0 : element;
  if (place >= spec.elements.size()) return std::nullopt;
  return spec.elements[place].type;
}

class TomlWriter {
 public:
  explicit TomlWriter(const Schema& schema) : schema_(&schema) {}

  std::string run(const Tree& tree, const std::vector<std::string>& header) {
    for (const std::string& line : header) text_ += "# " + line + '\n';
    if (tree.hostname) text_ += "hostname = " + toml_string(tree.hostname->text) + '\n';
    if (!tree.modules.empty()) {
      text_ += "modules = [";
      for (std::size_t i = 0; i < tree.modules.size(); ++i) {
        text_ += (i == 0 ? "" : ", ") + toml_string(tree.modules[i].text);
      }
      text_ += "]\n";
    }
    for (const Object& object : tree.objects) write_object(object);
    return std::move(text_) + "# end of configuration\n";
  }

 private:
  void write_object(const Object& object) {
    text_ += "\n[" + object.section + (object.index == 0 ? "" : '.' + std::to_string(object.index)) + "]\n";
    if (object.state == LifeCycle::defined) text_ += "state = \"defined\"\n";
    if (object.state == LifeCycle::registered) text_ += "state = \"registered\"\n";
    // Equal keywords stand together in a canonical tree but for unknown ones.
    std::vector<std::string> done;
    for (const Parameter& parameter : object.parameters) {
      if (std::ranges::find(done, parameter.keyword) != done.end()) continue;
      done.push_back(parameter.keyword);
      std::vector<const Parameter*> same;
      for (const Parameter& other : object.parameters) {
        if (other.keyword == parameter.keyword) same.push_back(&other);
      }
      const SchemaKey* key = schema_->find_key(object.section, parameter.keyword);
      text_ += parameter.keyword + " = " + value(same, key == nullptr ? nullptr : &key->spec) + '\n';
    }
  }

  static std::string value(std::span<const Parameter* const> parameters, const KeySpec* key) {
    if (parameters.size() == 1 && is_flat(*parameters.front(), key)) return flat(*parameters.front(), key);
    // One element each: a plain array says the same, if it is not too long for one value.
    std::size_t size = 0;
    for (const Parameter* parameter : parameters) size += value_size(parameter->words);
    const bool is_plain =
        parameters.size() > 1 && size <= TreeLimits::value_size && key != nullptr && is_split(*key) &&
        std::ranges::all_of(parameters, [](const Parameter* parameter) { return is_one(*parameter); });
    std::string text = "[";
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Parameter& parameter = *parameters[i];
      text += i == 0 ? "" : ", ";
      if (is_plain) {
        text += elements(parameter, key);
        continue;
      }
      text += is_flat(parameter, key) ? '[' + elements(parameter, key) + ']' : words(parameter, key);
    }
    return text + ']';
  }

  // Whether a flat array of several elements is several parameters.
  static bool is_split(const KeySpec& key) {
    return key.repeatable && key.words.size() == 1 && !key.words.front().is_list &&
           key.words.front().elements.size() == 1;
  }

  static bool is_one(const Parameter& parameter) {
    return parameter.words.size() == 1 && parameter.words.front().elements.size() == 1;
  }

  // Whether the flat form reads back into the same words.
  static bool is_flat(const Parameter& parameter, const KeySpec* key) {
    if (parameter.words.size() < 2 && key == nullptr) return true;
    if (key == nullptr) return false;
    std::vector<Element> all;
    for (const Word& word : parameter.words) all.insert(all.end(), word.elements.begin(), word.elements.end());
    if (is_split(*key)) return all.size() < 2;  // several elements would be several parameters
    return all.empty() || divide(all, *key) == parameter.words;
  }

  // One element as a bare value, unless it is a list; several as an array.
  static std::string flat(const Parameter& parameter, const KeySpec* key) {
    const bool is_list = key != nullptr && key->words.front().is_list;
    const std::string text = elements(parameter, key);
    return is_one(parameter) && !is_list ? text : '[' + text + ']';
  }

  static std::string elements(const Parameter& parameter, const KeySpec* key) {
    std::string text;
    for (std::size_t i = 0; i < parameter.words.size(); ++i) {
      text += (i == 0 ? "" : ", ") + word(parameter.words[i], key, i);
    }
    return text;
  }

  static std::string words(const Parameter& parameter, const KeySpec* key) {
    std::string text = "[";
    for (std::size_t i = 0; i < parameter.words.size(); ++i) {
      text += (i == 0 ? "[" : ", [") + word(parameter.words[i], key, i) + ']';
    }
    return text + ']';
  }

  static std::string word(const Word& word, const KeySpec* key, std::size_t number) {
    std::string text;
    for (std::size_t i = 0; i < word.elements.size(); ++i) {
      const std::string& element = word.elements[i].text;
      const auto type = type_of(key, number, i);
      const bool is_number =
          !type || *type == ElementType::integer || *type == ElementType::seconds || *type == ElementType::reference;
      text += i == 0 ? "" : ", ";
      const bool is_bare =
          (is_number && is_toml_integer(element)) || (type == ElementType::seconds && is_toml_float(element));
      text += is_bare ? element : toml_string(element);
    }
    return text;
  }

  const Schema* schema_;
  std::string text_;
};

}  // namespace

std::string write_toml(const Tree& tree, const Schema& schema, const std::vector<std::string>& header) {
  return TomlWriter(schema).run(tree, header);
}

}  // namespace trivet::core
