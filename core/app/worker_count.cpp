#include "core/app/worker_count.h"

#include <algorithm>
#include <charconv>

#include "core/config/configuration.h"
#include "core/pipeline/exchange.h"

namespace trivet::core {

std::size_t configured_workers(const ConfigView& config) {
  std::size_t most = 1;
  for (const SectionView* section : config.all("interface")) {
    most = std::max(most, static_cast<std::size_t>(section->integer("threads").value_or(1)));
  }
  return std::min(most, max_workers);
}

std::size_t configured_workers(std::string_view text, const std::string& source) {
  Problems ignored;
  const Tree tree = parse_configuration(text, source, detect_format(source, text), ignored);
  std::size_t most = 1;
  for (const Object& object : tree.objects) {
    if (object.section != "interface") continue;
    for (const Parameter& parameter : object.parameters) {
      if (parameter.keyword != "threads" || parameter.words.empty() || parameter.words.front().elements.empty())
        continue;
      const std::string& word = parameter.words.front().elements.front().text;
      std::size_t value = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
      if (error == std::errc{} && end == word.data() + word.size()) most = std::max(most, value);
    }
  }
  return std::min(most, max_workers);
}

}  // namespace trivet::core
