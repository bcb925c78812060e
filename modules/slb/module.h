// Module `slb`: balances packets for service addresses over targets. The adapter: what the module declares, how its
// configuration and the health of targets become the directory that workers read.
//
// Thread: control, but for the workers that make_worker() returns.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "slb/config.h"
#include "slb/directory.h"
#include "slb/steering.h"
#include "slb/traffic.h"
#include "slb/worker.h"
#include "trivet/abi.h"
#include "trivet/module.h"
#include "trivet/snapshot.h"
#include "trivet/topics/addresses.h"

namespace trivet::slb {

struct SessionsWalk;  // of `show sessions`

class BalancerModule final : public Module {
 public:
  void declare(Setup& setup) override;
  void start(Host& host, Time now) override;
  std::unique_ptr<Plan> check(const ConfigView& config, Problems& problems) override;
  void apply(std::unique_ptr<Plan> plan, Time now) override;
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override;
  void stop(Time now) override;

 private:
  void declare_commands(Setup& setup);
  void on_health(TargetId target, Health health);
  void rebuild();
  void await_facts();
  void install_engines(std::uint32_t max_sessions);
  void publish_addresses();

  // commands.cpp
  [[nodiscard]] Report show_servers() const;
  [[nodiscard]] Report show_targets() const;
  void show_sessions(const std::vector<std::string>& arguments, CommandReply reply);
  void visit_workers(const std::shared_ptr<SessionsWalk>& walk);
  [[nodiscard]] TrafficSum server_traffic(ServerId number) const;
  [[nodiscard]] TrafficSum target_traffic(TargetId number) const;
  [[nodiscard]] std::string target_reason(const TargetConfig& target) const;

  Host* host_ = nullptr;
  Handles handles_;
  Registry registry_;
  std::unique_ptr<Snapshot<Directory>> directory_ = std::make_unique<Snapshot<Directory>>();
  const ClientSteering steering_{*directory_};
  // Since an apply(), until all that other modules have said during theirs is heard.
  bool awaits_facts_ = false;
  std::uint32_t generation_ = 0;  // of the configuration
  std::vector<OwnAddress> published_;
  bool has_published_ = false;
  std::vector<std::shared_ptr<Traffic>> traffic_;  // of each worker
  std::uint32_t installed_sessions_ = 0;           // 0 = the workers have no tables yet
};

Module* create_module();
void destroy_module(Module* module);

inline constexpr ModuleDescriptor descriptor{
    .name = "slb", .version = "1.0", .create = &create_module, .destroy = &destroy_module, .essential = 1};

}  // namespace trivet::slb
