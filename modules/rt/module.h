// Module `rt`: routes packets that no module before it took. The adapter.
//
// Thread: control, but for the workers that make_worker() returns.
#pragma once

#include <memory>
#include <vector>

#include "rt/worker.h"
#include "trivet/abi.h"
#include "trivet/module.h"
#include "trivet/topics/routes.h"

namespace trivet::rt {

class RouterModule final : public Module {
 public:
  void declare(Setup& setup) override;
  void start(Host& host, Time now) override;
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override;

 private:
  [[nodiscard]] Report show_routes() const;

  Host* host_ = nullptr;
  Handles handles_;
  std::vector<Route> routes_;
};

Module* create_module();
void destroy_module(Module* module);

inline constexpr ModuleDescriptor descriptor{
    .name = "rt", .version = "1.0", .create = &create_module, .destroy = &destroy_module, .essential = 1};

}  // namespace trivet::rt
