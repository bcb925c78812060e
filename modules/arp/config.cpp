#include "arp/config.h"

namespace trivet::arp {

std::vector<KeySpec> config_keys() {
  return {
      make_key(
          "set", "arprefresh", seconds_element("seconds", 0, 3600), "2",
          "Seconds of silence of a virtual MAC on an interface after which the master announces it again; 0 = never."),
      make_key("set", "arpcache", integer_element("entries", 64, 65536), "8192",
               "Largest number of neighbours that are remembered."),
  };
}

Config parse_config(const ConfigView& view) {
  const SectionView& settings = view.settings();
  Config config;
  config.refresh = settings.seconds("arprefresh").value_or(config.refresh);
  const auto entries = settings.integer("arpcache");
  if (entries.has_value() && *entries > 0) config.cache_entries = static_cast<std::size_t>(*entries);
  for (const char* const name : {"gateway", "target"}) {
    for (const SectionView* const section : view.all(name)) {
      if (const auto address = section->ipv4("ipaddr")) config.neighbors.insert(*address);
      if (const auto address = section->ipv6("ipaddr6")) config.neighbors.insert(*address);
    }
  }
  return config;
}

}  // namespace trivet::arp
