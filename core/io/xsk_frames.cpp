#include "core/io/xsk_frames.h"

#include <algorithm>
#include <cstring>

#include "core/io/shared_umem.h"

namespace trivet::core {

TakenFrames take_frames(xsk_ring_cons& receive, xsk_ring_prod& fill, const std::uint8_t* memory, PacketPool& pool,
                        std::span<Packet*> out) noexcept {
  const std::size_t wanted = std::min(out.size(), pool.available_small());
  std::uint32_t at = 0;
  const std::uint32_t ready = xsk_ring_cons__peek(&receive, static_cast<std::uint32_t>(wanted), &at);
  if (ready == 0) return {};
  std::uint32_t refill = 0;
  // Each chunk that comes in has left the ring to fill, but the kernel shows frames a moment before the places that
  // their chunks have left. In that moment nothing is taken: the frames stay, and poll() tells of them again.
  if (xsk_ring_prod__reserve(&fill, ready, &refill) != ready) {
    xsk_ring_cons__cancel(&receive, ready);
    return {};
  }
  TakenFrames taken;
  for (std::uint32_t i = 0; i < ready; ++i) {
    const xdp_desc& frame = *xsk_ring_cons__rx_desc(&receive, at + i);
    if (i + 1 < ready) __builtin_prefetch(memory + xsk_ring_cons__rx_desc(&receive, at + i + 1)->addr);
    Packet* packet = pool.acquire(frame.len);
    if (packet != nullptr) {
      std::memcpy(packet->data, memory + frame.addr, frame.len);
      packet->length = frame.len;
      out[taken.packets++] = packet;
    } else {
      ++taken.lost;
    }
    *xsk_ring_prod__fill_addr(&fill, refill + i) = UmemStore::chunk_of(frame.addr);
  }
  xsk_ring_cons__release(&receive, ready);
  xsk_ring_prod__submit(&fill, ready);
  return taken;
}

}  // namespace trivet::core
