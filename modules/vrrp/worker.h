// The data path of `vrrp`: hands well-formed advertisements to the control thread and drops everything else of IP
// protocol 112, each with its reason, so that junk never reaches the queue of urgent packets. Fragments and messages
// without room for the header do not come so far: the door does not give them the class.
//
// Thread: that worker. No allocation, no state.
#pragma once

#include <array>

#include "trivet/module.h"
#include "vrrp/wire.h"

namespace trivet::vrrp {

struct WorkerReasons {
  DropReason not_ipv4;                                   // VRRP over IPv6 (version 3) is not spoken
  DropReason wrong_destination;                          // neither 224.0.0.18 nor an own address
  std::array<DropReason, advert_error_count> malformed;  // by AdvertError
};

void declare_worker(Setup& setup, WorkerReasons& reasons);

class AdvertWorker final : public PacketWorker<AdvertWorker> {
 public:
  explicit AdvertWorker(const WorkerReasons& reasons) : reasons_(reasons) {}

  [[nodiscard]] Verdict on_packet(const Packet& packet, const Batch& batch) const noexcept;

 private:
  WorkerReasons reasons_;
};

}  // namespace trivet::vrrp
