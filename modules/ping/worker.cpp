#include "ping/worker.h"

#include <algorithm>

#include "ping/echo.h"
#include "trivet/forwarding.h"

namespace trivet::ping {

namespace {

constexpr std::size_t smallest_mtu6 = 1280;
constexpr std::size_t smallest_mtu4 = 576;

Family family_of(const Packet& packet) { return packet.is(packet_class::ipv4) ? Family::ipv4 : Family::ipv6; }

// Who answers for the packet's destination: an address that is answered now, here, with echo.
bool is_answered(const Packet& packet, const ForwardingState& node) {
  const OwnAddress* own = node.find_address(packet.destination());
  if (own == nullptr || !own->answers_echo) return false;
  if (own->interface != 0 && own->interface != packet.in_interface) return false;
  return own->scope == AddressScope::own || node.is_master();
}

bool is_host(const IpAddress& address) {
  if (address.is_unspecified() || address.is_multicast()) return false;
  if (address.is_v4()) return !address.v4().is_broadcast() && !address.v4().is_loopback();
  return !address.v6().is_loopback();
}

bool is_link_local(const IpAddress& address) { return address.is_v6() && address.v6().is_link_local(); }

// The MTU of the way to `destination`: the smallest of the interfaces behind which it may be.
std::size_t mtu_towards(const ForwardingState& node, const IpAddress& destination, InterfaceId in_interface) {
  std::size_t mtu = 0;
  const auto consider = [&](InterfaceId number) {
    const InterfaceView* interface = node.interface(number);
    if (interface != nullptr) mtu = mtu == 0 ? interface->mtu : std::min<std::size_t>(mtu, interface->mtu);
  };
  const Route* route = is_link_local(destination) ? nullptr : node.find_route(destination);
  const NetworkView* network = route == nullptr ? nullptr : node.network(route->network);
  if (network == nullptr) {
    consider(in_interface);
  } else {
    for (const InterfaceId number : network->interfaces) consider(number);
  }
  return std::max(mtu, destination.is_v4() ? smallest_mtu4 : smallest_mtu6);
}

std::uint8_t traffic_class_of(const Packet& packet) {
  if (packet.is(packet_class::ipv4)) return packet.ipv4().traffic_class;
  return static_cast<std::uint8_t>(packet.ipv6().version_class_flow.value() >> 20U);
}

// The fragment's place in its packet. False: no ICMP of its family directly behind the header that cut it.
bool read_fragment(const Packet& packet, FragmentKey& key, Fragment& fragment) {
  key.source = packet.source();
  key.destination = packet.destination();
  if (packet.is(packet_class::ipv4)) {
    const wire::Ipv4Header& header = packet.ipv4();
    key.id = header.id;
    fragment.offset = header.fragment_offset();
    fragment.more = (header.flags_and_offset.value() & 0x2000U) != 0;
    fragment.bytes = packet.l3_bytes().subspan(header.header_length());
    return header.protocol == wire::ip_protocol::icmp;
  }
  if (packet.fragment_header_offset == 0) return false;
  const auto bytes = packet.frame().subspan(packet.fragment_header_offset);
  const auto& header = *reinterpret_cast<const wire::Ipv6FragmentHeader*>(bytes.data());
  key.id = header.id;
  fragment.offset = header.offset();
  fragment.more = header.more();
  fragment.bytes = bytes.subspan(sizeof header);
  return header.next_header == wire::ip_protocol::icmpv6;
}

}  // namespace

PingWorker::PingWorker(WorkerContext& context, const Snapshot<Config>& config, std::size_t worker_count,
                       const DropReasons& reasons, const Counters& counters)
    : context_(context),
      config_(config),
      worker_count_(static_cast<std::uint32_t>(std::max<std::size_t>(worker_count, 1))),
      reasons_(reasons),
      counters_(counters),
      limit_(std::max(config.get().answers_per_second / worker_count_, 1U)) {}

Verdict PingWorker::on_packet(Packet& packet, Batch& batch) noexcept {
  if (!packet.is(packet_class::own | packet_class::virtual_ip)) return Verdict::next();
  if (!packet.is(packet_class::ipv4 | packet_class::ipv6)) return Verdict::next();
  if (packet.is(packet_class::fragment)) return on_fragment(packet, batch);
  return on_request(packet, batch);
}

Verdict PingWorker::on_request(Packet& packet, const Batch& batch) noexcept {
  const Family family = family_of(packet);
  if (!packet.is(packet_class::icmp | packet_class::icmpv6)) return Verdict::next();
  if (!is_echo_request(family, packet.l4_bytes())) return Verdict::next();
  const ForwardingState& node = batch.forwarding();
  if (!is_answered(packet, node)) return Verdict::next();
  if (const Verdict refused = admit(packet, node); refused != Verdict::next()) return refused;
  if (!within_limit(batch.now())) return Verdict::drop(reasons_.rate_limited);
  if (!l4_checksum_ok(packet)) return Verdict::drop(reasons_.bad_checksum);

  turn_around(packet);
  const std::size_t mtu = family == Family::ipv6 ? mtu_towards(node, packet.destination(), packet.in_interface) : 0;
  if (family == Family::ipv6 && packet.l3_bytes().size() > mtu) {
    // Only the source may cut IPv6. The message is a reply already, so the sides are as they will be sent.
    const auto id = static_cast<std::uint32_t>(context_.random()());
    const Piece shape{packet.source(), packet.destination(), traffic_class_of(packet), id, 0, false, {}};
    return answer_in_pieces(shape, packet.l4_bytes(), mtu, packet);
  }
  if (is_link_local(packet.destination())) packet.out_interface = packet.in_interface;
  context_.counters().add(counters_.answers);
  return Verdict::originate();
}

Verdict PingWorker::on_fragment(Packet& packet, const Batch& batch) noexcept {
  FragmentKey key;
  Fragment fragment;
  const ForwardingState& node = batch.forwarding();
  if (!read_fragment(packet, key, fragment) || !is_answered(packet, node)) return Verdict::next();
  if (const Verdict refused = admit(packet, node); refused != Verdict::next()) return refused;
  if (fragment.offset == 0 && !fragment.more) {
    // RFC 6946: a packet of one fragment is a matter of its own, whatever else carries its id.
    return answer_whole(packet, batch, packet.frame().last(fragment.bytes.size()), key.id);
  }
  switch (reassembly_.add(key, fragment, batch.now())) {
    case Reassembly::Outcome::stored:
    case Reassembly::Outcome::duplicate:
      return Verdict::consumed();
    case Reassembly::Outcome::invalid:
      return Verdict::drop(reasons_.fragment_invalid);
    case Reassembly::Outcome::overlap:
      return Verdict::drop(reasons_.fragment_overlap);
    case Reassembly::Outcome::complete:
      break;
  }
  context_.counters().add(counters_.reassembled);
  return answer_whole(packet, batch, reassembly_.packet(), key.id);
}

Verdict PingWorker::answer_whole(const Packet& last, const Batch& batch, std::span<std::uint8_t> message,
                                 std::uint32_t id) noexcept {
  const Family family = family_of(last);
  if (!is_echo_request(family, message)) return Verdict::drop(reasons_.fragment_invalid);
  if (!within_limit(batch.now())) return Verdict::drop(reasons_.rate_limited);
  if (!is_checksum_right(last.source(), last.destination(), message)) return Verdict::drop(reasons_.bad_checksum);
  make_reply(family, message);
  const Piece shape{last.destination(), last.source(), traffic_class_of(last), id, 0, false, {}};
  return answer_in_pieces(shape, message, mtu_towards(batch.forwarding(), last.source(), last.in_interface), last);
}

Verdict PingWorker::answer_in_pieces(const Piece& shape, std::span<const std::uint8_t> message, std::size_t mtu,
                                     const Packet& request) noexcept {
  const Family family = shape.source.family();
  const bool fits = message.size() <= whole_size(family, mtu);
  const std::size_t largest = fits ? message.size() : piece_size(family, mtu);
  std::size_t offset = 0;
  while (offset < message.size()) {
    Packet* const packet = context_.acquire();
    if (packet == nullptr) return Verdict::drop(reasons_.no_buffer);
    Piece piece = shape;
    const std::size_t size = std::min({largest, message.size() - offset, room_for_piece(*packet)});
    piece.offset = offset;
    piece.more = offset + size < message.size();
    piece.bytes = message.subspan(offset, size);
    if (!write_piece(*packet, piece)) {
      context_.hand_over(packet, Verdict::drop(reasons_.no_buffer));
      return Verdict::drop(reasons_.no_buffer);
    }
    packet->in_interface = request.in_interface;
    packet->network = request.network;
    if (is_link_local(shape.destination)) packet->out_interface = request.in_interface;
    context_.hand_over(packet, Verdict::originate());
    offset += size;
  }
  context_.counters().add(counters_.answers);
  return Verdict::consumed();
}

Verdict PingWorker::admit(const Packet& packet, const ForwardingState& node) noexcept {
  if (packet.ethernet().destination.is_multicast()) return Verdict::drop(reasons_.not_unicast);
  if (!is_host(packet.source()) || node.find_address(packet.source()) != nullptr) {
    return Verdict::drop(reasons_.bad_source);
  }
  return Verdict::next();
}

bool PingWorker::within_limit(Time now) noexcept {
  limit_.set(std::max(config_.get().answers_per_second / worker_count_, 1U));
  return limit_.take(now);
}

void PingWorker::tick(Time now) noexcept {
  const std::size_t incomplete = reassembly_.expire(now);
  if (incomplete != 0) context_.counters().add(counters_.reassembly_timeouts, incomplete);
}

}  // namespace trivet::ping
