#include "slb/config.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

constexpr double longest_timeout = 1'000'000;  // seconds; session times are 32 bits of milliseconds that wrap

std::uint8_t protocol_number(const std::optional<std::string>& word) {
  if (!word) return 0;
  if (*word == "tcp") return wire::ip_protocol::tcp;
  if (*word == "udp") return wire::ip_protocol::udp;
  return 0;
}

Method method_of(const std::string& word) {
  if (word == "random") return Method::random;
  if (word == "hash") return Method::hash;
  if (word == "first") return Method::first;
  if (word == "session") return Method::session;
  return Method::rr;
}

std::string name_of(const SectionView& section) { return section.section + " " + std::to_string(section.index); }

std::string at(const Position& position) {
  std::string text = position.source.empty() ? std::string{"line"} : position.source;
  return text + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

ServerConfig parse_server(const SectionView& section, Duration default_timeout, Problems& problems) {
  ServerConfig server;
  server.number = static_cast<ServerId>(section.index);
  server.name = section.text("name").value_or("");
  server.address4 = section.ipv4("ipaddr");
  server.address6 = section.ipv6("ipaddr6");
  server.port = static_cast<std::uint16_t>(section.integer("port").value_or(0));
  server.protocol = protocol_number(section.text("protocol"));
  server.session_id =
      section.text("sessionid").value_or("src") == "src+port" ? SessionId::connection : SessionId::client;
  server.method = method_of(section.text("method").value_or("rr"));
  const std::optional<Duration> own_timeout = section.seconds("stimeout");
  server.session_timeout = own_timeout.value_or(default_timeout);
  server.has_own_timeout = own_timeout.has_value();
  server.state = section.state;
  server.has_open_reference = section.has_open_reference;
  for (const std::int64_t number : section.integers("targets")) {
    const auto target = static_cast<TargetId>(number);
    if (std::find(server.targets.begin(), server.targets.end(), target) != server.targets.end()) {
      problems.warning(section.where("targets"), name_of(section) + " names target " + std::to_string(target) +
                                                     " twice; the second one has no effect, use `weight`");
      continue;
    }
    server.targets.push_back(target);
  }
  return server;
}

TargetConfig parse_target(const SectionView& section) {
  TargetConfig target;
  target.number = static_cast<TargetId>(section.index);
  target.name = section.text("name").value_or("");
  target.address4 = section.ipv4("ipaddr");
  target.address6 = section.ipv6("ipaddr6");
  target.port = static_cast<std::uint16_t>(section.integer("port").value_or(0));
  target.protocol = protocol_number(section.text("protocol"));
  target.session_id =
      section.text("sessionid").value_or("dst") == "dst+port" ? SessionId::connection : SessionId::client;
  target.dsr = section.text("dsr").value_or("") == "enable";
  target.weight = static_cast<std::uint16_t>(section.integer("weight").value_or(1));
  target.state = section.state;
  return target;
}

bool check_addresses(const SectionView& section, const ServerConfig& server, Problems& problems) {
  const auto unusable = [](const IpAddress& address) {
    return address.is_unspecified() || address.is_multicast() || (address.is_v4() && address.v4().is_loopback()) ||
           (address.is_v4() && address.v4().is_broadcast()) || (address.is_v6() && address.v6().is_loopback()) ||
           (address.is_v6() && address.v6().is_link_local());
  };
  bool good = true;
  if (server.address4 && unusable(*server.address4)) {
    problems.error(section.where("ipaddr"),
                   name_of(section) + ": " + to_string(*server.address4) + " cannot be the address of a service");
    good = false;
  }
  if (server.address6 && unusable(*server.address6)) {
    problems.error(section.where("ipaddr6"),
                   name_of(section) + ": " + to_string(*server.address6) + " cannot be the address of a service");
    good = false;
  }
  if (!server.address4 && !server.address6) {
    problems.warning(section.position, name_of(section) + " has neither `ipaddr` nor `ipaddr6`: it stays inactive");
  }
  return good;
}

void check_pair(const SectionView& section, const ServerConfig& server, const TargetConfig& target,
                const SectionView& target_section, Problems& problems) {
  const std::string pair = name_of(section) + " and " + name_of(target_section);
  if (server.session_id != target.session_id) {
    problems.warning(target_section.where("sessionid"),
                     pair + ": sessionid " + (server.session_id == SessionId::client ? "src" : "src+port") +
                         " is mirrored by " + (server.session_id == SessionId::client ? "dst" : "dst+port") +
                         ", the target has the other one; the server's decides");
  }
  if (target.dsr && server.port != 0 && target.port != 0 && server.port != target.port) {
    problems.error(target_section.where("port"), pair + ": with `dsr enable` the port stays " +
                                                     std::to_string(server.port) + ", the target cannot have port " +
                                                     std::to_string(target.port));
  }
  if (!target.dsr && server.port == 0 && target.port != 0) {
    problems.warning(target_section.where("port"),
                     pair + ": the server takes every port and keeps it, the target's port " +
                         std::to_string(target.port) + " has no effect");
  }
  if (server.protocol != 0 && target.protocol != 0 && server.protocol != target.protocol) {
    problems.warning(target_section.where("protocol"),
                     pair + ": protocol " + std::string{protocol_name(server.protocol)} + " and protocol " +
                         std::string{protocol_name(target.protocol)} + " differ; this server does not use the target");
  }
}

void check_families(const SectionView& section, const ServerConfig& server, const Config& config, Problems& problems) {
  const auto any = [&](auto predicate) {
    return std::any_of(server.targets.begin(), server.targets.end(), [&](TargetId number) {
      const TargetConfig* target = config.target(number);
      return target != nullptr && predicate(*target);
    });
  };
  if (server.targets.empty()) {
    problems.warning(section.position, name_of(section) + " has no targets: it takes no traffic");
    return;
  }
  // Late binding: an unknown target may bring the family; the core warns about the open reference.
  if (section.has_open_reference) return;
  if (server.address4 && !any([](const TargetConfig& target) { return target.address4.has_value(); })) {
    problems.warning(section.where("ipaddr"), name_of(section) + " has an IPv4 address but no target with one");
  }
  if (server.address6 && !any([](const TargetConfig& target) { return target.address6.has_value(); })) {
    problems.warning(section.where("ipaddr6"), name_of(section) + " has an IPv6 address but no target with one");
  }
}

// Two servers that take the same packets. One that is not enabled may wait for its turn.
void check_duplicates(const ConfigView& view, const Config& config, Problems& problems) {
  std::map<std::tuple<IpAddress, std::uint16_t, std::uint8_t>, const ServerConfig*> seen;
  const auto check = [&](const ServerConfig& server, const IpAddress& address, const char* key) {
    const auto [entry, is_new] = seen.try_emplace({address, server.port, server.protocol}, &server);
    if (is_new) return;
    const SectionView* mine = view.find("server", server.number);
    const SectionView* other = view.find("server", entry->second->number);
    if (mine == nullptr || other == nullptr) return;
    const std::string text = name_of(*mine) + " has the same address, port and protocol as " + name_of(*other) + " (" +
                             at(other->where(key)) + ")";
    if (server.state == LifeCycle::enabled && entry->second->state == LifeCycle::enabled) {
      problems.error(mine->where(key), text);
    } else {
      problems.warning(mine->where(key), text + "; only one of them can be enabled");
      if (server.state == LifeCycle::enabled) entry->second = &server;
    }
  };
  for (const ServerConfig& server : config.servers) {
    if (server.address4) check(server, *server.address4, "ipaddr");
    if (server.address6) check(server, *server.address6, "ipaddr6");
  }
}

std::size_t count_bindings(const Config& config) {
  std::size_t count = 0;
  for (const ServerConfig& server : config.servers) count += server.targets.size();
  return count;
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::rr:
      return "rr";
    case Method::random:
      return "random";
    case Method::hash:
      return "hash";
    case Method::first:
      return "first";
    case Method::session:
      return "session";
  }
  return "?";
}

std::string_view protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case 0:
      return "any";
    case wire::ip_protocol::tcp:
      return "tcp";
    case wire::ip_protocol::udp:
      return "udp";
    case wire::ip_protocol::icmp:
      return "icmp";
    case wire::ip_protocol::icmpv6:
      return "icmpv6";
    default:
      return "other";
  }
}

const TargetConfig* Config::target(TargetId number) const {
  const auto found =
      std::lower_bound(targets.begin(), targets.end(), number,
                       [](const TargetConfig& target, TargetId wanted) { return target.number < wanted; });
  return found != targets.end() && found->number == number ? &*found : nullptr;
}

bool fits(const ServerConfig& server, const TargetConfig& target) {
  if (server.protocol != 0 && target.protocol != 0 && server.protocol != target.protocol) return false;
  return (server.address4 && target.address4) || (server.address6 && target.address6);
}

void declare_keys(Setup& setup) {
  setup.open_section({.name = "server",
                      .plural = "servers",
                      .last_index = max_servers,
                      .has_life_cycle = true,
                      .help = "A virtual service: an address whose traffic is spread over targets.",
                      .rank = 60});
  setup.add_key(make_key("server", "name", typed_element("name", ElementType::text), "", "Name, for people."));
  setup.add_key(
      make_key("server", "ipaddr", typed_element("address", ElementType::ipv4), "", "IPv4 address of the service."));
  setup.add_key(
      make_key("server", "ipaddr6", typed_element("address", ElementType::ipv6), "", "IPv6 address of the service."));
  setup.add_key(
      make_key("server", "port", integer_element("port", 1, 65535), "", "Port of the service; without: every port."));
  setup.add_key(make_key("server", "protocol", word_element("protocol", {"tcp", "udp"}), "",
                         "Protocol of the service; without: TCP and UDP, and without a port every protocol."));
  setup.add_key(make_key("server", "sessionid", word_element("key", {"src", "src+port"}), "src",
                         "What a session is: all traffic of a client address, or one connection."));
  ElementSpec method = word_element("method", {"rr", "random", "hash", "first", "session"});
  method.later_choices = {"bw", "agent", "rndagent", "maglev"};
  setup.add_key(make_key("server", "method", std::move(method), "rr", "How the target of a new session is chosen."));
  setup.add_key(
      make_list_key("server", "targets", "target", reference_element("target"), "The targets that share the traffic."));
  setup.add_key(make_key("server", "stimeout", seconds_element("seconds", 1, longest_timeout), "",
                         "Idle time after which a session ends; without: `set sessiontimeout`."));
  setup.add_key(make_key("target", "sessionid", word_element("key", {"dst", "dst+port"}), "dst",
                         "Mirror of the server's sessionid: how replies are keyed."));
  setup.add_key(make_key("target", "dsr", word_element("state", {"enable", "disable"}), "disable",
                         "Direct server return: packets reach the target unchanged, replies go past this node."));
  setup.add_key(make_key("target", "weight", integer_element("weight", 0, 65535), "1",
                         "Share of new sessions relative to the other targets; 0 takes none."));
  setup.add_key(make_key("set", "sessiontimeout", seconds_element("seconds", 1, longest_timeout), "600",
                         "Idle time after which a session ends."));
  setup.add_key(make_key("set", "maxsessions", integer_element("sessions", 16, 16'777'216),
                         std::to_string(default_max_sessions),
                         "Sessions of each address family that this node holds at most; read at start."));
  setup.add_key(reserved_key(make_list_key("server", "backup", "", reference_element("target"),
                                           "The targets that are used while none of the others is up.")));
  for (const char* section : {"server", "target"}) {
    setup.add_key(reserved_key(make_key(section, "maxsessions", integer_element("sessions", 1, 16'777'216), "",
                                        "Sessions that it has at most.")));
  }
}

Config parse(const ConfigView& view, Problems& problems) {
  Config config;
  const Duration timeout = view.settings().seconds("sessiontimeout").value_or(from_seconds(600));
  config.max_sessions =
      static_cast<std::uint32_t>(view.settings().integer("maxsessions").value_or(default_max_sessions));
  for (const SectionView* section : view.all("target")) config.targets.push_back(parse_target(*section));
  std::sort(config.targets.begin(), config.targets.end(),
            [](const TargetConfig& left, const TargetConfig& right) { return left.number < right.number; });
  for (const SectionView* section : view.all("server")) {
    ServerConfig server = parse_server(*section, timeout, problems);
    check_addresses(*section, server, problems);
    for (const TargetId number : server.targets) {
      const TargetConfig* target = config.target(number);
      const SectionView* target_section = view.find("target", number);
      if (target != nullptr && target_section != nullptr)
        check_pair(*section, server, *target, *target_section, problems);
    }
    check_families(*section, server, config, problems);
    config.servers.push_back(std::move(server));
  }
  check_duplicates(view, config, problems);
  if (count_bindings(config) > max_bindings) {
    problems.error(view.all("server").back()->position,
                   "all servers together name " + std::to_string(count_bindings(config)) + " targets, at most " +
                       std::to_string(max_bindings) + " are possible");
  }
  return config;
}

}  // namespace trivet::slb
