#include "arp/module.h"

#include <algorithm>

#include "trivet/forwarding.h"
#include "trivet/topics/addresses.h"
#include "trivet/topics/links.h"
#include "trivet/topics/topology.h"
#include "trivet/wire/arp.h"
#include "trivet/wire/igmp.h"
#include "trivet/wire/mld.h"
#include "trivet/wire/nd.h"

namespace trivet::arp {

namespace {

constexpr Ipv4Address all_hosts{{224, 0, 0, 1}};
constexpr Ipv6Address all_nodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

struct ConfigPlan final : Plan {
  Config config;
};

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace

bool ArpModule::Inbox::empty() const { return !node_changed && !groups_changed && wanted.empty() && used.empty(); }

void ArpModule::declare(Setup& setup) {
  for (KeySpec& key : config_keys()) setup.add_key(std::move(key));
  setup.wants(packet_class::arp | packet_class::nd | packet_class::mld | packet_class::igmp);
  setup.punt_urgency(PuntUrgency::urgent);

  counters_.answers = setup.counter("answers", "ARP replies and neighbour advertisements that answered a question");
  counters_.solicitations = setup.counter("solicitations", "ARP requests and neighbour solicitations sent");
  counters_.announcements =
      setup.counter("announcements", "gratuitous ARP, unsolicited advertisements and probes for own addresses");
  counters_.reports = setup.counter("reports", "MLD and IGMP reports, dones and leaves sent");
  counters_.conflicts = setup.counter("conflicts", "messages in which another node claims an own address");
  counters_.dual_master = setup.counter(
      "dual_master", "messages that announce a virtual address from the virtual MAC while this node is master");
  counters_.own_frames = setup.counter("own_frames", "own messages that came back through an interface");

  reasons_.arp_malformed = setup.drop_reason("arp-malformed", "no ARP for IPv4 over Ethernet, or cut short");
  reasons_.arp_not_for_us = setup.drop_reason("arp-not-for-us", "ARP request for an address that is not answered here");
  reasons_.nd_invalid = setup.drop_reason("nd-invalid", "neighbour discovery that RFC 4861 section 7.1 calls invalid");
  reasons_.nd_not_for_us = setup.drop_reason("nd-not-for-us", "solicitation of an address that is not answered here");
  reasons_.query_invalid = setup.drop_reason("query-invalid", "MLD or IGMP query with a wrong hop limit or checksum");
  reasons_.rate_limited = setup.drop_reason("rate-limited", "more messages of a kind or source than are looked at");

  setup.command({"show neighbors", "", "The neighbours that are known, with MAC, interface, state and timers."},
                [this](const std::vector<std::string>&, Time now, CommandReply reply) {
                  reply(neighbors_report(cache_, host_->forwarding(), now));
                });
  setup.publishes<NeighborEntry>();
  setup.publishes<GroupMembership>();
  setup.subscribes<NeighborWanted>();
  setup.subscribes<NeighborUsed>();
  setup.subscribes<TopologyChanged>();
  setup.subscribes<LinkState>();
  setup.subscribes<OwnAddress>();
  setup.subscribes<GroupMembership>();
}

void ArpModule::start(Host& host, Time now) {
  host_ = &host;
  last_time_ = now;
  cache_ = NeighborCache(CacheLimits::of(config_.cache_entries), Random{host.random()()});
  membership_ = Membership(Random{host.random()()});
  inbox_.node_changed = true;

  Bus& bus = host.bus();
  bus.subscribe<TopologyChanged>([this](const TopologyChanged&) { inbox_.node_changed = true; });
  bus.subscribe<LinkState>([this](const LinkState& link) {
    // It may be up again before on_time(): whoever was behind it may have changed meanwhile.
    if (!link.up) inbox_.went_down.insert(link.interface);
    inbox_.node_changed = true;
  });
  bus.subscribe_list<OwnAddress>([this](const std::vector<OwnAddress>& list) {
    addresses_ = list;
    inbox_.node_changed = true;
  });
  bus.subscribe_list<GroupMembership>([this](const std::vector<GroupMembership>& list) {
    groups_ = list;
    inbox_.groups_changed = true;
  });
  bus.subscribe<NeighborWanted>([this](const NeighborWanted& event) {
    inbox_.wanted.push_back({event.network, event.address});
  });
  bus.subscribe<NeighborUsed>([this](const NeighborUsed& event) {
    inbox_.used.push_back({event.network, event.address});
  });
}

std::unique_ptr<Plan> ArpModule::check(const ConfigView& config, Problems&) {
  auto plan = std::make_unique<ConfigPlan>();
  plan->config = parse_config(config);
  return plan;
}

void ArpModule::apply(std::unique_ptr<Plan> plan, Time now) {
  last_time_ = now;
  config_ = static_cast<const ConfigPlan&>(*plan).config;
  cache_.set_limits(CacheLimits::of(config_.cache_entries));
  cache_.set_configured(config_.neighbors);
  announcer_.set_refresh(config_.refresh);
  inbox_.node_changed = true;
}

std::unique_ptr<Worker> ArpModule::make_worker(WorkerContext&) { return std::make_unique<ArpWorker>(reasons_); }

void ArpModule::on_punt(const Packet& packet, Time now) {
  last_time_ = now;
  const ForwardingState& node = host_->forwarding();
  const Arrival arrival{packet.in_interface, packet.ethernet().source, packet.ethernet().destination.is_multicast(),
                        packet.vlan};
  if (packet.is(packet_class::arp)) {
    if (const auto heard = wire::parse_arp(packet.l3_bytes())) act_on(on_arp(node, arrival, *heard), now);
    return;
  }
  if (packet.is(packet_class::mld | packet_class::igmp)) return heard_query(packet, now);
  const wire::NdContext context{packet.ipv6().source, packet.ipv6().destination, packet.ipv6().hop_limit};
  if (const auto heard = wire::parse_neighbor_solicitation(context, packet.l4_bytes())) {
    act_on(on_solicitation(node, arrival, context.source, *heard), now);
  } else if (const auto told = wire::parse_neighbor_advertisement(context, packet.l4_bytes())) {
    act_on(on_advertisement(node, arrival, *told), now);
  }
}

void ArpModule::heard_query(const Packet& packet, Time now) {
  MembershipQuery query;
  query.interface = packet.in_interface;
  query.vlan = packet.vlan;
  if (packet.is(packet_class::mld)) {
    const auto heard = wire::parse_mld_query(packet.l4_bytes());
    if (!heard.has_value()) return;
    query.family = Family::ipv6;
    query.version = heard->version < 2 ? MembershipVersion::older : MembershipVersion::current;
    query.group = heard->group;
    query.max_response = heard->maximum_response;
  } else {
    const auto heard = wire::parse_igmp_query(packet.l4_bytes());
    if (!heard.has_value()) return;
    query.family = Family::ipv4;
    query.version = heard->version < 3 ? MembershipVersion::older : MembershipVersion::current;
    query.group = heard->group;
    query.max_response = heard->maximum_response;
  }
  membership_.heard(query, now);
}

Time ArpModule::poll_at() const {
  if (!inbox_.empty()) return last_time_;
  return std::min({cache_.poll_at(), announcer_.poll_at(), membership_.poll_at()});
}

void ArpModule::on_time(Time now) {
  last_time_ = now;
  serve_inbox(now);
  report(membership_.on_time(now));
  announce(announcer_.on_time(now), now);
  perform(cache_.on_time(now), now);
}

void ArpModule::serve_inbox(Time now) {
  Inbox inbox = std::exchange(inbox_, {});
  if (inbox.node_changed) follow_node(inbox.went_down, now);
  if (inbox.groups_changed) membership_.update(groups_, up_, now);
  for (const NeighborKey& key : inbox.wanted) perform(cache_.wanted(key, now), now);
  for (const NeighborKey& key : inbox.used) perform(cache_.used(key, now), now);
}

// Role, links, networks or addresses are not what they were: everything that follows from them is computed anew, and
// the engines find out what is different.
void ArpModule::follow_node(const std::set<InterfaceId>& went_down, Time now) {
  std::set<InterfaceId> up;
  for (const InterfaceView& interface : host_->forwarding().interfaces()) {
    if (interface.up) up.insert(interface.number);
  }
  // A link that went down and came back in between is followed through both.
  std::set<InterfaceId> steady = up;
  for (const InterfaceId interface : went_down) steady.erase(interface);
  if (steady != up) follow_links(std::move(steady), now);
  follow_links(std::move(up), now);
  publish_groups();
}

void ArpModule::follow_links(std::set<InterfaceId> up, Time now) {
  const ForwardingState& node = host_->forwarding();
  for (const InterfaceId interface : up_) {
    if (!up.contains(interface)) perform(cache_.link_down(interface), now);
  }
  up_ = std::move(up);
  const auto former = std::exchange(vlans_, {});
  for (const NetworkView& network : node.networks()) vlans_[network.number] = network.vlan;
  perform(cache_.retain([&](const NeighborEntry& entry) {
    const NetworkView* network = node.network(entry.network);
    if (network == nullptr || node.find_address(entry.address) != nullptr) return false;
    // Behind another tag there are others.
    if (const auto known = former.find(entry.network); known != former.end() && known->second != network->vlan) {
      return false;
    }
    return entry.interface == 0 || std::ranges::find(network->interfaces, entry.interface) != network->interfaces.end();
  }),
          now);
  announcer_.set(announcements(), now);
  membership_.update(groups_, up_, now);
}

void ArpModule::publish_groups() {
  std::vector<GroupMembership> groups = own_groups();
  if (groups == published_groups_) return;
  published_groups_ = groups;
  host_->bus().publish_list(std::move(groups));
}

std::vector<InterfaceId> ArpModule::interfaces_of(const OwnAddress& own) const {
  std::vector<InterfaceId> interfaces;
  const NetworkView* network = host_->forwarding().network(own.network);
  if (own.interface != 0) {
    interfaces.push_back(own.interface);
  } else if (network != nullptr) {
    interfaces = network->interfaces;
  }
  std::erase_if(interfaces, [this](InterfaceId interface) { return !up_.contains(interface); });
  return interfaces;
}

VlanId ArpModule::vlan_of(const OwnAddress& own) const {
  const NetworkView* network = host_->forwarding().network(own.network);
  return network == nullptr ? VlanId{0} : network->vlan;
}

std::vector<GroupMembership> ArpModule::own_groups() const {
  const bool is_master = host_->forwarding().is_master();
  std::set<GroupMembership> groups;
  for (const InterfaceId interface : up_) {
    const InterfaceView* view = host_->forwarding().interface(interface);
    if (view == nullptr) continue;
    groups.insert({interface, all_nodes});
    groups.insert({interface, all_hosts});
    for (const VlanView& vlan : view->vlans) {
      groups.insert({interface, all_nodes, vlan.vlan});
      groups.insert({interface, all_hosts, vlan.vlan});
    }
  }
  for (const OwnAddress& own : addresses_) {
    if (!own.address.is_v6() || (own.scope == AddressScope::master && !is_master)) continue;
    for (const InterfaceId interface : interfaces_of(own)) {
      groups.insert({interface, solicited_node_group(own.address.v6()), vlan_of(own)});
    }
  }
  return {groups.begin(), groups.end()};
}

std::vector<Announcement> ArpModule::announcements() const {
  const ForwardingState& node = host_->forwarding();
  const bool has_virtual_mac = node.role().virtual_mac && node.role().vrid != 0;
  std::vector<Announcement> list;
  for (const OwnAddress& own : addresses_) {
    const bool is_virtual = own.scope == AddressScope::master;
    if (is_virtual && !node.is_master()) continue;
    for (const InterfaceId interface : interfaces_of(own)) {
      list.push_back({interface, mac_for(node, interface, own), own.address, own.scope, is_virtual && has_virtual_mac,
                      vlan_of(own)});
    }
  }
  return list;
}

void ArpModule::act_on(const Consequence& consequence, Time now) {
  if (consequence.answer.has_value()) {
    const Answer& answer = *consequence.answer;
    send(answer.interface, answer.vlan, answer_frame(answer, host_->forwarding().ip_forwarding()), now);
    host_->count(counters_.answers);
  }
  for (const LearntSource& learnt : consequence.sources) {
    perform(cache_.heard_source(learnt.key, learnt.place, learnt.learning, now), now);
  }
  for (const LearntAdvertisement& learnt : consequence.advertisements) {
    perform(cache_.heard_advertisement(learnt.key, learnt.advertisement, now), now);
  }
  if (consequence.remark == Remark::dual_master) {
    warn_of_dual_master(*consequence.claim, now);
  } else if (consequence.claim.has_value()) {
    judge(*consequence.claim, now);
  }
  if (consequence.remark == Remark::own_frame) host_->count(counters_.own_frames);
}

// One line a minute for the node, whatever the address: the other master announces them all.
void ArpModule::warn_of_dual_master(const Claim& claim, Time now) {
  host_->count(counters_.dual_master);
  const ConflictMonitor::Reaction reaction = dual_masters_.claimed(Claim{}, now);
  if (!reaction.log) return;
  std::string text = "two masters: " + to_string(claim.mac) + " on " + interface_name(claim.interface) + " announces " +
                     to_string(claim.address) + " while this node is master";
  if (reaction.repeated > 1) text += " (" + std::to_string(reaction.repeated) + " times since the last line)";
  host_->log().warning(text);
}

void ArpModule::judge(const Claim& claim, Time now) {
  host_->count(counters_.conflicts);
  const ConflictMonitor::Reaction reaction = conflicts_.claimed(claim, now);
  if (reaction.log) {
    std::string text = "neighbour conflict: " + to_string(claim.mac) + " on " + interface_name(claim.interface) +
                       (claim.is_probe ? " probes for " : " claims ") + to_string(claim.address) +
                       ", which is an address of this node";
    if (reaction.repeated > 1) text += " (" + std::to_string(reaction.repeated) + " times since the last line)";
    host_->log().change(LogLevel::warning, text);  // limited by ConflictMonitor, which counts the rest
  }
  if (!reaction.defend) return;
  const OwnAddress* own = host_->forwarding().find_address(claim.address, claim.interface, claim.vlan);
  if (own == nullptr) return;
  const MacAddress mac = mac_for(host_->forwarding(), claim.interface, *own);
  announce({{{claim.interface, mac, claim.address, own->scope, false, claim.vlan}, AnnouncementKind::announce}}, now);
}

void ArpModule::perform(const CacheActions& actions, Time now) {
  for (const CacheAction& action : actions) {
    std::visit(Overloaded{[&](const PublishEntry& publish) { host_->bus().publish(publish.entry); },
                          [&](const EraseEntry& erased) {
                            NeighborEntry entry;
                            entry.network = erased.key.network;
                            entry.address = erased.key.address;
                            host_->bus().erase<NeighborEntry>(entry.key());
                          },
                          [&](const Solicit& what) { solicit(what, now); }},
               action);
  }
}

void ArpModule::solicit(const Solicit& what, Time now) {
  const ForwardingState& node = host_->forwarding();
  const NetworkView* network = node.network(what.key.network);
  if (network == nullptr) return;
  const auto ask = [&](InterfaceId interface, std::optional<MacAddress> known_mac) {
    const auto frame = solicitation_frame(node, what.key, interface, known_mac);
    if (!frame.has_value()) return;
    send(interface, network->vlan, *frame, now);
    host_->count(counters_.solicitations);
  };
  if (what.place.interface != 0) return ask(what.place.interface, what.place.mac);
  for (const InterfaceId interface : network->interfaces) {
    if (up_.contains(interface)) ask(interface, std::nullopt);
  }
}

void ArpModule::announce(const std::vector<AnnounceAction>& actions, Time now) {
  for (const AnnounceAction& action : actions) {
    const Announcement& what = action.what;
    send(what.interface, what.vlan, announcement_frame(action, host_->forwarding().ip_forwarding()), now);
    host_->count(counters_.announcements);
  }
}

void ArpModule::report(const std::vector<MembershipReport>& reports) {
  for (const MembershipReport& one : reports) {
    const auto frame = report_frame(host_->forwarding(), one);
    if (!frame.has_value()) continue;
    host_->transmit(one.interface, one.vlan, *frame);
    host_->count(counters_.reports);
  }
}

void ArpModule::send(InterfaceId interface, VlanId vlan, const Frame& frame, Time now) {
  host_->transmit(interface, vlan, frame);
  announcer_.sent(interface, vlan, reinterpret_cast<const wire::EthernetHeader*>(frame.data())->source, now);
}

void ArpModule::stop(Time now) { report(membership_.leave_all(now)); }

std::string ArpModule::interface_name(InterfaceId interface) const {
  const InterfaceView* view = host_->forwarding().interface(interface);
  return "interface " + std::to_string(interface) + (view == nullptr ? "" : " (" + view->name + ")");
}

}  // namespace trivet::arp
