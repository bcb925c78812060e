// What the core offers a module while it runs.
//
// Ownership: the core's; valid from start() to the end of stop(). Thread: control, unless said otherwise.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "trivet/event.h"
#include "trivet/log.h"
#include "trivet/metrics.h"
#include "trivet/packet.h"
#include "trivet/random.h"

namespace trivet {

class ForwardingState;
class Worker;

// How an IP packet that the control thread sends leaves.
struct SendOptions {
  NetworkId network = 0;      // 0 = by route; else the destination is on-link there
  InterfaceId interface = 0;  // 0 = by neighbour entry; else this one
};

class Host {
 public:
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] virtual Bus& bus() = 0;
  [[nodiscard]] virtual Log& log() = 0;
  [[nodiscard]] virtual Random& random() = 0;
  // The present snapshot. Valid until the next TopologyChanged.
  [[nodiscard]] virtual const ForwardingState& forwarding() const = 0;

  // A whole Ethernet frame, out through one interface, before all forwarded traffic. Copied. The core puts the tag of
  // `vlan` in (0: none); the frame has none. Silently counted and dropped when the interface is down, the frame is
  // longer than MTU + 14, or the queue is full.
  virtual void transmit(InterfaceId interface, VlanId vlan, std::span<const std::uint8_t> frame) = 0;
  // A whole IPv4 or IPv6 packet from this node, checksums complete: the core routes it, resolves the neighbour and
  // fills in the Ethernet header. The source MAC is the interface's own for scope-own sources, else the router's.
  virtual void send(std::span<const std::uint8_t> packet, SendOptions options = {}) = 0;

  virtual void count(Counter counter, std::uint64_t amount = 1) = 0;
  [[nodiscard]] virtual std::uint64_t read(Counter counter) const = 0;  // sum over control and workers

  // Frees `value` when no worker can see it any more. See Snapshot.
  virtual void retire(std::shared_ptr<const void> value) = 0;

  [[nodiscard]] virtual std::size_t worker_count() const = 0;
  // Runs `task` once on each worker of this module, between two batches (in order of their numbers in tests), then
  // `done` on the control thread. `task` must be short: packets wait. Both run even if the module is stopping.
  virtual void on_workers(std::function<void(Worker& worker, std::size_t number)> task,
                          std::function<void()> done = {}) = 0;

 protected:
  Host() = default;
  ~Host() = default;
};

}  // namespace trivet
