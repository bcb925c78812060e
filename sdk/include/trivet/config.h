// Configuration as modules see it: what they declare about keys, and the checked values they read.
//
// One KeySpec per key is the only source for parsing, saving, completion, help and the reference page. The core has
// checked every value against its KeySpec before a module sees it, so a reader needs no error path.
// Thread: control. Values and views: owned by the core, valid during check(); copy what you keep.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/result.h"
#include "trivet/time.h"

namespace trivet {

enum class ElementType : std::uint8_t {
  integer,  // decimal, within minimum and maximum
  seconds,  // decimal with fraction, within minimum and maximum; read as a Duration
  text,     // any characters; quoted where it has blanks
  word,     // one of `choices`
  ipv4,
  ipv6,
  ip,         // either family
  reference,  // number of an object of the section `refers_to`; may be open (late binding)
};

struct ElementSpec {
  std::string name;  // for help and errors: "port", "interval"
  ElementType type = ElementType::integer;
  double minimum = 0;
  double maximum = static_cast<double>(std::numeric_limits<std::uint32_t>::max());
  std::vector<std::string> choices;
  std::string refers_to;
  std::vector<std::string> later_choices;  // words that a later version takes: still an error, which says so
};

// A key's argument: words separated by blanks, each a comma list of elements. Examples:
//   port 80                  one word, one element
//   ping6 3,10               one word, two elements
//   interfaces 1,3-5         one word, list: the one element repeated; ranges for integer and reference
//   tracking enable          one word, one element with one choice
//   http 80,3,10 /path       two words
struct WordSpec {
  std::vector<ElementSpec> elements;
  bool is_list = false;      // elements has one entry, which may repeat
  bool is_optional = false;  // only the last words of a key
};

struct KeySpec {
  std::string section;  // "server"; a section that the core or any module has opened
  std::string name;     // "targets"
  std::string alias;    // other spelling that means the same: "target"; empty = none
  std::vector<WordSpec> words;
  std::string default_text;  // value when it is not given, as text; empty = none
  bool repeatable = false;   // may stand several times; all count, in their order
  std::string help;          // one sentence
  int rank = 100;            // order in `save` within the section; equal ranks in the order of declaration
  // The language has this key, this version does nothing with it: its values are checked, kept and saved, no view has
  // them, and a warning says so. It gives way to a module that declares the key for real.
  bool is_reserved = false;
};

struct SectionSpec {
  std::string name;              // "server"
  std::string plural;            // "servers"; accepted by register, enable and the like
  std::uint32_t last_index = 0;  // 1..last_index; 0 = a section without index ("vrrp")
  bool has_life_cycle = false;   // register, enable
  std::string help;
  int rank = 100;  // order in `save`
};

// Shorthand for common keys.
[[nodiscard]] ElementSpec integer_element(std::string name, std::int64_t minimum, std::int64_t maximum);
[[nodiscard]] ElementSpec seconds_element(std::string name, double minimum, double maximum);
[[nodiscard]] ElementSpec word_element(std::string name, std::vector<std::string> choices);
[[nodiscard]] ElementSpec reference_element(std::string section);
[[nodiscard]] ElementSpec typed_element(std::string name, ElementType type);
[[nodiscard]] KeySpec make_key(std::string section, std::string name, ElementSpec element, std::string default_text,
                               std::string help);  // one word, one element
[[nodiscard]] KeySpec make_list_key(std::string section, std::string name, std::string alias, ElementSpec element,
                                    std::string help);  // one word, a list
[[nodiscard]] KeySpec make_tuple_key(std::string section, std::string name, std::vector<ElementSpec> elements,
                                     std::string help);  // one word, a fixed tuple
[[nodiscard]] KeySpec reserved_key(KeySpec key);         // the same key, reserved

using ElementValue = std::variant<std::int64_t, double, std::string, Ipv4Address, Ipv6Address>;

// One parameter line, checked: the words with their elements (ranges expanded).
struct ParameterView {
  std::string name;  // canonical, never the alias
  std::vector<std::vector<ElementValue>> words;
  Position position;

  [[nodiscard]] std::int64_t integer(std::size_t element = 0, std::size_t word = 0) const;
  [[nodiscard]] Duration seconds(std::size_t element = 0, std::size_t word = 0) const;
  [[nodiscard]] const std::string& text(std::size_t element = 0, std::size_t word = 0) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::size_t word = 0) const;
};

enum class LifeCycle : std::uint8_t { defined, registered, enabled };

// One object: a section with its parameters. Reading a key that is not given yields its default.
class SectionView {
 public:
  std::string section;
  std::uint32_t index = 0;  // 0 = section without index
  LifeCycle state = LifeCycle::enabled;
  bool has_open_reference = false;  // refers to something that does not exist (yet): stays inactive
  Position position;
  std::vector<ParameterView> parameters;  // given ones and defaults
  std::vector<std::string> given;         // names of those that the file gives

  [[nodiscard]] bool is_active() const { return state == LifeCycle::enabled && !has_open_reference; }
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }  // given or with a default
  [[nodiscard]] const ParameterView* find(std::string_view key) const;                 // the first
  [[nodiscard]] std::vector<const ParameterView*> all(std::string_view key) const;     // of a repeatable key
  // Position of a key for an error message; the section's where the key is not given.
  [[nodiscard]] Position where(std::string_view key) const;

  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
  [[nodiscard]] std::optional<Duration> seconds(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;  // text and word
  [[nodiscard]] std::optional<Ipv4Address> ipv4(std::string_view key) const;
  [[nodiscard]] std::optional<Ipv6Address> ipv6(std::string_view key) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view key) const;  // lists and references
};

// A whole configuration, checked.
class ConfigView {
 public:
  std::string hostname;
  std::vector<std::string> modules;
  std::vector<SectionView> objects;  // by section rank, then index

  // All objects of a section, whatever their state; by index.
  [[nodiscard]] std::vector<const SectionView*> all(std::string_view section) const;
  [[nodiscard]] const SectionView* find(std::string_view section, std::uint32_t index = 0) const;
  // The `set` section; never null in a view that the core made.
  [[nodiscard]] const SectionView& settings() const;
};

}  // namespace trivet
