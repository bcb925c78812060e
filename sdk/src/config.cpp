#include "trivet/config.h"

#include <utility>

namespace trivet {
namespace {

// Readers never fail: the core has checked every value, so these stand for a programmer's wrong key or element type.
const std::string empty_text;
const SectionView empty_section;

const ElementValue* element_at(const ParameterView& parameter, std::size_t word, std::size_t element) {
  if (word >= parameter.words.size() || element >= parameter.words[word].size()) return nullptr;
  return &parameter.words[word][element];
}

template <class T>
std::optional<T> first_value(const SectionView& section, std::string_view key) {
  const ParameterView* parameter = section.find(key);
  if (parameter == nullptr) return std::nullopt;
  const ElementValue* value = element_at(*parameter, 0, 0);
  const T* typed = value == nullptr ? nullptr : std::get_if<T>(value);
  if (typed == nullptr) return std::nullopt;
  return *typed;
}

}  // namespace

ElementSpec integer_element(std::string name, std::int64_t minimum, std::int64_t maximum) {
  ElementSpec spec;
  spec.name = std::move(name);
  spec.type = ElementType::integer;
  spec.minimum = static_cast<double>(minimum);
  spec.maximum = static_cast<double>(maximum);
  return spec;
}

ElementSpec seconds_element(std::string name, double minimum, double maximum) {
  ElementSpec spec;
  spec.name = std::move(name);
  spec.type = ElementType::seconds;
  spec.minimum = minimum;
  spec.maximum = maximum;
  return spec;
}

ElementSpec word_element(std::string name, std::vector<std::string> choices) {
  ElementSpec spec;
  spec.name = std::move(name);
  spec.type = ElementType::word;
  spec.choices = std::move(choices);
  return spec;
}

ElementSpec reference_element(std::string section) {
  ElementSpec spec;
  spec.name = section;
  spec.type = ElementType::reference;
  spec.minimum = 1;
  spec.refers_to = std::move(section);
  return spec;
}

ElementSpec typed_element(std::string name, ElementType type) {
  ElementSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  return spec;
}

KeySpec make_key(std::string section, std::string name, ElementSpec element, std::string default_text,
                 std::string help) {
  KeySpec key;
  key.section = std::move(section);
  key.name = std::move(name);
  key.words.emplace_back().elements.push_back(std::move(element));
  key.default_text = std::move(default_text);
  key.help = std::move(help);
  return key;
}

KeySpec make_list_key(std::string section, std::string name, std::string alias, ElementSpec element, std::string help) {
  KeySpec key = make_key(std::move(section), std::move(name), std::move(element), "", std::move(help));
  key.alias = std::move(alias);
  key.words.front().is_list = true;
  return key;
}

KeySpec make_tuple_key(std::string section, std::string name, std::vector<ElementSpec> elements, std::string help) {
  KeySpec key;
  key.section = std::move(section);
  key.name = std::move(name);
  key.words.emplace_back().elements = std::move(elements);
  key.help = std::move(help);
  return key;
}

KeySpec reserved_key(KeySpec key) {
  key.is_reserved = true;
  return key;
}

std::int64_t ParameterView::integer(std::size_t element, std::size_t word) const {
  const ElementValue* value = element_at(*this, word, element);
  const std::int64_t* number = value == nullptr ? nullptr : std::get_if<std::int64_t>(value);
  return number == nullptr ? 0 : *number;
}

Duration ParameterView::seconds(std::size_t element, std::size_t word) const {
  const ElementValue* value = element_at(*this, word, element);
  if (value == nullptr) return Duration::zero();
  if (const double* number = std::get_if<double>(value)) return from_seconds(*number);
  if (const std::int64_t* number = std::get_if<std::int64_t>(value)) return std::chrono::seconds(*number);
  return Duration::zero();
}

const std::string& ParameterView::text(std::size_t element, std::size_t word) const {
  const ElementValue* value = element_at(*this, word, element);
  const std::string* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? empty_text : *text;
}

std::vector<std::int64_t> ParameterView::integers(std::size_t word) const {
  std::vector<std::int64_t> numbers;
  if (word >= words.size()) return numbers;
  for (const ElementValue& value : words[word]) {
    if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) numbers.push_back(*number);
  }
  return numbers;
}

const ParameterView* SectionView::find(std::string_view key) const {
  for (const ParameterView& parameter : parameters) {
    if (parameter.name == key) return &parameter;
  }
  return nullptr;
}

std::vector<const ParameterView*> SectionView::all(std::string_view key) const {
  std::vector<const ParameterView*> found;
  for (const ParameterView& parameter : parameters) {
    if (parameter.name == key) found.push_back(&parameter);
  }
  return found;
}

Position SectionView::where(std::string_view key) const {
  const ParameterView* parameter = find(key);
  return parameter == nullptr || parameter->position == Position{} ? position : parameter->position;
}

std::optional<std::int64_t> SectionView::integer(std::string_view key) const {
  return first_value<std::int64_t>(*this, key);
}

std::optional<Duration> SectionView::seconds(std::string_view key) const {
  const ParameterView* parameter = find(key);
  if (parameter == nullptr) return std::nullopt;
  return parameter->seconds();
}

std::optional<std::string> SectionView::text(std::string_view key) const {
  return first_value<std::string>(*this, key);
}

std::optional<Ipv4Address> SectionView::ipv4(std::string_view key) const {
  return first_value<Ipv4Address>(*this, key);
}

std::optional<Ipv6Address> SectionView::ipv6(std::string_view key) const {
  return first_value<Ipv6Address>(*this, key);
}

std::vector<std::int64_t> SectionView::integers(std::string_view key) const {
  const ParameterView* parameter = find(key);
  return parameter == nullptr ? std::vector<std::int64_t>{} : parameter->integers();
}

std::vector<const SectionView*> ConfigView::all(std::string_view section) const {
  std::vector<const SectionView*> found;
  for (const SectionView& object : objects) {
    if (object.section == section) found.push_back(&object);
  }
  return found;
}

const SectionView* ConfigView::find(std::string_view section, std::uint32_t index) const {
  for (const SectionView& object : objects) {
    if (object.section == section && object.index == index) return &object;
  }
  return nullptr;
}

const SectionView& ConfigView::settings() const {
  const SectionView* settings = find("set");
  return settings == nullptr ? empty_section : *settings;
}

}  // namespace trivet
