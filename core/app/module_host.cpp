#include "core/app/module_host.h"

namespace trivet::core {

void ModuleHost::transmit(InterfaceId interface, VlanId vlan, std::span<const std::uint8_t> frame) {
  if (!services_.workers->front()->transmit(interface, frame, vlan)) {
    services_.cells->drop(services_.shared->reasons().control_queue_full);
  }
}

void ModuleHost::send(std::span<const std::uint8_t> packet, SendOptions options) {
  if (!services_.workers->front()->send(packet, options)) {
    services_.cells->drop(services_.shared->reasons().control_queue_full);
  }
}

void ModuleHost::on_workers(std::function<void(Worker& worker, std::size_t number)> task, std::function<void()> done) {
  if (module_workers_.empty()) {
    if (done) done();
    return;
  }
  auto shared_task = std::make_shared<std::function<void(Worker&, std::size_t)>>(std::move(task));
  auto shared_done = std::make_shared<std::function<void()>>(std::move(done));
  auto left = std::make_shared<std::size_t>(module_workers_.size());
  for (std::size_t number = 0; number < module_workers_.size(); ++number) {
    (*services_.workers)[number]->run_task(
        [shared_task, worker = module_workers_[number].get(), number] { (*shared_task)(*worker, number); },
        [shared_done, left] {
          if (--*left == 0 && *shared_done) (*shared_done)();
        });
  }
}

}  // namespace trivet::core
