// Steering: which worker handles a packet, where a node has several.
//
// A session is kept by one worker, so packets of both its directions have to meet there. Ports cannot tell which one
// (fragments and ICMP errors have none), nor can the node's own addresses (all clients share them): what remains is the
// address of the far side, the client's or the outside host's. Which of a packet's two addresses that is, only the
// module knows that has the service or translated addresses and the hosts behind them. It declares a Steering
// (Setup::steering); the core turns its answers into workers and hands packets over.
//
//   destination is a service (or translated) address     the source is the far side
//   source is a target (or inside host)                  the destination is
//   neither                                              unknown: the core takes both addresses, in either order alike
//
// Of an ICMP error the core shows the addresses of the packet it quotes, in the direction of the error itself (that is,
// exchanged), so the same rules hold. Packets that end at the node's own addresses, groups, ARP, neighbour discovery
// and VRRP are not steered.
#pragma once

#include <cstdint>
#include <span>

#include "trivet/net/address.h"

namespace trivet {

struct AddressPair {
  IpAddress source;
  IpAddress destination;  // of the same family
  bool operator==(const AddressPair&) const = default;
};

enum class FarSide : std::uint8_t { unknown, source, destination };

// Thread: any worker, several at once, during a run (so what a Snapshot's get() returns is valid). Ownership: the
// module's; lives as long as the module object. Must not allocate, lock, block, log or throw, and says the same of the
// same addresses as long as the configuration stays: a session whose far side changes loses its worker.
class Steering {
 public:
  Steering() = default;
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;

  // sides[i] is for pairs[i]; all are unknown before the call, and as many as pairs.
  virtual void find_far_sides(std::span<const AddressPair> pairs, std::span<FarSide> sides) const noexcept = 0;

 protected:
  ~Steering() = default;
};

}  // namespace trivet
