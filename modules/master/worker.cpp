#include "master/worker.h"

#include <cstddef>

#include "trivet/forwarding.h"

namespace trivet::master {

void GateWorker::process(Batch& batch) noexcept {
  if (batch.forwarding().is_master()) return;
  for (const std::size_t i : batch.pending()) batch.decide(i, Verdict::drop(not_master_));
}

}  // namespace trivet::master
