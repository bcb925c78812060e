// The module: the one class that a module author derives from.
//
// Life: create -> declare -> check -> start -> apply -> { check -> apply }... -> stop -> destroy. All on the control
// thread. The core calls check() for a new configuration while the old one runs; if any module finds an error nothing
// is started or applied. One module object lives across reloads, as long as the modules line names it.
//
// Packets: the core makes one Worker object per forwarding worker. Its process() runs on that worker's thread.
#pragma once

#include <memory>

#include "trivet/batch.h"
#include "trivet/config.h"
#include "trivet/host.h"
#include "trivet/metrics.h"
#include "trivet/result.h"
#include "trivet/setup.h"
#include "trivet/time.h"

namespace trivet {

// What check() prepares and apply() swaps in. Each module derives its own.
class Plan {
 public:
  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  virtual ~Plan() = default;
};

// A message from a worker to its module on the control thread: a small fixed struct, copied through a bounded ring.
struct WorkerMessage {
  std::uint32_t kind = 0;  // the module's own numbering
  std::uint32_t size = 0;  // bytes used in `data`
  alignas(8) std::array<std::uint8_t, 120> data{};
};

// What a worker of a module is given when it is made. Lives as long as the Worker. Thread: that worker.
class WorkerContext {
 public:
  WorkerContext(const WorkerContext&) = delete;
  WorkerContext& operator=(const WorkerContext&) = delete;

  [[nodiscard]] virtual std::size_t number() const = 0;  // 0 .. worker_count - 1
  [[nodiscard]] virtual CounterCells& counters() = 0;
  // A seeded generator of this worker's own.
  [[nodiscard]] virtual Random& random() = 0;
  // False when the ring is full; the message is lost then.
  virtual bool post(const WorkerMessage& message) noexcept = 0;
  // Sends one more packet than came in (an ICMP error, a fragment). A buffer from the pool with headroom, or null when
  // there is none. Fill data, length, ether_type, l3_offset and classes; then hand it over with a verdict of kind
  // transmit, forward or originate. Every acquired packet is handed over, with drop if need be.
  virtual Packet* acquire() noexcept = 0;
  virtual void hand_over(Packet* packet, Verdict verdict) noexcept = 0;

 protected:
  WorkerContext() = default;
  ~WorkerContext() = default;
};

// The data path of a module, one object per forwarding worker.
class Worker {
 public:
  Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  virtual ~Worker() = default;

  // Decide about batch.pending(). Must not allocate, lock, block, log or throw.
  virtual void process(Batch& batch) noexcept = 0;
  // Bounded housekeeping (expiry): called between batches, at least every 100 ms of node time, also when idle.
  virtual void tick(Time now) noexcept { static_cast<void>(now); }
};

class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  // Says what the module has and needs. No side effects.
  virtual void declare(Setup& setup) = 0;

  // The host from here on. Subscribe here. Called once, when the first configuration has been checked.
  virtual void start(Host& host, Time now) {
    static_cast<void>(host);
    static_cast<void>(now);
  }

  // Parses and validates into a plan; allocates whatever apply() needs. Touches nothing that runs. Null with errors in
  // `problems`; a module without configuration returns an empty Plan.
  virtual std::unique_ptr<Plan> check(const ConfigView& config, Problems& problems) {
    static_cast<void>(config);
    static_cast<void>(problems);
    return std::make_unique<Plan>();
  }
  // Swaps the plan in, first start and reload alike. Cannot fail. Objects that did not change keep their state.
  virtual void apply(std::unique_ptr<Plan> plan, Time now) {
    static_cast<void>(plan);
    static_cast<void>(now);
  }

  // Null (default): the module is not on the packet path.
  virtual std::unique_ptr<Worker> make_worker(WorkerContext& context) {
    static_cast<void>(context);
    return nullptr;
  }

  // A packet that one of this module's workers punted. A copy; gone after the call.
  virtual void on_punt(const Packet& packet, Time now) {
    static_cast<void>(packet);
    static_cast<void>(now);
  }
  virtual void on_message(const WorkerMessage& message, Time now) {
    static_cast<void>(message);
    static_cast<void>(now);
  }

  // The time of the next on_time(); asked again after every call into the module.
  [[nodiscard]] virtual Time poll_at() const { return never; }
  virtual void on_time(Time now) { static_cast<void>(now); }

  // Last words (VRRP: priority 0). Frames that are sent here still go out. No call follows but the destructor.
  virtual void stop(Time now) { static_cast<void>(now); }
};

// For modules that prefer one packet at a time: the virtual call stays per batch.
template <class Derived>
class PacketWorker : public Worker {
 public:
  // Derived has: Verdict on_packet(Packet& packet, Batch& batch) noexcept
  void process(Batch& batch) noexcept final {
    for (const std::size_t i : batch.pending()) {
      const Verdict verdict = static_cast<Derived*>(this)->on_packet(batch.packet(i), batch);
      // Most pass on: those cost no decision.
      if (verdict != Verdict::next() || batch.verdict(i) != Verdict::next()) batch.decide(i, verdict);
    }
  }
};

}  // namespace trivet
