#include "core/config/native_writer.h"

#include <algorithm>

#include "core/config/values.h"

namespace trivet::core {
namespace {

constexpr std::size_t indent = 10;

std::string justified(const std::string& first) {
  std::string text = first;
  text.append(text.size() < indent ? indent - text.size() : 1, ' ');
  return text;
}

std::string write_words(const std::vector<Word>& words) {
  std::string text;
  for (const Word& word : words) {
    text += ' ';
    for (std::size_t i = 0; i < word.elements.size(); ++i) {
      if (i != 0) text += ',';
      text += native_element(word.elements[i].text);
    }
  }
  return text;
}

class NativeWriter {
 public:
  explicit NativeWriter(const Schema& schema) : schema_(&schema) {}

  std::string run(const Tree& tree, const std::vector<std::string>& header) {
    for (const std::string& line : header) text_ += "// " + line + '\n';
    if (tree.hostname) text_ += justified("hostname") + native_element(tree.hostname->text) + '\n';
    if (!tree.modules.empty()) text_ += justified("modules") + write_words({Word{tree.modules}}).substr(1) + '\n';
    for (auto first = tree.objects.begin(); first != tree.objects.end();) {
      const auto last = std::find_if(first, tree.objects.end(),
                                     [&](const Object& object) { return object.section != first->section; });
      for (auto object = first; object != last; ++object) write_object(*object);
      write_state("register", first, last, LifeCycle::registered);
      write_state("enable", first, last, LifeCycle::enabled);
      first = last;
    }
    return std::move(text_) + "// end of configuration\n";
  }

 private:
  using Iterator = std::vector<Object>::const_iterator;

  void write_object(const Object& object) {
    text_ += justified(object.section);
    if (object.index != 0) text_ += std::to_string(object.index) + ' ';
    text_ += "{\n";
    for (const Parameter& parameter : object.parameters) {
      text_ += std::string(indent, ' ') + keyword(object, parameter) + write_words(parameter.words) + '\n';
    }
    text_ += "}\n";
  }

  // "interface 2" but "interfaces 1,3": a list of one is written with the alias where that is the singular.
  [[nodiscard]] std::string keyword(const Object& object, const Parameter& parameter) const {
    const SchemaKey* key = schema_->find_key(object.section, parameter.keyword);
    const bool is_single = parameter.words.size() == 1 && parameter.words.front().elements.size() == 1;
    if (key == nullptr || !is_single || !is_plural_of(parameter.keyword, key->spec.alias)) return parameter.keyword;
    return key->spec.alias;
  }

  // "register  interfaces 1,2,3" for all objects of a section that have come at least so far.
  void write_state(const std::string& verb, Iterator first, Iterator last, LifeCycle state) {
    const SchemaSection* section = schema_->find_section(first->section);
    if (section != nullptr && !section->spec.has_life_cycle) return;
    std::string numbers;
    std::size_t count = 0;
    for (; first != last; ++first) {
      if (first->index == 0 || first->state < state) continue;
      numbers += (count++ == 0 ? "" : ",") + std::to_string(first->index);
    }
    if (count == 0) return;
    const std::string& name = std::prev(last)->section;
    const std::string& plural = section == nullptr || section->spec.plural.empty() ? name : section->spec.plural;
    text_ += justified(verb) + (count == 1 ? name : plural) + ' ' + numbers + '\n';
  }

  const Schema* schema_;
  std::string text_;
};

}  // namespace

std::string native_element(const std::string& text) {
  const bool is_plain = !text.empty() && text.find_first_of(" \t,\"{}") == std::string::npos && !text.starts_with("//");
  if (is_plain) return text;
  std::string written = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') written += '\\';
    written += c;
  }
  return written + '"';
}

std::string write_native(const Tree& tree, const Schema& schema, const std::vector<std::string>& header) {
  return NativeWriter(schema).run(tree, header);
}

}  // namespace trivet::core
