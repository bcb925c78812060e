#include "core/config/diff.h"

#include <algorithm>
#include <utility>

#include "core/config/native_writer.h"
#include "core/config/tree.h"
#include "core/config/values.h"

namespace trivet::core {
namespace {

std::string value_text(const ParameterView& parameter) {
  std::string text;
  for (const std::vector<ElementValue>& word : parameter.words) {
    if (!text.empty()) text += ' ';
    for (std::size_t i = 0; i < word.size(); ++i) text += (i == 0 ? "" : ",") + native_element(to_text(word[i]));
  }
  return text;
}

// All values of a key; a repeatable one has several.
std::optional<std::string> value_text(const SectionView& section, const std::string& key) {
  std::optional<std::string> text;
  for (const ParameterView* parameter : section.all(key)) {
    text = text ? *text + "; " + value_text(*parameter) : value_text(*parameter);
  }
  return text;
}

bool has_same_value(const SectionView& a, const SectionView& b, const std::string& key) {
  return std::ranges::equal(a.all(key), b.all(key),
                            [](const ParameterView* x, const ParameterView* y) { return x->words == y->words; });
}

std::vector<KeyChange> compare_keys(const SectionView& before, const SectionView& after) {
  std::vector<std::string> names;
  for (const SectionView* section : {&after, &before}) {
    for (const ParameterView& parameter : section->parameters) {
      if (std::ranges::find(names, parameter.name) == names.end()) names.push_back(parameter.name);
    }
  }
  std::vector<KeyChange> changes;
  for (const std::string& name : names) {
    if (has_same_value(before, after, name)) continue;
    changes.push_back({name, value_text(before, name), value_text(after, name)});
  }
  return changes;
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : ",") + item;
  return text;
}

std::optional<KeyChange> compare_text(std::string key, const std::string& before, const std::string& after) {
  if (before == after) return std::nullopt;
  return KeyChange{std::move(key), before, after};
}

ObjectChange compare_objects(const SectionView& before, const SectionView& after) {
  return {ChangeKind::changed, after.section,      after.index,       before.state,
          after.state,         before.is_active(), after.is_active(), compare_keys(before, after)};
}

std::string_view state_text(LifeCycle state) {
  switch (state) {
    case LifeCycle::defined:
      return "defined";
    case LifeCycle::registered:
      return "registered";
    case LifeCycle::enabled:
      break;
  }
  return "enabled";
}

std::string key_text(const KeyChange& change) {
  if (!change.before) return change.key + ' ' + *change.after + " added";
  if (!change.after) return change.key + ' ' + *change.before + " removed";
  return change.key + ' ' + *change.before + " -> " + *change.after;
}

std::string object_text(const ObjectChange& change) {
  const std::string name = object_name(change.section, change.index);
  if (change.kind == ChangeKind::removed) return name + " removed";
  std::string text = name + (change.kind == ChangeKind::added ? " added" : " changed");
  if (change.kind == ChangeKind::added) {
    if (change.index != 0) text += ": " + std::string(state_text(*change.state_after));
    return text + (change.state_after == LifeCycle::enabled && !change.active_after ? ", inactive" : "");
  }
  std::string details;
  const auto add = [&](const std::string& detail) { details += (details.empty() ? ": " : ", ") + detail; };
  for (const KeyChange& key : change.keys) add(key_text(key));
  if (change.state_before != change.state_after) {
    add(std::string(state_text(*change.state_before)) + " -> " + std::string(state_text(*change.state_after)));
  } else if (change.active_before != change.active_after) {
    add(change.active_after ? "now active" : "now inactive, it refers to something that does not exist");
  }
  return text + details;
}

}  // namespace

ConfigDiff diff(const ConfigView& before, const ConfigView& after) {
  ConfigDiff result;
  result.hostname = compare_text("hostname", before.hostname, after.hostname);
  result.modules = compare_text("modules", joined(before.modules), joined(after.modules));
  result.settings = compare_keys(before.settings(), after.settings());
  for (const SectionView& object : after.objects) {
    if (object.section == "set") continue;
    const SectionView* old = before.find(object.section, object.index);
    if (old == nullptr) {
      result.objects.push_back(
          {ChangeKind::added, object.section, object.index, std::nullopt, object.state, false, object.is_active(), {}});
      continue;
    }
    ObjectChange change = compare_objects(*old, object);
    const bool is_same =
        change.keys.empty() && change.state_before == change.state_after && change.active_before == change.active_after;
    if (!is_same) result.objects.push_back(std::move(change));
  }
  for (const SectionView& object : before.objects) {
    if (object.section == "set" || after.find(object.section, object.index) != nullptr) continue;
    result.objects.push_back(
        {ChangeKind::removed, object.section, object.index, object.state, std::nullopt, object.is_active(), false, {}});
  }
  return result;
}

std::vector<std::string> describe(const ConfigDiff& diff) {
  std::vector<std::string> lines;
  if (diff.hostname) lines.push_back(key_text(*diff.hostname));
  if (diff.modules) lines.push_back(key_text(*diff.modules));
  for (const KeyChange& change : diff.settings) lines.push_back("set " + key_text(change));
  for (const ObjectChange& change : diff.objects) lines.push_back(object_text(change));
  return lines;
}

}  // namespace trivet::core
