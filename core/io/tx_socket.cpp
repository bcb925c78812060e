#include "core/io/tx_socket.h"

#include <linux/if_packet.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace trivet::core {

namespace {

constexpr int send_buffer_bytes = 8 << 20;  // some hundred super-frames; a queueing discipline may hold them
constexpr int wait_milliseconds = 1;

}  // namespace

Result<FileDescriptor> TxSocket::open(int interface_index) {
  // Protocol 0: the socket receives nothing.
  FileDescriptor fd{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int on = 1;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = interface_index;
  if (!fd.valid() || ::setsockopt(fd.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(std::string{"cannot set up a packet socket for sending: "} + std::strerror(errno));
  }
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer_bytes, sizeof send_buffer_bytes) != 0) {
    static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes));
  }
  return fd;
}

TxSocket::TxSocket(FileDescriptor fd) : fd_(std::move(fd)) {
  for (std::size_t i = 0; i < batch; ++i) {
    parts_[i][0] = {&headers_[i], sizeof headers_[i]};
    messages_[i].msg_hdr.msg_iov = parts_[i].data();
    messages_[i].msg_hdr.msg_iovlen = 2;
  }
}

void TxSocket::send(std::span<Packet* const> packets) noexcept {
  bool may_wait = true;
  while (!packets.empty()) {
    const std::size_t count = std::min(packets.size(), batch);
    send_batch(packets.first(count), may_wait);
    packets = packets.subspan(count);
  }
}

void TxSocket::send_batch(std::span<Packet* const> packets, bool& may_wait) noexcept {
  for (std::size_t i = 0; i < packets.size(); ++i) {
    headers_[i] = make_vnet_header(*packets[i]);
    parts_[i][1] = {packets[i]->data, packets[i]->length};
  }
  std::size_t at = 0;
  std::uint64_t frames = 0;
  std::uint64_t bytes = 0;
  std::uint64_t dropped = 0;
  while (at < packets.size()) {
    const int sent = ::sendmmsg(fd_.get(), &messages_[at], static_cast<unsigned>(packets.size() - at), MSG_DONTWAIT);
    if (sent > 0) {
      for (const std::size_t end = at + static_cast<std::size_t>(sent); at < end; ++at) {
        ++frames;
        bytes += packets[at]->length;
      }
      continue;
    }
    const int reason = errno;
    if (reason == EINTR) continue;
    if ((reason == EAGAIN || reason == EWOULDBLOCK) && std::exchange(may_wait, false) && wait_for_room()) continue;
    if (reason == ENOBUFS || reason == EMSGSIZE || reason == EINVAL) {
      // This frame only: the queue behind the interface dropped it, or it does not fit. The next one may pass.
      ++at;
      ++dropped;
      continue;
    }
    dropped += packets.size() - at;
    break;
  }
  frames_.fetch_add(frames, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  dropped_.fetch_add(dropped, std::memory_order_relaxed);
}

bool TxSocket::wait_for_room() noexcept {
  pollfd wanted{fd_.get(), POLLOUT, 0};
  return ::poll(&wanted, 1, wait_milliseconds) > 0 && (wanted.revents & POLLOUT) != 0;
}

}  // namespace trivet::core
