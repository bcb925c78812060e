#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "core/config/configuration.h"
#include "core/config/values.h"

namespace trivet::core {
namespace {

// The words in normal form; as they are when they cannot be read.
std::vector<Word> canonical_words(const KeySpec& key, const Parameter& parameter, const Schema& schema) {
  Problems scratch;
  const auto values = read_values(key, parameter, schema, scratch, nullptr);
  if (!values) return parameter.words;
  std::vector<Word> words;
  for (const std::vector<ElementValue>& word : *values) {
    Word& written = words.emplace_back();
    for (const ElementValue& value : word) written.elements.push_back({to_text(value), false, parameter.position});
  }
  return words;
}

std::vector<Word> default_words(const KeySpec& key, const Schema& schema) {
  Problems scratch;
  const auto values = read_default(key, schema, scratch);
  std::vector<Word> words;
  if (!values) return words;
  for (const std::vector<ElementValue>& word : *values) {
    Word& written = words.emplace_back();
    for (const ElementValue& value : word) written.elements.push_back({to_text(value), false, {}});
  }
  return words;
}

class Canonicaliser {
 public:
  Canonicaliser(const Schema& schema, Defaults defaults) : schema_(&schema), defaults_(defaults) {
    for (const SchemaSection* section : schema.sections())
      section_order_.emplace(section->spec.name, section_order_.size());
  }

  Tree run(const Tree& tree) {
    Tree result;
    result.source = tree.source;
    result.hostname = tree.hostname;
    result.modules = tree.modules;
    for (const Object& object : tree.objects) {
      Object written = canonical_object(object);
      // An empty `set` says nothing; every other section says something by being there.
      if (written.section == "set" && written.parameters.empty()) continue;
      result.objects.push_back(std::move(written));
    }
    std::ranges::sort(result.objects, [&](const Object& a, const Object& b) {
      return std::pair(order_of(a), a.index) < std::pair(order_of(b), b.index);
    });
    return result;
  }

 private:
  // Unknown sections come last, in the order of their names.
  [[nodiscard]] std::pair<std::size_t, std::string> order_of(const Object& object) const {
    const auto found = section_order_.find(object.section);
    if (found == section_order_.end()) return {section_order_.size(), object.section};
    return {found->second, ""};
  }

  Object canonical_object(const Object& object) {
    Object written;
    written.section = object.section;
    written.index = object.index;
    written.position = object.position;
    written.state_position = object.state_position;
    const SchemaSection* section = schema_->find_section(object.section);
    const bool has_life_cycle = section == nullptr ? object.index != 0 : section->spec.has_life_cycle;
    written.state = has_life_cycle ? object.state : LifeCycle::enabled;

    std::vector<const SchemaKey*> keys = schema_->keys(object.section);
    std::map<std::size_t, std::vector<Parameter>> parameters;  // by the order of their keys
    for (ResolvedParameter& resolved : resolve_parameters(object, *schema_)) {
      if (resolved.is_overridden) continue;
      Parameter parameter = std::move(resolved.parameter);
      std::size_t order = keys.size();
      if (resolved.key != nullptr) {
        const KeySpec& key = resolved.key->spec;
        order = static_cast<std::size_t>(std::ranges::find(keys, resolved.key) - keys.begin());
        parameter.words = canonical_words(key, parameter, *schema_);
        parameter.keyword = key.name;
        if (defaults_ == Defaults::left_out && parameter.words == default_words(key, *schema_)) continue;
      }
      parameter.flat = false;
      parameters[order].push_back(std::move(parameter));
    }
    for (auto& [order, list] : parameters) std::ranges::move(list, std::back_inserter(written.parameters));
    return written;
  }

  const Schema* schema_;
  Defaults defaults_;
  std::map<std::string, std::size_t> section_order_;
};

}  // namespace

Tree canonical(const Tree& tree, const Schema& schema, Defaults defaults) {
  return Canonicaliser(schema, defaults).run(tree);
}

}  // namespace trivet::core
