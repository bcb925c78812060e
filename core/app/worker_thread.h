// Runs one forwarding worker on a thread of its own: run_once() while there is work, else sleep in poll().
//
// Sleeps until a port is readable, the control thread wakes it, or the worker's own deadline. No spinning.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "core/pipeline/forwarding_worker.h"
#include "trivet/time.h"

namespace trivet::core {

class WorkerThread {
 public:
  // Takes over the worker's side of `worker` until destroyed. `clock`: node time; any thread.
  WorkerThread(ForwardingWorker& worker, std::function<Time()> clock);
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread();  // ends the thread after its present run

  // Runs of the worker so far, for a watchdog: a busy or sleeping worker counts on, a stuck one does not.
  [[nodiscard]] std::uint64_t runs() const noexcept { return runs_.load(std::memory_order_relaxed); }

 private:
  void run();
  void wake();

  ForwardingWorker& worker_;
  std::function<Time()> clock_;
  int wake_fd_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> runs_{0};
  std::thread thread_;
};

}  // namespace trivet::core
