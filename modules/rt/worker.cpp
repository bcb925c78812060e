#include "rt/worker.h"

#include "trivet/forwarding.h"

namespace trivet::rt {
namespace {

bool is_link_local(const Ipv4Address& address) { return address.bytes[0] == 169 && address.bytes[1] == 254; }
bool is_link_local(const Ipv6Address& address) { return address.is_link_local(); }

// 240.0.0.0/4 (RFC 1112 section 4) with the limited broadcast.
bool is_reserved(const Ipv4Address& address) { return address.bytes[0] >= 240; }
bool is_reserved(const Ipv6Address&) { return false; }

template <class Address>
bool is_link_local_pair(const Address& source, const Address& destination) {
  return is_link_local(source) || is_link_local(destination);
}

template <class Address>
bool is_bad_source(const Address& source) {
  return source.is_unspecified() || source.is_multicast() || source.is_loopback() || is_reserved(source);
}

template <class Address>
bool is_nowhere(const Address& destination) {
  return destination.is_unspecified() || destination.is_loopback() || is_reserved(destination);
}

}  // namespace

void RouterWorker::process(Batch& batch) noexcept {
  std::uint64_t routed = 0;
  for (const std::size_t i : batch.pending()) {
    const Verdict verdict = decide(batch.packet(i), batch.forwarding());
    batch.decide(i, verdict);
    if (verdict.kind() == Verdict::Kind::forward) ++routed;
  }
  if (routed != 0) context_.counters().add(handles_.routed, routed);
}

Verdict RouterWorker::decide(const Packet& packet, const ForwardingState& forwarding) const noexcept {
  // Groups are not routed here, but a module further down the line may want them.
  if (packet.is(packet_class::multicast)) return Verdict::next();
  if (packet.is(packet_class::own | packet_class::virtual_ip)) return drop(Refusal::own_address);
  if (!forwarding.ip_forwarding()) return drop(Refusal::forwarding_off);
  if (packet.is(packet_class::ipv4)) {
    const Ipv4Address& source = packet.ipv4().source;
    const Ipv4Address& destination = packet.ipv4().destination;
    if (is_bad_source(source)) return drop(Refusal::bad_source);
    if (is_nowhere(destination)) return drop(Refusal::not_routable);
    if (is_link_local_pair(source, destination)) return drop(Refusal::link_local);
    if (forwarding.is_directed_broadcast(destination)) return drop(Refusal::directed_broadcast);
    if (forwarding.find_address(source) != nullptr) return drop(Refusal::own_source);
  } else {
    const Ipv6Address& source = packet.ipv6().source;
    const Ipv6Address& destination = packet.ipv6().destination;
    if (is_bad_source(source)) return drop(Refusal::bad_source);
    if (is_nowhere(destination)) return drop(Refusal::not_routable);
    if (is_link_local_pair(source, destination)) return drop(Refusal::link_local);
    // A packet of ours that comes back, or a forgery: neither goes any further. Above likewise.
    if (forwarding.find_address(source) != nullptr) return drop(Refusal::own_source);
  }
  return Verdict::forward();
}

}  // namespace trivet::rt
