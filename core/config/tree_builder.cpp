#include <algorithm>
#include <set>

#include "core/config/nearest.h"
#include "core/config/tree.h"

namespace trivet::core {
namespace {

struct VerbText {
  std::string_view verb;
  std::string_view done;  // "is registered"
};

VerbText text_of(LifeCycleVerb verb) {
  switch (verb) {
    case LifeCycleVerb::register_object:
      return {"register", "registered"};
    case LifeCycleVerb::enable:
      return {"enable", "enabled"};
    case LifeCycleVerb::disable:
      return {"disable", "disabled"};
    case LifeCycleVerb::unregister:
      break;
  }
  return {"unregister", "unregistered"};
}

// "server 1", "servers 1,2,3", "servers 1,2,3,4,5,6,7,8 and 12 more"
std::string name_list(const std::string& section, const std::vector<std::uint32_t>& numbers) {
  constexpr std::size_t most = 8;
  std::string text = section + (numbers.size() == 1 ? " " : "s ");
  for (std::size_t i = 0; i < std::min(most, numbers.size()); ++i) {
    if (i != 0) text += ',';
    text += std::to_string(numbers[i]);
  }
  if (numbers.size() > most) text += " and " + std::to_string(numbers.size() - most) + " more";
  return text;
}

std::string_view is_or_are(const std::vector<std::uint32_t>& numbers) { return numbers.size() == 1 ? "is" : "are"; }

bool is_single(const Word& word) { return word.elements.size() == 1; }

}  // namespace

TreeBuilder::TreeBuilder(Tree& tree, Problems& problems) : tree_(&tree), problems_(&problems) { index_objects(); }
TreeBuilder::~TreeBuilder() { drop_removed(); }

void TreeBuilder::index_objects() {
  sections_.clear();
  for (std::size_t i = 0; i < tree_->objects.size(); ++i) {
    sections_[tree_->objects[i].section].emplace(tree_->objects[i].index, i);
  }
}

void TreeBuilder::drop_removed() {
  if (removed_ == 0) return;
  std::erase_if(tree_->objects, [](const Object& object) { return object.section.empty(); });
  removed_ = 0;
}

void TreeBuilder::hostname(const Position& position, const std::vector<Word>& words) {
  tree_->has_hostname_line = true;
  if (words.size() != 1 || !is_single(words.front())) {
    problems_->error(position, "hostname takes one name, such as: hostname LB1");
    return;
  }
  tree_->hostname = words.front().elements.front();
}

void TreeBuilder::modules(const Position& position, const std::vector<Word>& words) {
  tree_->has_modules_line = true;
  if (words.empty()) {
    problems_->error(position, "modules takes a list of names, such as: modules vrrp,arp,ping");
    return;
  }
  if (words.size() > 1) {
    problems_->error(words[1].elements.front().position,
                     "modules takes one list, written without blanks, such as: modules vrrp,arp,ping");
    return;
  }
  std::vector<Element> list;
  for (const Element& name : words.front().elements) {
    if (!is_keyword(name.text)) {
      problems_->error(name.position, quoted(name.text) + " is no name of a module");
    } else if (std::ranges::find(list, name) != list.end()) {
      problems_->error(name.position, "module " + quoted(name.text) + " stands twice on the modules line");
    } else {
      list.push_back(name);
    }
  }
  tree_->modules = std::move(list);
}

Object* TreeBuilder::find(const std::string& section, std::uint32_t index) {
  const auto numbers = sections_.find(section);
  if (numbers == sections_.end()) return nullptr;
  const auto place = numbers->second.find(index);
  return place == numbers->second.end() ? nullptr : &tree_->objects[place->second];
}

Object* TreeBuilder::open(const Position& position, const std::string& section, std::uint32_t index) {
  if (Object* object = find(section, index)) return object;
  if (tree_->objects.size() - removed_ >= TreeLimits::objects) {
    problems_->error(position, "more than " + std::to_string(TreeLimits::objects) + " objects");
    return nullptr;
  }
  Object object;
  object.section = section;
  object.index = index;
  object.state = index == 0 ? LifeCycle::enabled : LifeCycle::defined;
  object.position = position;
  sections_[section].emplace(index, tree_->objects.size());
  tree_->objects.push_back(std::move(object));
  return &tree_->objects.back();
}

void TreeBuilder::add(Object& object, Parameter parameter) {
  const std::size_t size = value_size(parameter.words);
  if (size > TreeLimits::value_size) {
    problems_->error(parameter.position, "the value of " + quoted(parameter.keyword) + " has " + std::to_string(size) +
                                             " bytes, at most " + std::to_string(TreeLimits::value_size) + " are read");
    object.is_faulty = true;
    return;
  }
  object.parameters.push_back(std::move(parameter));
}

std::optional<std::string> TreeBuilder::resolve_section(const Element& name) {
  if (sections_.contains(name.text)) return name.text;
  std::vector<std::string> known;
  for (const auto& [section, numbers] : sections_) {
    if (is_plural_of(name.text, section)) return section;
    known.push_back(section);
    known.push_back(section + 's');
  }
  problems_->error(name.position, "no " + quoted(name.text) + " is defined above this line" +
                                      (nearest(name.text, known) ? suggestion(name.text, known) : ""));
  return std::nullopt;
}

std::vector<std::uint32_t> TreeBuilder::object_numbers(const std::string& section, const Word& list) {
  const Numbers& existing = sections_.at(section);
  std::set<std::uint32_t> seen;
  std::vector<std::uint32_t> numbers;
  std::vector<std::uint32_t> missing;
  Position missing_position;
  for (const Element& element : list.elements) {
    const auto range = parse_range(element.text, TreeLimits::index);
    if (!range || range->first == 0 || range->first > range->second) {
      problems_->error(element.position, quoted(element.text) + " is no number of a " + section +
                                             "; numbers are written as 1,2,3 or 1-3");
      continue;
    }
    named_ += range->second - range->first + 1;
    if (named_ > TreeLimits::named) {
      problems_->error(element.position, "the commands of this file name more than " +
                                             std::to_string(TreeLimits::named) + " objects in all");
      return {};
    }
    for (std::uint64_t number = range->first; number <= range->second; ++number) {
      const auto index = static_cast<std::uint32_t>(number);
      if (!seen.insert(index).second) continue;
      if (!existing.contains(index) && missing.empty()) missing_position = element.position;
      (existing.contains(index) ? numbers : missing).push_back(index);
    }
  }
  if (!missing.empty()) {
    problems_->error(missing_position, name_list(section, missing) + ' ' + std::string(is_or_are(missing)) +
                                           " not defined above this line");
  }
  return numbers;
}

void TreeBuilder::change_state(const Position& position, LifeCycleVerb verb, Object& object) {
  object.state_position = position;
  switch (verb) {
    case LifeCycleVerb::register_object:
      if (object.state == LifeCycle::defined) object.state = LifeCycle::registered;
      break;
    case LifeCycleVerb::enable:
      object.state = LifeCycle::enabled;
      break;
    case LifeCycleVerb::disable:
      if (object.state == LifeCycle::enabled) object.state = LifeCycle::registered;
      break;
    case LifeCycleVerb::unregister:
      object.state = LifeCycle::defined;
      break;
  }
}

void TreeBuilder::life_cycle(const Position& position, LifeCycleVerb verb, const std::vector<Word>& words) {
  const auto [name, done] = text_of(verb);
  if (words.size() != 2 || !is_single(words.front())) {
    const std::string example = std::string(name) + " servers 1,2";
    problems_->error(
        words.size() > 2 ? words[2].elements.front().position : position,
        std::string(name) + " takes a section and one list of numbers without blanks, such as: " + example);
    return;
  }
  const auto section = resolve_section(words.front().elements.front());
  if (!section) return;
  if (const Numbers& numbers = sections_.at(*section); numbers.size() == 1 && numbers.contains(0)) {
    problems_->error(position, *section + " has no number and is always enabled; " + std::string(name) +
                                   " is for sections with a number");
    return;
  }
  std::vector<std::uint32_t> unregistered;
  const Position& numbers_position = words[1].elements.front().position;
  for (const std::uint32_t index : object_numbers(*section, words[1])) {
    Object* const object = find(*section, index);
    if (verb == LifeCycleVerb::enable && object->state == LifeCycle::defined) {
      unregistered.push_back(index);
      continue;
    }
    change_state(numbers_position, verb, *object);
  }
  if (unregistered.empty()) return;
  const std::string names = name_list(*section, unregistered);
  problems_->error(numbers_position, names + ' ' + std::string(is_or_are(unregistered)) + ' ' + std::string(done) +
                                         " before being registered; put \"register " + names + "\" above this line");
}

void TreeBuilder::remove(const Position& position, const std::vector<Word>& words) {
  if (words.empty() || words.size() > 2 || !is_single(words.front())) {
    problems_->error(position, "no takes what is to be removed, such as: no server 1");
    return;
  }
  const auto section = resolve_section(words.front().elements.front());
  if (!section) return;
  std::vector<std::uint32_t> numbers{0};
  if (words.size() == 2) {
    numbers = object_numbers(*section, words[1]);
  } else if (find(*section, 0) == nullptr) {
    problems_->error(position, "which " + *section + "? Say a number, such as: no " + *section + " 1");
    return;
  }
  Numbers& places = sections_.at(*section);
  for (const std::uint32_t number : numbers) {
    const auto place = places.find(number);
    if (place == places.end()) continue;
    tree_->objects[place->second] = Object{};
    places.erase(place);
    ++removed_;
  }
  if (places.empty()) sections_.erase(*section);
  // Not with each removal: that would move all objects each time.
  if (removed_ > TreeLimits::objects) {
    drop_removed();
    index_objects();
  }
}

}  // namespace trivet::core
