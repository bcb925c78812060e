// The transmit side of an interface for one worker: batches of frames, with their offloads, by one system call.
//
// Partial checksums and super-frames go out as they are; an interface that cannot complete them has the kernel do it.
// Thread: one worker; counters any.
#pragma once

#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/io/file_descriptor.h"
#include "core/io/vnet_header.h"
#include "trivet/packet.h"
#include "trivet/result.h"

namespace trivet::core {

class TxSocket {
 public:
  [[nodiscard]] static Result<FileDescriptor> open(int interface_index);
  explicit TxSocket(FileDescriptor fd);
  TxSocket(const TxSocket&) = delete;
  TxSocket& operator=(const TxSocket&) = delete;
  ~TxSocket() = default;

  // Sends the frames in order. What the interface refuses is dropped and counted; a full send buffer is waited for at
  // most once a call, 1 ms.
  void send(std::span<Packet* const> packets) noexcept;
  [[nodiscard]] std::uint64_t frames() const noexcept { return frames_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t batch = 64;
  void send_batch(std::span<Packet* const> packets, bool& may_wait) noexcept;
  [[nodiscard]] bool wait_for_room() noexcept;

  FileDescriptor fd_;
  std::array<VnetHeader, batch> headers_{};
  std::array<std::array<iovec, 2>, batch> parts_{};
  std::array<mmsghdr, batch> messages_{};
  std::atomic<std::uint64_t> frames_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace trivet::core
