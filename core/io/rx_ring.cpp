#include "core/io/rx_ring.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/io/vnet_header.h"
#include "core/pipeline/vlan_tag.h"
#include "trivet/net/endian.h"

namespace trivet::core {

namespace {

constexpr std::size_t slot_bytes = 2048;
constexpr std::size_t block_bytes = 64 * slot_bytes;
constexpr std::size_t vlan_tag_at = 12;  // behind the two MAC addresses
constexpr std::size_t largest_frame = 65535 + 14 + vlan_tag_bytes;

std::string system_error(const char* what) { return std::string{what} + ": " + std::strerror(errno); }

template <class T>
bool set_option(int fd, int level, int option, const T& value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Nothing may enter the ring before the fan-out group decides what belongs here.
bool hold_back_all(int fd) {
  sock_filter nothing{BPF_RET | BPF_K, 0, 0, 0};
  const sock_fprog program{1, &nothing};
  return set_option(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

struct VlanTag {
  bool present = false;
  std::uint16_t type = ETH_P_8021Q;
  std::uint16_t control = 0;
};

VlanTag vlan_tag(std::uint32_t status, std::uint16_t type, std::uint16_t control) {
  VlanTag tag;
  tag.present = (status & TP_STATUS_VLAN_VALID) != 0;
  if ((status & TP_STATUS_VLAN_TPID_VALID) != 0) tag.type = type;
  tag.control = control;
  return tag;
}

void write_tag(std::uint8_t* at, const VlanTag& tag) {
  const Be16 fields[2] = {Be16{tag.type}, Be16{tag.control}};
  std::memcpy(at, fields, sizeof fields);
}

}  // namespace

Result<RxRing> RxRing::open(int interface_index, RxRingSizes sizes) {
  FileDescriptor fd{::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd.valid()) return fail(system_error("cannot open a packet socket"));
  const int version = TPACKET_V2;
  const int on = 1;
  // Everything that does not fit a slot goes to the receive queue, whole, while that has room.
  const int threshold = static_cast<int>(slot_bytes);
  const tpacket_req ring{static_cast<unsigned>(block_bytes),
                         static_cast<unsigned>(sizes.slots * slot_bytes / block_bytes),
                         static_cast<unsigned>(slot_bytes), static_cast<unsigned>(sizes.slots)};
  if (!hold_back_all(fd.get()) || !set_option(fd.get(), SOL_PACKET, PACKET_VERSION, version) ||
      !set_option(fd.get(), SOL_PACKET, PACKET_VNET_HDR, on) || !set_option(fd.get(), SOL_PACKET, PACKET_AUXDATA, on) ||
      !set_option(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, on) ||
      !set_option(fd.get(), SOL_PACKET, PACKET_COPY_THRESH, threshold) ||
      !set_option(fd.get(), SOL_PACKET, PACKET_RX_RING, ring)) {
    return fail(system_error("cannot set up a packet socket"));
  }
  const int queue_bytes = static_cast<int>(sizes.large_frame_bytes);
  if (!set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, queue_bytes)) {
    set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, queue_bytes);
  }
  void* memory =
      ::mmap(nullptr, sizes.slots * slot_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (memory == MAP_FAILED) return fail(system_error("cannot map the ring of a packet socket"));
  RxRing result{std::move(fd), static_cast<std::uint8_t*>(memory), sizes};
  // A mapping keeps its socket open, and in its group: the watchers, which are forked later, must not inherit it.
  if (::madvise(memory, sizes.slots * slot_bytes, MADV_DONTFORK) != 0) {
    return fail(system_error("cannot keep the ring of a packet socket to this process"));
  }

  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = interface_index;
  if (::bind(result.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(system_error("cannot bind a packet socket"));
  }
  return result;
}

RxRing::RxRing(FileDescriptor fd, std::uint8_t* memory, RxRingSizes sizes)
    : fd_(std::move(fd)), memory_(memory), sizes_(sizes) {}

RxRing::RxRing(RxRing&& other) noexcept
    : fd_(std::move(other.fd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      sizes_(other.sizes_),
      next_(other.next_),
      lost_(other.lost_.load(std::memory_order_relaxed)) {}

RxRing::~RxRing() {
  if (memory_ != nullptr) ::munmap(memory_, sizes_.slots * slot_bytes);
}

void RxRing::accept_frames(Outgoing outgoing) {
  if (outgoing == Outgoing::ignored) {
    const int unused = 0;
    set_option(fd(), SOL_SOCKET, SO_DETACH_FILTER, unused);
    return;
  }
  sock_filter code[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)},
                        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, PACKET_OUTGOING},
                        {BPF_RET | BPF_K, 0, 0, 0},
                        {BPF_RET | BPF_K, 0, 0, UINT32_MAX}};
  const sock_fprog program{static_cast<unsigned short>(std::size(code)), code};
  set_option(fd(), SOL_SOCKET, SO_ATTACH_FILTER, program);
}

std::uint8_t* RxRing::slot(std::size_t index) const noexcept { return memory_ + index * slot_bytes; }

std::size_t RxRing::receive(PacketPool& pool, std::span<Packet*> out) noexcept {
  std::size_t count = 0;
  while (count < out.size()) {
    std::uint8_t* current = slot(next_);
    // The kernel writes the slot before it hands it over by the status word, and we give it back the same way.
    std::atomic_ref<std::uint32_t> status_word{reinterpret_cast<tpacket2_hdr*>(current)->tp_status};
    const std::uint32_t status = status_word.load(std::memory_order_acquire);
    if ((status & TP_STATUS_USER) == 0) break;
    const std::size_t following = next_ + 1 == sizes_.slots ? 0 : next_ + 1;
    __builtin_prefetch(slot(following));

    Packet* packet = nullptr;
    if ((status & TP_STATUS_COPY) != 0) {
      packet = take_large(pool);
    } else {
      if (pool.available_small() == 0) break;
      packet = take_slot(pool, current, status);
    }
    status_word.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = following;
    if (packet != nullptr) {
      out[count++] = packet;
    } else {
      count_drop();
    }
  }
  return count;
}

Packet* RxRing::take_slot(PacketPool& pool, const std::uint8_t* slot, std::uint32_t status) noexcept {
  const auto& header = *reinterpret_cast<const tpacket2_hdr*>(slot);
  // Shortened without a copy in the queue: the queue was full.
  if (header.tp_snaplen != header.tp_len || header.tp_snaplen < ETH_HLEN) return nullptr;
  const VlanTag tag = vlan_tag(status, header.tp_vlan_tpid, header.tp_vlan_tci);
  const std::size_t inserted = tag.present ? vlan_tag_bytes : 0;

  Packet* packet = pool.acquire(header.tp_snaplen + inserted);
  if (packet == nullptr) return nullptr;
  const std::uint8_t* frame = slot + header.tp_mac;
  if (tag.present) {
    std::memcpy(packet->data, frame, vlan_tag_at);
    write_tag(packet->data + vlan_tag_at, tag);
    std::memcpy(packet->data + vlan_tag_at + vlan_tag_bytes, frame + vlan_tag_at, header.tp_snaplen - vlan_tag_at);
  } else {
    std::memcpy(packet->data, frame, header.tp_snaplen);
  }
  packet->length = static_cast<std::uint32_t>(header.tp_snaplen + inserted);

  VnetHeader offloads;
  std::memcpy(&offloads, frame - sizeof offloads, sizeof offloads);
  if (!read_vnet_header(offloads, inserted, *packet)) {
    pool.release(packet);
    return nullptr;
  }
  return packet;
}

void RxRing::skip_large() noexcept {
  std::uint8_t nothing = 0;
  static_cast<void>(::recv(fd(), &nothing, sizeof nothing, MSG_DONTWAIT | MSG_TRUNC));
}

Packet* RxRing::take_large(PacketPool& pool) noexcept {
  Packet* packet = pool.acquire(largest_frame);
  if (packet == nullptr) {
    skip_large();
    return nullptr;
  }
  VnetHeader offloads;
  // Received behind the place of a tag, so that a tag costs moving two addresses, not 64 KiB.
  iovec parts[2] = {{&offloads, sizeof offloads}, {packet->data + vlan_tag_bytes, packet->tailroom() - vlan_tag_bytes}};
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(tpacket_auxdata))> control{};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t received = ::recvmsg(fd(), &message, MSG_DONTWAIT);
  if (received < static_cast<ssize_t>(sizeof offloads + ETH_HLEN) || (message.msg_flags & MSG_TRUNC) != 0) {
    pool.release(packet);
    return nullptr;
  }
  VlanTag tag;
  const cmsghdr* item = CMSG_FIRSTHDR(&message);
  if (item != nullptr && item->cmsg_level == SOL_PACKET && item->cmsg_type == PACKET_AUXDATA) {
    tpacket_auxdata auxiliary{};
    std::memcpy(&auxiliary, CMSG_DATA(item), sizeof auxiliary);
    tag = vlan_tag(auxiliary.tp_status, auxiliary.tp_vlan_tpid, auxiliary.tp_vlan_tci);
  }
  packet->length = static_cast<std::uint32_t>(static_cast<std::size_t>(received) - sizeof offloads);
  if (tag.present) {
    std::memmove(packet->data, packet->data + vlan_tag_bytes, vlan_tag_at);
    write_tag(packet->data + vlan_tag_at, tag);
    packet->length += vlan_tag_bytes;
  } else {
    packet->data += vlan_tag_bytes;
  }
  if (!read_vnet_header(offloads, tag.present ? vlan_tag_bytes : 0, *packet)) {
    pool.release(packet);
    return nullptr;
  }
  return packet;
}

void RxRing::clear_error() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  static_cast<void>(::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size));
}

std::uint64_t RxRing::dropped() const noexcept {
  // Reading the statistics resets them in the kernel, so that each reader adds what nobody has seen yet.
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  if (::getsockopt(fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size) == 0) {
    lost_.fetch_add(statistics.tp_drops, std::memory_order_relaxed);
  }
  return lost_.load(std::memory_order_relaxed);
}

}  // namespace trivet::core
