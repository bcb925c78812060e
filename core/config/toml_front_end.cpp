// TOML++ 3.3 states with assertions what malformed input can break ("[[ = 1" ends the process, and is undefined with
// NDEBUG). Here they are exceptions: the library is compiled into this file, with its assertions on.
#undef NDEBUG
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_ASSERT(expression) (static_cast<bool>(expression) ? void() : ::trivet::core::toml_assertion_failed())

namespace trivet::core {
[[noreturn]] static void toml_assertion_failed();
}  // namespace trivet::core

#include "core/config/toml_front_end.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/config/nearest.h"

namespace trivet::core {

static void toml_assertion_failed() {
  throw std::logic_error("a syntax error that the parser cannot place, such as [[ without a name behind it");
}

namespace {

struct Entry {
  std::string name;
  Position position;
  const toml::node* node = nullptr;
};

class TomlReader {
 public:
  TomlReader(std::string source, Tree& tree, Problems& problems)
      : source_(std::move(source)), tree_(&tree), builder_(tree, problems), problems_(&problems) {}

  void run(const toml::table& root) {
    for (const Entry& entry : entries(root)) {
      if (entry.name == "hostname") {
        tree_->has_hostname_line = true;
        if (const auto element = read_scalar(*entry.node, entry)) builder_.hostname(entry.position, {Word{{*element}}});
      } else if (entry.name == "modules") {
        tree_->has_modules_line = true;
        if (const auto words = words_of(*entry.node, entry)) builder_.modules(entry.position, *words);
      } else if (const toml::table* table = entry.node->as_table()) {
        read_section(entry, *table);
      } else if (entry.node->is_array_of_tables()) {
        problems_->error(entry.position, "[[" + entry.name + "]] is no section; write [" + entry.name + ".1]");
      } else {
        problems_->error(entry.position,
                         quoted(entry.name) + " is a value outside every section" + suggestion(entry.name, top_keys));
      }
    }
  }

 private:
  static inline const std::vector<std::string> top_keys{"hostname", "modules"};

  [[nodiscard]] Position position_of(const toml::source_region& region) const {
    return {source_, region.begin.line, region.begin.column};
  }

  // TOML++ sorts by name; the file's order is that of the positions.
  [[nodiscard]] std::vector<Entry> entries(const toml::table& table) const {
    std::vector<Entry> list;
    for (const auto& [key, node] : table) {
      list.push_back({std::string(key.str()), position_of(key.source()), &node});
    }
    std::ranges::sort(list, [](const Entry& a, const Entry& b) {
      return std::pair(a.position.line, a.position.column) < std::pair(b.position.line, b.position.column);
    });
    return list;
  }

  void read_section(const Entry& section, const toml::table& table) {
    if (!is_keyword(section.name)) {
      problems_->error(section.position, quoted(section.name) + " is no name of a section");
      return;
    }
    std::vector<Entry> own;
    bool has_objects = false;
    for (Entry& entry : entries(table)) {
      const bool is_number = !entry.name.empty() && entry.name.find_first_not_of("0123456789") == std::string::npos;
      if (!is_number) {
        own.push_back(std::move(entry));
      } else {
        has_objects = true;
        read_numbered(section, entry);
      }
    }
    if (own.empty() && has_objects) return;
    if (Object* object = builder_.open(section.position, section.name, 0)) read_parameters(own, *object);
  }

  void read_numbered(const Entry& section, const Entry& entry) {
    const auto number = parse_number(entry.name, TreeLimits::index);
    const toml::table* table = entry.node->as_table();
    if (!number || *number == 0 || entry.name.front() == '0') {
      problems_->error(entry.position,
                       quoted(entry.name) + " is no number from 1 to " + std::to_string(TreeLimits::index));
    } else if (table == nullptr) {
      problems_->error(entry.position, section.name + ' ' + entry.name + " is no table; write [" + section.name + '.' +
                                           entry.name + ']');
    } else if (Object* object = builder_.open(entry.position, section.name, static_cast<std::uint32_t>(*number))) {
      object->state = LifeCycle::enabled;
      read_parameters(entries(*table), *object);
    }
  }

  void read_parameters(const std::vector<Entry>& list, Object& object) {
    for (const Entry& entry : list) {
      if (entry.name == "state") {
        read_state(entry, object);
      } else if (!is_keyword(entry.name)) {
        problems_->error(entry.position, quoted(entry.name) + " is no keyword");
      } else {
        read_parameter(entry, object);
      }
    }
  }

  void read_state(const Entry& entry, Object& object) {
    const std::string text = entry.node->value<std::string>().value_or("");
    if (object.index == 0) {
      problems_->error(entry.position, object.section + " has no state: it has no number and is always enabled");
    } else if (text == "defined" || text == "registered" || text == "enabled") {
      object.state = text == "defined"      ? LifeCycle::defined
                     : text == "registered" ? LifeCycle::registered
                                            : LifeCycle::enabled;
      object.state_position = entry.position;
    } else {
      problems_->error(
          position_of(entry.node->source()),
          "state " + quoted(text) + " is unknown, allowed are \"defined\", \"registered\" and \"enabled\"");
    }
  }

  void read_parameter(const Entry& entry, Object& object) {
    const toml::array* array = entry.node->as_array();
    if (array == nullptr || !has_array(*array)) {
      add(entry, object, words_of(*entry.node, entry), array != nullptr);
      return;
    }
    for (const toml::node& occurrence : *array) {
      const toml::array* inner = occurrence.as_array();
      if (inner == nullptr || !has_array(*inner)) {
        add(entry, object, words_of(occurrence, entry), inner != nullptr);
        continue;
      }
      std::vector<Word> words;
      for (const toml::node& word : *inner) {
        auto read = words_of(word, entry);
        if (!read) return;
        std::ranges::move(*read, std::back_inserter(words));
      }
      add(entry, object, std::move(words), false);
    }
  }

  static bool has_array(const toml::array& array) {
    return std::any_of(array.begin(), array.end(), [](const toml::node& node) { return node.is_array(); });
  }

  void add(const Entry& entry, Object& object, std::optional<std::vector<Word>> read_words, bool is_flat) {
    if (!read_words) return;
    std::vector<Word>& words = *read_words;
    std::size_t size = 0;
    for (const Word& word : words) {
      for (const Element& element : word.elements) size += element.text.size() + 1;
    }
    if (size > TreeLimits::value_size) {
      problems_->error(entry.position, "the value of " + quoted(entry.name) + " has " + std::to_string(size) +
                                           " bytes, at most " + std::to_string(TreeLimits::value_size) + " are read");
      return;
    }
    object.parameters.push_back({entry.name, std::move(words), is_flat, entry.position});
  }

  // A scalar or an array of scalars as one word; no word for an empty array; none for a wrong value (reported).
  std::optional<std::vector<Word>> words_of(const toml::node& node, const Entry& entry) {
    Word word;
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& item : *array) {
        const auto element = read_scalar(item, entry);
        if (!element) return std::nullopt;
        word.elements.push_back(*element);
      }
      if (word.elements.empty()) return std::vector<Word>{};
    } else {
      const auto element = read_scalar(node, entry);
      if (!element) return std::nullopt;
      word.elements.push_back(*element);
    }
    return std::vector<Word>{std::move(word)};
  }

  std::optional<Element> read_scalar(const toml::node& node, const Entry& entry) {
    Element element;
    element.position = position_of(node.source());
    if (const auto* text = node.as_string()) {
      element.text = text->get();
      element.quoted = true;
    } else if (const auto* number = node.as_integer()) {
      element.text = std::to_string(number->get());
    } else if (const auto* real = node.as_floating_point()) {
      std::array<char, 400> buffer{};
      const auto end = std::to_chars(buffer.begin(), buffer.end(), real->get(), std::chars_format::fixed);
      element.text.assign(buffer.begin(), end.ptr);
    } else if (const auto* truth = node.as_boolean()) {
      element.text = truth->get() ? "true" : "false";
    } else {
      problems_->error(element.position, entry.name +
                                             " has a value of a kind that is not used here; a string, a number "
                                             "or an array of them is needed");
      return std::nullopt;
    }
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::ranges::any_of(element.text, is_control)) {
      problems_->error(element.position, "a control character in the value of " + entry.name);
      return std::nullopt;
    }
    return element;
  }

  std::string source_;
  Tree* tree_;
  TreeBuilder builder_;
  Problems* problems_;
};

}  // namespace

void parse_toml(std::string_view text, const std::string& source, Tree& tree, Problems& problems) {
  if (text.size() > TreeLimits::text_size) {
    problems.error({source, 0, 0}, "the configuration has " + std::to_string(text.size()) + " bytes; at most " +
                                       std::to_string(TreeLimits::text_size) + " are read");
    tree.has_hostname_line = true;
    tree.has_modules_line = true;
    return;
  }
  try {
    TomlReader(source, tree, problems).run(toml::parse(text, source));
    return;
  } catch (const toml::parse_error& error) {
    const toml::source_position& at = error.source().begin;
    problems.error({source, at.line, at.column}, "TOML: " + std::string(error.description()));
  } catch (const std::logic_error& error) {
    problems.error({source, 0, 0}, std::string("TOML: ") + error.what());
  }
  // Unknown what follows: nothing is missing for sure.
  tree.has_hostname_line = true;
  tree.has_modules_line = true;
}

}  // namespace trivet::core
