#include "core/app/worker_thread.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include "core/app/busy_poll.h"

namespace trivet::core {

namespace {

// A worker sleeps at most this long, whatever wake-up may have been lost.
constexpr Duration longest_sleep = std::chrono::milliseconds{500};

void drain_event(int fd) {
  std::uint64_t ignored = 0;
  while (::read(fd, &ignored, sizeof(ignored)) > 0) {
  }
}

}  // namespace

WorkerThread::WorkerThread(ForwardingWorker& worker, std::function<Time()> clock)
    : worker_(worker), clock_(std::move(clock)), wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  worker_.set_wake_worker([this] { wake(); });
}

WorkerThread::~WorkerThread() {
  stop();
  if (thread_.joinable()) thread_.join();
  worker_.set_wake_worker({});
  ::close(wake_fd_);
}

void WorkerThread::start() {
  has_ended_.store(false, std::memory_order_relaxed);
  thread_ = std::thread([this] {
    run();
    has_ended_.store(true, std::memory_order_release);
  });
}

void WorkerThread::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void WorkerThread::wake() {
  const std::uint64_t one = 1;
  // A full counter means that the wake-up is already on its way.
  [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof(one));
}

void WorkerThread::run() {
  // For top and ps; its failure changes nothing.
  static_cast<void>(::pthread_setname_np(::pthread_self(), ("worker " + std::to_string(worker_.number())).c_str()));
  std::vector<pollfd> fds;
  std::uint64_t version = ~worker_.ports_version();
  BusyPoll busy_poll;
  while (!stopping_.load(std::memory_order_acquire)) {
    const Time now = clock_();
    const bool found = worker_.run_once(now);
    if (busy_poll.look_again(now, found)) {
      if (!found) ::sched_yield();
      continue;
    }
    if (version != worker_.ports_version()) {
      version = worker_.ports_version();
      fds.assign(1, pollfd{wake_fd_, POLLIN, 0});
      for (const int fd : worker_.poll_fds()) fds.push_back({fd, POLLIN, 0});
    }
    const Duration sleep = std::clamp(worker_.poll_at() - clock_(), Duration{0}, longest_sleep);
    const timespec timeout{sleep.count() / 1'000'000'000, sleep.count() % 1'000'000'000};
    if (::ppoll(fds.data(), fds.size(), &timeout, nullptr) > 0 && (fds[0].revents & POLLIN) != 0) drain_event(wake_fd_);
  }
}

}  // namespace trivet::core
