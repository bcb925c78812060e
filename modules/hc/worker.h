// The packets that hc takes from the chain: answers to its probes, and ICMP errors about them.
//
// Thread: one object a worker. Everything is judged again by the engine; here it is only decided who looks at it.
#pragma once

#include <cstdint>
#include <unordered_set>

#include "trivet/module.h"
#include "trivet/net/address.h"
#include "trivet/snapshot.h"

namespace trivet::hc {

// What is being probed. Published by the module at each apply.
struct Probed {
  std::unordered_set<IpAddress> addresses;
  std::uint16_t echo_id = 0;
};

// Lets through `burst` packets at once and one more every `gap`, so that a flood of forged answers costs the control
// thread a bounded amount of work.
class PuntLimit {
 public:
  [[nodiscard]] bool take(Time now) noexcept;

  static constexpr std::uint32_t burst = 2048;
  static constexpr Duration gap = std::chrono::microseconds(100);

 private:
  std::uint32_t tokens_ = burst;
  Time refilled_;
};

class AnswerWorker : public PacketWorker<AnswerWorker> {
 public:
  AnswerWorker(const Snapshot<Probed>& probed, DropReason flood) : probed_(probed), flood_(flood) {}

  Verdict on_packet(Packet& packet, Batch& batch) noexcept;

 private:
  const Snapshot<Probed>& probed_;
  DropReason flood_;
  PuntLimit limit_;
};

}  // namespace trivet::hc
