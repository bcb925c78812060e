// What passes between the control thread and one worker: bounded rings of slots that are made once.
//
// From the worker: punted packets (urgent and normal, copied), messages of modules' workers, neighbours wanted and
// used.
//
// From the control thread: frames and IP packets to send, tasks.
//
// Each ring that is full loses what does not fit; the one who pushes counts it. Tasks are never lost: they wait.
//
// Wake hooks: each side may set a hook that wakes the other (an eventfd; nothing in tests). It is called once when
// something waits that the other side has not looked for yet, on the thread of the one who pushes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>

#include "core/pipeline/chain.h"
#include "core/pipeline/spsc_ring.h"
#include "trivet/host.h"
#include "trivet/module.h"
#include "trivet/packet.h"

namespace trivet::core {

struct RingSizes {
  std::size_t punt_urgent = 256;
  std::size_t punt_normal = 256;
  std::size_t messages = 1024;
  std::size_t neighbor_events = 1024;
  std::size_t frames = 512;
  std::size_t tasks = 64;
  std::size_t slot_bytes = 10240;  // longest frame or packet that passes through a ring
};

// Receives what a worker sends to the control thread. Thread: control.
class ControlSink {
 public:
  ControlSink() = default;
  ControlSink(const ControlSink&) = delete;
  ControlSink& operator=(const ControlSink&) = delete;
  virtual ~ControlSink() = default;

  // The packet with the door's metadata and its bytes; gone after the call. The module may have left the chain.
  virtual void on_punt(ModuleId module, const Packet& packet) = 0;
  virtual void on_message(ModuleId module, const WorkerMessage& message) = 0;
  virtual void on_neighbor_wanted(NetworkId network, const IpAddress& address) = 0;
  virtual void on_neighbor_used(NetworkId network, const IpAddress& address) = 0;
};

enum class PuntResult : std::uint8_t { queued, full, too_long };

// What the control thread wants sent, as the worker finds it.
struct OutgoingFrame {
  enum class Kind : std::uint8_t { frame, packet };
  Kind kind = Kind::frame;
  InterfaceId interface = 0;  // frame: required. packet: SendOptions
  NetworkId network = 0;      // packet: SendOptions
  VlanId vlan = 0;            // frame: the tag to put in
  std::uint32_t length = 0;
  std::uint8_t* bytes = nullptr;  // of the slot
};

class Channel {
 public:
  explicit Channel(RingSizes sizes = {});
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  // Before the threads start.
  void set_wake_control(std::function<void()> hook) { wake_control_ = std::move(hook); }
  void set_wake_worker(std::function<void()> hook) { wake_worker_ = std::move(hook); }

  // --- control thread ---
  // A complete frame for one interface, to be given that VLAN tag. False: too long for a slot, or full.
  [[nodiscard]] bool push_frame(InterfaceId interface, VlanId vlan, std::span<const std::uint8_t> frame);
  // An IP packet that the worker routes. False: as above.
  [[nodiscard]] bool push_packet(std::span<const std::uint8_t> packet, SendOptions options);
  // Runs `task` on the worker between two batches, in order; later, from collect_tasks(), `done` on this thread. Both
  // closures are destroyed on this thread.
  void push_task(std::move_only_function<void()> task, std::move_only_function<void()> done = {});
  // Runs `done` of finished tasks and hands further ones to the worker. Returns the number of tasks not finished.
  std::size_t collect_tasks();
  [[nodiscard]] std::size_t tasks_pending() const noexcept { return submitted_.size(); }
  // Delivers up to `budget` entries: urgent punts first and again after each other entry, then neighbours, messages,
  // normal punts in turn. Returns how many were delivered; less than `budget` means that nothing was left.
  std::size_t drain(ControlSink& sink, std::size_t budget);
  // Calls the worker's hook, unless it has been called since the worker looked last.
  void wake_worker();
  // Calls it in any case. Any thread.
  void call_worker() const {
    if (wake_worker_) wake_worker_();
  }

  // --- worker ---
  [[nodiscard]] PuntResult punt(ModuleId module, PuntUrgency urgency, const Packet& packet) noexcept;
  [[nodiscard]] bool post(ModuleId module, const WorkerMessage& message) noexcept;
  [[nodiscard]] bool neighbor_wanted(NetworkId network, const IpAddress& address) noexcept;
  [[nodiscard]] bool neighbor_used(NetworkId network, const IpAddress& address) noexcept;
  // The worker looks now: what is pushed from here on calls its hook again. At the start of each run.
  void worker_looks() noexcept { worker_woken_.exchange(false, std::memory_order_acq_rel); }
  [[nodiscard]] const OutgoingFrame* next_outgoing() noexcept { return outgoing_.front(); }
  void pop_outgoing() noexcept { outgoing_.pop(); }
  // Runs the tasks that wait. Returns how many.
  std::size_t run_tasks();
  // Wakes the control thread if this run has pushed anything. At the end of each run.
  void notify_control() noexcept;

 private:
  struct PuntSlot {
    Packet packet;
    ModuleId module = 0;
    std::uint8_t* bytes = nullptr;
  };
  struct MessageSlot {
    ModuleId module = 0;
    WorkerMessage message;
  };
  struct NeighborEvent {
    bool wanted = false;
    NetworkId network = 0;
    IpAddress address;
  };
  struct Task {
    std::move_only_function<void()> run;
    std::move_only_function<void()> done;
    std::atomic<bool> finished{false};
  };

  [[nodiscard]] bool push_outgoing(OutgoingFrame frame, std::span<const std::uint8_t> bytes);
  [[nodiscard]] bool push_neighbor(const NeighborEvent& event) noexcept;
  static bool deliver_punt(SpscRing<PuntSlot>& ring, ControlSink& sink);
  bool deliver_neighbor(ControlSink& sink);
  bool deliver_message(ControlSink& sink);

  std::size_t slot_bytes_;
  std::unique_ptr<std::uint8_t[]> arena_;  // the slots' bytes; untouched until used
  SpscRing<PuntSlot> punt_urgent_;
  SpscRing<PuntSlot> punt_normal_;
  SpscRing<MessageSlot> messages_;
  SpscRing<NeighborEvent> neighbor_events_;
  SpscRing<OutgoingFrame> outgoing_;
  SpscRing<Task*> tasks_;
  std::deque<std::unique_ptr<Task>> submitted_;  // control: all that are not collected, oldest first
  std::size_t handed_ = 0;                       // control: how many of them the worker has been given
  bool pushed_ = false;                          // worker: something for the control thread in this run
  std::atomic<bool> worker_woken_{false};
  std::atomic<bool> control_woken_{false};
  std::function<void()> wake_control_;
  std::function<void()> wake_worker_;
};

}  // namespace trivet::core
