// Data path of the router: which packets that nobody else took are passed on between the networks.
//
// Thread: the forwarding worker. Decides only; hop limit, MTU, next hop and ICMP errors are the core's egress.
#pragma once

#include <array>
#include <cstdint>

#include "trivet/module.h"

namespace trivet::rt {

// Why a packet is not routed. RFC 1812 section 5.3, RFC 4291 section 2.5, RFC 2644.
enum class Refusal : std::uint8_t {
  own_address,         // to an address of this node that no module took it for
  forwarding_off,      // set ipforwarding 0
  own_source,          // from the network, but with an address of this node as source
  bad_source,          // a source that no host can have
  link_local,          // scope of one link, either end
  directed_broadcast,  // to all hosts of a connected IPv4 network
  not_routable,        // a destination that is nowhere: unspecified, loopback, IPv4 class E
  count
};

struct Handles {
  std::array<DropReason, static_cast<std::size_t>(Refusal::count)> drops{};
  Counter routed;
};

class RouterWorker final : public Worker {
 public:
  RouterWorker(WorkerContext& context, const Handles& handles) : context_(context), handles_(handles) {}
  void process(Batch& batch) noexcept override;

 private:
  [[nodiscard]] Verdict decide(const Packet& packet, const ForwardingState& forwarding) const noexcept;
  [[nodiscard]] Verdict drop(Refusal reason) const noexcept {
    return Verdict::drop(handles_.drops[static_cast<std::size_t>(reason)]);
  }

  WorkerContext& context_;
  const Handles handles_;
};

}  // namespace trivet::rt
