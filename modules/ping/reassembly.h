// Puts the fragments of IP packets together again, in memory that is there from the start.
//
// Thread: one worker. Sans-IO. Allocates in the constructor only.
// Sources: RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722 (a packet with overlapping fragments is dropped whole;
// here for both families), RFC 1122 section 3.3.2 (time limit).
//
// Bounds: `slots` packets of at most 65,535 bytes at once; `per_source` of them from one source. When there are too
// many the oldest makes room. A packet that has once been wrong stays known as such until its time is up, so that its
// other fragments cannot begin it anew. An exact copy of a fragment is ignored.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/time.h"

namespace trivet::ping {

// What the fragments of one packet have in common. The protocol is the caller's: all are ICMP of their family.
struct FragmentKey {
  IpAddress source;
  IpAddress destination;
  std::uint32_t id = 0;
  bool operator==(const FragmentKey&) const = default;
};

struct Fragment {
  std::size_t offset = 0;  // bytes, a multiple of 8
  bool more = false;       // not the last one
  std::span<const std::uint8_t> bytes;
};

class Reassembly {
 public:
  static constexpr std::size_t slots = 16;
  static constexpr std::size_t per_source = 4;
  static constexpr std::size_t largest = 65535;
  static constexpr Duration time_limit4 = std::chrono::seconds(30);
  static constexpr Duration time_limit6 = std::chrono::seconds(60);

  enum class Outcome : std::uint8_t {
    stored,     // wait for the others
    duplicate,  // was there already
    complete,   // packet() has it until the next call
    invalid,    // impossible length or offset: this fragment is void
    overlap,    // contradicts others: the whole packet is void
  };

  Reassembly();

  // Takes a copy of the fragment's bytes.
  [[nodiscard]] Outcome add(const FragmentKey& key, const Fragment& fragment, Time now) noexcept;
  // After `complete`: what the fragments make. May be changed in place.
  [[nodiscard]] std::span<std::uint8_t> packet() noexcept { return packet_; }

  // Gives up packets whose time is over. Returns how many of them were not complete.
  std::size_t expire(Time now) noexcept;
  [[nodiscard]] std::size_t pending() const noexcept;

 private:
  static constexpr std::size_t unit = 8;

  enum class State : std::uint8_t { free, open, void_ };
  struct Slot {
    State state = State::free;
    FragmentKey key;
    Time since;
    std::size_t received = 0;  // bytes
    std::size_t end = 0;       // behind the farthest byte
    std::size_t total = 0;     // 0 = the last fragment is missing
    std::bitset<(largest + unit) / unit> units;
    std::vector<std::uint8_t> bytes;
  };

  Slot* find(const FragmentKey& key) noexcept;
  Slot& open(const FragmentKey& key, Time now) noexcept;
  static Time expiry(const Slot& slot);
  static bool fits(const Slot& slot, const Fragment& fragment) noexcept;
  // How many of the units that the fragment covers are there already.
  static std::size_t covered(const Slot& slot, const Fragment& fragment) noexcept;
  static Outcome store(Slot& slot, const Fragment& fragment) noexcept;

  std::vector<Slot> slots_;
  std::span<std::uint8_t> packet_;
};

}  // namespace trivet::ping
