// What one module's Worker on one forwarding worker is given: see WorkerContext.
//
// Thread: worker; constructed by the control thread. Buffers that a module acquires are on a short list until it hands
// them over; what is left on it after a call into the module is taken back and counted, so that a module can neither
// lose a buffer nor hand one over twice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/metrics/registry.h"
#include "core/pipeline/chain.h"
#include "core/pipeline/channel.h"
#include "core/pipeline/core_reasons.h"
#include "core/pipeline/egress.h"
#include "core/pipeline/packet_pool.h"
#include "trivet/module.h"
#include "trivet/random.h"

namespace trivet::core {

class ModuleContext final : public WorkerContext {
 public:
  static constexpr std::size_t max_outstanding = 64;

  // All references live longer.
  struct Surroundings {
    ThreadCells& cells;
    Channel& channel;
    PacketPool& pool;
    Egress& egress;
    const CoreReasons& reasons;
  };
  ModuleContext(std::size_t worker_number, ModuleId module, std::uint64_t seed, Surroundings surroundings)
      : number_(worker_number), module_(module), random_(seed), around_(surroundings) {}

  [[nodiscard]] std::size_t number() const override { return number_; }
  [[nodiscard]] CounterCells& counters() override { return around_.cells.counters; }
  [[nodiscard]] Random& random() override { return random_; }
  bool post(const WorkerMessage& message) noexcept override { return around_.channel.post(module_, message); }
  // Null also when max_outstanding buffers have not been handed over.
  Packet* acquire() noexcept override;
  // Carried out at once. Verdicts of other kinds than transmit, forward, originate and drop are dropped and counted, as
  // invalid; a packet that was not acquired here is ignored.
  void hand_over(Packet* packet, Verdict verdict) noexcept override;

  // After each call into the module.
  void take_back() noexcept;

 private:
  std::size_t number_;
  ModuleId module_;
  Random random_;
  Surroundings around_;
  std::array<Packet*, max_outstanding> outstanding_{};
  std::size_t outstanding_count_ = 0;
};

}  // namespace trivet::core
