// Packet buffers of one worker: a bounded set, made once, handed out and taken back without allocation.
//
// Thread: the worker that owns the pool (the control thread has a pool of its own). Ownership: the pool's memory; a
// packet that acquire() gave is the caller's until release(). Releasing a free packet is a programmer's error and
// asserted. A packet of another worker's pool may be released here when there is somebody who takes it home.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "trivet/packet.h"

namespace trivet::core {

struct PoolSizes {
  std::size_t small_count = 4096;
  std::size_t small_bytes = 2048 + 128;  // frames up to 2,048 bytes
  std::size_t large_count = 256;
  std::size_t large_bytes = 65536 + 512;  // super-frames
};

// Who takes packets of other pools back to them. Thread: the worker that owns the pool which has been given them.
class PacketReturn {
 public:
  virtual void give_back(Packet* packet) noexcept = 0;

 protected:
  ~PacketReturn() = default;
};

class PacketPool {
 public:
  static constexpr std::size_t headroom = 128;

  explicit PacketPool(PoolSizes sizes = {});
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;
  ~PacketPool();

  // A packet with metadata cleared, data = buffer + headroom, length 0, and room for `bytes` behind data. Small buffers
  // for what fits them. Null when that kind is used up.
  [[nodiscard]] Packet* acquire(std::size_t bytes) noexcept;
  void release(Packet* packet) noexcept;
  // A packet of this pool with the same bytes and metadata; null as acquire(). The original stays the caller's.
  [[nodiscard]] Packet* copy_of(const Packet& packet) noexcept;
  [[nodiscard]] std::size_t available_small() const noexcept;
  [[nodiscard]] std::size_t available_large() const noexcept;

  // Any thread:
  [[nodiscard]] bool owns(const Packet* packet) const noexcept;
  [[nodiscard]] bool is_large(const Packet* packet) const noexcept;  // of this pool's
  [[nodiscard]] const PoolSizes& sizes() const noexcept { return sizes_; }

  // Before the worker runs.
  void set_return(PacketReturn* taker) noexcept { return_ = taker; }

 private:
  struct Storage;
  PoolSizes sizes_;
  std::unique_ptr<Storage> storage_;
  PacketReturn* return_ = nullptr;
};

}  // namespace trivet::core
