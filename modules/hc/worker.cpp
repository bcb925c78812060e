#include "hc/worker.h"

#include <algorithm>
#include <optional>

#include "hc/probe.h"
#include "hc/wire.h"

namespace trivet::hc {
namespace {

bool is_echo_reply(const Packet& packet) noexcept {
  return packet.icmp().type ==
         (packet.is(packet_class::ipv4) ? trivet::wire::icmp_type::echo_reply : trivet::wire::icmpv6_type::echo_reply);
}

// An ICMP error may come from any router, so what counts is the probe that it quotes.
bool quotes_probe(const Packet& packet, const Probed& probed) noexcept {
  const Family family = packet.is(packet_class::ipv4) ? Family::ipv4 : Family::ipv6;
  const std::optional<ErrorAnswer> error = wire::parse_icmp_error(family, packet.l4_bytes());
  if (!error || error->quoted.source != packet.destination() || !probed.addresses.contains(error->quoted.destination)) {
    return false;
  }
  return error->type == ProbeType::echo ? error->quoted.echo_id == probed.echo_id
                                        : is_local_port(error->quoted.local_port);
}

bool is_ours(const Packet& packet, const Probed& probed) noexcept {
  if (packet.is(packet_class::tcp)) {
    return is_local_port(packet.tcp().destination_port) && probed.addresses.contains(packet.source());
  }
  if (packet.is(packet_class::udp)) {
    return is_local_port(packet.udp().destination_port) && probed.addresses.contains(packet.source());
  }
  if (is_echo_reply(packet)) {
    return packet.icmp().echo_id() == probed.echo_id && probed.addresses.contains(packet.source());
  }
  return quotes_probe(packet, probed);
}

}  // namespace

bool PuntLimit::take(Time now) noexcept {
  const auto earned = (now - refilled_) / gap;
  if (earned > 0) {
    tokens_ =
        static_cast<std::uint32_t>(std::min<Duration::rep>(burst, tokens_ + std::min<Duration::rep>(burst, earned)));
    refilled_ += earned * gap;
  }
  if (tokens_ == 0) {
    return false;
  }
  --tokens_;
  return true;
}

Verdict AnswerWorker::on_packet(Packet& packet, Batch& batch) noexcept {
  constexpr PacketClass protocols = packet_class::tcp | packet_class::udp | packet_class::icmp | packet_class::icmpv6;
  if (!packet.is(packet_class::own) || !packet.is(protocols) || packet.is(packet_class::fragment)) {
    return Verdict::next();
  }
  if (!is_ours(packet, probed_.get())) {
    return Verdict::next();
  }
  return limit_.take(batch.now()) ? Verdict::punt() : Verdict::drop(flood_);
}

}  // namespace trivet::hc
