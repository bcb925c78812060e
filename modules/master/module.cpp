#include "master/module.h"

#include <memory>

#include "master/worker.h"
#include "trivet/module.h"

namespace trivet::master {
namespace {

class MasterModule final : public Module {
 public:
  void declare(Setup& setup) override {
    setup.wants(packet_class::all);
    not_master_ = setup.drop_reason("not-master", "this node is not master, so the packet is the master's");
  }

  std::unique_ptr<Worker> make_worker(WorkerContext& context) override {
    static_cast<void>(context);
    return std::make_unique<GateWorker>(not_master_);
  }

 private:
  DropReason not_master_;
};

}  // namespace

Module* create_module() { return new MasterModule; }  // the loader owns it and gives it back to destroy_module()

void destroy_module(Module* module) { delete module; }

}  // namespace trivet::master
