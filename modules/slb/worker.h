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

  [[gnu::flatten]] void process(Batch& batch) noexcept override;
  void tick(Time now) noexcept override;

  // Gives the worker its tables. Until then it lets packets pass. On this worker's thread, once.
  void install(std::unique_ptr<Engine> engine) noexcept { engine_ = std::move(engine); }
  // With the present directory in use; for tasks that run on this worker's thread. Null before install().
  [[nodiscard]] const Engine* engine() noexcept;
  [[nodiscard]] const Directory& directory() const noexcept { return directory_.get(); }
  // Time of the last batch or tick, as the engine counts it: at most 100 ms ago.
  [[nodiscard]] std::uint32_t last_seen() const noexcept { return last_seen_; }

 private:
  // What a packet of a batch is between the stages.
  enum class Kind : std::uint8_t { none, ipv4, ipv6 };
  struct Sent {
    std::uint64_t to_targets = 0;
    std::uint64_t to_clients = 0;
  };

  [[nodiscard]] Kind classify(const Packet& packet, std::size_t at) noexcept;
  template <class Address>
  [[nodiscard]] bool look_up(const Packet& packet, const Address& source, const Address& destination,
                             Lookup<Address>& lookup) noexcept;
  template <class Address>
  void apply(Batch& batch, std::size_t at, const Action<Address>& action, Sent& sent) noexcept;
  [[gnu::noinline]] void sweep(std::uint32_t now, std::uint32_t most) noexcept;
  [[gnu::noinline]] void count_changes() noexcept;

  WorkerContext& context_;
  const Snapshot<Directory>& directory_;
  const Handles handles_;
  std::unique_ptr<Engine> engine_;
  Engine::Tally counted_;
  std::uint32_t swept_at_ = 0;   // milliseconds
  std::uint32_t last_seen_ = 0;  // milliseconds
  std::array<Kind, Batch::capacity> kinds_{};
  std::array<Lookup<Ipv4Address>, Batch::capacity> lookups4_;
  std::array<Lookup<Ipv6Address>, Batch::capacity> lookups6_;
};

}  // namespace trivet::slb
