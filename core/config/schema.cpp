#include "core/config/schema.h"

#include <algorithm>
#include <utility>

#include "core/config/nearest.h"
#include "core/config/tree.h"
#include "core/config/values.h"

namespace trivet::core {
namespace {

std::string key_title(const KeySpec& key) { return "key " + quoted(key.name) + " of section " + quoted(key.section); }

// What is wrong with a specification as such; empty: nothing.
std::string section_fault(const SectionSpec& section) {
  if (!is_keyword(section.name)) return "the name is no keyword";
  if (std::ranges::find(statement_keywords, section.name) != std::end(statement_keywords)) {
    return "the name is that of a command";
  }
  if (!section.plural.empty() && !is_plural_of(section.plural, section.name)) {
    return "the plural " + quoted(section.plural) + " is no regular one (s, es, ies)";
  }
  if (section.last_index > TreeLimits::index) {
    return "the last number " + std::to_string(section.last_index) + " is above " + std::to_string(TreeLimits::index);
  }
  if (section.has_life_cycle && section.last_index == 0) return "a life cycle needs numbered objects";
  return "";
}

std::string element_fault(const ElementSpec& element) {
  if (element.minimum > element.maximum) return "the minimum is above the maximum";
  if (element.type == ElementType::word && element.choices.empty()) return "a word has no choices";
  if (element.type == ElementType::reference && element.refers_to.empty()) return "a reference refers to no section";
  return "";
}

std::string key_fault(const KeySpec& key) {
  if (!is_keyword(key.name)) return "the name is no keyword";
  for (const std::string& name : {key.name, key.alias}) {
    if (name == "state") return "the name is taken: TOML says the life cycle with it";
    if (std::ranges::find(statement_keywords, name) != std::end(statement_keywords)) {
      return "the name is that of a command";
    }
  }
  if (!key.alias.empty() && (!is_keyword(key.alias) || key.alias == key.name)) return "the alias is no other keyword";
  if (key.words.empty()) return "it takes no value";
  bool is_optional_before = false;
  for (const WordSpec& word : key.words) {
    if (word.elements.empty()) return "a word has no elements";
    if (word.is_list && word.elements.size() != 1) return "a list repeats one element, this one has several";
    if (is_optional_before && !word.is_optional) return "a needed word follows an optional one";
    is_optional_before = word.is_optional;
    for (const ElementSpec& element : word.elements) {
      if (std::string fault = element_fault(element); !fault.empty()) return fault;
    }
  }
  return "";
}

bool share_a_name(const KeySpec& a, const KeySpec& b) {
  const auto is_named = [](const KeySpec& key, const std::string& name) {
    return !name.empty() && (key.name == name || key.alias == name);
  };
  return a.section == b.section && (is_named(a, b.name) || is_named(a, b.alias));
}

// Whether two sections would answer to one word.
bool share_a_name(const SectionSpec& a, const SectionSpec& b) {
  return a.name == b.name || is_plural_of(a.name, b.name) || is_plural_of(b.name, a.name);
}

bool gives_way(const SchemaKey& key) { return key.loaded == Loaded::no || key.spec.is_reserved; }
bool gives_way(const SchemaSection& section) { return section.loaded == Loaded::no; }

// `list` gains `entry`, or the error says with what it collides. Unloaded and reserved entries give way silently.
template <class Entry>
Result<void> insert(std::vector<Entry>& list, Entry entry, const std::string& title) {
  std::vector<const Entry*> rivals;
  for (const Entry& other : list) {
    if (share_a_name(other.spec, entry.spec)) rivals.push_back(&other);
  }
  if (!rivals.empty() && gives_way(entry)) return {};
  for (const Entry* rival : rivals) {
    if (!gives_way(*rival)) {
      return fail(title + " of " + quoted(entry.owner) + " exists already: " + quoted(rival->owner) + " has declared " +
                  quoted(rival->spec.name));
    }
  }
  std::erase_if(list, [&](const Entry& other) { return share_a_name(other.spec, entry.spec); });
  list.push_back(std::move(entry));
  return {};
}

// The entries lie in one vector in the order of declaration, which their addresses keep.
template <class Entry>
void sort_by_rank(std::vector<const Entry*>& list) {
  std::ranges::sort(list, {}, [](const Entry* entry) { return std::pair(entry->spec.rank, entry); });
}

}  // namespace

Result<void> Schema::open_section(SectionSpec section, std::string owner, Loaded loaded) {
  const std::string title = "section " + quoted(section.name);
  if (const std::string fault = section_fault(section); !fault.empty()) {
    return fail(title + " of " + quoted(owner) + " is malformed: " + fault);
  }
  return insert(sections_, SchemaSection{std::move(section), std::move(owner), loaded}, title);
}

Result<void> Schema::add_key(KeySpec key, std::string owner, Loaded loaded) {
  const std::string title = key_title(key);
  if (const std::string fault = key_fault(key); !fault.empty()) {
    return fail(title + " of " + quoted(owner) + " is malformed: " + fault);
  }
  return insert(keys_, SchemaKey{std::move(key), std::move(owner), loaded}, title);
}

std::vector<std::string> Schema::check_completeness() const {
  std::vector<std::string> faults;
  for (const SchemaKey& key : keys_) {
    const std::string title = key_title(key.spec) + " of " + quoted(key.owner);
    if (find_section(key.spec.section) == nullptr) faults.push_back(title + ": nobody opens this section");
    for (const WordSpec& word : key.spec.words) {
      for (const ElementSpec& element : word.elements) {
        if (element.type != ElementType::reference || find_section(element.refers_to) != nullptr) continue;
        faults.push_back(title + " refers to section " + quoted(element.refers_to) + ", which nobody opens");
      }
    }
    if (key.spec.default_text.empty()) continue;
    Problems problems;
    if (!read_default(key.spec, *this, problems)) {
      faults.push_back(title + ": the default " + quoted(key.spec.default_text) + " is no valid value" +
                       (problems.list().empty() ? "" : ": " + problems.list().front().text));
    }
  }
  return faults;
}

const SchemaSection* Schema::find_section(std::string_view name) const {
  const auto found =
      std::ranges::find_if(sections_, [&](const SchemaSection& section) { return section.spec.name == name; });
  return found == sections_.end() ? nullptr : &*found;
}

const SchemaKey* Schema::find_key(std::string_view section, std::string_view name) const {
  if (name.empty()) return nullptr;
  const auto found = std::ranges::find_if(keys_, [&](const SchemaKey& key) {
    return key.spec.section == section && (key.spec.name == name || key.spec.alias == name);
  });
  return found == keys_.end() ? nullptr : &*found;
}

std::vector<const SchemaSection*> Schema::sections() const {
  std::vector<const SchemaSection*> list;
  list.reserve(sections_.size());
  for (const SchemaSection& section : sections_) list.push_back(&section);
  sort_by_rank(list);
  return list;
}

std::vector<const SchemaKey*> Schema::keys(std::string_view section) const {
  std::vector<const SchemaKey*> list;
  for (const SchemaKey& key : keys_) {
    if (key.spec.section == section) list.push_back(&key);
  }
  sort_by_rank(list);
  return list;
}

std::vector<std::string> Schema::sections_with_key(std::string_view name) const {
  std::vector<std::string> list;
  for (const SchemaKey& key : keys_) {
    if (key.spec.name == name || (!key.spec.alias.empty() && key.spec.alias == name)) list.push_back(key.spec.section);
  }
  return list;
}

}  // namespace trivet::core
