// The data path of the module: cheap checks, then the control thread. Nothing is answered here.
//
// Thread: one worker. What is valid, concerns this node and is within the limits is punted; what is invalid or for
// others is dropped with a reason; everything else (router discovery, membership reports of others) passes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "trivet/module.h"

namespace trivet::arp {

struct DropReasons {
  DropReason arp_malformed;
  DropReason arp_not_for_us;
  DropReason nd_invalid;
  DropReason nd_not_for_us;
  DropReason query_invalid;
  DropReason rate_limited;
};

// How many messages reach the control thread: for each kind and interface, and for each source MAC (hashed), in a
// window of time. Kinds do not take from each other: a flood of questions leaves answers alone.
class PuntLimiter {
 public:
  enum class Kind : std::uint8_t { question, answer, query };
  static constexpr Duration window = std::chrono::milliseconds(100);
  static constexpr std::size_t source_buckets = 256;
  static constexpr std::uint16_t per_source = 64;
  static constexpr std::array<std::uint16_t, 3> per_interface{256, 256, 32};  // by kind

  // Counts the message; false when it is one too many.
  [[nodiscard]] bool admit(Kind kind, InterfaceId interface, const MacAddress& source, Time now) noexcept;

 private:
  std::array<std::array<std::uint16_t, 3>, max_interfaces + 1> interfaces_{};
  std::array<std::uint16_t, source_buckets> sources_{};
  Time window_end_;
};

class ArpWorker final : public PacketWorker<ArpWorker> {
 public:
  explicit ArpWorker(const DropReasons& reasons) : reasons_(reasons) {}
  Verdict on_packet(Packet& packet, Batch& batch) noexcept;

 private:
  Verdict on_arp(const Packet& packet, const Batch& batch) noexcept;
  Verdict on_solicitation(const Packet& packet, const Batch& batch) noexcept;
  Verdict on_advertisement(const Packet& packet, const Batch& batch) noexcept;
  Verdict on_query(const Packet& packet, const Batch& batch) noexcept;
  // The last, dear steps: within the limit, and the checksum is right.
  Verdict punt(PuntLimiter::Kind kind, const Packet& packet, DropReason invalid, Time now) noexcept;

  DropReasons reasons_;
  PuntLimiter limiter_;
};

}  // namespace trivet::arp
