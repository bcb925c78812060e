// What the benchmarks of the pipeline share: a node of two networks, frames through it, a port that never runs dry, and
// the door alone.
//
// Thread: one.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/io/packet_io.h"
#include "core/pipeline/door.h"
#include "core/pipeline/packet_pool.h"
#include "trivet/batch.h"
#include "trivet/forwarding.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::bench {

// Gives 64 copies of a frame at each call; takes everything.
class EndlessPort final : public core::PacketPort {
 public:
  explicit EndlessPort(testkit::Frame frame) : frame_(std::move(frame)) {}
  std::size_t receive(core::PacketPool& pool, std::span<Packet*> out) noexcept override {
    if (frame_.empty()) return 0;
    for (Packet*& packet : out) {
      packet = pool.acquire(frame_.size());
      std::memcpy(packet->data, frame_.data(), frame_.size());
      packet->length = static_cast<std::uint32_t>(frame_.size());
    }
    return out.size();
  }
  void transmit(core::PacketPool& pool, std::span<Packet* const> packets) noexcept override {
    sent_ += packets.size();
    for (Packet* const packet : packets) pool.release(packet);
  }
  [[nodiscard]] std::vector<int> poll_fds() const override { return {}; }
  [[nodiscard]] core::PortCounters counters() const noexcept override { return {.tx_frames = sent_}; }

 private:
  testkit::Frame frame_;
  std::uint64_t sent_ = 0;
};

// Interface 1 leads to 10.0.1.0/24, interface 2 to 10.0.2.0/24 and 2001:db8:2::/64.
[[nodiscard]] ForwardingState::Parts pipeline_parts();
// A TCP packet that comes in by interface 1 and goes out by 2.
[[nodiscard]] testkit::Frame pipeline_frame(Family family);
inline constexpr MacAddress pipeline_neighbor{{2, 0, 0, 0, 2, 80}};  // who gets it

// Batches of 64 such packets, examined.
class DoorBed {
 public:
  explicit DoorBed(Family family);
  void run();
  [[nodiscard]] bool lets_in() const;

 private:
  ForwardingState forwarding_;
  core::DoorFilter filter_;
  EndlessPort port_;
  core::PacketPool pool_;
  std::array<Packet*, Batch::capacity> packets_{};
  std::array<core::DoorDrop, Batch::capacity> results_{};
};

}  // namespace trivet::bench
