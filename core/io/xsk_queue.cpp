#include "core/io/xsk_queue.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "core/io/xsk_frames.h"

namespace trivet::core {

namespace {

constexpr int busy_attempts = 20;
constexpr auto busy_pause = std::chrono::milliseconds{2};
constexpr int wait_milliseconds = 1;

template <class T>
bool set_option(int fd, int option, const T& value) {
  return ::setsockopt(fd, SOL_XDP, option, &value, sizeof value) == 0;
}

}  // namespace

std::expected<std::unique_ptr<XskQueue>, XskQueue::Failure> XskQueue::open(UmemStore& store, int interface_index,
                                                                           std::uint32_t queue, XskMode mode) {
  for (int attempt = 1;; ++attempt) {
    auto opened = try_open(store, interface_index, queue, mode);
    if (opened || opened.error().number != EBUSY || attempt == busy_attempts) return opened;
    std::this_thread::sleep_for(busy_pause);
  }
}

std::expected<std::unique_ptr<XskQueue>, XskQueue::Failure> XskQueue::try_open(UmemStore& store, int interface_index,
                                                                               std::uint32_t queue, XskMode mode) {
  const auto failed = [queue](int number) {
    return std::unexpected(Failure{number, "cannot open an AF_XDP socket on queue " + std::to_string(queue) + ": " +
                                               (number == EBUSY ? "another socket has it" : std::strerror(number))});
  };
  for (;;) {
    auto lease = store.lease(mode);
    if (!lease) return std::unexpected(Failure{ENOMEM, lease.error().text});
    FileDescriptor fd{::socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd.valid()) return failed(errno);
    std::unique_ptr<XskQueue> result{new XskQueue{std::move(fd), std::move(*lease), mode, store.sizes()}};
    if (const int error = result->set_up(store.sizes()); error != 0) return failed(error);
    const int error = result->bind_to(interface_index, queue);
    if (error == 0) return result;
    if (error != EBADF) return failed(error);
    store.retire(result->lease_);  // the interfaces of all its sockets are gone: on with another area
  }
}

XskQueue::XskQueue(FileDescriptor fd, UmemLease lease, XskMode mode, const UmemSizes& sizes)
    : lease_(std::move(lease)), fd_(std::move(fd)), mode_(mode), memory_(lease_.memory().data()) {
  free_.reserve(sizes.send_chunks);
  const std::uint64_t first = lease_.first_chunk() + std::uint64_t{sizes.receive_chunks} * UmemStore::chunk_bytes;
  for (std::uint64_t i = sizes.send_chunks; i-- > 0;) free_.push_back(first + i * UmemStore::chunk_bytes);
}

XskQueue::~XskQueue() {
  for (const Mapping& mapping : mappings_) {
    if (mapping.at != nullptr) ::munmap(mapping.at, mapping.bytes);
  }
}

template <class Ring>
int XskQueue::map_ring(Ring& ring, std::uint32_t size, const xdp_ring_offset& offsets, std::size_t entry_bytes,
                       std::int64_t page, Mapping& mapping) noexcept {
  const std::size_t bytes = offsets.desc + size * entry_bytes;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd(), page);
  if (at == MAP_FAILED) return errno;
  mapping = {at, bytes};
  // A mapping keeps its socket open: a forked watcher must not inherit it.
  if (::madvise(at, bytes, MADV_DONTFORK) != 0) return errno;
  auto* base = static_cast<std::uint8_t*>(at);
  ring.mask = size - 1;
  ring.size = size;
  ring.producer = reinterpret_cast<std::uint32_t*>(base + offsets.producer);
  ring.consumer = reinterpret_cast<std::uint32_t*>(base + offsets.consumer);
  ring.flags = reinterpret_cast<std::uint32_t*>(base + offsets.flags);
  ring.ring = base + offsets.desc;
  ring.cached_prod = *ring.producer;
  ring.cached_cons = *ring.consumer;
  return 0;
}

int XskQueue::set_up(const UmemSizes& sizes) noexcept {
  if (lease_.members().empty()) {
    xdp_umem_reg area{};
    area.addr = reinterpret_cast<std::uint64_t>(memory_);
    area.len = lease_.memory().size();
    area.chunk_size = UmemStore::chunk_bytes;
    if (!set_option(fd(), XDP_UMEM_REG, area)) return errno;
  }
  if (!set_option(fd(), XDP_UMEM_FILL_RING, sizes.receive_chunks) ||
      !set_option(fd(), XDP_UMEM_COMPLETION_RING, sizes.send_chunks) ||
      !set_option(fd(), XDP_RX_RING, sizes.receive_chunks) || !set_option(fd(), XDP_TX_RING, sizes.send_chunks)) {
    return errno;
  }
  xdp_mmap_offsets offsets{};
  socklen_t size = sizeof offsets;
  if (::getsockopt(fd(), SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) != 0) return errno;
  int error =
      map_ring(fill_, sizes.receive_chunks, offsets.fr, sizeof(std::uint64_t), XDP_UMEM_PGOFF_FILL_RING, mappings_[0]);
  if (error == 0) {
    error = map_ring(completion_, sizes.send_chunks, offsets.cr, sizeof(std::uint64_t), XDP_UMEM_PGOFF_COMPLETION_RING,
                     mappings_[1]);
  }
  if (error == 0) {
    error = map_ring(receive_, sizes.receive_chunks, offsets.rx, sizeof(xdp_desc), XDP_PGOFF_RX_RING, mappings_[2]);
  }
  if (error == 0)
    error = map_ring(send_, sizes.send_chunks, offsets.tx, sizeof(xdp_desc), XDP_PGOFF_TX_RING, mappings_[3]);
  if (error != 0) return error;
  // A producer's view of the consumer is kept one ring ahead (see xsk_prod_nb_free).
  fill_.cached_cons += fill_.size;
  send_.cached_cons += send_.size;

  std::uint32_t at = 0;
  static_cast<void>(xsk_ring_prod__reserve(&fill_, sizes.receive_chunks, &at));
  for (std::uint64_t i = 0; i < sizes.receive_chunks; ++i) {
    *xsk_ring_prod__fill_addr(&fill_, at++) = lease_.first_chunk() + i * UmemStore::chunk_bytes;
  }
  xsk_ring_prod__submit(&fill_, sizes.receive_chunks);
  return 0;
}

int XskQueue::bind_to(int interface_index, std::uint32_t queue) noexcept {
  sockaddr_xdp address{};
  address.sxdp_family = AF_XDP;
  address.sxdp_ifindex = static_cast<std::uint32_t>(interface_index);
  address.sxdp_queue_id = queue;
  const auto attempt = [&] {
    return ::bind(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  };
  int error = EBADF;
  if (lease_.members().empty()) {
    address.sxdp_flags =
        static_cast<std::uint16_t>(XDP_USE_NEED_WAKEUP | (mode_ == XskMode::zero_copy ? XDP_ZEROCOPY : XDP_COPY));
    error = attempt();
  } else {
    address.sxdp_flags = XDP_SHARED_UMEM;
    for (const int member : lease_.members()) {
      address.sxdp_shared_umem_fd = static_cast<std::uint32_t>(member);
      error = attempt();
      if (error != EBADF) break;  // EBADF: the member's interface is gone
    }
  }
  if (error == 0) lease_.join(fd());
  return error;
}

std::size_t XskQueue::receive(PacketPool& pool, std::span<Packet*> out) noexcept {
  const TakenFrames taken = take_frames(receive_, fill_, memory_, pool, out);
  if (taken.packets == 0 && taken.lost == 0) return 0;
  if (taken.lost != 0) no_buffer_.fetch_add(taken.lost, std::memory_order_relaxed);
  if (xsk_ring_prod__needs_wakeup(&fill_) != 0) {
    static_cast<void>(::recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr));
  }
  return taken.packets;
}

void XskQueue::send(std::span<Packet* const> packets) noexcept {
  // The kernel takes up to 32 frames in a call; only a ring that it has emptied tells how far it has come.
  constexpr std::size_t taken_at_once = 32;
  bool may_wait = true;
  reclaim();
  if (mode_ == XskMode::copy && waiting() != 0 && !drain(may_wait)) return refuse(packets);
  while (!packets.empty()) {
    const std::size_t count = push(packets.first(std::min(packets.size(), taken_at_once)));
    packets = packets.subspan(count);
    if (count == 0) {
      if (!std::exchange(may_wait, false)) return refuse(packets);
      wait_for_room();
    } else if (mode_ == XskMode::copy) {
      if (!drain(may_wait)) return refuse(packets);
    } else if (xsk_ring_prod__needs_wakeup(&send_) != 0) {
      static_cast<void>(::sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0));
    }
    reclaim();
  }
}

void XskQueue::reclaim() noexcept {
  std::uint32_t at = 0;
  const std::uint32_t done = xsk_ring_cons__peek(&completion_, completion_.size, &at);
  if (done == 0) return;
  for (std::uint32_t i = 0; i < done; ++i) {
    free_.push_back(
        UmemStore::chunk_of(*xsk_ring_cons__comp_addr(&completion_, at + i)));  // within the reserved capacity
  }
  xsk_ring_cons__release(&completion_, done);
}

std::size_t XskQueue::push(std::span<Packet* const> packets) noexcept {
  const auto count = static_cast<std::uint32_t>(std::min(packets.size(), free_.size()));
  std::uint32_t at = 0;
  if (count == 0 || xsk_ring_prod__reserve(&send_, count, &at) == 0) return 0;
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Packet& packet = *packets[i];
    xdp_desc& frame = *xsk_ring_prod__tx_desc(&send_, at + i);
    frame.addr = free_.back();
    free_.pop_back();
    frame.len = packet.length;
    frame.options = 0;
    std::memcpy(memory_ + frame.addr, packet.data, packet.length);
    bytes += packet.length;
  }
  xsk_ring_prod__submit(&send_, count);
  sent_frames_.fetch_add(count, std::memory_order_relaxed);
  sent_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return count;
}

// In copy mode the kernel sends within our system calls. It stops at a frame that the interface refused, which is then
// gone (EBUSY), or after its share (EAGAIN). False: what is left stays in the ring; nothing may be added.
bool XskQueue::drain(bool& may_wait) noexcept {
  const std::uint32_t most_calls = waiting() + 8;
  for (std::uint32_t call = 0; call < most_calls; ++call) {
    const int error = ::sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0 ? 0 : errno;
    if (waiting() == 0) {
      has_leftovers_ = false;
      return true;
    }
    if (error == ENETDOWN || error == ENXIO) {
      // Nothing of a first call has been taken then; after others nobody knows how much.
      if (call == 0 && !has_leftovers_) withdraw();
      has_leftovers_ = true;
      return false;
    }
    if (error == EBUSY) not_sent(1, 0);
  }
  has_leftovers_ = true;
  if (std::exchange(may_wait, false)) wait_for_room();
  has_leftovers_ = waiting() != 0;
  return !has_leftovers_;
}

// In copy mode poll() sends, too.
void XskQueue::wait_for_room() noexcept {
  pollfd wanted{fd(), POLLOUT, 0};
  static_cast<void>(::poll(&wanted, 1, wait_milliseconds));
}

std::uint32_t XskQueue::waiting() const noexcept {
  return *send_.producer - __atomic_load_n(send_.consumer, __ATOMIC_ACQUIRE);
}

// Frames must not go out when the interface is up again, much later. The kernel passes over descriptors that point
// outside the UMEM; in copy mode it reads them in our system calls only.
void XskQueue::withdraw() noexcept {
  std::uint64_t bytes = 0;
  const std::uint32_t count = waiting();
  for (std::uint32_t i = count; i != 0; --i) {
    xdp_desc& frame = *xsk_ring_prod__tx_desc(&send_, *send_.producer - i);
    bytes += frame.len;
    free_.push_back(frame.addr);
    frame.addr = UINT64_MAX;
  }
  not_sent(count, bytes);
}

void XskQueue::refuse(std::span<Packet* const> packets) noexcept {
  send_drops_.fetch_add(packets.size(), std::memory_order_relaxed);
}

// Bytes of a frame that is refused after it has been taken stay counted: which one it was is not told.
void XskQueue::not_sent(std::uint64_t frames, std::uint64_t bytes) noexcept {
  sent_frames_.fetch_sub(frames, std::memory_order_relaxed);
  sent_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  send_drops_.fetch_add(frames, std::memory_order_relaxed);
}

void XskQueue::clear_error() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  static_cast<void>(::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size));
}

std::uint64_t XskQueue::receive_drops() const noexcept {
  xdp_statistics statistics{};
  socklen_t size = sizeof statistics;
  std::uint64_t drops = no_buffer_.load(std::memory_order_relaxed);
  if (::getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &statistics, &size) == 0) {
    drops += statistics.rx_dropped + statistics.rx_ring_full;
  }
  return drops;
}

}  // namespace trivet::core
