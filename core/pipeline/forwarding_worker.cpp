#include "core/pipeline/forwarding_worker.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "core/pipeline/door.h"
#include "core/pipeline/egress.h"
#include "core/pipeline/module_context.h"
#include "core/pipeline/steering.h"
#include "core/pipeline/transmit_queues.h"
#include "core/pipeline/vlan_tag.h"

namespace trivet::core {

namespace {

constexpr std::size_t ethernet_length = sizeof(wire::EthernetHeader);
// Frames of the control thread that are sent in a row before data has its turn.
constexpr std::size_t outgoing_budget = 256;

// Differing seeds for differing users of one configured seed.
std::uint64_t derived_seed(std::uint64_t seed, std::uint64_t worker, std::uint64_t user) {
  Random mixer(seed ^ (worker << 32U) ^ user);
  return mixer();
}

}  // namespace

class ForwardingWorker::Impl {
 public:
  Impl(WorkerConfig config, SharedState& shared)
      : config_(config),
        shared_(&shared),
        cells_(&shared.metrics().add_thread()),
        pool_(config.pool),
        channel_(config.rings),
        queues_(pool_),
        egress_(config.egress, {pool_, queues_, shared.neighbors(), channel_, *cells_, shared.reasons()},
                derived_seed(config.seed, config.number, max_modules)) {
    config_.batch_size = std::clamp<std::size_t>(config_.batch_size, 1, Batch::capacity);
  }

  // --- worker ---
  bool run_once(Time now) noexcept;
  [[nodiscard]] Time poll_at() const noexcept { return std::min(next_tick_, egress_.poll_at()); }
  [[nodiscard]] std::vector<int> poll_fds() const;

  // --- control ---
  WorkerContext& make_context(ModuleId module);
  void set_chain(std::vector<ChainEntry> entries, std::move_only_function<void()> done);
  void set_ports(const std::vector<PortEntry>& ports, std::move_only_function<void()> done);

  // A chain with the contexts of its modules: what is swapped as one.
  struct Loaded {
    Chain chain;
    std::vector<ModuleContext*> contexts;
    std::vector<const Steering*> steerings;
  };

  std::size_t send_outgoing() noexcept;
  void send_packet(const OutgoingFrame& outgoing) noexcept;
  void send_frame(const OutgoingFrame& outgoing) noexcept;
  [[nodiscard]] bool tick(Time now) noexcept;
  std::size_t run_burst(const TransmitQueues::Queue& queue, Time now) noexcept;
  std::size_t admit(std::span<Packet*> packets) noexcept;
  std::size_t lend(std::span<Packet*> packets) noexcept;
  std::size_t run_loans(Time now) noexcept;
  std::size_t run_loans(std::size_t lender, Time now) noexcept;
  [[nodiscard]] DoorDrop examine_again(Packet& packet) noexcept;
  void run_chain(std::span<Packet* const> packets, Time now) noexcept;
  void carry_out(Packet* packet, Verdict verdict, const ChainEntry& module) noexcept;
  void punt(Packet* packet, const ChainEntry& module) noexcept;
  void take_back_buffers() noexcept;

  WorkerConfig config_;
  SharedState* shared_;
  ThreadCells* cells_;
  PacketPool pool_;
  Channel channel_;
  TransmitQueues queues_;
  Egress egress_;
  std::array<ModuleCounts, max_modules> counts_;
  std::array<std::unique_ptr<ModuleContext>, max_modules> contexts_;  // control; the objects are the worker's
  std::unique_ptr<Loaded> loaded_ = std::make_unique<Loaded>(Chain({}, counts_));
  Batch batch_;
  Chain::Outcome outcome_;
  const ForwardingState* forwarding_ = nullptr;  // of this run
  const DoorFilter* filter_ = nullptr;
  std::uint64_t facts_version_ = 0;
  Exchange::Desk* desk_ = nullptr;  // null: the only worker
  Steerer steerer_;
  Time next_tick_ = never;
  std::size_t first_port_ = 0;
  std::uint64_t ports_version_ = 0;
  std::atomic<std::size_t> parked_{0};
  std::atomic<std::uint64_t> runs_{0};
};

bool ForwardingWorker::Impl::run_once(Time now) noexcept {
  shared_->epochs().enter(config_.number);
  channel_.worker_looks();
  const SharedState::Facts& facts = shared_->facts();
  forwarding_ = facts.forwarding.get();
  filter_ = facts.filter.get();
  facts_version_ = facts.version;
  egress_.begin(now, *forwarding_, facts.version);
  if (desk_ != nullptr) desk_->take_home();

  const std::size_t tasks = channel_.run_tasks();
  if (tasks != 0) take_back_buffers();
  std::size_t did = tasks + send_outgoing();
  if (egress_.serve_parked()) ++did;
  if (tick(now)) ++did;
  const std::size_t ports = queues_.queues().size();
  for (std::size_t i = 0; i < ports; ++i) {
    did += send_outgoing();
    did += run_burst(queues_.queues()[(first_port_ + i) % ports], now);
  }
  if (ports != 0) first_port_ = (first_port_ + 1) % ports;
  if (desk_ != nullptr) did += run_loans(now);
  queues_.flush();
  if (desk_ != nullptr) desk_->send_home();

  parked_.store(egress_.parked(), std::memory_order_relaxed);
  channel_.notify_control();
  shared_->epochs().leave(config_.number);
  runs_.store(runs_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return desk_ == nullptr ? did != 0 : desk_->stays_awake(did != 0);
}

std::vector<int> ForwardingWorker::Impl::poll_fds() const {
  std::vector<int> all;
  for (const TransmitQueues::Queue& queue : queues_.queues()) {
    const std::vector<int> fds = queue.port->poll_fds();
    all.insert(all.end(), fds.begin(), fds.end());
  }
  return all;
}

// In bounded shares: many frames of the control thread delay data, they do not starve it.
std::size_t ForwardingWorker::Impl::send_outgoing() noexcept {
  std::size_t count = 0;
  while (count < outgoing_budget) {
    const OutgoingFrame* const outgoing = channel_.next_outgoing();
    if (outgoing == nullptr) break;
    if (outgoing->kind == OutgoingFrame::Kind::frame) {
      send_frame(*outgoing);
    } else {
      send_packet(*outgoing);
    }
    channel_.pop_outgoing();
    ++count;
  }
  return count;
}

void ForwardingWorker::Impl::send_frame(const OutgoingFrame& outgoing) noexcept {
  Packet* const packet = pool_.acquire(outgoing.length);
  if (packet == nullptr) return cells_->drop(shared_->reasons().no_buffer);
  std::memcpy(packet->data, outgoing.bytes, outgoing.length);
  packet->length = outgoing.length;
  packet->out_interface = outgoing.interface;
  packet->vlan = outgoing.vlan;
  egress_.transmit(packet);
}

void ForwardingWorker::Impl::send_packet(const OutgoingFrame& outgoing) noexcept {
  Packet* const packet = pool_.acquire(ethernet_length + outgoing.length);
  if (packet == nullptr) return cells_->drop(shared_->reasons().no_buffer);
  const bool is_v4 = outgoing.bytes[0] >> 4U == 4;
  std::memcpy(packet->data + ethernet_length, outgoing.bytes, outgoing.length);
  packet->length = static_cast<std::uint32_t>(ethernet_length) + outgoing.length;
  packet->l3_offset = ethernet_length;
  packet->ether_type = is_v4 ? wire::ether_type::ipv4 : wire::ether_type::ipv6;
  packet->classes = packet_class::all | (is_v4 ? packet_class::ipv4 : packet_class::ipv6);
  egress_.originate(packet, {.network = outgoing.network, .interface = outgoing.interface}, ParkShare::reserved);
}

bool ForwardingWorker::Impl::tick(Time now) noexcept {
  if (loaded_->chain.entries().empty()) {
    next_tick_ = never;
    return false;
  }
  if (next_tick_ != never && now < next_tick_) return false;
  next_tick_ = now + config_.tick_interval;
  loaded_->chain.tick(now);
  take_back_buffers();
  return true;
}

std::size_t ForwardingWorker::Impl::run_burst(const TransmitQueues::Queue& queue, Time now) noexcept {
  std::array<Packet*, Batch::capacity> packets{};
  const std::size_t count = queue.port->receive(pool_, std::span(packets).first(config_.batch_size));
  if (count == 0) return 0;
  for (Packet* const packet : std::span(packets).first(count)) packet->in_interface = queue.interface;
  std::size_t size = admit(std::span(packets).first(count));
  if (desk_ != nullptr) size = lend(std::span(packets).first(size));
  run_chain(std::span(packets).first(size), now);
  return count;
}

// Those that the door lets in are moved to the front. Returns how many.
std::size_t ForwardingWorker::Impl::admit(std::span<Packet*> packets) noexcept {
  std::array<DoorDrop, Batch::capacity> refused{};
  if (examine(packets, *forwarding_, *filter_, refused)) return packets.size();
  std::size_t size = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    Packet* const packet = packets[i];
    if (refused[i] != DoorDrop::none) {
      egress_.drop(packet, shared_->reasons().of(refused[i]));
    } else {
      packets[size++] = packet;
    }
  }
  return size;
}

// Those that are this worker's are moved to the front. Returns how many.
std::size_t ForwardingWorker::Impl::lend(std::span<Packet*> packets) noexcept {
  std::array<std::uint32_t, Batch::capacity> owners{};
  const auto self = static_cast<std::uint32_t>(config_.number);
  steerer_.find_owners(packets, loaded_->steerings, self, static_cast<std::uint32_t>(desk_->workers()), owners);
  std::size_t size = 0;
  for (std::size_t i = 0; i < packets.size(); ++i) {
    Packet* const packet = packets[i];
    if (owners[i] == self) {
      packets[size++] = packet;
    } else if (!desk_->lend(owners[i], packet, facts_version_)) {
      egress_.drop(packet, shared_->reasons().worker_queue_full);
    }
  }
  desk_->hand_out();
  return size;
}

std::size_t ForwardingWorker::Impl::run_loans(Time now) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 1; i < desk_->workers(); ++i) {
    count += send_outgoing();
    count += run_loans((config_.number + i) % desk_->workers(), now);
  }
  return count;
}

std::size_t ForwardingWorker::Impl::run_loans(std::size_t lender, Time now) noexcept {
  std::array<Exchange::Loan, Batch::capacity> loans;
  std::array<Packet*, Batch::capacity> packets{};
  const std::size_t count = desk_->borrow(lender, std::span(loans).first(config_.batch_size));
  std::size_t size = 0;
  for (const Exchange::Loan& loan : std::span(loans).first(count)) {
    // What the door said holds for the facts that it was shown: an address may have gone meanwhile.
    const DoorDrop refused = loan.version == facts_version_ ? DoorDrop::none : examine_again(*loan.packet);
    if (refused != DoorDrop::none) {
      egress_.drop(loan.packet, shared_->reasons().of(refused));
    } else {
      packets[size++] = loan.packet;
    }
  }
  run_chain(std::span(packets).first(size), now);
  return count;
}

// The door has taken the tag out of the frame: it is shown the frame as it came.
DoorDrop ForwardingWorker::Impl::examine_again(Packet& packet) noexcept {
  if (!put_vlan_tag(packet, packet.vlan)) return DoorDrop::truncated;
  return examine(packet, *forwarding_, *filter_);
}

void ForwardingWorker::Impl::run_chain(std::span<Packet* const> packets, Time now) noexcept {
  if (packets.empty()) return;
  batch_.reset(now, *forwarding_);
  for (Packet* const packet : packets) batch_.push(*packet);
  loaded_->chain.run(batch_, outcome_);
  take_back_buffers();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    const Verdict verdict = outcome_.verdicts[i];
    if (verdict.kind() == Verdict::Kind::next) {
      egress_.drop(packets[i], shared_->reasons().end_of_chain);
    } else {
      carry_out(packets[i], verdict, loaded_->chain.entries()[outcome_.entries[i]]);
    }
  }
}

void ForwardingWorker::Impl::carry_out(Packet* packet, Verdict verdict, const ChainEntry& module) noexcept {
  switch (verdict.kind()) {
    case Verdict::Kind::forward:
      return egress_.forward(packet);
    case Verdict::Kind::originate:
      return egress_.originate(packet);
    case Verdict::Kind::transmit:
      return egress_.transmit(packet);
    case Verdict::Kind::drop:
      return egress_.drop(packet, verdict.reason());
    case Verdict::Kind::punt:
      return punt(packet, module);
    case Verdict::Kind::consumed:
      return pool_.release(packet);
    case Verdict::Kind::next:
      break;
  }
  egress_.drop(packet, shared_->reasons().invalid_verdict);
}

void ForwardingWorker::Impl::punt(Packet* packet, const ChainEntry& module) noexcept {
  switch (channel_.punt(module.module, module.urgency, *packet)) {
    case PuntResult::queued:
      return pool_.release(packet);
    case PuntResult::full:
      return egress_.drop(packet, shared_->reasons().punt_queue_full);
    case PuntResult::too_long:
      return egress_.drop(packet, shared_->reasons().punt_too_long);
  }
}

void ForwardingWorker::Impl::take_back_buffers() noexcept {
  for (ModuleContext* const context : loaded_->contexts) context->take_back();
}

WorkerContext& ForwardingWorker::Impl::make_context(ModuleId module) {
  std::unique_ptr<ModuleContext>& context = contexts_.at(module);
  if (context == nullptr) {
    context = std::make_unique<ModuleContext>(
        config_.number, module, derived_seed(config_.seed, config_.number, module),
        ModuleContext::Surroundings{*cells_, channel_, pool_, egress_, shared_->reasons()});
  }
  return *context;
}

void ForwardingWorker::Impl::set_chain(std::vector<ChainEntry> entries, std::move_only_function<void()> done) {
  std::vector<ModuleContext*> contexts;
  std::vector<const Steering*> steerings;
  for (const ChainEntry& entry : entries) {
    static_cast<void>(make_context(entry.module));
    contexts.push_back(contexts_[entry.module].get());
    if (entry.steering != nullptr) steerings.push_back(entry.steering);
  }
  auto next = std::make_unique<Loaded>(Chain(std::move(entries), counts_), std::move(contexts), std::move(steerings));
  // The former chain ends up in the closure, which is destroyed on this thread. Ticks of a new module are due at once.
  channel_.push_task(
      [this, next = std::move(next)]() mutable {
        take_back_buffers();
        loaded_.swap(next);
        next_tick_ = never;
      },
      std::move(done));
}

void ForwardingWorker::Impl::set_ports(const std::vector<PortEntry>& ports, std::move_only_function<void()> done) {
  std::vector<TransmitQueues::Queue> queues;
  queues.reserve(ports.size());
  for (const PortEntry& entry : ports) queues.push_back({.interface = entry.interface, .port = entry.port});
  channel_.push_task(
      [this, queues = std::move(queues)]() mutable {
        queues_.swap(queues);
        first_port_ = 0;
        ++ports_version_;
      },
      std::move(done));
}

ForwardingWorker::ForwardingWorker(WorkerConfig config, SharedState& shared)
    : impl_(std::make_unique<Impl>(config, shared)) {}
ForwardingWorker::~ForwardingWorker() = default;

Exchange::Member ForwardingWorker::member() { return {&impl_->pool_, &impl_->channel_}; }
void ForwardingWorker::join(Exchange& exchange) { impl_->desk_ = &exchange.desk(impl_->config_.number); }

bool ForwardingWorker::run_once(Time now) noexcept { return impl_->run_once(now); }
Time ForwardingWorker::poll_at() const noexcept { return impl_->poll_at(); }
std::vector<int> ForwardingWorker::poll_fds() const { return impl_->poll_fds(); }
std::uint64_t ForwardingWorker::ports_version() const noexcept { return impl_->ports_version_; }

void ForwardingWorker::set_wake_control(std::function<void()> hook) {
  impl_->channel_.set_wake_control(std::move(hook));
}
void ForwardingWorker::set_wake_worker(std::function<void()> hook) { impl_->channel_.set_wake_worker(std::move(hook)); }

WorkerContext& ForwardingWorker::make_context(ModuleId module) { return impl_->make_context(module); }
void ForwardingWorker::set_chain(std::vector<ChainEntry> entries, std::move_only_function<void()> done) {
  impl_->set_chain(std::move(entries), std::move(done));
}
void ForwardingWorker::set_ports(const std::vector<PortEntry>& ports, std::move_only_function<void()> done) {
  impl_->set_ports(ports, std::move(done));
}
void ForwardingWorker::run_task(std::move_only_function<void()> task, std::move_only_function<void()> done) {
  impl_->channel_.push_task(std::move(task), std::move(done));
}

bool ForwardingWorker::transmit(InterfaceId interface, std::span<const std::uint8_t> frame, VlanId vlan) {
  return impl_->channel_.push_frame(interface, vlan, frame);
}

bool ForwardingWorker::send(std::span<const std::uint8_t> packet, SendOptions options) {
  if (packet.empty() || (packet[0] >> 4U != 4 && packet[0] >> 4U != 6)) return false;
  return impl_->channel_.push_packet(packet, options);
}

// Also when nothing is parked: the worker may be about to park a packet for an entry that it did not find a moment ago.
void ForwardingWorker::neighbors_changed() { impl_->channel_.wake_worker(); }

std::size_t ForwardingWorker::drain(ControlSink& sink, std::size_t budget) {
  const std::size_t before = impl_->channel_.tasks_pending();
  const std::size_t delivered = impl_->channel_.drain(sink, budget);
  const std::size_t after = impl_->channel_.collect_tasks();
  return delivered + (before > after ? before - after : 0);
}

std::size_t ForwardingWorker::tasks_pending() const noexcept { return impl_->channel_.tasks_pending(); }
const ModuleCounts& ForwardingWorker::module_counts(ModuleId module) const { return impl_->counts_.at(module); }
std::size_t ForwardingWorker::parked() const noexcept { return impl_->parked_.load(std::memory_order_relaxed); }
std::uint64_t ForwardingWorker::runs() const noexcept { return impl_->runs_.load(std::memory_order_relaxed); }
const PacketPool& ForwardingWorker::pool() const noexcept { return impl_->pool_; }
std::size_t ForwardingWorker::number() const noexcept { return impl_->config_.number; }

}  // namespace trivet::core
