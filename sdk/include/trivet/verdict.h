// What a module decides about a packet. The decision is a value; the core carries it out.
//
// Thread: worker; values.
#pragma once

#include <cstdint>

namespace trivet {

// Handle of a drop reason, given by Setup::drop_reason(). 0 is the core's "unspecified".
struct DropReason {
  std::uint16_t id = 0;
  bool operator==(const DropReason&) const = default;
};

class Verdict {
 public:
  enum class Kind : std::uint8_t {
    next,       // not decided here: the next module sees the packet; at the end of the chain it is dropped
    forward,    // route by destination (or next hop): hop limit - 1, MTU check, neighbour, source MAC
    originate,  // as forward, but this node is the source: hop limit stays, no ICMP error is made about it
    transmit,   // the frame is complete: out through packet.out_interface as it is
    drop,       // discard, counted under a reason
    punt,       // to Module::on_punt() of the module that says so, on the control thread (bounded queue, copied)
    consumed,   // handled here, nothing to send; not a drop
  };

  constexpr Verdict() = default;
  static constexpr Verdict next() { return {}; }
  static constexpr Verdict forward() { return Verdict{Kind::forward, {}}; }
  static constexpr Verdict originate() { return Verdict{Kind::originate, {}}; }
  static constexpr Verdict transmit() { return Verdict{Kind::transmit, {}}; }
  static constexpr Verdict drop(DropReason reason) { return Verdict{Kind::drop, reason}; }
  static constexpr Verdict punt() { return Verdict{Kind::punt, {}}; }
  static constexpr Verdict consumed() { return Verdict{Kind::consumed, {}}; }

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr DropReason reason() const { return reason_; }
  bool operator==(const Verdict&) const = default;

 private:
  constexpr Verdict(Kind kind, DropReason reason) : kind_(kind), reason_(reason) {}
  Kind kind_ = Kind::next;
  DropReason reason_{};
};

}  // namespace trivet
