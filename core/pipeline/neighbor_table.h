// Neighbours as the workers see them: (network, address) -> MAC and interface. Written per entry, read without locks.
//
// Thread: update(), erase() and clear() control; find(), claim_used() and generation() any worker. Bounded: what does
// not fit is refused. Every slot is guarded by a sequence number of its own (a reader that meets a writer reads again).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/topics/neighbors.h"

namespace trivet::core {

class NeighborTable {
 public:
  enum class State : std::uint8_t {
    unknown,  // no entry, or one that is being resolved
    usable,
    failed,  // resolution has ended without an answer
  };
  struct Found {
    State state = State::unknown;
    bool needs_confirmation = false;  // stale: usable, but its use is to be reported (claim_used)
    InterfaceId interface = 0;
    MacAddress mac;
    std::uint32_t slot = 0;     // for claim_used()
    std::uint32_t version = 0;  // differs after each publication of the entry; 0 without one
  };

  // `seed`: a secret, since hosts on the link choose the addresses that are stored here.
  explicit NeighborTable(std::size_t capacity = 16384, std::uint64_t seed = 0);
  NeighborTable(const NeighborTable&) = delete;
  NeighborTable& operator=(const NeighborTable&) = delete;
  ~NeighborTable() = default;

  // --- control thread ---
  // Stores what a NeighborEntry says, and lets NeighborUsed be reported again. False when the table is full.
  bool update(const NeighborEntry& entry);
  void erase(NetworkId network, const IpAddress& address);
  // By the key of the topic ("2/10.0.0.1"), for Bus::on_erase<NeighborEntry>. Ignores what it cannot read.
  void erase(const std::string& key);
  void clear();
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // --- workers ---
  [[nodiscard]] Found find(NetworkId network, const IpAddress& address) const noexcept;
  // For an entry with needs_confirmation: true for the first caller since the entry was published, who then reports it.
  [[nodiscard]] bool claim_used(const Found& found) noexcept;
  // Takes a claim back (the report was lost), so that the next use reports it.
  void unclaim_used(const Found& found) noexcept;
  // True while the entry is the one that find() returned: neither published again nor removed since. Not for what was
  // found without an entry (version 0).
  [[nodiscard]] bool is_current(std::uint32_t slot, std::uint32_t version) const noexcept {
    return slots_[slot & mask_].sequence.load(std::memory_order_acquire) == version;
  }
  // Changes with every update: parked packets need looking at only then.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generation_.load(std::memory_order_acquire); }

 private:
  struct Key;
  struct Contents;
  struct alignas(64) Slot {
    std::atomic<std::uint32_t> sequence{0};  // odd while it is written
    std::atomic<std::uint32_t> used{0};
    std::array<std::atomic<std::uint64_t>, 2> address{};
    std::atomic<std::uint64_t> tags{0};  // kind of slot, family, network, interface, state
    std::atomic<std::uint64_t> mac{0};
  };
  [[nodiscard]] Contents read(std::size_t slot) const noexcept;
  void write(std::size_t slot, const Contents& contents) noexcept;
  [[nodiscard]] std::size_t home(const Key& key) const noexcept;

  std::size_t capacity_;
  std::size_t mask_;
  std::uint64_t seed_;
  std::size_t size_ = 0;
  std::unique_ptr<Slot[]> slots_;
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace trivet::core
