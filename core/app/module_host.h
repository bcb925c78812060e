// A module's view of the node: Host, bound to one module.
//
// Thread: control. Ownership: the node's; outlives the module's object.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/metrics/registry.h"
#include "core/pipeline/forwarding_worker.h"
#include "core/pipeline/shared_state.h"
#include "trivet/host.h"

namespace trivet::core {

// What all module hosts of a node share.
struct HostServices {
  SharedState* shared = nullptr;
  std::vector<std::unique_ptr<ForwardingWorker>>* workers = nullptr;
  ThreadCells* cells = nullptr;  // of the control thread
  Random* random = nullptr;
  std::function<void(LogLevel, LogKind, std::string_view module, std::string_view text)> log;
};

class ModuleHost final : public Host, private Log {
 public:
  ModuleHost(std::string module, ModuleId id, HostServices& services, Bus& bus)
      : module_(std::move(module)), id_(id), services_(services), bus_(bus) {}
  ~ModuleHost() = default;

  // Worker objects of this module, by worker number; empty for a module off the packet path.
  std::vector<std::unique_ptr<Worker>>& module_workers() { return module_workers_; }
  [[nodiscard]] ModuleId id() const { return id_; }

  Bus& bus() override { return bus_; }
  Log& log() override { return *this; }
  Random& random() override { return *services_.random; }
  const ForwardingState& forwarding() const override { return services_.shared->forwarding(); }
  void transmit(InterfaceId interface, VlanId vlan, std::span<const std::uint8_t> frame) override;
  void send(std::span<const std::uint8_t> packet, SendOptions options) override;
  void count(Counter counter, std::uint64_t amount) override { services_.cells->counters.add(counter, amount); }
  std::uint64_t read(Counter counter) const override { return services_.shared->metrics().read(counter); }
  void retire(std::shared_ptr<const void> value) override { services_.shared->epochs().retire(std::move(value)); }
  std::size_t worker_count() const override { return services_.workers->size(); }
  void on_workers(std::function<void(Worker& worker, std::size_t number)> task, std::function<void()> done) override;

 private:
  void write(LogLevel level, LogKind kind, std::string_view text) override {
    services_.log(level, kind, module_, text);
  }

  std::string module_;
  ModuleId id_;
  HostServices& services_;
  Bus& bus_;
  std::vector<std::unique_ptr<Worker>> module_workers_;
};

}  // namespace trivet::core
