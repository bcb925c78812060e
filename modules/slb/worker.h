// Data path of the balancer: packets to facts, facts to the engine, actions to packets and verdicts.
//
// Thread: the forwarding worker. A batch goes through in three stages (classify and fetch buckets, fetch records,
// decide), so that its table look-ups wait for memory together.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "slb/engine.h"
#include "trivet/module.h"
#include "trivet/snapshot.h"

namespace trivet::slb {

inline constexpr std::size_t refusal_count = static_cast<std::size_t>(Refusal::session_table_full) + 1;

struct Handles {
  std::array<DropReason, refusal_count> drops{};  // by Refusal
  Counter to_targets;
  Counter to_clients;
  Counter sessions_created;
  Counter sessions_expired;
  Counter sessions_removed;
  Counter sessions_replaced;
  Counter sessions_evicted;
};

class BalancerWorker final : public Worker {
 public:
  BalancerWorker(WorkerContext& context, const Snapshot<Directory>& directory, const Handles& handles);

  void process(Batch& batch) noexcept override;
  void tick(Time now) noexcept override;

  // Gives the worker its tables. Until then it lets packets pass. On this worker's thread, once.
  void install(std::unique_ptr<Engine> engine) noexcept { engine_ = std::move(engine); }
  // With the present directory in use; for tasks that run on this worker's thread. Null before install().
  [[nodiscard]] const Engine* engine() noexcept;
  [[nodiscard]] const Directory& directory() const noexcept { return directory_.get(); }
  // Time of the last batch or tick, as the engine counts it: at most 100 ms ago.
  [[nodiscard]] std::uint32_t last_seen() const noexcept { return last_seen_; }

 private:
  // One packet of a batch between the stages.
  struct Work {
    enum class Kind : std::uint8_t { none, ipv4, ipv6 };
    Kind kind = Kind::none;
    Lookup<Ipv4Address> lookup4;
    Lookup<Ipv6Address> lookup6;
  };

  void classify(const Packet& packet, const ForwardingState& forwarding, Work& work) noexcept;
  void apply(Batch& batch, std::size_t at, const Action& action) noexcept;
  void count_changes() noexcept;

  WorkerContext& context_;
  const Snapshot<Directory>& directory_;
  const Handles handles_;
  std::unique_ptr<Engine> engine_;
  Engine::Tally counted_;
  std::uint32_t swept_at_ = 0;   // milliseconds
  std::uint32_t last_seen_ = 0;  // milliseconds
  std::array<Work, Batch::capacity> work_;
};

}  // namespace trivet::slb
