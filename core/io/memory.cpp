#include "core/io/memory.h"

#include <cstring>
#include <deque>
#include <utility>

#include "core/pipeline/vlan_tag.h"

namespace trivet::core {

// One interface: what lies on its cable in both directions. Shared by the backend and the taken interface, so that
// either may go first.
struct MemoryBackend::Cable {
  std::string name;
  std::size_t receive_limit = 0;
  std::size_t sent_limit = 0;

  mutable std::mutex mutex;
  LinkInfo link;
  bool is_taken = false;
  std::vector<std::deque<MemoryFrame>> waiting;  // by worker; empty while not taken
  std::vector<PortCounters> counters;            // by worker
  std::deque<MemoryFrame> sent;
  std::function<void(MemoryFrame)> hook;
  std::vector<MacAddress> filter;
  bool lets_in_tags = false;
};

class MemoryBackend::Port final : public PacketPort {
 public:
  Port(std::shared_ptr<Cable> cable, std::size_t worker) : cable_(std::move(cable)), worker_(worker) {}

  std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept override {
    const std::scoped_lock lock(cable_->mutex);
    std::deque<MemoryFrame>& waiting = cable_->waiting[worker_];
    PortCounters& counters = cable_->counters[worker_];
    std::size_t count = 0;
    while (count < out.size() && !waiting.empty()) {
      const MemoryFrame& frame = waiting.front();
      Packet* const packet = pool.acquire(frame.bytes.size());
      if (packet == nullptr) {
        ++counters.rx_dropped;
      } else {
        fill(*packet, frame);
        ++counters.rx_frames;
        counters.rx_bytes += frame.bytes.size();
        out[count++] = packet;
      }
      waiting.pop_front();
    }
    return count;
  }

  void transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept override {
    for (Packet* const packet : packets) {
      send(*packet);
      pool.release(packet);
    }
  }

  [[nodiscard]] std::vector<int> poll_fds() const override { return {}; }
  [[nodiscard]] PortCounters counters() const noexcept override {
    const std::scoped_lock lock(cable_->mutex);
    return cable_->counters[worker_];
  }

 private:
  static void fill(Packet& packet, const MemoryFrame& frame) {
    packet.length = static_cast<std::uint32_t>(frame.bytes.size());
    if (!frame.bytes.empty()) std::memcpy(packet.data, frame.bytes.data(), frame.bytes.size());
    packet.checksum = frame.checksum;
    packet.segments = frame.segments;
    packet.segment_size = frame.segment_size;
    packet.checksum_start = frame.checksum_start;
    packet.checksum_offset = frame.checksum_offset;
  }

  // As a real interface: nothing larger than the MTU but super-frames, which it cuts.
  void send(const Packet& packet) {
    constexpr std::size_t ethernet_length = 14;
    MemoryFrame frame{.bytes = {packet.data, packet.data + packet.length},
                      .checksum = packet.checksum,
                      .segments = packet.segments,
                      .segment_size = packet.segment_size,
                      .checksum_start = packet.checksum_start,
                      .checksum_offset = packet.checksum_offset};
    std::function<void(MemoryFrame)> hook;
    {
      const std::scoped_lock lock(cable_->mutex);
      PortCounters& counters = cable_->counters[worker_];
      const std::size_t tag = packet.vlan != 0 ? vlan_tag_bytes : 0;
      const bool is_too_long =
          packet.segments == SegmentType::none && packet.length > cable_->link.mtu + ethernet_length + tag;
      const bool is_full = !cable_->hook && cable_->sent.size() >= cable_->sent_limit;
      if (!cable_->link.carrier || is_too_long || is_full) {
        ++counters.tx_dropped;
        return;
      }
      ++counters.tx_frames;
      counters.tx_bytes += packet.length;
      if (!cable_->hook) {
        cable_->sent.push_back(std::move(frame));
        return;
      }
      hook = cable_->hook;
    }
    hook(std::move(frame));
  }

  std::shared_ptr<Cable> cable_;
  std::size_t worker_;
};

class MemoryBackend::Interface final : public InterfaceIo {
 public:
  Interface(std::shared_ptr<Cable> cable, std::size_t workers) : cable_(std::move(cable)) {
    const std::scoped_lock lock(cable_->mutex);
    cable_->is_taken = true;
    cable_->waiting.resize(workers);
    cable_->counters.assign(workers, {});
    for (std::size_t i = 0; i < workers; ++i) ports_.push_back(std::make_unique<Port>(cable_, i));
  }
  ~Interface() override {
    const std::scoped_lock lock(cable_->mutex);
    cable_->is_taken = false;
    cable_->waiting.clear();
    cable_->filter.clear();
    cable_->lets_in_tags = false;
  }

  [[nodiscard]] PacketPort& port(std::size_t worker) override { return *ports_[worker]; }
  void set_mac_filter(const std::vector<MacAddress>& addresses) override {
    const std::scoped_lock lock(cable_->mutex);
    cable_->filter = addresses;
  }
  void let_in_tags() override {
    const std::scoped_lock lock(cable_->mutex);
    cable_->lets_in_tags = true;
  }

 private:
  std::shared_ptr<Cable> cable_;
  std::vector<std::unique_ptr<Port>> ports_;
};

MemoryBackend::MemoryBackend(Limits limits) : limits_(limits) {}
MemoryBackend::~MemoryBackend() = default;

std::shared_ptr<MemoryBackend::Cable> MemoryBackend::find(const std::string& name) const {
  const auto at = cables_.find(name);
  return at == cables_.end() ? nullptr : at->second;
}

Result<std::unique_ptr<InterfaceIo>> MemoryBackend::open(const InterfaceSpec& spec, std::size_t workers) {
  const std::shared_ptr<Cable> cable = find(spec.name);
  bool exists = false;
  bool is_taken = false;
  if (cable != nullptr) {
    const std::scoped_lock lock(cable->mutex);
    exists = cable->link.exists;
    is_taken = cable->is_taken;
  }
  if (!exists) return fail("there is no interface " + spec.name);
  if (is_taken) return fail("interface " + spec.name + " is taken already");
  return std::make_unique<Interface>(cable, workers);
}

LinkInfo MemoryBackend::link(const std::string& name) {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return {};
  const std::scoped_lock lock(cable->mutex);
  LinkInfo info = cable->link;
  info.carrier = info.carrier && info.exists;
  return info;
}

void MemoryBackend::on_link_change(std::function<void(const std::string& name)> handler) {
  link_handler_ = std::move(handler);
}

void MemoryBackend::add_interface(const std::string& name, MacAddress mac, std::uint32_t mtu) {
  auto cable = std::make_shared<Cable>();
  cable->name = name;
  cable->receive_limit = limits_.receive_queue;
  cable->sent_limit = limits_.sent_queue;
  cable->link = {.exists = true, .carrier = true, .mac = mac, .mtu = mtu};
  cables_.emplace(name, std::move(cable));
}

void MemoryBackend::set_carrier(const std::string& name, bool carrier) {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return;
  {
    const std::scoped_lock lock(cable->mutex);
    if (std::exchange(cable->link.carrier, carrier) == carrier) return;
  }
  if (link_handler_) link_handler_(name);
}

void MemoryBackend::set_exists(const std::string& name, bool exists) {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return;
  {
    const std::scoped_lock lock(cable->mutex);
    if (std::exchange(cable->link.exists, exists) == exists) return;
  }
  if (link_handler_) link_handler_(name);
}

void MemoryBackend::inject(const std::string& name, MemoryFrame frame, std::size_t worker) {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return;
  const std::scoped_lock lock(cable->mutex);
  if (!cable->link.carrier || !cable->link.exists || worker >= cable->waiting.size()) return;
  if (cable->waiting[worker].size() >= cable->receive_limit) {
    ++cable->counters[worker].rx_dropped;
    return;
  }
  cable->waiting[worker].push_back(std::move(frame));
}

std::vector<MemoryFrame> MemoryBackend::take_sent(const std::string& name) {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return {};
  const std::scoped_lock lock(cable->mutex);
  std::vector<MemoryFrame> frames(std::make_move_iterator(cable->sent.begin()),
                                  std::make_move_iterator(cable->sent.end()));
  cable->sent.clear();
  return frames;
}

void MemoryBackend::on_sent(const std::string& name, std::function<void(MemoryFrame frame)> hook) {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return;
  const std::scoped_lock lock(cable->mutex);
  cable->hook = std::move(hook);
}

bool MemoryBackend::has_waiting() const {
  for (const auto& [name, cable] : cables_) {
    const std::scoped_lock lock(cable->mutex);
    for (const auto& waiting : cable->waiting) {
      if (!waiting.empty()) return true;
    }
  }
  return false;
}

std::vector<MacAddress> MemoryBackend::mac_filter(const std::string& name) const {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return {};
  const std::scoped_lock lock(cable->mutex);
  return cable->filter;
}

bool MemoryBackend::lets_in_tags(const std::string& name) const {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return false;
  const std::scoped_lock lock(cable->mutex);
  return cable->lets_in_tags;
}

bool MemoryBackend::is_taken(const std::string& name) const {
  const std::shared_ptr<Cable> cable = find(name);
  if (cable == nullptr) return false;
  const std::scoped_lock lock(cable->mutex);
  return cable->is_taken;
}

}  // namespace trivet::core
