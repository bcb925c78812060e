// The balancer's worker alone: two targets behind one service, sessions established, whole batches of 64 TCP packets
// handed to it as the door would.
//
// Thread: one.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "slb/directory.h"
#include "slb/worker.h"
#include "trivet/batch.h"
#include "trivet/forwarding.h"
#include "trivet/module.h"
#include "trivet/random.h"

namespace trivet::bench {

// hit: of a session. miss: to the service, of no session, and not one that begins any. pass: to somebody else.
enum class SlbPacket : std::uint8_t { hit, miss, pass };

class SlbBed {
 public:
  // With `established` sessions, of clients 0, 1 ..., their handshakes over; `room` (at least as many) for more.
  SlbBed(Family family, std::uint32_t established, std::uint32_t room);
  SlbBed(const SlbBed&) = delete;
  SlbBed& operator=(const SlbBed&) = delete;

  // Sets packet `at` of the batch. Client number `client` has an address and a port of its own.
  void set(std::size_t at, std::uint32_t client, bool to_service, std::uint8_t tcp_flags);
  // The same for all 64, each of the kind and of a client picked at random.
  void set_all(SlbPacket kind);
  // Hands the batch over as it was set.
  void run();
  // Whether the worker decided about each packet of the last batch as it should about that kind.
  [[nodiscard]] bool is_right(SlbPacket kind) const;

  [[nodiscard]] std::uint64_t to_targets() const;
  [[nodiscard]] std::uint64_t sessions_created() const;

 private:
  class Context final : public WorkerContext {
   public:
    [[nodiscard]] std::size_t number() const override { return 0; }
    [[nodiscard]] CounterCells& counters() override { return counters_; }
    [[nodiscard]] const CounterCells& counters() const { return counters_; }
    [[nodiscard]] Random& random() override { return random_; }
    bool post(const WorkerMessage&) noexcept override { return true; }
    Packet* acquire() noexcept override { return nullptr; }
    void hand_over(Packet*, Verdict) noexcept override {}

   private:
    CounterCells counters_{16};
    Random random_{1};
  };

  // Makes the target's SYN-ACK of a SYN that was sent to it.
  void answer(Packet& packet) const;

  Family family_;
  PacketClass classes_;  // of packets to others
  std::uint32_t established_;
  Random random_{2};
  std::array<Packet, Batch::capacity> packets_{};
  std::array<std::array<std::uint8_t, 128>, Batch::capacity> buffers_{};
  Snapshot<slb::Directory> directory_;
  ForwardingState state_;
  Context context_;
  slb::BalancerWorker worker_;
  Batch batch_;
};

}  // namespace trivet::bench
