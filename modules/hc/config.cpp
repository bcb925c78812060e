#include "hc/config.h"

#include <algorithm>
#include <utility>

namespace trivet::hc {
namespace {

constexpr double shortest_interval = 0.1;
constexpr double longest_interval = 3600;
constexpr double shortest_timeout = 0.001;  // above zero: the finest step that the syntax has
constexpr double longest_timeout = 86400;

std::string help_text(CheckKind kind) {
  switch (kind) {
    case CheckKind::ping:
      return "ICMP echo every I seconds; down after T seconds without an answer";
    case CheckKind::ping6:
      return "ICMPv6 echo every I seconds; down after T seconds without an answer";
    case CheckKind::tcpopen:
      return "open TCP port P over IPv4 every I seconds; down after T seconds without success";
    case CheckKind::tcpopen6:
      return "open TCP port P over IPv6 every I seconds; down after T seconds without success";
    case CheckKind::agent:
      return "ask bngagent on UDP port P over IPv4 every I seconds; down after T seconds without a value";
    case CheckKind::agent6:
      return "ask bngagent on UDP port P over IPv6 every I seconds; down after T seconds without a value";
  }
  return {};
}

KeySpec check_key(const std::string& section, CheckKind kind) {
  std::vector<ElementSpec> elements;
  if (has_port(kind)) {
    elements.push_back(integer_element("port", 1, 65535));
  }
  elements.push_back(seconds_element("interval", shortest_interval, longest_interval));
  elements.push_back(seconds_element("timeout", shortest_timeout, longest_timeout));
  KeySpec key = make_tuple_key(section, std::string(to_string(kind)), std::move(elements), help_text(kind));
  key.repeatable = has_port(kind);  // several ports make sense, two intervals for one echo do not
  return key;
}

// What the language has and this version does not do yet.
std::vector<KeySpec> later_keys() {
  const ElementSpec interval = seconds_element("interval", shortest_interval, longest_interval);
  const ElementSpec timeout = seconds_element("timeout", shortest_timeout, longest_timeout);
  const ElementSpec path = typed_element("path", ElementType::text);
  KeySpec http = make_tuple_key("target", "http", {integer_element("port", 1, 65535), interval, timeout},
                                "fetch a page from port P every I seconds; down after T seconds without success");
  http.words.emplace_back().elements.push_back(path);
  http.words.back().is_optional = true;
  http.repeatable = true;
  KeySpec script = make_tuple_key("target", "script", {path, interval, timeout},
                                  "run a program every I seconds; down after T seconds without exit code 0");
  script.repeatable = true;
  return {std::move(http), std::move(script),
          make_key("target", "alert", path, "", "program that is run when the target goes down"),
          make_key("target", "upalert", path, "", "program that is run when the target comes up")};
}

CheckConfig read_check(CheckKind kind, const ParameterView& parameter) {
  CheckConfig check;
  check.kind = kind;
  std::size_t element = 0;
  if (has_port(kind)) {
    check.port = static_cast<std::uint16_t>(parameter.integer(element++));
  }
  check.interval = parameter.seconds(element);
  check.timeout = parameter.seconds(element + 1);
  return check;
}

void add_check(SubjectConfig& subject, const CheckConfig& check, const Position& position, Problems& problems) {
  const std::string where = subject_name(subject.id) + ": " + label(check);
  if (check.timeout < check.interval) {
    problems.warning(position, where +
                                   ": the timeout is shorter than the interval, so the check can fail between two "
                                   "probes although each is answered");
  }
  if (!subject.address_for(check.kind)) {
    problems.warning(position, where + ": there is no " +
                                   (family_of(check.kind) == Family::ipv4 ? "ipaddr" : "ipaddr6") +
                                   " to check; it stays undecided");
  }
  const auto same = std::find_if(subject.checks.begin(), subject.checks.end(), [&](const CheckConfig& other) {
    return other.kind == check.kind && other.port == check.port;
  });
  if (same != subject.checks.end()) {
    problems.warning(position, where + ": given twice, the last one counts");
    *same = check;
    return;
  }
  subject.checks.push_back(check);
}

SubjectConfig read_subject(SubjectId id, const SectionView& section, Problems& problems) {
  SubjectConfig subject;
  subject.id = id;
  subject.address4 = section.ipv4("ipaddr");
  subject.address6 = section.ipv6("ipaddr6");
  for (const CheckKind kind : all_check_kinds) {
    for (const ParameterView* parameter : section.all(to_string(kind))) {
      add_check(subject, read_check(kind, *parameter), parameter->position, problems);
    }
  }
  if (subject.checks.size() > max_checks_per_subject) {
    problems.error(section.position, subject_name(id) + " has " + std::to_string(subject.checks.size()) +
                                         " checks; at most " + std::to_string(max_checks_per_subject) +
                                         " are possible");
  }
  return subject;
}

}  // namespace

std::string_view to_string(CheckKind kind) {
  switch (kind) {
    case CheckKind::ping:
      return "ping";
    case CheckKind::ping6:
      return "ping6";
    case CheckKind::tcpopen:
      return "tcpopen";
    case CheckKind::tcpopen6:
      return "tcpopen6";
    case CheckKind::agent:
      return "agent";
    case CheckKind::agent6:
      return "agent6";
  }
  return "?";
}

Family family_of(CheckKind kind) {
  const bool is_v6 = kind == CheckKind::ping6 || kind == CheckKind::tcpopen6 || kind == CheckKind::agent6;
  return is_v6 ? Family::ipv6 : Family::ipv4;
}

bool has_port(CheckKind kind) { return kind != CheckKind::ping && kind != CheckKind::ping6; }

bool is_agent(CheckKind kind) { return kind == CheckKind::agent || kind == CheckKind::agent6; }

std::string label(const CheckConfig& check) {
  std::string text(to_string(check.kind));
  if (has_port(check.kind)) {
    text += ' ' + std::to_string(check.port);
  }
  return text;
}

std::string subject_name(SubjectId id) {
  return id == gateway_subject ? std::string("gateway") : "target " + std::to_string(id);
}

std::optional<IpAddress> SubjectConfig::address_for(CheckKind kind) const {
  if (family_of(kind) == Family::ipv4) {
    return address4 ? std::optional<IpAddress>(*address4) : std::nullopt;
  }
  return address6 ? std::optional<IpAddress>(*address6) : std::nullopt;
}

std::vector<KeySpec> declare_keys() {
  std::vector<KeySpec> keys;
  for (const CheckKind kind : all_check_kinds) {
    keys.push_back(check_key("target", kind));
  }
  keys.push_back(check_key("gateway", CheckKind::ping));
  keys.push_back(check_key("gateway", CheckKind::ping6));
  for (KeySpec& key : later_keys()) keys.push_back(reserved_key(std::move(key)));
  return keys;
}

Config read_config(const ConfigView& view, Problems& problems) {
  Config config;
  const SectionView* gateway = view.find("gateway");
  config.subjects.push_back(gateway != nullptr ? read_subject(gateway_subject, *gateway, problems) : SubjectConfig{});
  for (const SectionView* target : view.all("target")) {
    if (target->state != LifeCycle::defined) {
      config.subjects.push_back(read_subject(target->index, *target, problems));
    }
  }
  return config;
}

}  // namespace trivet::hc
