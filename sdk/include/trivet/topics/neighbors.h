// Topics about neighbours: who has which MAC, and who is wanted.
//
// NeighborEntry: keyed state; written by `arp`, read by the core's egress and by others.
// NeighborWanted, NeighborUsed: events; published by the core's egress, heard by `arp`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trivet/event.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"

namespace trivet {

enum class NeighborReachability : std::uint8_t { incomplete, reachable, stale, delay, probe, failed };

struct NeighborEntry {
  static constexpr std::string_view topic = "trivet.neighbors/1";
  static constexpr TopicKind kind = TopicKind::state;

  NetworkId network = 0;
  IpAddress address;
  MacAddress mac;             // meaningful from reachable to probe
  InterfaceId interface = 0;  // where the answer came in
  NeighborReachability reachability = NeighborReachability::incomplete;

  // Frames may be sent to it now.
  [[nodiscard]] bool usable() const {
    return reachability != NeighborReachability::incomplete && reachability != NeighborReachability::failed;
  }
  [[nodiscard]] std::string key() const { return std::to_string(network) + '/' + to_string(address); }
  bool operator==(const NeighborEntry&) const = default;
};

// Egress has a packet for a neighbour that it does not know. `arp` answers with a NeighborEntry: usable, or failed.
struct NeighborWanted {
  static constexpr std::string_view topic = "trivet.neighbor_wanted/1";
  static constexpr TopicKind kind = TopicKind::event;

  NetworkId network = 0;
  IpAddress address;
};

// Egress has used an entry that is stale: time to confirm it. Sent once until the entry is published again.
struct NeighborUsed {
  static constexpr std::string_view topic = "trivet.neighbor_used/1";
  static constexpr TopicKind kind = TopicKind::event;

  NetworkId network = 0;
  IpAddress address;
};

[[nodiscard]] constexpr std::string_view to_string(NeighborReachability reachability) {
  switch (reachability) {
    case NeighborReachability::incomplete:
      return "incomplete";
    case NeighborReachability::reachable:
      return "reachable";
    case NeighborReachability::stale:
      return "stale";
    case NeighborReachability::delay:
      return "delay";
    case NeighborReachability::probe:
      return "probe";
    case NeighborReachability::failed:
      return "failed";
  }
  return "?";
}

}  // namespace trivet
