// Which worker a packet belongs to: the core's half of steering (trivet/steering.h has the module's).
//
// Thread: pure functions any; a Steerer one worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "trivet/batch.h"
#include "trivet/packet.h"
#include "trivet/steering.h"

namespace trivet::core {

// The addresses that a packet is steered by: its own, or those of the packet that an ICMP error quotes, exchanged. An
// error that quotes less than an IP header goes by its own; so do fragments of errors, as later ones quote nothing.
// None: not steered, it stays with who has received it.
[[nodiscard]] std::optional<AddressPair> steering_addresses(const Packet& packet) noexcept;

// An address as one number; then numbers spread over workers. The selector of the packet sockets (traffic_filter.h)
// spreads in the same way, by both addresses, so that a packet whose far side nobody knows is received by its owner.
[[nodiscard]] std::uint32_t fold(const IpAddress& address) noexcept;
[[nodiscard]] constexpr std::uint32_t spread(std::uint32_t folded, std::uint32_t workers) noexcept {
  return ((folded * 0x9e3779b1U) >> 16U) % workers;
}
[[nodiscard]] std::uint32_t owner_of(const AddressPair& addresses, FarSide side, std::uint32_t workers) noexcept;

class Steerer {
 public:
  // owners[i] is of packets[i], below `workers`; `self` for those that are not steered. Up to a batch of packets that
  // the door has let in. The first of the modules that knows a far side is believed.
  void find_owners(std::span<Packet* const> packets, std::span<const Steering* const> modules, std::uint32_t self,
                   std::uint32_t workers, std::span<std::uint32_t> owners) noexcept;

 private:
  std::array<AddressPair, Batch::capacity> pairs_;
  std::array<FarSide, Batch::capacity> sides_{};
  std::array<FarSide, Batch::capacity> said_{};
  std::array<std::size_t, Batch::capacity> places_{};  // of pairs_: in `packets`
};

}  // namespace trivet::core
