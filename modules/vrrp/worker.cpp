#include "vrrp/worker.h"

#include <cstddef>
#include <string>

#include "trivet/setup.h"

namespace trivet::vrrp {

void declare_worker(Setup& setup, WorkerReasons& reasons) {
  setup.wants(packet_class::vrrp);
  // An advertisement that waits behind data for three seconds makes a second master.
  setup.punt_urgency(PuntUrgency::urgent);
  reasons.not_ipv4 = setup.drop_reason("not-ipv4", "VRRP over IPv6, which is not spoken");
  reasons.wrong_destination = setup.drop_reason("wrong-destination", "VRRP to neither 224.0.0.18 nor an own address");

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

Verdict AdvertWorker::on_packet(const Packet& packet, const Batch& batch) const noexcept {
  static_cast<void>(batch);
  if (!packet.is(packet_class::ipv4)) return Verdict::drop(reasons_.not_ipv4);
  const wire::Ipv4Header& ip = packet.ipv4();
  if (ip.destination != group4 && !packet.is(packet_class::own)) return Verdict::drop(reasons_.wrong_destination);
  const AdvertCheck check = check_advert(packet.l4_bytes(), ip.hop_limit);
  if (!check.ok) return Verdict::drop(reasons_.malformed[static_cast<std::size_t>(check.error)]);
  return Verdict::punt();
}

}  // namespace trivet::vrrp
