// The adapter: what the module declares, and how packets, topics, engines and frames meet.
//
// Thread: control.
#pragma once

#include <set>
#include <utility>
#include <vector>

#include "arp/announcer.h"
#include "arp/config.h"
#include "arp/conflicts.h"
#include "arp/frames.h"
#include "arp/membership.h"
#include "arp/neighbor_cache.h"
#include "arp/responder.h"
#include "arp/worker.h"
#include "trivet/abi.h"
#include "trivet/module.h"
#include "trivet/topics/groups.h"
#include "trivet/topics/neighbors.h"

namespace trivet::arp {

class ArpModule final : public Module {
 public:
  void declare(Setup& setup) override;
  void start(Host& host, Time now) override;
  std::unique_ptr<Plan> check(const ConfigView& config, Problems& problems) override;
  void apply(std::unique_ptr<Plan> plan, Time now) override;
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override;
  void on_punt(const Packet& packet, Time now) override;
  [[nodiscard]] Time poll_at() const override;
  void on_time(Time now) override;
  void stop(Time now) override;

 private:
  struct Counters {
    Counter answers;
    Counter solicitations;
    Counter announcements;
    Counter reports;
    Counter conflicts;
    Counter dual_master;
    Counter own_frames;
  };
  // What the bus has told since the last on_time(): subscribers are not told the time, on_time() is.
  struct Inbox {
    bool node_changed = false;
    bool groups_changed = false;
    std::set<InterfaceId> went_down;  // links, whatever they are now
    std::vector<NeighborKey> wanted;
    std::vector<NeighborKey> used;
    [[nodiscard]] bool empty() const;
  };

  void serve_inbox(Time now);
  void follow_node(const std::set<InterfaceId>& went_down, Time now);
  void follow_links(std::set<InterfaceId> up, Time now);
  void publish_groups();
  [[nodiscard]] std::vector<GroupMembership> own_groups() const;
  [[nodiscard]] std::vector<Announcement> announcements() const;
  [[nodiscard]] std::vector<InterfaceId> interfaces_of(const OwnAddress& own) const;
  [[nodiscard]] VlanId vlan_of(const OwnAddress& own) const;

  void act_on(const Consequence& consequence, Time now);
  void judge(const Claim& claim, Time now);
  void warn_of_dual_master(const Claim& claim, Time now);
  void perform(const CacheActions& actions, Time now);
  void solicit(const Solicit& what, Time now);
  void announce(const std::vector<AnnounceAction>& actions, Time now);
  void report(const std::vector<MembershipReport>& reports);
  void heard_query(const Packet& packet, Time now);
  void send(InterfaceId interface, VlanId vlan, const Frame& frame, Time now);
  [[nodiscard]] std::string interface_name(InterfaceId interface) const;

  Host* host_ = nullptr;
  Config config_;
  Counters counters_;
  DropReasons reasons_;
  NeighborCache cache_{CacheLimits{}, Random{0}};
  Announcer announcer_;
  Membership membership_{Random{0}};
  ConflictMonitor conflicts_;
  ConflictMonitor dual_masters_;
  std::vector<OwnAddress> addresses_;
  std::vector<GroupMembership> groups_;            // merged, of all modules
  std::vector<GroupMembership> published_groups_;  // this module's
  std::set<InterfaceId> up_;
  std::map<NetworkId, VlanId> vlans_;  // of the networks, when they were last followed
  Inbox inbox_;
  Time last_time_;
};

// The table of `show neighbors`.
[[nodiscard]] Report neighbors_report(const NeighborCache& cache, const ForwardingState& node, Time now);

inline Module* create_module() { return new ArpModule; }
inline void destroy_module(Module* module) { delete module; }

inline constexpr ModuleDescriptor descriptor{
    .name = "arp", .version = "1.0", .create = &create_module, .destroy = &destroy_module, .essential = 1};

}  // namespace trivet::arp
