// The adapter: what the module declares, and the configuration that its workers read.
//
// Thread: control.
#pragma once

#include <memory>

#include "ping/config.h"
#include "ping/worker.h"
#include "trivet/abi.h"
#include "trivet/module.h"
#include "trivet/snapshot.h"

namespace trivet::ping {

class PingModule final : public Module {
 public:
  void declare(Setup& setup) override;
  void start(Host& host, Time now) override;
  std::unique_ptr<Plan> check(const ConfigView& config, Problems& problems) override;
  void apply(std::unique_ptr<Plan> plan, Time now) override;
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override;

 private:
  Host* host_ = nullptr;
  Snapshot<Config> config_;
  DropReasons reasons_;
  Counters counters_;
};

inline Module* create_module() { return new PingModule; }
inline void destroy_module(Module* module) { delete module; }

inline constexpr ModuleDescriptor descriptor{
    .name = "ping", .version = "1.0", .create = &create_module, .destroy = &destroy_module, .essential = 0};

}  // namespace trivet::ping
