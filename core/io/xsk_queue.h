// One queue of an interface by an AF_XDP socket: frames are copied between the UMEM and packets of the pool.
//
// A chunk never leaves its part: one that has been read goes straight back to the kernel, one that has been sent to the
// free ones. The kernel is woken only where it asks for it (XDP_USE_NEED_WAKEUP).
// Thread: receive(), send(), clear_error() one worker; counts any; the rest control.
#pragma once

#include <xdp/xsk.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/io/file_descriptor.h"
#include "core/io/shared_umem.h"
#include "core/pipeline/packet_pool.h"
#include "trivet/packet.h"

namespace trivet::core {

class XskQueue {
 public:
  struct Failure {
    int number = 0;  // of errno
    std::string text;
  };
  // Waits some milliseconds for a former socket of the queue, which the kernel takes apart only after its end.
  [[nodiscard]] static std::expected<std::unique_ptr<XskQueue>, Failure> open(UmemStore& store, int interface_index,
                                                                              std::uint32_t queue, XskMode mode);
  XskQueue(const XskQueue&) = delete;
  XskQueue& operator=(const XskQueue&) = delete;
  ~XskQueue();

  // Moves waiting frames into packets of the pool. Frames stay where they are while the pool has no small buffer left.
  [[nodiscard]] std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept;
  // Sends the frames in order; each fits a chunk and has a complete checksum. What the interface does not take is
  // counted; a full queue is waited for at most once, 1 ms.
  void send(std::span<Packet* const> packets) noexcept;
  // Clears a pending socket error (interface gone), so that poll() sleeps again.
  void clear_error() noexcept;

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] std::uint64_t sent_frames() const noexcept { return sent_frames_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t sent_bytes() const noexcept { return sent_bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t send_drops() const noexcept { return send_drops_.load(std::memory_order_relaxed); }
  // Lost on the way in: no room in the queue, too long, no buffer.
  [[nodiscard]] std::uint64_t receive_drops() const noexcept;

 private:
  struct Mapping {
    void* at = nullptr;
    std::size_t bytes = 0;
  };
  XskQueue(FileDescriptor fd, UmemLease lease, XskMode mode, const UmemSizes& sizes);
  // Both give errno; 0 = done.
  [[nodiscard]] int set_up(const UmemSizes& sizes) noexcept;
  [[nodiscard]] int bind_to(int interface_index, std::uint32_t queue) noexcept;
  [[nodiscard]] static std::expected<std::unique_ptr<XskQueue>, Failure> try_open(UmemStore& store, int interface_index,
                                                                                  std::uint32_t queue, XskMode mode);
  template <class Ring>
  [[nodiscard]] int map_ring(Ring& ring, std::uint32_t size, const xdp_ring_offset& offsets, std::size_t entry_bytes,
                             std::int64_t page, Mapping& mapping) noexcept;

  void reclaim() noexcept;
  [[nodiscard]] std::size_t push(std::span<Packet* const> packets) noexcept;
  [[nodiscard]] bool drain(bool& may_wait) noexcept;
  void wait_for_room() noexcept;
  [[nodiscard]] std::uint32_t waiting() const noexcept;
  void withdraw() noexcept;
  void refuse(std::span<Packet* const> packets) noexcept;
  void not_sent(std::uint64_t frames, std::uint64_t bytes) noexcept;

  UmemLease lease_;
  FileDescriptor fd_;  // closed before the lease ends
  XskMode mode_;
  std::uint8_t* memory_;
  xsk_ring_prod fill_{};
  xsk_ring_cons completion_{};
  xsk_ring_cons receive_{};
  xsk_ring_prod send_{};
  std::array<Mapping, 4> mappings_{};
  std::vector<std::uint64_t> free_;  // chunks to send from; never more than at the start
  bool has_leftovers_ = false;       // of an earlier call, in the ring to send
  std::atomic<std::uint64_t> no_buffer_ = 0;
  std::atomic<std::uint64_t> sent_frames_ = 0;
  std::atomic<std::uint64_t> sent_bytes_ = 0;
  std::atomic<std::uint64_t> send_drops_ = 0;
};

}  // namespace trivet::core
