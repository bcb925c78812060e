#include "arp/frames.h"

#include "trivet/wire/ethernet.h"
#include "trivet/wire/igmp.h"
#include "trivet/wire/mld.h"

namespace trivet::arp {

namespace {

Frame arp_question(const ForwardingState& node, const NetworkView& network, const InterfaceView& interface,
                   const Ipv4Address& target, std::optional<MacAddress> known_mac) {
  if (network.real4.has_value()) {
    return wire::arp_request_frame(interface.mac, *network.real4, target, known_mac);
  }
  if (network.virt4.has_value() && node.is_master()) {
    return wire::arp_request_frame(node.router_mac(interface.number, Family::ipv4), *network.virt4, target, known_mac);
  }
  return wire::arp_request_frame(interface.mac, Ipv4Address{}, target, known_mac);
}

Frame nd_question(const NetworkView& network, const InterfaceView& interface, const Ipv6Address& target,
                  std::optional<MacAddress> known_mac) {
  const bool from_real = network.real6.has_value() && !target.is_link_local();
  const Ipv6Address source = from_real ? *network.real6 : link_local_address(interface.mac);
  if (known_mac.has_value()) return wire::neighbor_probe_frame(interface.mac, source, target, *known_mac);
  return wire::neighbor_solicitation_frame(interface.mac, source, target);
}

Ipv4Address igmp_source(const ForwardingState& node, const InterfaceView& interface, VlanId vlan) {
  for (const NetworkId number : interface.networks) {
    const NetworkView* network = node.network(number);
    if (network != nullptr && network->vlan == vlan && network->real4.has_value()) return *network->real4;
  }
  return {};
}

Frame mld_packet(const MembershipReport& report, const Ipv6Address& source) {
  if (report.version == MembershipVersion::older) {
    const ReportedGroup& only = report.groups.front();
    return wire::mld_report1_packet(source, {only.record == MembershipRecord::leaves, only.group.v6()});
  }
  std::vector<wire::MldRecord> records;
  for (const ReportedGroup& group : report.groups) {
    wire::MldRecord record;
    record.type = group.record == MembershipRecord::joins    ? wire::MldRecordType::to_exclude
                  : group.record == MembershipRecord::leaves ? wire::MldRecordType::to_include
                                                             : wire::MldRecordType::is_exclude;
    record.group = group.group.v6();
    records.push_back(record);
  }
  return wire::mld_report2_packet(source, records);
}

Frame igmp_packet(const MembershipReport& report, const Ipv4Address& source) {
  if (report.version == MembershipVersion::older) {
    const ReportedGroup& only = report.groups.front();
    const auto kind =
        only.record == MembershipRecord::leaves ? wire::IgmpReportKind::leave : wire::IgmpReportKind::report2;
    return wire::igmp_report_packet(source, {kind, only.group.v4()});
  }
  std::vector<wire::IgmpRecord> records;
  for (const ReportedGroup& group : report.groups) {
    wire::IgmpRecord record;
    record.type = group.record == MembershipRecord::joins    ? wire::IgmpRecordType::to_exclude
                  : group.record == MembershipRecord::leaves ? wire::IgmpRecordType::to_include
                                                             : wire::IgmpRecordType::is_exclude;
    record.group = group.group.v4();
    records.push_back(record);
  }
  return wire::igmp_report3_packet(source, records);
}

}  // namespace

Frame answer_frame(const Answer& answer, bool router) {
  if (answer.address.is_v4()) {
    wire::ArpValues reply;
    reply.operation = wire::ArpOperation::reply;
    reply.sender_mac = answer.mac;
    reply.sender = answer.address.v4();
    reply.target_mac = answer.to_mac;
    reply.target = answer.to.v4();
    return wire::arp_frame(answer.to_mac, reply);
  }
  wire::NeighborAdvertisement advertisement;
  advertisement.target = answer.address.v6();
  advertisement.router = router;
  advertisement.solicited = answer.solicited;
  advertisement.override_entry = true;
  advertisement.target_mac = answer.mac;
  const auto packet = wire::neighbor_advertisement_packet(answer.address.v6(), answer.to.v6(), advertisement);
  return wire::ip_frame(answer.to_mac, answer.mac, packet);
}

Frame announcement_frame(const AnnounceAction& action, bool router) {
  const Announcement& what = action.what;
  if (what.address.is_v4()) {
    return action.kind == AnnouncementKind::probe ? wire::arp_probe_frame(what.mac, what.address.v4())
                                                  : wire::arp_announcement_frame(what.mac, what.address.v4());
  }
  const Ipv6Address address = what.address.v6();
  if (action.kind == AnnouncementKind::announce) {
    return wire::unsolicited_advertisement_frame(what.mac, address, router);
  }
  wire::NeighborSolicitation probe;
  probe.target = address;
  return wire::ip_group_frame(what.mac,
                              wire::neighbor_solicitation_packet(Ipv6Address{}, solicited_node_group(address), probe));
}

std::optional<Frame> solicitation_frame(const ForwardingState& node, const NeighborKey& key, InterfaceId interface,
                                        std::optional<MacAddress> known_mac) {
  const NetworkView* network = node.network(key.network);
  const InterfaceView* view = node.interface(interface);
  if (network == nullptr || view == nullptr) return std::nullopt;
  if (key.address.is_v4()) return arp_question(node, *network, *view, key.address.v4(), known_mac);
  return nd_question(*network, *view, key.address.v6(), known_mac);
}

std::optional<Frame> report_frame(const ForwardingState& node, const MembershipReport& report) {
  const InterfaceView* view = node.interface(report.interface);
  if (view == nullptr || report.groups.empty()) return std::nullopt;
  const Frame packet = report.family == Family::ipv6 ? mld_packet(report, link_local_address(view->mac))
                                                     : igmp_packet(report, igmp_source(node, *view, report.vlan));
  return wire::ip_group_frame(view->mac, packet);
}

}  // namespace trivet::arp
