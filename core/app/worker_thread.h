// Runs one forwarding worker on a thread of its own: run_once() while there is work, else sleep in poll().
//
// Sleeps until a port is readable, the control thread or another worker wakes it, or the worker's own deadline. Where
// work has followed work closely it looks on for 50 us before it sleeps (busy_poll.h). Workers wake each other: of
// several, all are made before the first is started, and all have ended before the first is destroyed.
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
  ~WorkerThread();  // as stop(), and waits for it

  void start();
  // The thread ends after its present run. A worker that is stuck never does: has_ended() tells.
  void stop();
  [[nodiscard]] bool has_ended() const noexcept { return has_ended_.load(std::memory_order_acquire); }

 private:
  void run();
  void wake();

  ForwardingWorker& worker_;
  std::function<Time()> clock_;
  int wake_fd_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> has_ended_{true};
  std::thread thread_;
};

}  // namespace trivet::core
