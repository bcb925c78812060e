// The chain: the modules of the modules line in their order, as one worker runs them over a batch.
//
// Thread: worker. A chain is immutable; a reload makes another and swaps it in between two batches. Modules' Worker
// objects and their counts are not the chain's: they survive it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "trivet/batch.h"
#include "trivet/module.h"
#include "trivet/packet.h"
#include "trivet/setup.h"

namespace trivet::core {

// Number of a module within a node, given by the node: the same across reloads, below max_modules.
using ModuleId = std::uint16_t;
inline constexpr std::size_t max_modules = 64;

struct ChainEntry {
  ModuleId module = 0;
  PacketClass classes;       // what it asked for in Setup::wants()
  Worker* worker = nullptr;  // of this forwarding worker; lives longer than the chain
  PuntUrgency urgency = PuntUrgency::normal;
  const Steering* steering = nullptr;  // lives as long as `worker`
};

// What one worker's packets met in one module. Written by the worker, read by any thread.
struct ModuleCounts {
  static constexpr std::size_t kinds = 7;  // Verdict::Kind
  std::atomic<std::uint64_t> batches{0};
  std::atomic<std::uint64_t> packets{0};
  std::array<std::atomic<std::uint64_t>, kinds> decisions{};  // by kind; [next]: passed on
};

class Chain {
 public:
  // What became of a batch: for each packet the verdict and who gave it. What has no decision is kind next.
  struct Outcome {
    std::array<Verdict, Batch::capacity> verdicts{};
    std::array<std::uint8_t, Batch::capacity> entries{};  // index into entries() of the module that decided
  };

  // `counts`: one for each ModuleId, the worker's.
  Chain(std::vector<ChainEntry> entries, std::array<ModuleCounts, max_modules>& counts);

  // Shows the batch to each module that asked for one of its packets. A module's verdicts count only for the packets
  // that were pending for it; what it sets elsewhere is ignored.
  void run(Batch& batch, Outcome& outcome) noexcept;
  void tick(Time now) noexcept;
  [[nodiscard]] const std::vector<ChainEntry>& entries() const { return entries_; }

 private:
  // After the call of a module: its verdicts on its pending packets into `outcome`. Returns those it has decided.
  std::uint64_t collect(Batch& batch, std::size_t entry, std::uint64_t pending, Outcome& outcome) noexcept;

  std::vector<ChainEntry> entries_;
  std::array<ModuleCounts, max_modules>* counts_;
};

}  // namespace trivet::core
