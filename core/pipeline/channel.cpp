#include "core/pipeline/channel.h"

#include <cstring>
#include <utility>

namespace trivet::core {

Channel::Channel(RingSizes sizes)
    : slot_bytes_(sizes.slot_bytes),
      punt_urgent_(sizes.punt_urgent),
      punt_normal_(sizes.punt_normal),
      messages_(sizes.messages),
      neighbor_events_(sizes.neighbor_events),
      outgoing_(sizes.frames),
      tasks_(sizes.tasks) {
  const std::size_t slots = punt_urgent_.capacity() + punt_normal_.capacity() + outgoing_.capacity();
  arena_ = std::make_unique_for_overwrite<std::uint8_t[]>(slots * slot_bytes_);
  std::uint8_t* next = arena_.get();
  const auto give_bytes = [&](auto& slot, std::size_t) {
    slot.bytes = next;
    next += slot_bytes_;
  };
  punt_urgent_.prepare_slots(give_bytes);
  punt_normal_.prepare_slots(give_bytes);
  outgoing_.prepare_slots(give_bytes);
}

Channel::~Channel() = default;

// --- control thread ---

bool Channel::push_outgoing(OutgoingFrame frame, std::span<const std::uint8_t> bytes) {
  if (bytes.size() > slot_bytes_) return false;
  OutgoingFrame* const slot = outgoing_.begin_push();
  if (slot == nullptr) return false;
  frame.bytes = slot->bytes;
  frame.length = static_cast<std::uint32_t>(bytes.size());
  if (!bytes.empty()) std::memcpy(frame.bytes, bytes.data(), bytes.size());
  *slot = frame;
  outgoing_.commit_push();
  wake_worker();
  return true;
}

bool Channel::push_frame(InterfaceId interface, VlanId vlan, std::span<const std::uint8_t> frame) {
  return push_outgoing({.kind = OutgoingFrame::Kind::frame, .interface = interface, .vlan = vlan}, frame);
}

bool Channel::push_packet(std::span<const std::uint8_t> packet, SendOptions options) {
  return push_outgoing(
      {.kind = OutgoingFrame::Kind::packet, .interface = options.interface, .network = options.network}, packet);
}

void Channel::push_task(std::move_only_function<void()> task, std::move_only_function<void()> done) {
  auto& entry = *submitted_.emplace_back(std::make_unique<Task>());
  entry.run = std::move(task);
  entry.done = std::move(done);
  collect_tasks();
}

std::size_t Channel::collect_tasks() {
  while (!submitted_.empty() && submitted_.front()->finished.load(std::memory_order_acquire)) {
    // Out of the list first: `done` may submit further tasks, or come here again.
    const std::unique_ptr<Task> task = std::move(submitted_.front());
    submitted_.pop_front();
    --handed_;
    if (task->done) task->done();
  }
  bool handed = false;
  while (handed_ < submitted_.size() && tasks_.push(submitted_[handed_].get())) {
    ++handed_;
    handed = true;
  }
  if (handed) wake_worker();
  return submitted_.size();
}

void Channel::wake_worker() {
  if (!worker_woken_.exchange(true, std::memory_order_acq_rel) && wake_worker_) wake_worker_();
}

bool Channel::deliver_punt(SpscRing<PuntSlot>& ring, ControlSink& sink) {
  const PuntSlot* const slot = ring.front();
  if (slot == nullptr) return false;
  sink.on_punt(slot->module, slot->packet);
  ring.pop();
  return true;
}

bool Channel::deliver_neighbor(ControlSink& sink) {
  const NeighborEvent* const slot = neighbor_events_.front();
  if (slot == nullptr) return false;
  const NeighborEvent event = *slot;
  neighbor_events_.pop();
  if (event.wanted) {
    sink.on_neighbor_wanted(event.network, event.address);
  } else {
    sink.on_neighbor_used(event.network, event.address);
  }
  return true;
}

bool Channel::deliver_message(ControlSink& sink) {
  const MessageSlot* const slot = messages_.front();
  if (slot == nullptr) return false;
  sink.on_message(slot->module, slot->message);
  messages_.pop();
  return true;
}

std::size_t Channel::drain(ControlSink& sink, std::size_t budget) {
  control_woken_.exchange(false, std::memory_order_acq_rel);
  std::size_t delivered = 0;
  unsigned turn = 0;
  unsigned idle = 0;  // rings in a row that had nothing
  while (delivered < budget && idle < 3) {
    if (deliver_punt(punt_urgent_, sink)) {
      ++delivered;
      idle = 0;
      continue;
    }
    const bool did = turn == 0   ? deliver_neighbor(sink)
                     : turn == 1 ? deliver_message(sink)
                                 : deliver_punt(punt_normal_, sink);
    turn = (turn + 1) % 3;
    idle = did ? 0 : idle + 1;
    delivered += did ? 1 : 0;
  }
  return delivered;
}

// --- worker ---

PuntResult Channel::punt(ModuleId module, PuntUrgency urgency, const Packet& packet) noexcept {
  if (packet.length > slot_bytes_) return PuntResult::too_long;
  SpscRing<PuntSlot>& ring = urgency == PuntUrgency::urgent ? punt_urgent_ : punt_normal_;
  PuntSlot* const slot = ring.begin_push();
  if (slot == nullptr) return PuntResult::full;
  slot->module = module;
  slot->packet = packet;
  slot->packet.buffer = slot->bytes;
  slot->packet.data = slot->bytes;
  slot->packet.capacity = static_cast<std::uint32_t>(slot_bytes_);
  std::memcpy(slot->bytes, packet.data, packet.length);
  ring.commit_push();
  pushed_ = true;
  return PuntResult::queued;
}

bool Channel::post(ModuleId module, const WorkerMessage& message) noexcept {
  MessageSlot* const slot = messages_.begin_push();
  if (slot == nullptr) return false;
  slot->module = module;
  slot->message = message;
  messages_.commit_push();
  pushed_ = true;
  return true;
}

bool Channel::push_neighbor(const NeighborEvent& event) noexcept {
  if (!neighbor_events_.push(event)) return false;
  pushed_ = true;
  return true;
}

bool Channel::neighbor_wanted(NetworkId network, const IpAddress& address) noexcept {
  return push_neighbor({true, network, address});
}

bool Channel::neighbor_used(NetworkId network, const IpAddress& address) noexcept {
  return push_neighbor({false, network, address});
}

std::size_t Channel::run_tasks() {
  std::size_t count = 0;
  while (Task* const* const slot = tasks_.front()) {
    Task* const task = *slot;
    tasks_.pop();
    task->run();
    task->finished.store(true, std::memory_order_release);
    pushed_ = true;
    ++count;
  }
  return count;
}

void Channel::notify_control() noexcept {
  if (!pushed_) return;
  pushed_ = false;
  if (!control_woken_.exchange(true, std::memory_order_acq_rel) && wake_control_) wake_control_();
}

}  // namespace trivet::core
