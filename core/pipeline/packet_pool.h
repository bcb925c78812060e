// Packet buffers of one worker: a bounded set, made once, handed out and taken back without allocation.
//
// Thread: the worker that owns the pool (the control thread has a pool of its own). Ownership: the pool's memory; a
// packet that acquire() gave is the caller's until release(). Releasing a foreign or free packet is a programmer's
// error and asserted.
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
  [[nodiscard]] std::size_t available_small() const noexcept;
  [[nodiscard]] std::size_t available_large() const noexcept;

 private:
  struct Storage;
  std::unique_ptr<Storage> storage_;
};

}  // namespace trivet::core
