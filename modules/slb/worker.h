// Data path of the balancer: packets to facts, facts to the engine, actions to packets and verdicts.
//
// Thread: the forwarding worker. A batch goes through in stages (classify, fetch buckets, match, fetch records,
// decide), each a loop over all of its packets, so that its table look-ups wait for memory together.
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
  // The packets of a batch that concern us, of one family, in the order of their places in the batch.
  template <class Address>
  struct Lane {
    struct Seat {
      Lookup<Address> lookup;
      std::uint8_t place = 0;
    };
    std::size_t size = 0;
    std::array<Seat, Batch::capacity> seats{};

    // From `at` on the first one that is not before this place in the batch.
    [[nodiscard]] std::size_t before(std::size_t place, std::size_t at) const noexcept {
      if (place == Batch::capacity) return size;
      while (at < size && seats[at].place < place) ++at;
      return at;
    }
  };
  struct Sent {
    std::uint64_t to_targets = 0;
    std::uint64_t to_clients = 0;
  };

  // From the batch to the lanes.
  void classify(const Batch& batch) noexcept;
  // Up to the first packet of the other family; returns what is left of `places` in the batch, a bit each.
  template <class Address>
  [[gnu::noinline, gnu::flatten]] std::uint64_t classify_run(const Batch& batch, std::uint64_t places,
                                                             Lane<Address>& lane) noexcept;
  template <class Address>
  [[nodiscard]] bool look_up(const Packet& packet, Lookup<Address>& lookup) noexcept;
  template <class Address>
  [[nodiscard, gnu::noinline]] bool look_up_rare(const Packet& packet, Lookup<Address>& lookup) noexcept;
  template <class Address>
  [[gnu::noinline, gnu::flatten]] void fetch(Lane<Address>& lane) noexcept;
  void decide(Batch& batch, std::uint32_t now) noexcept;
  template <class Address>
  [[gnu::noinline, gnu::flatten]] void decide_run(Batch& batch, const Lane<Address>& lane, std::size_t begin,
                                                  std::size_t end, std::uint32_t now, Sent& sent) noexcept;
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
  Lane<Ipv4Address> lane4_;
  Lane<Ipv6Address> lane6_;
};

}  // namespace trivet::slb
