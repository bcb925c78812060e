// The data path of `vrrp`: hands advertisements of this virtual router to the control thread and drops everything else
// of IP protocol 112, each with its reason, so that junk never reaches the queue of urgent packets. Fragments and
// messages without room for the header do not come so far: the door does not give them the class.
//
// Of what is forged to look like this virtual router's only so much passes; routers that have been heard have a share
// of their own, so that a flood from made-up sources does not silence them.
//
// Thread: that worker. No allocation. The snapshot is the module's.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "trivet/metrics.h"
#include "trivet/module.h"
#include "trivet/snapshot.h"
#include "vrrp/peers.h"
#include "vrrp/wire.h"

namespace trivet::vrrp {

struct WorkerReasons {
  DropReason not_ipv4;                                   // VRRP over IPv6 (version 3) is not spoken
  DropReason wrong_destination;                          // neither 224.0.0.18 nor an own address
  std::array<DropReason, advert_error_count> malformed;  // by AdvertError
  DropReason no_router;                                  // this node has no `vrrp` section
  DropReason wrong_interface;                            // no interface of the VRRP network
  DropReason other_vrid;
  DropReason rate_limited;
};

void declare_worker(Setup& setup, WorkerReasons& reasons);

// The counters of `show vrrp` that the worker counts, beside the drop reasons.
struct WorkerCounters {
  Counter not_running;
  Counter wrong_interface;
  Counter other_vrid;
};

// Which advertisements concern this node; the control thread publishes it.
struct Admission {
  bool has_router = false;
  std::uint8_t vrid = 0;
  VlanId vlan = 0;                             // of the VRRP network
  std::bitset<max_interfaces + 1> interfaces;  // of the VRRP network
  std::size_t peer_count = 0;
  std::array<Ipv4Address, PeerTable::capacity> peers{};  // routers that have been heard
  bool operator==(const Admission&) const = default;
};

// How many advertisements reach the control thread in a window of time. A router sends one an interval (a second or
// more) on each interface, and a few more when roles change.
class AdvertLimiter {
 public:
  static constexpr Duration window = std::chrono::milliseconds(100);
  static constexpr std::size_t source_buckets = 64;
  static constexpr std::uint16_t per_source = 32;  // of the unknown routers that share a bucket
  static constexpr std::uint16_t per_peer = 8;     // of one that has been heard
  static constexpr std::uint16_t of_unknown = 64;  // of all routers not heard yet
  static constexpr std::uint16_t of_all = 192;     // less than the queue holds
  static constexpr std::size_t unknown = PeerTable::capacity;
  // Whoever is heard is heard on, whatever all others send.
  static_assert(PeerTable::capacity * per_peer + of_unknown <= of_all);

  // Counts the advertisement; false when it is one too many. `peer`: its place in Admission::peers, or `unknown`.
  [[nodiscard]] bool admit(std::size_t peer, const Ipv4Address& source, Time now) noexcept;

 private:
  std::array<std::uint16_t, PeerTable::capacity> peers_{};
  std::array<std::uint16_t, source_buckets> sources_{};
  std::uint16_t unknown_ = 0;
  std::uint16_t all_ = 0;
  Time window_end_;
};

class AdvertWorker final : public PacketWorker<AdvertWorker> {
 public:
  AdvertWorker(const WorkerReasons& reasons, const WorkerCounters& counters, CounterCells& cells,
               const Snapshot<Admission>& admission)
      : reasons_(reasons), counters_(counters), cells_(&cells), admission_(&admission) {}

  [[nodiscard]] Verdict on_packet(const Packet& packet, const Batch& batch) noexcept;

 private:
  [[nodiscard]] Verdict ignore(Counter counter, DropReason reason) noexcept {
    cells_->add(counter);
    return Verdict::drop(reason);
  }

  WorkerReasons reasons_;
  WorkerCounters counters_;
  CounterCells* cells_;
  const Snapshot<Admission>* admission_;
  AdvertLimiter limiter_;
};

}  // namespace trivet::vrrp
