// The gate itself: every packet that reaches it passes while the node is master, and is dropped otherwise.
//
// Thread: that worker. No state: the role is the batch's, so a batch meets one role.
#pragma once

#include "trivet/module.h"

namespace trivet::master {

class GateWorker final : public Worker {
 public:
  explicit GateWorker(DropReason not_master) : not_master_(not_master) {}

  void process(Batch& batch) noexcept override;

 private:
  DropReason not_master_;
};

}  // namespace trivet::master
