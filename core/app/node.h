// A node: the whole balancer as one object. No global state; several live in one process.
//
// The daemon drives it with Asio and runs its workers on threads; tests and the simulator call step(now) and let it run
// the workers inline. Thread: control, for every member. Time: given with every call, never read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/configuration.h"
#include "core/io/packet_io.h"
#include "core/loader/module_loader.h"
#include "core/metrics/registry.h"
#include "core/pipeline/forwarding_worker.h"
#include "trivet/command.h"
#include "trivet/forwarding.h"
#include "trivet/log.h"
#include "trivet/module.h"

namespace trivet::core {

enum class WorkerMode : std::uint8_t {
  inline_in_step,  // step() runs the workers
  own_threads,     // somebody runs worker(i).run_once() on threads of their own
};

struct NodeOptions {
  IoBackend* io = nullptr;         // outlives the node
  ModuleLoader* loader = nullptr;  // outlives the node
  std::uint64_t seed = 1;
  std::size_t workers = 1;  // 1..max_workers; see worker_count.h
  WorkerMode worker_mode = WorkerMode::inline_in_step;
  PoolSizes pool;
  // Every log line, with the module that wrote it ("core" for the node itself).
  std::function<void(LogLevel level, LogKind kind, std::string_view module, std::string_view text)> log;
  // Called from a worker when the control thread has something to do: step() soon. own_threads only.
  std::function<void()> wake_control;
};

class Node {
 public:
  explicit Node(NodeOptions options);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  // First configuration and every later one: parse, check, apply. With an error nothing changes. Warnings come back
  // too.
  Problems configure(std::string_view text, const std::string& source, Time now);
  // What configure() would find, without applying anything.
  [[nodiscard]] Problems check(std::string_view text, const std::string& source);

  // Serves everything that is due: rings, events, timers, links that were refused before; inline workers.
  void step(Time now);
  // When step() must be called again at the latest, if nothing comes in before.
  [[nodiscard]] Time poll_at() const;
  // Every module says goodbye (priority 0) and is called no more: later steps only let the last frames out. Workers on
  // threads keep running; the caller steps until they have done that, then ends them. Nothing else may follow but the
  // destructor, which gives the interfaces back.
  void stop(Time now);

  // A link may have changed. The back end's handler calls it by itself.
  void refresh_link(const std::string& name, Time now);

  // Runs a console command: "show vrrp". The reply may come during a later step().
  void command(const std::vector<std::string>& words, Time now, CommandReply reply);
  struct CommandInfo {
    std::string module;
    CommandSpec spec;
  };
  [[nodiscard]] std::vector<CommandInfo> commands() const;

  [[nodiscard]] ForwardingWorker& worker(std::size_t number);
  [[nodiscard]] std::size_t worker_count() const;
  [[nodiscard]] const ForwardingState& forwarding() const;
  [[nodiscard]] const MetricsRegistry& metrics() const;
  [[nodiscard]] const Tree& tree() const;                // as applied last
  [[nodiscard]] const Schema& schema() const;            // of the modules that are loaded
  [[nodiscard]] Bus& join_bus(const std::string& name);  // a further participant, for tests and the daemon
  // An essential module has failed: the process should end so that the peer takes over. Why, in words.
  [[nodiscard]] const std::optional<std::string>& fatal() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace trivet::core
