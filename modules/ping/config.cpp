#include "ping/config.h"

namespace trivet::ping {

std::vector<KeySpec> config_keys() {
  return {make_key("set", "pinglimit", integer_element("answers", 1, 10'000'000), "10000",
                   "Largest number of echo requests that this node answers in a second.")};
}

Config parse_config(const SectionView& settings) {
  Config config;
  const auto limit = settings.integer("pinglimit");
  if (limit.has_value() && *limit > 0) config.answers_per_second = static_cast<std::uint32_t>(*limit);
  return config;
}

}  // namespace trivet::ping
