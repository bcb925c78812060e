#include "core/config/checker.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "core/config/core_schema.h"
#include "core/config/nearest.h"
#include "core/config/values.h"

namespace trivet::core {
namespace {

constexpr std::size_t longest_hostname = 253;  // RFC 1035 section 2.3.4, as text

// A reference and the object that makes it.
struct FoundReference {
  std::size_t object = 0;  // index in the view, before it is sorted
  std::pair<std::string, std::uint32_t> by;
  Reference reference;
};

class Checker {
 public:
  Checker(const Tree& tree, const Schema& schema, Problems& problems)
      : tree_(&tree), schema_(&schema), problems_(&problems) {}

  std::optional<ConfigView> run() {
    if (!check() || problems_->has_errors()) return std::nullopt;
    return std::move(view_);
  }

  ConfigView run_for_sound_part() {
    if (!check()) return {};
    spread_badness();
    std::erase_if(view_.objects, [&](const SectionView& object) { return is_bad(object); });
    add_settings();
    return std::move(view_);
  }

 private:
  // False: there were too many errors to go on.
  bool check() {
    check_head();
    const std::size_t errors_before = count_errors();
    for (const Object& object : tree_->objects) {
      check_object(object);
      if (count_errors() - errors_before >= TreeLimits::problems) {
        problems_->error(start(), "too many errors; the rest is not checked");
        return false;
      }
    }
    check_references();
    sort_objects();
    add_settings();
    // Rules between keys see only objects whose own values are good: no errors that follow from errors.
    const std::size_t before = problems_->list().size();
    if (bad_.empty()) {
      check_core_objects(view_, *problems_);
    } else {
      ConfigView good = view_;
      std::erase_if(good.objects, [&](const SectionView& object) { return is_bad(object); });
      check_core_objects(good, *problems_);
    }
    for (std::size_t i = before; i < problems_->list().size(); ++i) blame(problems_->list()[i]);
    return true;
  }

  // The object that a problem is about, by its place in the file.
  void blame(const Problem& problem) {
    if (problem.severity != Severity::error) return;
    for (const SectionView& object : view_.objects) {
      const auto is_here = [&](const ParameterView& parameter) { return parameter.position == problem.position; };
      if (object.position == problem.position || std::ranges::any_of(object.parameters, is_here)) {
        bad_.insert({object.section, object.index});
      }
    }
  }

  // Who refers to a bad object, or to one that the file has and the view has not, counts as bad.
  void spread_badness() {
    std::set<std::pair<std::string, std::uint32_t>> sound;
    for (const SectionView& object : view_.objects) {
      if (!is_bad(object)) sound.insert({object.section, object.index});
    }
    std::set<std::pair<std::string, std::uint32_t>> in_tree;
    for (const Object& object : tree_->objects) in_tree.insert({object.section, object.index});
    for (bool goes_on = true; goes_on;) {
      goes_on = false;
      for (const FoundReference& found : references_) {
        const std::pair target(found.reference.section, found.reference.index);
        if (sound.contains(target) || !in_tree.contains(target)) continue;
        if (sound.erase(found.by) != 0) goes_on = true;
        bad_.insert(found.by);
      }
    }
  }

  void check_head() {
    if (!tree_->hostname && !tree_->has_hostname_line) {
      problems_->warning(start(), "no hostname is given, \"trivet\" is used; add a line such as: hostname LB1");
      view_.hostname = "trivet";
    } else if (tree_->hostname) {
      view_.hostname = tree_->hostname->text;
      check_hostname(*tree_->hostname);
    }
    view_.modules = tree_->module_names();
    if (view_.modules.empty() && !tree_->has_modules_line) {
      problems_->error(start(),
                       "no modules are named, so nothing would be done; add a line such as: "
                       "modules vrrp,arp,ping,hc,master,slb,rt");
    }
  }

  // The file, without line: for what is missing.
  [[nodiscard]] Position start() const { return {tree_->source, 0, 0}; }

  void check_hostname(const Element& name) {
    const auto is_allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
             c == '_';
    };
    if (!name.text.empty() && name.text.size() <= longest_hostname && std::ranges::all_of(name.text, is_allowed))
      return;
    problems_->error(name.position, "hostname " + quoted(name.text) +
                                        " is no host name: letters, digits, '-', '_' and "
                                        "'.', at most " +
                                        std::to_string(longest_hostname));
  }

  void check_object(const Object& object) {
    const SchemaSection* section = schema_->find_section(object.section);
    if (section == nullptr) {
      unknown_section(object);
      return;
    }
    if (!check_index(object, section->spec)) return;
    if (section->loaded == Loaded::no) {
      problems_->warning(object.position, object_name(object.section, object.index) + " has no effect: section " +
                                              quoted(object.section) + not_loaded(section->owner));
      return;
    }
    if (!section->spec.has_life_cycle && object.state_position.line != 0) {
      problems_->error(object.state_position,
                       object.section + " is always enabled; it cannot be registered or enabled");
    }
    SectionView view;
    view.section = object.section;
    view.index = object.index;
    view.state = section->spec.has_life_cycle ? object.state : LifeCycle::enabled;
    view.position = object.position;
    const std::vector<ResolvedParameter> parameters = resolve_parameters(object, *schema_);
    if (parameters.size() > TreeLimits::parameters) {
      problems_->error(object.position, object_name(object.section, object.index) + " has " +
                                            std::to_string(parameters.size()) + " parameters, at most " +
                                            std::to_string(TreeLimits::parameters) + " are read");
      return;
    }
    for (const ResolvedParameter& resolved : parameters) {
      check_parameter(object, resolved, view);
    }
    if (object.is_faulty) bad_.insert({view.section, view.index});
    add_defaults(view);
    view_.objects.push_back(std::move(view));
  }

  std::size_t count_errors() {
    for (; counted_ < problems_->list().size(); ++counted_) {
      if (problems_->list()[counted_].severity == Severity::error) ++errors_;
    }
    return errors_;
  }

  static std::string not_loaded(const std::string& owner) {
    return " belongs to module " + quoted(owner) + ", which is not on the modules line";
  }

  void unknown_section(const Object& object) {
    std::vector<std::string> known(std::begin(statement_keywords), std::end(statement_keywords));
    for (const SchemaSection* section : schema_->sections()) {
      if (is_plural_of(object.section, section->spec.name)) {
        problems_->error(object.position,
                         "section " + quoted(object.section) + " is opened as " + quoted(section->spec.name));
        return;
      }
      known.push_back(section->spec.name);
    }
    const std::string hint = nearest(object.section, known) ? suggestion(object.section, known)
                                                            : ", no installed module declares it" + refused_libraries();
    problems_->error(object.position, "unknown section or command " + quoted(object.section) + hint);
  }

  bool check_index(const Object& object, const SectionSpec& spec) {
    if (spec.last_index == 0 && object.index != 0) {
      problems_->error(object.position, spec.name + " takes no number, " + std::to_string(object.index) + " was given");
      return false;
    }
    if (spec.last_index != 0 && object.index == 0) {
      problems_->error(object.position, spec.name + " needs a number from 1 to " + std::to_string(spec.last_index) +
                                            ", such as: " + spec.name + " 1");
      return false;
    }
    if (object.index > spec.last_index) {
      problems_->error(object.position, "number " + std::to_string(object.index) + " of " + spec.name +
                                            " is out of range, allowed is 1 to " + std::to_string(spec.last_index));
      return false;
    }
    return true;
  }

  void check_parameter(const Object& object, const ResolvedParameter& resolved, SectionView& view) {
    const Parameter& parameter = resolved.parameter;
    if (resolved.key == nullptr) {
      unknown_key(object, parameter);
      bad_.insert({view.section, view.index});
      return;
    }
    const KeySpec& key = resolved.key->spec;
    if (resolved.key->loaded == Loaded::no) {
      problems_->warning(parameter.position, parameter.keyword + " of " + object_name(object.section, object.index) +
                                                 " has no effect: the key" + not_loaded(resolved.key->owner));
      return;
    }
    std::vector<Reference> references;
    auto values = read_values(key, parameter, *schema_, *problems_, &references);
    if (!values) {
      bad_.insert({view.section, view.index});
      return;
    }
    if (resolved.is_overridden) return;
    if (key.is_reserved) {
      problems_->warning(parameter.position, parameter.keyword + " of " + object_name(object.section, object.index) +
                                                 " has no effect in this version; it is kept and saved");
      return;
    }
    if (references_.size() + references.size() > TreeLimits::references) {
      if (!has_too_many_references_) {
        problems_->error(parameter.position, "with this line the objects refer to more than " +
                                                 std::to_string(TreeLimits::references) + " others in all");
      }
      has_too_many_references_ = true;
      return;
    }
    for (Reference& reference : references) {
      references_.push_back({view_.objects.size(), {view.section, view.index}, std::move(reference)});
    }
    view.given.push_back(key.name);
    view.parameters.push_back({key.name, std::move(*values), parameter.position});
  }

  void unknown_key(const Object& object, const Parameter& parameter) {
    std::vector<std::string> known;
    for (const SchemaKey* key : schema_->keys(object.section)) {
      known.push_back(key->spec.name);
      if (!key->spec.alias.empty()) known.push_back(key->spec.alias);
    }
    std::string text =
        "unknown keyword " + quoted(parameter.keyword) + " in " + object_name(object.section, object.index);
    const auto elsewhere = schema_->sections_with_key(parameter.keyword);
    if (nearest(parameter.keyword, known) || elsewhere.empty()) {
      text += suggestion(parameter.keyword, known);
      if (!nearest(parameter.keyword, known)) text += refused_libraries();
    } else {
      text += ", it is one of " + elsewhere.front();
    }
    problems_->error(parameter.position, std::move(text));
  }

  // Whoever would declare what is unknown may be installed but broken.
  [[nodiscard]] std::string refused_libraries() const {
    std::string text;
    for (const std::string& sentence : schema_->refused()) {
      text += (text.empty() ? "; an installed module could not be asked: " : "; ") + sentence;
    }
    return text;
  }

  void add_defaults(SectionView& view) {
    for (const SchemaKey* key : schema_->keys(view.section)) {
      if (key->loaded == Loaded::no || key->spec.is_reserved || view.has(key->spec.name)) continue;
      Problems scratch;  // a wrong default is the module's fault: Schema::check_completeness tells
      auto values = read_default(key->spec, *schema_, scratch);
      if (values) view.parameters.push_back({key->spec.name, std::move(*values), {}});
    }
  }

  // Late binding: what is open at the end of the file keeps its object inactive.
  void check_references() {
    std::set<std::pair<std::string_view, std::uint32_t>> existing;
    for (const SectionView& object : view_.objects) existing.insert({object.section, object.index});
    std::set<std::pair<std::string_view, std::uint32_t>> in_tree;
    for (const Object& object : tree_->objects) in_tree.insert({object.section, object.index});
    std::map<std::size_t, std::size_t> told;  // by object
    for (const FoundReference& found : references_) {
      const Reference& reference = found.reference;
      if (existing.contains({reference.section, reference.index})) continue;
      SectionView& object = view_.objects[found.object];
      object.has_open_reference = true;
      const bool is_in_tree = in_tree.contains({reference.section, reference.index});
      // A wrong definition has its own error.
      if (is_in_tree && problems_->has_errors()) continue;
      const std::string name = object_name(object.section, object.index);
      const std::size_t before = told[found.object]++;
      if (before > TreeLimits::open_references) continue;
      if (before == TreeLimits::open_references) {
        problems_->warning(reference.position, name + " refers to further objects that do not exist");
        continue;
      }
      std::string text = name + " refers to " + object_name(reference.section, reference.index);
      text += is_in_tree ? ", which has no effect; " : ", which does not exist; ";
      text.append(name).append(" stays inactive until it ").append(is_in_tree ? "has" : "does");
      problems_->warning(reference.position, std::move(text));
    }
  }

  void sort_objects() {
    std::map<std::string, std::size_t> order;
    for (const SchemaSection* section : schema_->sections()) order.emplace(section->spec.name, order.size());
    std::ranges::sort(view_.objects, [&](const SectionView& a, const SectionView& b) {
      return std::pair(order[a.section], a.index) < std::pair(order[b.section], b.index);
    });
  }

  void add_settings() {
    if (view_.find("set") != nullptr || schema_->find_section("set") == nullptr) return;
    SectionView settings;
    settings.section = "set";
    add_defaults(settings);
    view_.objects.insert(view_.objects.begin(), std::move(settings));
    sort_objects();
  }

  [[nodiscard]] bool is_bad(const SectionView& object) const { return bad_.contains({object.section, object.index}); }

  const Tree* tree_;
  const Schema* schema_;
  Problems* problems_;
  ConfigView view_;
  std::vector<FoundReference> references_;
  std::set<std::pair<std::string, std::uint32_t>> bad_;
  bool has_too_many_references_ = false;
  std::size_t counted_ = 0;  // problems that count_errors() has seen
  std::size_t errors_ = 0;   // and how many of them are errors
};

}  // namespace

std::optional<ConfigView> check_tree(const Tree& tree, const Schema& schema, Problems& problems) {
  return Checker(tree, schema, problems).run();
}

ConfigView sound_part_of_tree(const Tree& tree, const Schema& schema) {
  Problems known;  // by who asks
  return Checker(tree, schema, known).run_for_sound_part();
}

}  // namespace trivet::core
