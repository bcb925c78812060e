// Fuzzes the parsers of ARP, neighbour discovery, MLD, IGMP, ICMP errors and quoted packets. The first byte chooses the
// parser, the second the context. What a parser accepts and a builder writes must be read as the same values.
//
// Links: trivet_sdk
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "trivet/wire/arp.h"
#include "trivet/wire/icmp.h"
#include "trivet/wire/igmp.h"
#include "trivet/wire/mld.h"
#include "trivet/wire/nd.h"

namespace {

using namespace trivet::wire;  // NOLINT(google-build-using-namespace)
using trivet::Family;
using trivet::Ipv6Address;
using Message = std::span<const std::uint8_t>;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::size_t ipv6_size = 40;
constexpr std::size_t ipv6_alert_size = 48;
constexpr std::size_t ipv4_alert_size = 24;
const Ipv6Address link_local{{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

NdContext context_of(std::uint8_t choice, Message message) {
  NdContext context{link_local, link_local, static_cast<std::uint8_t>((choice & 1U) != 0 ? 64 : 255)};
  if ((choice & 2U) != 0) context.source = {};
  if ((choice & 4U) != 0 && message.size() >= 24) {
    Ipv6Address target;
    for (std::size_t i = 0; i < 16; ++i) target.bytes[i] = message[8 + i];
    context.destination = trivet::solicited_node_group(target);
  }
  return context;
}

void arp(Message message) {
  if (const auto values = parse_arp(message)) require(parse_arp(arp_payload(*values)) == values);
}

void neighbor_discovery(const NdContext& context, Message message) {
  if (const auto values = parse_neighbor_solicitation(context, message)) {
    const auto packet = neighbor_solicitation_packet(context.source, context.destination, *values);
    require(parse_neighbor_solicitation(context, Message(packet).subspan(ipv6_size)) == values);
  }
  if (const auto values = parse_neighbor_advertisement(context, message)) {
    const auto packet = neighbor_advertisement_packet(context.source, context.destination, *values);
    require(parse_neighbor_advertisement(context, Message(packet).subspan(ipv6_size)) == values);
  }
  if (const auto values = parse_router_solicitation(context, message)) {
    const auto packet = router_solicitation_packet(context.source, context.destination, *values);
    require(parse_router_solicitation(context, Message(packet).subspan(ipv6_size)) == values);
  }
  if (const auto values = parse_router_advertisement(context, message)) require(values->prefixes.size() <= 16);
  static_cast<void>(parse_redirect(context, message));
}

void listener_discovery(Message message) {
  if (const auto values = parse_mld_query(message)) {
    const auto packet = mld_query_packet(link_local, *values);
    const auto again = parse_mld_query(Message(packet).subspan(ipv6_alert_size));
    require(again == values);
  }
  if (const auto values = parse_mld_report1(message)) {
    const auto packet = mld_report1_packet(link_local, *values);
    require(parse_mld_report1(Message(packet).subspan(ipv6_alert_size)) == values);
  }
  if (const auto values = parse_mld_report2(message)) {
    const auto packet = mld_report2_packet(link_local, *values);
    require(parse_mld_report2(Message(packet).subspan(ipv6_alert_size)) == values);
  }
}

void groups(Message message) {
  const trivet::Ipv4Address source{{10, 0, 0, 1}};
  if (const auto values = parse_igmp_query(message); values && values->version >= 2) {
    const auto packet = igmp_query_packet(source, *values);
    require(parse_igmp_query(Message(packet).subspan(ipv4_alert_size)) == values);
  }
  if (const auto values = parse_igmp_report(message); values && values->kind != IgmpReportKind::report1) {
    const auto packet = igmp_report_packet(source, *values);
    require(parse_igmp_report(Message(packet).subspan(ipv4_alert_size)) == values);
  }
  if (const auto values = parse_igmp_report3(message)) {
    const auto packet = igmp_report3_packet(source, *values);
    require(parse_igmp_report3(Message(packet).subspan(ipv4_alert_size)) == values);
  }
}

void errors(Family family, Message message) {
  if (const auto error = parse_icmp_error(family, message)) {
    require(error->quoted.size() + sizeof(IcmpHeader) == message.size());
    require(error->packet.source.family() == family);
  }
  static_cast<void>(parse_echo(family, message));
  for (unsigned i = 0; i < 6; ++i) {
    const auto kind = static_cast<IcmpError>(i);
    if (!may_answer_with_error(message, kind)) continue;
    const auto quoted = parse_quoted(message);
    require(quoted.has_value());
    const trivet::IpAddress source =
        quoted->source.is_v4() ? trivet::IpAddress{trivet::Ipv4Address{{10, 0, 0, 1}}} : trivet::IpAddress{link_local};
    const auto packet = icmp_error_packet(source, kind, 1400, message);
    const std::size_t header = source.is_v4() ? 20 : 40;
    require(parse_icmp_error(source.family(), Message(packet).subspan(header)).has_value());
    // An error about an error must never be allowed, or two nodes would answer each other for ever.
    require(!may_answer_with_error(packet, kind));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 9000) return 0;
  const std::vector<std::uint8_t> exact(data + 2, data + size);
  const Message message(exact);
  switch (data[0] % 5) {
    case 0:
      arp(message);
      break;
    case 1:
      neighbor_discovery(context_of(data[1], message), message);
      break;
    case 2:
      listener_discovery(message);
      break;
    case 3:
      groups(message);
      break;
    default:
      errors((data[1] & 1U) != 0 ? Family::ipv4 : Family::ipv6, message);
      break;
  }
  return 0;
}
