#include "vrrp/worker.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "trivet/net/hash.h"
#include "trivet/setup.h"

namespace trivet::vrrp {

void declare_worker(Setup& setup, WorkerReasons& reasons) {
  setup.wants(packet_class::vrrp);
  // An advertisement that waits behind data for three seconds makes a second master.
  setup.punt_urgency(PuntUrgency::urgent);
  reasons.not_ipv4 = setup.drop_reason("not-ipv4", "VRRP over IPv6, which is not spoken");
  reasons.wrong_destination = setup.drop_reason("wrong-destination", "VRRP to neither 224.0.0.18 nor an own address");

  reasons.no_router = setup.drop_reason("no-router", "this node has no vrrp section");
  reasons.wrong_interface =
      setup.drop_reason("wrong-interface", "came in outside the VRRP network: on another interface or VLAN");
  reasons.other_vrid = setup.drop_reason("other-vrid", "of another virtual router");
  reasons.rate_limited = setup.drop_reason("rate-limited", "more advertisements than are looked at");

  struct Explained {
    AdvertError error;
    const char* help;
  };
  constexpr std::array<Explained, advert_error_count> list{{
      {AdvertError::hop_limit, "hop limit is not 255: not from this link"},
      {AdvertError::too_short, "no room for the VRRP header"},
      {AdvertError::version, "not VRRP version 2"},
      {AdvertError::type, "not an advertisement"},
      {AdvertError::length, "length does not fit the number of addresses"},
      {AdvertError::checksum, "wrong VRRP checksum"},
      {AdvertError::authentication, "authentication type is not 0"},
  }};
  for (const Explained& item : list) {
    reasons.malformed.at(static_cast<std::size_t>(item.error)) =
        setup.drop_reason(std::string(to_string(item.error)), item.help);
  }
}

bool AdvertLimiter::admit(std::size_t peer, const Ipv4Address& source, Time now) noexcept {
  if (now >= window_end_) {
    *this = {};
    window_end_ = now + window;
  }
  const bool is_unknown = peer >= unknown;
  std::uint16_t& of_source = is_unknown ? sources_[hash_bytes(source.bytes) % source_buckets] : peers_[peer];
  const std::uint16_t limit = is_unknown ? per_source : per_peer;
  if (all_ >= of_all || of_source >= limit || (is_unknown && unknown_ >= of_unknown)) return false;
  ++all_;
  ++of_source;
  if (is_unknown) ++unknown_;
  return true;
}

Verdict AdvertWorker::on_packet(const Packet& packet, const Batch& batch) noexcept {
  if (!packet.is(packet_class::ipv4)) return Verdict::drop(reasons_.not_ipv4);
  const wire::Ipv4Header& ip = packet.ipv4();
  if (ip.destination != group4 && !packet.is(packet_class::own)) return Verdict::drop(reasons_.wrong_destination);
  const auto message = packet.l4_bytes();
  const AdvertCheck check = check_advert(message, ip.hop_limit);
  if (!check.ok) return Verdict::drop(reasons_.malformed[static_cast<std::size_t>(check.error)]);

  const Admission& admission = admission_->get();
  if (!admission.has_router) return ignore(counters_.not_running, reasons_.no_router);
  if (packet.in_interface > max_interfaces || !admission.interfaces[packet.in_interface] ||
      packet.vlan != admission.vlan) {
    return ignore(counters_.wrong_interface, reasons_.wrong_interface);
  }
  if (vrid_of(message) != admission.vrid) return ignore(counters_.other_vrid, reasons_.other_vrid);
  const auto known = std::find(admission.peers.begin(), admission.peers.begin() + admission.peer_count, ip.source);
  const auto peer = known == admission.peers.begin() + admission.peer_count
                        ? AdvertLimiter::unknown
                        : static_cast<std::size_t>(known - admission.peers.begin());
  return limiter_.admit(peer, ip.source, batch.now()) ? Verdict::punt() : Verdict::drop(reasons_.rate_limited);
}

}  // namespace trivet::vrrp
