// The neutral configuration tree: what both languages are read into and written from.
//
// A tree knows no module: it holds every parameter as text with its position, so that it can be read before the modules
// that it names are loaded. The meaning comes with the Schema (checker.h). A TreeBuilder folds the stream of commands
// (define, register, enable, ...) into one state per object while it is read.
// Thread: control. Plain values; equality ignores positions and quoting.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trivet/config.h"
#include "trivet/result.h"

namespace trivet::core {

// Bounds of what is read, whatever the schema says.
struct TreeLimits {
  static constexpr std::size_t text_size = 2U << 20U;      // bytes of a file
  static constexpr std::size_t line_length = 256U << 10U;  // bytes of a line
  static constexpr std::size_t value_size = 64U << 10U;    // bytes of one parameter's elements: see value_size()
  static constexpr std::size_t objects = 8192;             // objects of all sections
  static constexpr std::size_t range_size = 8192;          // numbers in one list, ranges written out
  static constexpr std::size_t parameters = 8192;          // parameters of one object, repeated ones counted
  static constexpr std::size_t named = 1U << 20U;          // objects that register, enable, ... of a file name in all
  static constexpr std::size_t references = 65536;         // references of all objects
  static constexpr std::size_t open_references = 8;        // of one object that are told one by one
  static constexpr std::uint32_t index = 65535;            // highest number of an object
  static constexpr std::size_t problems = 200;             // problems reported by one reader
};

// One element of a comma list.
struct Element {
  std::string text;
  bool quoted = false;
  Position position;
  bool operator==(const Element& other) const { return text == other.text; }
};

// Elements that stand together: "3,10".
struct Word {
  std::vector<Element> elements;  // at least one
  bool operator==(const Word&) const = default;
};

struct Parameter {
  std::string keyword;  // as written: a key's name or its alias
  std::vector<Word> words;
  // From a TOML array: one word holds the elements of all words, and the key's WordSpecs tell how to divide them.
  bool flat = false;
  Position position;
  bool operator==(const Parameter& other) const { return keyword == other.keyword && words == other.words; }
};

struct Object {
  std::string section;                   // singular: "server"
  std::uint32_t index = 0;               // 0 = section without index
  LifeCycle state = LifeCycle::defined;  // enabled for objects without index
  std::vector<Parameter> parameters;     // in the order read; of several with one keyword the last counts
  Position position;                     // of the first definition
  Position state_position;               // of the last register, enable, ...; line 0: never said
  bool is_faulty = false;                // part of it could not be read (reported): what it lacks is not told as well
  bool operator==(const Object& other) const {
    return section == other.section && index == other.index && state == other.state && parameters == other.parameters;
  }
};

struct Tree {
  std::string source;  // the file, for what is missing in it
  std::optional<Element> hostname;
  std::vector<Element> modules;  // empty = no such line
  std::vector<Object> objects;   // in the order of their first definition
  // Such a line was there, good or bad: what was wrong with it has been reported.
  bool has_hostname_line = false;
  bool has_modules_line = false;
  bool operator==(const Tree& other) const {
    return hostname == other.hostname && modules == other.modules && objects == other.objects;
  }

  [[nodiscard]] const Object* find(std::string_view section, std::uint32_t index = 0) const;
  [[nodiscard]] std::vector<std::string> module_names() const;
};

enum class LifeCycleVerb : std::uint8_t { register_object, enable, disable, unregister };

// The commands that are no sections.
inline constexpr std::string_view statement_keywords[] = {"hostname", "modules",    "register", "enable",
                                                          "disable",  "unregister", "no"};

// Letters, digits, '-' and '_', beginning with a letter: names of sections, keys and modules.
[[nodiscard]] bool is_keyword(std::string_view text);
// "interfaces" is a plural of "interface", "policies" of "policy", "switches" of "switch". A schema takes no others, so
// that commands can be folded before the modules are loaded.
[[nodiscard]] bool is_plural_of(std::string_view plural, std::string_view singular);
// The bytes of all elements, each with its separator. Both languages take at most TreeLimits::value_size.
[[nodiscard]] std::size_t value_size(const std::vector<Word>& words);
// "server 1", "vrrp"
[[nodiscard]] std::string object_name(std::string_view section, std::uint32_t index);

// A number of digits only; none if it is something else or above `maximum`.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t maximum);
// "3" or "3-8"; none if it is neither. first <= last is the caller's to check.
[[nodiscard]] std::optional<std::pair<std::uint64_t, std::uint64_t>> parse_range(std::string_view text,
                                                                                 std::uint64_t maximum);

// Folds commands into a tree. Everything that is wrong goes to `problems`; the wrong command has no effect. Nobody else
// changes the tree's objects meanwhile; they are complete and in their order when the builder is gone.
class TreeBuilder {
 public:
  TreeBuilder(Tree& tree, Problems& problems);
  TreeBuilder(const TreeBuilder&) = delete;
  TreeBuilder& operator=(const TreeBuilder&) = delete;
  ~TreeBuilder();

  void hostname(const Position& position, const std::vector<Word>& words);
  void modules(const Position& position, const std::vector<Word>& words);
  // Defines an object or opens it again. Null when it cannot be (problem reported). Valid until the next call.
  Object* open(const Position& position, const std::string& section, std::uint32_t index);
  // Adds a parameter to an object, if it is not too large (reported).
  void add(Object& object, Parameter parameter);
  // "register servers 1,2": `words` is what follows the verb.
  void life_cycle(const Position& position, LifeCycleVerb verb, const std::vector<Word>& words);
  // "no server 1", "no vrrp": `words` is what follows "no".
  void remove(const Position& position, const std::vector<Word>& words);

 private:
  // Where the objects of a section stand in the tree, by their number.
  using Numbers = std::map<std::uint32_t, std::size_t>;

  void index_objects();
  void drop_removed();
  std::optional<std::string> resolve_section(const Element& name);
  std::vector<std::uint32_t> object_numbers(const std::string& section, const Word& list);
  void change_state(const Position& position, LifeCycleVerb verb, Object& object);
  Object* find(const std::string& section, std::uint32_t index);

  Tree* tree_;
  Problems* problems_;
  // What the time of each command depends on: never on the number of all objects.
  std::map<std::string, Numbers, std::less<>> sections_;
  std::size_t removed_ = 0;  // objects that are gone but still stand in the tree, with an empty section
  std::size_t named_ = 0;    // objects that commands have named
};

}  // namespace trivet::core
