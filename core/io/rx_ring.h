// One receive queue of an interface: a packet socket with a memory-mapped ring (TPACKET_V2) that passes checksum and
// segmentation offloads through (PACKET_VNET_HDR).
//
// Frames that fit a ring slot are copied out of it without a system call. Larger ones (super-frames up to 64 KiB, jumbo
// frames) wait whole in the socket's receive queue and are fetched by one recvmsg each. VLAN tags that the kernel took
// off are put back into the frame. Frames that this node sends are not seen.
// Thread: receive() one worker; dropped() any; the rest control, before the first receive().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/io/file_descriptor.h"
#include "core/pipeline/packet_pool.h"
#include "trivet/packet.h"
#include "trivet/result.h"

namespace trivet::core {

struct RxRingSizes {
  std::size_t slots = 4096;                   // a multiple of 64
  std::size_t large_frame_bytes = 8U << 20U;  // limit of what waits for recvmsg
};

// Whether frames that this node sends reach the ring at all.
enum class Outgoing { ignored, filter };

class RxRing {
 public:
  // Opens the ring on the interface; nothing is delivered to it until accept_frames().
  [[nodiscard]] static Result<RxRing> open(int interface_index, RxRingSizes sizes);

  RxRing(RxRing&& other) noexcept;
  RxRing& operator=(RxRing&&) = delete;
  RxRing(const RxRing&) = delete;
  RxRing& operator=(const RxRing&) = delete;
  ~RxRing();

  // Takes away the filter that held everything back; where the kernel cannot leave out what goes out, one that does.
  void accept_frames(Outgoing outgoing);
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

  // Moves waiting frames into packets of the pool, up to out.size(). When the pool has no buffer left for a small
  // frame, frames stay in the ring; a large one is dropped and counted.
  [[nodiscard]] std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept;
  // Clears a pending socket error (interface down or gone), so that poll() sleeps again.
  void clear_error() noexcept;
  // Frames lost since the ring was opened: no room in the ring or the queue, no buffer, not understood.
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  RxRing(FileDescriptor fd, std::uint8_t* memory, RxRingSizes sizes);

  [[nodiscard]] std::uint8_t* slot(std::size_t index) const noexcept;
  [[nodiscard]] Packet* take_slot(PacketPool& pool, const std::uint8_t* slot, std::uint32_t status) noexcept;
  [[nodiscard]] Packet* take_large(PacketPool& pool) noexcept;
  void skip_large() noexcept;
  void count_drop() noexcept { lost_.fetch_add(1, std::memory_order_relaxed); }

  FileDescriptor fd_;
  std::uint8_t* memory_ = nullptr;
  RxRingSizes sizes_;
  std::size_t next_ = 0;
  mutable std::atomic<std::uint64_t> lost_ = 0;
};

}  // namespace trivet::core
