#include "vrrp/config.h"

#include <algorithm>
#include <optional>

namespace trivet::vrrp {
namespace {

constexpr int section_rank = 40;  // in `save`: behind the interfaces, before the networks

void read_tracking(const ConfigView& view, Config& config) {
  for (const SectionView* interface : view.all("interface")) {
    const auto penalty = interface->integer("trackval").value_or(0);
    // A disabled interface is down and costs its value; one that is only defined is no part of the node.
    if (penalty == 0 || interface->state == LifeCycle::defined) continue;
    config.tracked_links.push_back({static_cast<InterfaceId>(interface->index),
                                    interface->text("name").value_or("interface " + std::to_string(interface->index)),
                                    static_cast<std::uint8_t>(penalty)});
  }
  std::ranges::sort(config.tracked_links, {}, &TrackedLink::interface);
  if (const SectionView* gateway = view.find("gateway")) {
    config.gateway_penalty = static_cast<std::uint8_t>(gateway->integer("trackval").value_or(0));
  }
}

// The network whose interfaces carry the advertisements: it must have an address to send them from.
void read_network(const ConfigView& view, const SectionView& section, Config& config, Problems& problems) {
  const std::vector<std::int64_t> numbers = section.integers("network");
  if (numbers.empty()) {
    problems.error(section.position,
                   "vrrp has no network: say which network carries the advertisements, as in "
                   "'network 1'");
    return;
  }
  config.network = static_cast<NetworkId>(numbers.front());
  const SectionView* network = view.find("network", config.network);
  const std::string name = "network " + std::to_string(config.network);
  if (network == nullptr) {
    config.inactive = name + " is not defined";
    return;
  }
  if (!network->ipv4("real")) {
    problems.error(section.where("network"), name +
                                                 " has no 'real' address: VRRP version 2 sends its advertisements "
                                                 "from it");
    return;
  }
  if (network->has_open_reference) {
    config.inactive = name + " refers to something that is not defined";
  } else if (network->state != LifeCycle::enabled) {
    config.inactive = name + " is not enabled";
  }
}

}  // namespace

void declare_config(Setup& setup) {
  setup.open_section({"vrrp", "", 0, false, "the virtual router of this node", section_rank});
  setup.add_key(
      make_key("vrrp", "vrid", integer_element("vrid", 1, 255), "", "number of the virtual router; required"));
  setup.add_key(make_key("vrrp", "priority", integer_element("priority", 1, 255), "100",
                         "the highest becomes master; 255 owns the addresses and ignores tracking"));
  setup.add_key(make_key("vrrp", "network", reference_element("network"), "",
                         "the network whose interfaces carry the advertisements; required"));
  setup.add_key(make_key("vrrp", "tracking", word_element("tracking", {"enable", "disable"}), "disable",
                         "subtract the trackval of links that are down and of an unreachable gateway"));
  ElementSpec version = word_element("version", {"2"});
  version.later_choices = {"3"};
  setup.add_key(make_key("vrrp", "version", std::move(version), "2", "VRRP version"));
  setup.add_key(make_key("vrrp", "interval", integer_element("seconds", 1, 255), "1",
                         "seconds between advertisements; the same on all nodes"));
  setup.add_key(make_key("vrrp", "mac", word_element("mac", {"virtual", "real"}), "virtual",
                         "source MAC of the master: 00-00-5E-00-01-VRID, or the interface's own"));
  setup.add_key(make_key("interface", "trackval", integer_element("trackval", 0, 254), "0",
                         "subtracted from the VRRP priority while the link is down"));
  setup.add_key(make_key("gateway", "trackval", integer_element("trackval", 0, 254), "0",
                         "subtracted from the VRRP priority while the gateway does not answer"));
  setup.add_key(make_key("set", "vrrppreempt", integer_element("vrrppreempt", 0, 1), "0",
                         "1: a backup takes over from a live master of lower priority"));
  setup.add_key(make_key("set", "vrrppreemptts", integer_element("vrrppreemptts", 0, 86400), "0",
                         "seconds that a backup must have been stable before it does"));
  setup.add_key(reserved_key(make_list_key("vrrp", "peers", "peer", typed_element("address", ElementType::ip),
                                           "the other nodes, where advertisements are to go to each of them alone")));
}

Config read_config(const ConfigView& view, Problems& problems) {
  Config config;
  const SectionView* section = view.find("vrrp");
  if (section == nullptr) return config;

  config.has_section = true;
  const std::optional<std::int64_t> vrid = section->integer("vrid");
  if (vrid) {
    config.vrid = static_cast<std::uint8_t>(*vrid);
  } else {
    problems.error(section->position, "vrrp has no vrid: give the virtual router a number from 1 to 255");
  }
  config.priority = static_cast<std::uint8_t>(section->integer("priority").value_or(config.priority));
  config.interval = static_cast<std::uint8_t>(section->integer("interval").value_or(config.interval));
  config.tracking = section->text("tracking") == "enable";
  config.virtual_mac = section->text("mac") != "real";
  read_network(view, *section, config, problems);

  const SectionView& settings = view.settings();
  config.preempt = settings.integer("vrrppreempt").value_or(0) != 0;
  config.hold = std::chrono::seconds(settings.integer("vrrppreemptts").value_or(0));
  if (config.tracking) read_tracking(view, config);
  if (config.tracking && !config.preempt && config.priority != 255) {
    problems.warning(section->where("tracking"),
                     "tracking without 'set vrrppreempt 1': a master that loses a link keeps its role, because no "
                     "backup takes it away");
  }
  return config;
}

}  // namespace trivet::vrrp
