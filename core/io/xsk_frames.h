// Received frames out of the rings of an AF_XDP socket, and their chunks back to the kernel.
//
// Thread: the worker that has the queue. Pure: touches the rings, the UMEM and the pool, makes no system call.
#pragma once

#include <xdp/xsk.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/pipeline/packet_pool.h"
#include "trivet/packet.h"

namespace trivet::core {

struct TakenFrames {
  std::size_t packets = 0;  // at the front of what was to be filled
  std::size_t lost = 0;     // no buffer of their size
};

// Moves waiting frames into packets of the pool and puts their chunks into the ring to fill. Frames stay where they are
// while the pool has no small buffer left, and while the ring to fill shows no room for their chunks.
[[nodiscard]] TakenFrames take_frames(xsk_ring_cons& receive, xsk_ring_prod& fill, const std::uint8_t* memory,
                                      PacketPool& pool, std::span<Packet*> out) noexcept;

}  // namespace trivet::core
