// A network in virtual time: cables, learning switches, and whoever is plugged in. One clock, one seed.
//
// Everything that happens is an event at a time; events of one time happen in the order in which they were planned. The
// same calls with the same seed give the same run, frame by frame: fingerprint() tells.
// Thread: one. Ownership: stations own themselves and outlive the network's last run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/random.h"
#include "trivet/testkit/harness.h"
#include "trivet/time.h"

namespace trivet::testkit {

class VirtualNetwork {
 public:
  using PortId = std::size_t;
  using CableId = std::size_t;

  // What a station does with its port.
  struct PortHandlers {
    std::function<void(Bytes frame)> on_frame;
    std::function<void(bool up)> on_link;  // a cable is plugged in, cut or repaired
  };
  struct CableOptions {
    Duration delay = std::chrono::microseconds{50};
    double loss = 0;         // of each frame, 0 to 1
    double duplication = 0;  // of each frame, 0 to 1
    Duration jitter{};       // further delay of up to this; frames may overtake each other
  };
  // Something that has deadlines of its own, such as a node.
  struct Actor {
    std::function<Time()> poll_at;
    std::function<void(Time now)> step;
  };

  explicit VirtualNetwork(std::uint64_t seed);
  VirtualNetwork(const VirtualNetwork&) = delete;
  VirtualNetwork& operator=(const VirtualNetwork&) = delete;
  ~VirtualNetwork();

  // --- construction ---
  PortId add_port(std::string name, PortHandlers handlers);
  CableId connect(PortId a, PortId b, CableOptions options);
  CableId connect(PortId a, PortId b) { return connect(a, b, CableOptions{}); }
  // A switch with MAC learning. plug() gives it one more port and a cable to `port`.
  std::size_t add_switch(std::string name, Duration ageing = std::chrono::seconds{300});
  CableId plug(std::size_t switch_number, PortId port);
  void add_actor(const void* owner, Actor actor);
  void remove_actor(const void* owner);

  // --- faults ---
  void cut(CableId cable);
  void repair(CableId cable);
  [[nodiscard]] bool is_cut(CableId cable) const;
  void set_options(CableId cable, CableOptions options);
  // Sees every frame that enters the cable; true = it is lost.
  void set_filter(CableId cable, std::function<bool(const Bytes& frame)> filter);

  // --- life ---
  void send(PortId from, Bytes frame);
  void after(Duration delay, std::function<void()> action);
  void run_for(Duration duration);
  // Until `condition` holds (looked at after each event); false when `limit` has passed before.
  bool run_until(const std::function<bool()>& condition, Duration limit);
  [[nodiscard]] Time now() const { return now_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] bool link_up(PortId port) const;
  // Every frame on every cable, for captures and invariants: (time, cable, sending port's name, frame).
  void on_frame(std::function<void(Time, CableId, const std::string&, const Bytes&)> observer);
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }

 private:
  struct Port;
  struct Cable;
  struct Switch;
  struct Event {
    Time at{};
    std::uint64_t number = 0;
    std::function<void()> action;
    bool operator<(const Event& other) const { return at != other.at ? at > other.at : number > other.number; }
  };
  void plan(Time at, std::function<void()> action);
  void deliver(CableId cable, PortId to, const Bytes& frame);
  void set_cut(CableId cable, bool is_cut);
  bool run_next(Time limit);

  Random random_;
  Time now_{};
  std::uint64_t next_number_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::priority_queue<Event> events_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<std::unique_ptr<Cable>> cables_;
  std::vector<std::unique_ptr<Switch>> switches_;
  std::vector<std::pair<const void*, Actor>> actors_;
  std::function<void(Time, CableId, const std::string&, const Bytes&)> observer_;
};

}  // namespace trivet::testkit
