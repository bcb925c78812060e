#include "arp/worker.h"

#include "arp/responder.h"
#include "trivet/forwarding.h"
#include "trivet/net/hash.h"
#include "trivet/wire/arp.h"
#include "trivet/wire/nd.h"

namespace trivet::arp {

namespace {

constexpr std::uint8_t igmp_query_type = 0x11;
constexpr std::uint8_t membership_hop_limit = 1;

wire::NdContext context_of(const Packet& packet) {
  return {packet.ipv6().source, packet.ipv6().destination, packet.ipv6().hop_limit};
}

// Discovery that is addressed to another host is that host's: it only passes through.
bool ends_here(const Packet& packet) {
  return packet.is(packet_class::multicast | packet_class::own | packet_class::virtual_ip);
}

}  // namespace

bool PuntLimiter::admit(Kind kind, InterfaceId interface, const MacAddress& source, Time now) noexcept {
  if (now >= window_end_) {
    interfaces_ = {};
    sources_ = {};
    window_end_ = now + window;
  }
  if (interface > max_interfaces) return false;
  const auto index = static_cast<std::size_t>(kind);
  std::uint16_t& of_interface = interfaces_[interface][index];
  std::uint16_t& of_source = sources_[hash_bytes(source.bytes) % source_buckets];
  if (of_interface >= per_interface[index] || of_source >= per_source) return false;
  ++of_interface;
  ++of_source;
  return true;
}

Verdict ArpWorker::on_packet(Packet& packet, Batch& batch) noexcept {
  if (packet.is(packet_class::arp)) return on_arp(packet, batch);
  if (packet.is(packet_class::igmp)) return on_query(packet, batch);
  // A later fragment has no type to look at, and discovery in fragments is void (RFC 6980).
  if (packet.l4_offset == 0) return Verdict::next();
  if (packet.is(packet_class::mld)) return on_query(packet, batch);
  if (!packet.is(packet_class::nd) || !ends_here(packet)) return Verdict::next();
  if (packet.icmp().type == wire::icmpv6_type::neighbor_solicitation) return on_solicitation(packet, batch);
  if (packet.icmp().type == wire::icmpv6_type::neighbor_advertisement) return on_advertisement(packet, batch);
  return Verdict::next();
}

Verdict ArpWorker::on_arp(const Packet& packet, const Batch& batch) noexcept {
  const auto heard = wire::parse_arp(packet.l3_bytes());
  if (!heard.has_value()) return Verdict::drop(reasons_.arp_malformed);
  const bool is_question = heard->operation == wire::ArpOperation::request && !heard->is_announcement();
  if (is_question) {
    const ForwardingState& node = batch.forwarding();
    const bool concerns_us = answered_address(node, packet.in_interface, packet.vlan, heard->target) != nullptr ||
                             node.find_address(heard->sender, packet.in_interface, packet.vlan) != nullptr;
    if (!concerns_us) return Verdict::drop(reasons_.arp_not_for_us);
  }
  const auto kind = is_question ? PuntLimiter::Kind::question : PuntLimiter::Kind::answer;
  const bool admitted = limiter_.admit(kind, packet.in_interface, packet.ethernet().source, batch.now());
  return admitted ? Verdict::punt() : Verdict::drop(reasons_.rate_limited);
}

Verdict ArpWorker::on_solicitation(const Packet& packet, const Batch& batch) noexcept {
  if (packet.is(packet_class::fragment)) return Verdict::drop(reasons_.nd_invalid);
  const auto heard = wire::parse_neighbor_solicitation(context_of(packet), packet.l4_bytes());
  if (!heard.has_value()) return Verdict::drop(reasons_.nd_invalid);
  const ForwardingState& node = batch.forwarding();
  const bool concerns_us = answered_address(node, packet.in_interface, packet.vlan, heard->target) != nullptr ||
                           node.find_address(packet.ipv6().source, packet.in_interface, packet.vlan) != nullptr;
  if (!concerns_us) return Verdict::drop(reasons_.nd_not_for_us);
  return punt(PuntLimiter::Kind::question, packet, reasons_.nd_invalid, batch.now());
}

Verdict ArpWorker::on_advertisement(const Packet& packet, const Batch& batch) noexcept {
  if (packet.is(packet_class::fragment)) return Verdict::drop(reasons_.nd_invalid);
  const auto heard = wire::parse_neighbor_advertisement(context_of(packet), packet.l4_bytes());
  if (!heard.has_value()) return Verdict::drop(reasons_.nd_invalid);
  return punt(PuntLimiter::Kind::answer, packet, reasons_.nd_invalid, batch.now());
}

// RFC 3810 section 6.2: a query has hop limit 1, a link-local source and the router alert option, else it is void.
Verdict ArpWorker::on_query(const Packet& packet, const Batch& batch) noexcept {
  const bool is_mld = packet.is(packet_class::mld);
  const auto message = packet.l4_bytes();
  if (message.empty()) return Verdict::next();
  if (message[0] != (is_mld ? wire::icmpv6_type::mld_query : igmp_query_type)) return Verdict::next();
  bool valid = packet.hop_limit() == membership_hop_limit && !packet.is(packet_class::fragment);
  if (is_mld) {
    const wire::Ipv6Header& header = packet.ipv6();
    valid = valid && header.source.is_link_local() && header.next_header == wire::ip_protocol::hop_by_hop;
  }
  if (!valid) return Verdict::drop(reasons_.query_invalid);
  return punt(PuntLimiter::Kind::query, packet, reasons_.query_invalid, batch.now());
}

Verdict ArpWorker::punt(PuntLimiter::Kind kind, const Packet& packet, DropReason invalid, Time now) noexcept {
  if (!limiter_.admit(kind, packet.in_interface, packet.ethernet().source, now)) {
    return Verdict::drop(reasons_.rate_limited);
  }
  return l4_checksum_ok(packet) ? Verdict::punt() : Verdict::drop(invalid);
}

}  // namespace trivet::arp
