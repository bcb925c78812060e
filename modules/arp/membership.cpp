#include "arp/membership.h"

#include <algorithm>

namespace trivet::arp {

bool Membership::is_reported(const IpAddress& group) {
  if (!group.is_multicast()) return false;
  if (group.is_v4()) return group.v4() != Ipv4Address{{224, 0, 0, 1}};
  const unsigned scope = group.bytes()[1] & 0x0fU;
  constexpr Ipv6Address all_nodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return scope > 1 && group.v6() != all_nodes;
}

void Membership::update(const std::vector<GroupMembership>& groups, const std::set<InterfaceId>& up, Time now) {
  std::map<PortKey, std::set<IpAddress>> next;
  for (const InterfaceId interface : up) {
    next[{interface, Family::ipv4, 0}];
    next[{interface, Family::ipv6, 0}];
  }
  for (const GroupMembership& membership : groups) {
    if (!up.contains(membership.interface)) continue;
    std::set<IpAddress>& port = next[{membership.interface, membership.group.family(), membership.vlan}];
    if (is_reported(membership.group) && port.size() < groups_per_interface) port.insert(membership.group);
  }
  // A VLAN that has gone is left before it is forgotten.
  for (const auto& [key, port] : ports_) {
    if (up.contains(key.interface) && !(port.groups.empty() && port.changes.empty())) next[key];
  }
  // What an interface without link would have to say nobody hears: it joins again when the link is back.
  std::erase_if(ports_, [&next](const auto& entry) { return !next.contains(entry.first); });
  for (auto& [key, wanted] : next) change(ports_[key], std::move(wanted), now);
}

void Membership::change(Port& port, std::set<IpAddress> groups, Time now) {
  bool changed = false;
  const auto note = [&](const IpAddress& group) {
    port.changes[group] = robustness;
    changed = true;
  };
  for (const IpAddress& group : groups) {
    if (!port.groups.contains(group)) note(group);
  }
  for (const IpAddress& group : port.groups) {
    if (!groups.contains(group)) note(group);
  }
  port.groups = std::move(groups);
  std::erase_if(port.responses, [&port](const auto& entry) { return !port.groups.contains(entry.first); });
  if (changed) port.next_change = now;
}

void Membership::heard(const MembershipQuery& query, Time now) {
  const auto found = ports_.find({query.interface, query.family, query.vlan});
  if (found == ports_.end()) return;
  Port& port = found->second;
  if (query.version == MembershipVersion::older) {
    set_version(port, now + older_querier_present);
  } else if (now >= port.older_until) {
    set_version(port, Time{});
  }

  const auto respond_for = [&](const IpAddress& group) {
    const Time at = now + part_of(query.max_response);
    const auto [response, is_new] = port.responses.emplace(group, at);
    if (!is_new) response->second = std::min(response->second, at);
  };
  if (!query.group.is_unspecified()) {
    if (!port.groups.contains(query.group)) return;
    const Time latest = now + query.max_response;
    // RFC 3810 section 6.2: a sooner answer to a general query covers this one.
    if (port.general_response <= latest && port.general_response != never) return;
    respond_for(query.group);
  } else if (version(port, now) == MembershipVersion::older) {
    for (const IpAddress& group : port.groups) respond_for(group);
  } else if (!port.groups.empty()) {
    port.general_response = std::min(port.general_response, now + part_of(query.max_response));
  }
}

// RFC 3376 section 7.2.1: whatever waits in the other version's form is cancelled.
void Membership::set_version(Port& port, Time older_until) {
  const bool was_older = port.older_until != Time{};
  const bool is_older = older_until != Time{};
  port.older_until = older_until;
  if (was_older == is_older) return;
  port.changes.clear();
  port.next_change = never;
  port.general_response = never;
  port.responses.clear();
}

MembershipVersion Membership::version(const Port& port, Time now) {
  return now < port.older_until ? MembershipVersion::older : MembershipVersion::current;
}

Time Membership::Port::poll_at() const {
  Time next = std::min(next_change, general_response);
  for (const auto& [group, at] : responses) next = std::min(next, at);
  return next;
}

Time Membership::poll_at() const {
  Time next = never;
  for (const auto& [key, port] : ports_) next = std::min(next, port.poll_at());
  return next;
}

std::vector<MembershipReport> Membership::on_time(Time now) {
  Reports out;
  for (auto& [key, port] : ports_) {
    if (port.next_change <= now) say_changes(key, port, now, out);
    respond(key, port, now, out);
  }
  return out;
}

void Membership::say_changes(const PortKey& key, Port& port, Time now, Reports& out) {
  std::vector<ReportedGroup> groups;
  groups.reserve(port.changes.size());
  for (auto& [group, left] : port.changes) {
    const bool joined = port.groups.contains(group);
    groups.push_back({group, joined ? MembershipRecord::joins : MembershipRecord::leaves});
    --left;
  }
  std::erase_if(port.changes, [](const auto& entry) { return entry.second == 0; });
  port.next_change = port.changes.empty() ? never : now + part_of(repeat_within);
  append(key, version(port, now), groups, out);
}

void Membership::respond(const PortKey& key, Port& port, Time now, Reports& out) {
  std::vector<ReportedGroup> groups;
  if (port.general_response <= now) {
    port.general_response = never;
    port.responses.clear();
    for (const IpAddress& group : port.groups) groups.push_back({group, MembershipRecord::is_member});
  } else {
    for (const auto& [group, at] : port.responses) {
      if (at <= now) groups.push_back({group, MembershipRecord::is_member});
    }
    std::erase_if(port.responses, [now](const auto& entry) { return entry.second <= now; });
  }
  append(key, version(port, now), groups, out);
}

void Membership::append(const PortKey& key, MembershipVersion version, const std::vector<ReportedGroup>& groups,
                        Reports& out) {
  const std::size_t most = version == MembershipVersion::older ? 1 : groups_per_report;
  for (std::size_t at = 0; at < groups.size(); at += most) {
    const std::size_t count = std::min(most, groups.size() - at);
    const auto first = groups.begin() + static_cast<std::ptrdiff_t>(at);
    out.push_back({key.interface, key.family, version, {first, first + static_cast<std::ptrdiff_t>(count)}, key.vlan});
  }
}

std::vector<MembershipReport> Membership::leave_all(Time now) {
  Reports out;
  for (const auto& [key, port] : ports_) {
    std::vector<ReportedGroup> groups;
    groups.reserve(port.groups.size());
    for (const IpAddress& group : port.groups) groups.push_back({group, MembershipRecord::leaves});
    append(key, version(port, now), groups, out);
  }
  ports_.clear();
  return out;
}

Duration Membership::part_of(Duration bound) {
  if (bound <= Duration::zero()) return Duration::zero();
  return Duration{static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(bound.count())))};
}

}  // namespace trivet::arp
