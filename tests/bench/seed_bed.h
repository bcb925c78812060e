// A whole node in front of which packets can be put without any device: the seed's configuration, the real modules,
// master, neighbours resolved, sessions established. Frames come from memory and are counted when they leave.
//
// Thread: one. The node's worker is run inline; its control thread rests while a benchmark runs.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/app/node.h"
#include "core/io/packet_io.h"
#include "trivet/net/address.h"

namespace trivet::bench {

// Frames of one length, one behind the other as a driver's ring would have them.
struct FrameList {
  std::size_t length = 0;
  std::vector<std::uint8_t> bytes;

  [[nodiscard]] std::size_t size() const { return length == 0 ? 0 : bytes.size() / length; }
  // Of equal length, or the first.
  void add(std::span<const std::uint8_t> frame);
};

class BenchPort final : public core::PacketPort {
 public:
  // The frames to come in, `burst` with each receive: once, or again and again. The list outlives that.
  void feed_once(const FrameList& frames) { feed(frames, 64, false); }
  void feed_forever(const FrameList& frames, std::size_t burst) { feed(frames, burst, true); }
  void stop() { frames_ = nullptr; }
  [[nodiscard]] bool is_done() const { return frames_ == nullptr || at_ == frames_->size(); }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  // Sees each frame that leaves; empty = nobody.
  std::function<void(std::span<const std::uint8_t> frame)> on_sent;

  std::size_t receive(core::PacketPool& pool, std::span<Packet*> out) noexcept override;
  void transmit(core::PacketPool& pool, std::span<Packet* const> packets) noexcept override;
  [[nodiscard]] std::vector<int> poll_fds() const override { return {}; }
  [[nodiscard]] core::PortCounters counters() const noexcept override { return {.tx_frames = sent_}; }

 private:
  void feed(const FrameList& frames, std::size_t burst, bool forever);

  const FrameList* frames_ = nullptr;
  std::size_t at_ = 0;
  std::size_t burst_ = 0;
  bool forever_ = false;
  std::uint64_t sent_ = 0;
};

enum class Tagging : std::uint8_t { none, vlans };

// The seed's node, or one with more of its objects. Clients are spread over the servers, their sessions over the
// targets, and the targets over the networks.
struct BedKind {
  Family family = Family::ipv6;
  std::uint32_t sessions = 0;       // established at the start
  std::uint32_t room = 1048576;     // `maxsessions`
  std::uint32_t idle_modules = 0;   // that want every packet and do nothing, before slb; at most most_idle_modules
  std::uint32_t targets = 2;        // of every server; at most 4000
  std::uint32_t servers = 1;        // at most 1000
  std::uint32_t networks = 1;       // of targets, all on one interface; at most 256
  Tagging tagging = Tagging::none;  // vlans: each of these networks has a tag of its own
  std::string method = "session";
  bool operator==(const BedKind&) const = default;
};
inline constexpr std::uint32_t most_idle_modules = 16;

// Whether a node with so many sessions, and what is around it, fits into the memory that is free.
[[nodiscard]] bool fits_in_memory(std::uint32_t sessions);

class SeedBed {
 public:
  explicit SeedBed(const BedKind& kind);
  SeedBed(const SeedBed&) = delete;
  SeedBed& operator=(const SeedBed&) = delete;
  ~SeedBed();

  [[nodiscard]] const BedKind& kind() const { return kind_; }
  // Why it is of no use; empty = it is.
  [[nodiscard]] const std::string& problem() const { return problem_; }

  // Clients are numbered; each has an address and a port of its own.
  [[nodiscard]] std::vector<std::uint8_t> from_client(std::uint32_t client, std::uint8_t tcp_flags) const;
  [[nodiscard]] std::vector<std::uint8_t> from_target(std::uint32_t client, std::uint8_t tcp_flags) const;
  [[nodiscard]] std::vector<std::uint8_t> routed() const;
  [[nodiscard]] std::vector<std::uint8_t> echo_request() const;

  // Where clients are and where targets are.
  [[nodiscard]] BenchPort& access() { return ports_[2]; }
  [[nodiscard]] BenchPort& inside() { return ports_[1]; }
  void run_worker() {
    now_ += std::chrono::microseconds{10};
    node_->worker(0).run_once(now_);
  }
  [[nodiscard]] std::uint64_t counter(const char* module, const char* name) const {
    return node_->metrics().counter(module, name);
  }
  // Begins sessions of clients from `begin` to before `end`, with their handshakes.
  void establish(std::uint32_t begin, std::uint32_t end);
  // How many targets have established sessions.
  [[nodiscard]] std::size_t busy_targets() const;

 private:
  class Backend;
  [[nodiscard]] std::string text() const;
  void become_master();
  void introduce();
  void pass(BenchPort& port, const FrameList& frames);
  void build_templates();

  BedKind kind_;
  std::string problem_;
  Time now_{};
  std::array<BenchPort, 3> ports_;  // of eth1, eth2, eth3
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<core::ModuleLoader> loader_;
  std::unique_ptr<core::Node> node_;
  std::vector<std::uint16_t> target_of_;             // by client
  std::vector<std::vector<std::uint8_t>> question_;  // of client 0, by server; none for 0
  std::vector<std::vector<std::uint8_t>> answer_;    // to client 0, by target; none for 0
};

// The bed of this kind; the last one is kept, for making one takes longer than measuring.
[[nodiscard]] SeedBed& seed_bed(const BedKind& kind);

}  // namespace trivet::bench
