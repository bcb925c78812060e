// Group membership as routers and snooping switches hear it: MLD and IGMP, the listener's side.
//
// Thread: control. Sans-IO: time and random numbers come in, reports go out.
// Sources: RFC 3810 (MLDv2) sections 6 and 8.2, RFC 2710 (MLDv1), RFC 3376 (IGMPv3) sections 5 and 7.2, RFC 2236
// (IGMPv2). Groups are joined for any source, so filters never go beyond EXCLUDE {}.
//
// A change of membership is reported at once and once more within a second (robustness 2), all changes of an
// interface, VLAN and family together. Queries are answered after a random part of what they allow. After a query of an
// older version the answers are of that version, until it has been silent for 260 s. All-nodes and all-hosts groups,
// and groups of IPv6 scope 0 and 1, are never reported.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/random.h"
#include "trivet/time.h"
#include "trivet/topics/groups.h"

namespace trivet::arp {

enum class MembershipVersion : std::uint8_t {
  current,  // MLDv2, IGMPv3
  older,    // MLDv1, IGMPv2
};

enum class MembershipRecord : std::uint8_t {
  is_member,  // current state, answers a query
  joins,
  leaves,
};

struct ReportedGroup {
  IpAddress group;
  MembershipRecord record = MembershipRecord::is_member;
  bool operator==(const ReportedGroup&) const = default;
};

// One message to send. Of the older version it has one group: a report, or done/leave.
struct MembershipReport {
  InterfaceId interface = 0;
  Family family = Family::ipv6;
  MembershipVersion version = MembershipVersion::current;
  std::vector<ReportedGroup> groups;
  VlanId vlan = 0;
  bool operator==(const MembershipReport&) const = default;
};

struct MembershipQuery {
  InterfaceId interface = 0;
  Family family = Family::ipv6;
  MembershipVersion version = MembershipVersion::current;
  IpAddress group;  // unspecified: general
  Duration max_response{};
  VlanId vlan = 0;
};

class Membership {
 public:
  static constexpr unsigned robustness = 2;
  static constexpr Duration repeat_within = std::chrono::seconds(1);
  static constexpr Duration older_querier_present = std::chrono::seconds(260);  // RFC 3810 section 9.12
  static constexpr std::size_t groups_per_report = 64;  // 64 records of 20 bytes fit an MTU of 1,500
  static constexpr std::size_t groups_per_interface = 4096;

  explicit Membership(Random random) : random_(random) {}

  // What this node listens to, on interfaces that are up; the rest of the list waits for its interface. A VLAN has its
  // place as long as there is a group in it, or a leave to be said.
  void update(const std::vector<GroupMembership>& groups, const std::set<InterfaceId>& up, Time now);
  void heard(const MembershipQuery& query, Time now);

  [[nodiscard]] Time poll_at() const;
  [[nodiscard]] std::vector<MembershipReport> on_time(Time now);
  // Says goodbye to every group, once. The engine is empty afterwards.
  [[nodiscard]] std::vector<MembershipReport> leave_all(Time now);

  [[nodiscard]] static bool is_reported(const IpAddress& group);

 private:
  struct PortKey {
    InterfaceId interface = 0;
    Family family = Family::ipv6;
    VlanId vlan = 0;
    auto operator<=>(const PortKey&) const = default;
  };
  struct Port {
    std::set<IpAddress> groups;
    std::map<IpAddress, unsigned> changes;  // how often the change is still to be said
    Time next_change = never;
    Time general_response = never;
    std::map<IpAddress, Time> responses;  // of single groups
    Time older_until;                     // an older querier rules until then

    [[nodiscard]] Time poll_at() const;
  };
  using Reports = std::vector<MembershipReport>;

  static void change(Port& port, std::set<IpAddress> groups, Time now);
  static void set_version(Port& port, Time older_until);
  static MembershipVersion version(const Port& port, Time now);
  static void append(const PortKey& key, MembershipVersion version, const std::vector<ReportedGroup>& groups,
                     Reports& out);
  void say_changes(const PortKey& key, Port& port, Time now, Reports& out);
  static void respond(const PortKey& key, Port& port, Time now, Reports& out);
  Duration part_of(Duration bound);

  Random random_;
  std::map<PortKey, Port> ports_;
};

}  // namespace trivet::arp
