// Rules between the keys of the core's own objects.
#include <map>
#include <utility>

#include "core/config/core_schema.h"
#include "core/config/nearest.h"
#include "core/config/tree.h"
#include "trivet/net/address.h"

namespace trivet::core {
namespace {

constexpr std::size_t longest_interface_name = 15;  // IFNAMSIZ - 1 of Linux

std::string title(const SectionView& section) { return object_name(section.section, section.index); }

// Why an address cannot be one node's; empty: it can.
std::string host_fault(const IpAddress& address) {
  if (address.is_unspecified()) return "is the unspecified address";
  if (address.is_multicast()) return "is a multicast address";
  if (address.is_v4() ? address.v4().is_loopback() : address.v6().is_loopback()) return "is a loopback address";
  if (address.is_v4() && address.v4().is_broadcast()) return "is the broadcast address";
  return "";
}

std::optional<IpAddress> address_of(const SectionView& section, std::string_view key) {
  if (const auto address = section.ipv4(key)) return *address;
  if (const auto address = section.ipv6(key)) return *address;
  return std::nullopt;
}

// True if the key is given and fit for a host.
bool check_host_address(const SectionView& section, std::string_view key, Problems& problems) {
  const auto address = address_of(section, key);
  if (!address) return false;
  const std::string fault = host_fault(*address);
  if (fault.empty()) return true;
  problems.error(section.where(key), std::string(key) + ' ' + quoted(to_string(*address)) + ' ' + fault);
  return false;
}

void check_interfaces(const ConfigView& config, Problems& problems) {
  std::map<std::string, const SectionView*> by_name;
  for (const SectionView* interface : config.all("interface")) {
    const std::string name = interface->text("name").value_or("");
    if (name.empty()) {
      problems.error(interface->where("name"), title(*interface) + " has no name, such as: name eth1");
      continue;
    }
    if (name.size() > longest_interface_name || name.find_first_of("/ \t:") != std::string::npos) {
      problems.error(interface->where("name"), "name " + quoted(name) + " can be no interface's: at most " +
                                                   std::to_string(longest_interface_name) +
                                                   " characters, no blank, '/' or ':'");
      continue;
    }
    const auto [other, is_new] = by_name.emplace(name, interface);
    if (!is_new) {
      problems.error(interface->where("name"),
                     title(*interface) + " and " + title(*other->second) + " have the same name " + quoted(name));
    }
  }
}

// The IPv4 side of a network; none if there is none or it is wrong.
std::optional<IpPrefix> check_prefix4(const SectionView& network, Problems& problems) {
  const auto addr = network.ipv4("addr");
  const auto mask = network.ipv4("mask");
  if (addr.has_value() != mask.has_value()) {
    problems.error(network.where(addr ? "addr" : "mask"),
                   title(network) + (addr ? " has addr but no mask" : " has mask but no addr") + "; they go together");
    return std::nullopt;
  }
  if (!addr) {
    for (const char* key : {"real", "virt"}) {
      if (network.has(key)) {
        problems.error(network.where(key), title(network) + " has " + key + " but no addr and mask");
      }
    }
    return std::nullopt;
  }
  const auto length = mask_length(*mask);
  if (!length || *length == 0) {
    problems.error(network.where("mask"), "mask " + quoted(to_string(*mask)) +
                                              (length ? " covers every address" : " has holes") +
                                              "; a mask is ones followed by zeros, such as 255.255.255.0");
    return std::nullopt;
  }
  const IpPrefix prefix{*addr, *length};
  if (prefix.masked().address != prefix.address) {
    problems.warning(network.where("addr"), "addr " + quoted(to_string(*addr)) + " is no network address; " +
                                                to_string(prefix.masked()) + " is used");
  }
  return prefix.masked();
}

// The IPv6 side. Its network follows from real6, else virt6.
std::optional<IpPrefix> check_prefix6(const SectionView& network, Problems& problems) {
  const auto length = network.integer("mask6");
  const auto inside = network.has("real6") ? network.ipv6("real6") : network.ipv6("virt6");
  if (!inside) {
    if (length && network.has("addr")) {
      problems.warning(network.where("mask6"),
                       title(network) + " has mask6 but neither real6 nor virt6; mask6 has no effect");
    }
    return std::nullopt;
  }
  if (!length) {
    const char* const key = network.has("real6") ? "real6" : "virt6";
    problems.error(network.where(key), title(network) + " has " + key + " but no mask6");
    return std::nullopt;
  }
  return IpPrefix{*inside, static_cast<std::uint8_t>(*length)}.masked();
}

void check_inside(const SectionView& network, std::string_view key, const IpPrefix& prefix, Problems& problems) {
  if (!check_host_address(network, key, problems)) return;
  const IpAddress address = *address_of(network, key);
  const std::string text = std::string(key) + ' ' + quoted(to_string(address));
  if (!prefix.contains(address)) {
    problems.error(network.where(key), text + " lies outside " + to_string(prefix) + " of " + title(network));
    return;
  }
  if (!prefix.address.is_v4() || prefix.length >= 31) return;  // RFC 3021: both addresses of a /31 are hosts
  const std::uint32_t host_bits = 0xffffffffU >> prefix.length;
  const std::uint32_t host = address.v4().number() & host_bits;
  if (host == 0 || host == host_bits) {
    problems.error(network.where(key),
                   text + " is the " + (host == 0 ? "network" : "broadcast") + " address of " + to_string(prefix));
  }
}

struct NetworkPrefixes {
  const SectionView* network = nullptr;
  std::optional<IpPrefix> v4;
  std::optional<IpPrefix> v6;
};

// The first interface of a network that is shared with the system; null: none is.
const SectionView* shared_interface(const SectionView& network, const ConfigView& config) {
  for (const std::int64_t number : network.integers("interfaces")) {
    const SectionView* const interface = config.find("interface", static_cast<std::uint32_t>(number));
    if (interface != nullptr && interface->text("passthrough") == "enable") return interface;
  }
  return nullptr;
}

// A network's virtual address without an own one beside it.
void check_lonely_virtual(const SectionView& network, const ConfigView& config, Problems& problems) {
  for (const auto& [real, virt] : {std::pair("real", "virt"), std::pair("real6", "virt6")}) {
    if (!network.has(virt) || network.has(real)) continue;
    std::string text = title(network) + " has " + virt + " but no " + real;
    const bool is_ipv6 = virt == std::string_view("virt6");
    if (const SectionView* const shared = is_ipv6 ? shared_interface(network, config) : nullptr) {
      text += ", and the link-local address of " + title(*shared) +
              ", which is shared (passthrough), is the system's: this node finds no IPv6 neighbours there; add real6";
    } else {
      text += ": while backup this node has no such address there";
    }
    problems.warning(network.where(virt), std::move(text));
  }
}

NetworkPrefixes check_network(const SectionView& network, const ConfigView& config, Problems& problems) {
  NetworkPrefixes prefixes{&network, check_prefix4(network, problems), check_prefix6(network, problems)};
  if (prefixes.v4) {
    for (const char* key : {"real", "virt"}) check_inside(network, key, *prefixes.v4, problems);
  }
  if (prefixes.v6) {
    for (const char* key : {"real6", "virt6"}) check_inside(network, key, *prefixes.v6, problems);
  }
  const bool has_any = network.has("addr") || network.has("mask") || network.has("real") || network.has("virt") ||
                       network.has("real6") || network.has("virt6");
  if (!has_any) {
    problems.error(network.position, title(network) + " has no address: addr and mask, or mask6 with real6 or virt6");
  }
  check_lonely_virtual(network, config, problems);
  if (network.integers("interfaces").empty()) {
    problems.error(network.position, title(network) + " has no interfaces, such as: interfaces 1,2");
  }
  return prefixes;
}

void check_overlap(const std::vector<NetworkPrefixes>& networks, Problems& problems) {
  const auto overlap = [](const std::optional<IpPrefix>& a, const std::optional<IpPrefix>& b) {
    return a && b && (a->contains(b->address) || b->contains(a->address));
  };
  for (std::size_t i = 0; i < networks.size(); ++i) {
    if (!networks[i].network->is_active()) continue;
    for (std::size_t j = 0; j < i; ++j) {
      if (!networks[j].network->is_active()) continue;
      const bool in4 = overlap(networks[i].v4, networks[j].v4);
      if (!in4 && !overlap(networks[i].v6, networks[j].v6)) continue;
      const IpPrefix& mine = in4 ? *networks[i].v4 : *networks[i].v6;
      const IpPrefix& other = in4 ? *networks[j].v4 : *networks[j].v6;
      problems.warning(networks[i].network->where(in4 ? "addr" : "mask6"),
                       title(*networks[i].network) + " (" + to_string(mine) + ") overlaps " +
                           title(*networks[j].network) + " (" + to_string(other) + ")");
      break;  // one warning a network tells enough
    }
  }
}

void check_gateway(const SectionView& gateway, const std::vector<NetworkPrefixes>& networks, Problems& problems) {
  if (!gateway.has("ipaddr") && !gateway.has("ipaddr6")) {
    problems.warning(gateway.position, "gateway has neither ipaddr nor ipaddr6 and no effect");
  }
  for (const char* key : {"ipaddr", "ipaddr6"}) {
    if (!check_host_address(gateway, key, problems)) continue;
    const IpAddress address = *address_of(gateway, key);
    // It would need a network beside it, which the language has no word for.
    if (address.is_v6() && address.v6().is_link_local()) {
      problems.error(gateway.where(key), std::string(key) + ' ' + quoted(to_string(address)) +
                                             " is a link-local address, which may lie in any network; give the "
                                             "gateway's global address");
      continue;
    }
    bool is_inside = false;
    for (const NetworkPrefixes& network : networks) {
      const auto& prefix = address.is_v4() ? network.v4 : network.v6;
      is_inside = is_inside || (prefix && prefix->contains(address));
    }
    if (!is_inside && !problems.has_errors()) {
      problems.warning(gateway.where(key), "gateway " + quoted(to_string(address)) + " lies in no network");
    }
  }
}

void check_target(const SectionView& target, Problems& problems) {
  if (!target.has("ipaddr") && !target.has("ipaddr6")) {
    problems.warning(target.position, title(target) + " has neither ipaddr nor ipaddr6 and gets no traffic");
  }
  for (const char* key : {"ipaddr", "ipaddr6"}) static_cast<void>(check_host_address(target, key, problems));
}

}  // namespace

void check_core_objects(const ConfigView& config, Problems& problems) {
  check_interfaces(config, problems);
  std::vector<NetworkPrefixes> networks;
  for (const SectionView* network : config.all("network"))
    networks.push_back(check_network(*network, config, problems));
  check_overlap(networks, problems);
  if (const SectionView* gateway = config.find("gateway")) check_gateway(*gateway, networks, problems);
  for (const SectionView* target : config.all("target")) check_target(*target, problems);
}

}  // namespace trivet::core
