// Egress: the one step that carries out forward, originate, transmit and drop.
//
//   forward    destination and source are routable -> hop limit -> route -> neighbour (or park) -> link -> MTU
//              (or fragments, or an error) -> hop limit - 1 -> Ethernet header -> queue of the interface
//   originate  as forward without the checks of foreign traffic, hop limit and ICMP errors; groups and broadcast go out
//              on every interface of the network that is up. `share`: reserved for what the node sends of its own
//              accord (probes), strangers for answers to others' packets
//   transmit   the frame as it is, through packet.out_interface, with the tag of packet.vlan
//
// Where a forwarded packet goes next is decided once for each hop and then remembered (Shortcut): source MAC,
// interface, MTU and neighbour follow from the snapshot and the neighbour's entry, and hold as long as neither has
// changed.
//
// Thread: worker. Takes every packet it is given: sent, parked, or dropped and counted. begin() comes first in each
// run. Nothing is allocated after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <vector>

#include "core/metrics/registry.h"
#include "core/pipeline/channel.h"
#include "core/pipeline/core_reasons.h"
#include "core/pipeline/egress_limits.h"
#include "core/pipeline/icmp_error.h"
#include "core/pipeline/neighbor_table.h"
#include "core/pipeline/packet_pool.h"
#include "core/pipeline/park.h"
#include "core/pipeline/token_bucket.h"
#include "core/pipeline/transmit_queues.h"
#include "trivet/forwarding.h"
#include "trivet/host.h"
#include "trivet/net/words.h"
#include "trivet/packet.h"
#include "trivet/random.h"
#include "trivet/time.h"

namespace trivet::core {

class Egress {
 public:
  // All references live longer. Events about neighbours go into the channel.
  struct Surroundings {
    PacketPool& pool;
    TransmitQueues& queues;
    NeighborTable& neighbors;
    Channel& channel;
    ThreadCells& cells;
    const CoreReasons& reasons;
  };
  Egress(EgressLimits limits, Surroundings surroundings, std::uint64_t seed);

  // The time and the snapshot of this run with its number (SharedState::forwarding_version()), never 0.
  void begin(Time now, const ForwardingState& forwarding, std::uint64_t version) noexcept;
  // Flattened: for most packets this is one walk through small functions. What is rare stays out of line.
  [[gnu::flatten]] void forward(Packet* packet) noexcept;
  void originate(Packet* packet, SendOptions options = {}, ParkShare share = ParkShare::strangers) noexcept;
  void transmit(Packet* packet) noexcept;
  [[gnu::noinline]] void drop(Packet* packet, DropReason reason) noexcept;

  // Flushes queues whose neighbour has become usable, in the order in which the packets came; drops those whose
  // neighbour has failed or did not answer in time; repeats reports that were lost. True when any packet left the park.
  bool serve_parked() noexcept;
  [[nodiscard]] Time poll_at() const noexcept { return park_.next_deadline(); }
  [[nodiscard]] std::size_t parked() const noexcept { return park_.size(); }

 private:
  // Where a packet goes: on that network to that address, through that interface (0 = where the neighbour is).
  struct Hop {
    NetworkId network = 0;
    IpAddress address;
    InterfaceId interface = 0;
    ParkShare share = ParkShare::strangers;
  };
  // A hop with all that is written and checked for a packet over it. Its neighbour was usable and needs no report.
  struct HopKey {
    AddressWords address;
    std::uint64_t tag = 0;  // see key_tag() and direct_tag()
    bool operator==(const HopKey& other) const noexcept { return address == other.address && tag == other.tag; }
  };
  struct alignas(64) Shortcut {
    HopKey key;
    std::uint64_t forwarding = 0;  // number of the snapshot; 0 = unused
    std::uint32_t slot = 0;        // of the neighbour
    std::uint32_t version = 0;
    std::uint32_t mtu = 0;
    InterfaceId interface = 0;
    VlanId vlan = 0;
    wire::EthernetHeader header;
  };
  static_assert(sizeof(Shortcut) == 64);

  template <class Address>
  void forward_by_route(Packet* packet, const Address& source, const Address& destination) noexcept;
  [[gnu::noinline]] void forward_by_next_hop(Packet* packet) noexcept;
  // As finish() with what is remembered for the hop. False: nothing has been done, it takes the long way.
  [[nodiscard]] bool take_shortcut(Packet* packet, const HopKey& key) noexcept;
  [[nodiscard]] const Shortcut* find_shortcut(const HopKey& key) noexcept;
  [[nodiscard]] bool take(Packet* packet, const Shortcut& shortcut) noexcept;
  void remember(const Packet& packet, const Hop& hop, const NeighborTable::Found& found) noexcept;
  [[nodiscard]] static HopKey key_of(const Packet& packet, const Hop& hop) noexcept;
  [[nodiscard]] Shortcut& shortcut_of(const HopKey& key) noexcept;
  [[nodiscard]] bool has_sound_headers(Packet& packet) const noexcept;
  [[nodiscard]] std::optional<Hop> find_hop(const Packet& packet, SendOptions options) const noexcept;
  // An answer goes back into the network that the question came from, where several have the same prefix.
  void keep_to_network(const Packet& packet, Hop& hop) const noexcept;
  [[nodiscard, gnu::noinline]] bool is_directed_broadcast(const Hop& hop) const noexcept;
  [[nodiscard]] bool has_link(const Hop& hop) const noexcept;
  [[gnu::noinline]] void deliver(Packet* packet, Origin origin, const Hop& hop) noexcept;
  void deliver_to_group(Packet* packet, const Hop& hop) noexcept;
  void park(Packet* packet, Origin origin, const Hop& hop, std::uint32_t version) noexcept;
  // The packet in a buffer of this worker's own; null: there was none, and the packet is dropped.
  [[nodiscard]] Packet* keep(Packet* packet) noexcept;
  // A queue for the packet's neighbour, which has none, and word to `arp`. None: no room, or too many searches.
  [[nodiscard]] std::expected<Park::Index, DropReason> open_queue(const Hop& hop, std::uint32_t version) noexcept;
  void evict(Park::Index queue) noexcept;
  void leave_mastership() noexcept;
  void flush(Park::Index queue, const NeighborTable::Found& neighbor) noexcept;
  void abandon(Park::Index queue) noexcept;
  void report_use(const NeighborTable::Found& found, NetworkId network, const IpAddress& address) noexcept;
  // The last step: interface, MTU, hop limit, Ethernet header.
  void finish(Packet* packet, Origin origin, const MacAddress& mac, InterfaceId interface, NetworkId network) noexcept;
  void finish_too_big(Packet* packet, Origin origin, const MacAddress& mac, const InterfaceView& interface,
                      VlanId vlan) noexcept;
  void put_on_wire(Packet* packet, Origin origin, const MacAddress& mac, const InterfaceView& interface,
                   VlanId vlan) noexcept;
  // The VLAN tag goes in here, of whatever is sent.
  void enqueue(Packet* packet, InterfaceId interface, VlanId vlan) noexcept;
  [[nodiscard]] MacAddress source_mac(const Packet& packet, Origin origin,
                                      const InterfaceView& interface) const noexcept;
  [[nodiscard]] Packet* error_about(const Packet& packet, IcmpError error, std::uint32_t mtu) noexcept;
  // Drops the packet; before that an ICMP error about it, if it may have one and the rate limit allows.
  [[gnu::noinline]] void refuse(Packet* packet, Origin origin, DropReason reason, IcmpError error,
                                std::uint32_t mtu = 0) noexcept;

  PacketPool* pool_;
  TransmitQueues* queues_;
  NeighborTable* neighbors_;
  Channel* channel_;
  ThreadCells* cells_;
  const CoreReasons* reasons_;
  Park park_;
  TokenBucket stranger_searches_;
  TokenBucket unparked_searches_;  // for neighbours of the reserved share that have no room in the park
  TokenBucket icmp_errors_;        // of all kinds but "too big"
  TokenBucket too_big_errors_;
  Random random_;
  Time now_{};
  const ForwardingState* forwarding_ = nullptr;
  std::uint64_t forwarding_version_ = 0;
  std::vector<Shortcut> shortcuts_;
  std::uint64_t seen_generation_ = 0;
  bool has_unreported_ = false;
  bool was_master_ = false;   // in the last run
  bool is_emptying_ = false;  // a queue of the park: errors about its packets must not empty another one meanwhile
};

}  // namespace trivet::core
