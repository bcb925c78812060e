#include "core/pipeline/packet_pool.h"

#include <cassert>
#include <cstring>
#include <functional>
#include <memory>

namespace trivet::core {

namespace {

// One size of buffers: the packets lie in a block of their own, a stack holds the free ones (the last released is the
// one most likely in the cache).
class Kind {
 public:
  Kind(std::size_t count, std::size_t bytes)
      : bytes_(bytes),
        packets_(std::make_unique<Packet[]>(count)),
        in_use_(count, 0),
        // Pages that no packet has used stay untouched.
        arena_(std::make_unique_for_overwrite<std::uint8_t[]>(count * bytes)),
        free_(count) {
    for (std::size_t i = count; i-- > 0;) free_[free_count_++] = static_cast<std::uint32_t>(i);
  }

  [[nodiscard]] bool fits(std::size_t bytes) const { return bytes + PacketPool::headroom <= bytes_; }
  [[nodiscard]] std::size_t available() const { return free_count_; }

  [[nodiscard]] Packet* acquire() noexcept {
    if (free_count_ == 0) return nullptr;
    const std::size_t index = free_[--free_count_];
    in_use_[index] = 1;
    Packet& packet = packets_[index];
    // In place: an assignment would copy a cleared one.
    std::construct_at(&packet);
    packet.buffer = arena_.get() + index * bytes_;
    packet.data = packet.buffer + PacketPool::headroom;
    packet.capacity = static_cast<std::uint32_t>(bytes_);
    return &packet;
  }

  [[nodiscard]] bool owns(const Packet* packet) const {
    const std::less<> before;
    return !before(packet, packets_.get()) && before(packet, packets_.get() + in_use_.size());
  }

  void release(const Packet* packet) noexcept {
    const auto index = static_cast<std::size_t>(packet - packets_.get());
    assert(in_use_[index] == 1);
    // A second release must not put the packet on the stack twice, not even where assertions are off.
    if (in_use_[index] == 0) return;
    in_use_[index] = 0;
    free_[free_count_++] = static_cast<std::uint32_t>(index);
  }

 private:
  std::size_t bytes_;
  std::unique_ptr<Packet[]> packets_;
  std::vector<std::uint8_t> in_use_;
  std::unique_ptr<std::uint8_t[]> arena_;
  std::vector<std::uint32_t> free_;  // the first free_count_ are a stack
  std::size_t free_count_ = 0;
};

}  // namespace

struct PacketPool::Storage {
  explicit Storage(PoolSizes sizes)
      : small(sizes.small_count, sizes.small_bytes), large(sizes.large_count, sizes.large_bytes) {}
  Kind small;
  Kind large;
};

PacketPool::PacketPool(PoolSizes sizes) : sizes_(sizes), storage_(std::make_unique<Storage>(sizes)) {}
PacketPool::~PacketPool() = default;

Packet* PacketPool::acquire(std::size_t bytes) noexcept {
  if (storage_->small.fits(bytes)) return storage_->small.acquire();
  return storage_->large.fits(bytes) ? storage_->large.acquire() : nullptr;
}

void PacketPool::release(Packet* packet) noexcept {
  if (storage_->small.owns(packet)) {
    storage_->small.release(packet);
  } else if (storage_->large.owns(packet)) {
    storage_->large.release(packet);
  } else {
    assert(return_ != nullptr && "a packet of another pool");
    if (return_ != nullptr) return_->give_back(packet);
  }
}

Packet* PacketPool::copy_of(const Packet& packet) noexcept {
  Packet* const copy = acquire(packet.length);
  if (copy == nullptr) return nullptr;
  std::uint8_t* const buffer = copy->buffer;
  std::uint8_t* const data = copy->data;
  const std::uint32_t capacity = copy->capacity;
  *copy = packet;
  copy->buffer = buffer;
  copy->data = data;
  copy->capacity = capacity;
  std::memcpy(copy->data, packet.data, packet.length);
  return copy;
}

bool PacketPool::owns(const Packet* packet) const noexcept {
  return storage_->small.owns(packet) || storage_->large.owns(packet);
}
bool PacketPool::is_large(const Packet* packet) const noexcept { return storage_->large.owns(packet); }

std::size_t PacketPool::available_small() const noexcept { return storage_->small.available(); }
std::size_t PacketPool::available_large() const noexcept { return storage_->large.available(); }

}  // namespace trivet::core
