// One forwarding worker: door -> chain -> egress over the frames of its ports, and its ends of the rings.
//
// The object has two faces. run_once(), poll_at() and poll_fds() belong to the worker's thread (in tests: to whoever
// steps the node). Everything else belongs to the control thread and reaches the worker through rings; tasks run
// between two batches. The same code runs inline and on a thread of its own.
//
// Life: construct; make_context() for each module, give it to Module::make_worker(); set_ports(), set_chain(); start
// the thread. Changes while it runs: the same calls, with `done` called (by drain()) when the worker has taken over, at
// which time the former ports and Worker objects may be destroyed. At the end: stop the thread first, then destroy.
//
// One run: tasks; frames of the control thread; parked packets whose neighbour has been resolved or timed out; modules'
// ticks when due; then for each port, beginning with another one each time, a burst of up to batch_size frames through
// door, chain and egress, with frames of the control thread again before each burst; then likewise what other workers
// have lent; then transmit.
//
// With other workers (join()): what has passed the door and belongs to another one is lent to it (see steering.h and
// exchange.h) and meets chain and egress there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/io/packet_io.h"
#include "core/pipeline/chain.h"
#include "core/pipeline/channel.h"
#include "core/pipeline/egress_limits.h"
#include "core/pipeline/exchange.h"
#include "core/pipeline/packet_pool.h"
#include "core/pipeline/shared_state.h"
#include "trivet/host.h"
#include "trivet/module.h"
#include "trivet/time.h"

namespace trivet::core {

struct WorkerConfig {
  std::size_t number = 0;       // 0 .. workers - 1
  std::size_t batch_size = 64;  // 1..64
  PoolSizes pool{};
  RingSizes rings{};
  EgressLimits egress{};
  Duration tick_interval = std::chrono::milliseconds{100};
  std::uint64_t seed = 1;  // of the generators of the modules' workers and of egress
};

struct PortEntry {
  InterfaceId interface = 0;
  PacketPort* port = nullptr;  // of this worker
};

class ForwardingWorker {
 public:
  // `shared` lives longer. Takes cells of its own from shared.metrics().
  ForwardingWorker(WorkerConfig config, SharedState& shared);
  ForwardingWorker(const ForwardingWorker&) = delete;
  ForwardingWorker& operator=(const ForwardingWorker&) = delete;
  ~ForwardingWorker();

  // --- worker's thread ---

  // One run as described above. True when there was something to do: call again at once. False: sleep until a poll_fd
  // is readable, the worker's hook is called, or poll_at().
  bool run_once(Time now) noexcept;
  // When run_once() is due without anything coming in: ticks and park timeouts. `never` with neither.
  [[nodiscard]] Time poll_at() const noexcept;
  // File descriptors of the present ports. They change only in run_once(); ports_version() tells when.
  [[nodiscard]] std::vector<int> poll_fds() const;
  [[nodiscard]] std::uint64_t ports_version() const noexcept;

  // --- control thread ---

  // Called on the worker's thread when something waits for drain(), and on the control thread when something waits for
  // run_once(). Set before the thread starts; none by default.
  void set_wake_control(std::function<void()> hook);
  void set_wake_worker(std::function<void()> hook);

  // For the exchange, and which desk is this worker's: config.number. Before any of its workers runs.
  [[nodiscard]] Exchange::Member member();
  void join(Exchange& exchange);

  // The context for a module's Worker on this worker; the same for the same id. Owned here, until this object ends.
  [[nodiscard]] WorkerContext& make_context(ModuleId module);
  // Replaces the chain: entries in the order of the modules line; those without a Worker are left out by the caller.
  void set_chain(std::vector<ChainEntry> entries, std::move_only_function<void()> done = {});
  // Replaces the ports. Frames that wait for a port that is gone are dropped (reason no-interface).
  void set_ports(const std::vector<PortEntry>& ports, std::move_only_function<void()> done = {});
  // Runs `task` on the worker between two batches, then `done` here. In order with the two above. For
  // Host::on_workers: the task captures the module's Worker. Modules' contexts are usable within a task.
  void run_task(std::move_only_function<void()> task, std::move_only_function<void()> done = {});

  // A complete frame, sent before data with the VLAN tag put in. False: no slot; the caller counts it
  // (control-queue-full). Interface down and length are checked and counted by the worker.
  [[nodiscard]] bool transmit(InterfaceId interface, std::span<const std::uint8_t> frame, VlanId vlan = 0);
  // An IP packet that egress routes as Verdict::originate. False: as above, or not an IP packet.
  [[nodiscard]] bool send(std::span<const std::uint8_t> packet, SendOptions options);
  // After NeighborTable::update() or erase(): the worker looks at what it has parked. Cheap; wakes it at most once.
  void neighbors_changed();

  // Delivers what the worker has for the control thread, up to `budget` entries, and calls `done` of finished tasks.
  // Returns the number of entries delivered and tasks finished; 0 = nothing waits.
  std::size_t drain(ControlSink& sink, std::size_t budget = 256);
  // Tasks that have not finished.
  [[nodiscard]] std::size_t tasks_pending() const noexcept;

  // For `show`: readable at any time.
  [[nodiscard]] const ModuleCounts& module_counts(ModuleId module) const;
  [[nodiscard]] std::size_t parked() const noexcept;
  // Runs that have ended: a sign of life.
  [[nodiscard]] std::uint64_t runs() const noexcept;
  // Buffers that nobody uses. Not while it runs.
  [[nodiscard]] const PacketPool& pool() const noexcept;
  [[nodiscard]] std::size_t number() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace trivet::core
