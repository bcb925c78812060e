// The balancer of one worker: what happens to a packet, given the facts about it. No host, no packet, no clock.
//
//   facts --classify()--> which direction, and the hash to fetch ahead --decide()--> an action
//
// Forward key: server, client address; with sessionid src+port also client port, server port, protocol.
// Reverse key: target address, target port, protocol, client address; with src+port also client port. Where the server
// takes every port or protocol and sessionid is src, that part does not count. No two servers have sessions whose
// replies could be the same packet: who comes second takes another target or is refused.
// Thread: the worker that owns the engine. Memory: all in the constructor, none afterwards. Time: milliseconds that
// wrap (see milliseconds()). Calls of classify() and decide() can be inlined by including engine_path.h.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "slb/config.h"
#include "slb/directory.h"
#include "slb/schedulers/candidate.h"
#include "slb/schedulers/rr.h"
#include "slb/schedulers/session.h"
#include "slb/session_table.h"
#include "slb/tcp_state.h"
#include "slb/traffic.h"
#include "trivet/forwarding.h"
#include "trivet/net/address.h"
#include "trivet/random.h"
#include "trivet/time.h"

namespace trivet::slb {

[[nodiscard]] constexpr std::uint32_t milliseconds(Time now) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
}

enum class Refusal : std::uint8_t {
  none,
  bad_source,
  link_local,
  own_source,
  fragment,
  icmp_error,
  no_service,
  no_target,
  no_session,
  session_conflict,
  session_table_full,
};

enum class Outcome : std::uint8_t {
  pass,           // none of our business
  drop,           // `refusal` says why
  to_target,      // destination becomes address and port
  to_target_dsr,  // unchanged, next hop is address
  to_client,      // source becomes address and port
};

template <class Address>
struct Action {
  Outcome outcome = Outcome::pass;
  Refusal refusal = Refusal::none;
  std::uint16_t port = 0;
  ChecksumDelta delta{};             // that the address makes
  const Address* address = nullptr;  // lives as long as the directory
};

enum class Part : std::uint8_t { whole, first_fragment, later_fragment };
enum class Icmp : std::uint8_t { none, echo_request, error, other };

template <class Address>
struct Facts {
  Address source;
  Address destination;
  std::uint16_t source_port = 0;       // 0 without ports
  std::uint16_t destination_port = 0;  // 0 without ports
  std::uint8_t protocol = 0;
  bool to_node = true;  // the destination is an address of the node, as servers' are
  std::uint8_t tcp_flags = 0;
  bool has_ports = false;  // TCP or UDP, and the header is here
  Part part = Part::whole;
  Icmp icmp = Icmp::none;
  std::uint32_t fragment_id = 0;  // of a part; means nothing for whole packets
  std::uint32_t bytes = 0;        // of layer 3
};

enum class Direction : std::uint8_t { neither, forward, reverse };

template <class Address>
struct Lookup {
  Facts<Address> facts;
  Direction direction = Direction::neither;
  std::uint8_t reply_forms = 0;                   // reverse
  const Service* service = nullptr;               // forward; null = no service for it
  std::uint64_t rest = 0;                         // of the key; reverse: in the first of the forms
  typename SessionTable<Address>::Probe probe{};  // of the key's hash
};

class Engine {
 public:
  struct Sizes {
    std::uint32_t sessions4 = default_max_sessions;
    std::uint32_t sessions6 = default_max_sessions;
  };
  struct Tally {
    std::uint64_t created = 0;
    std::uint64_t expired = 0;
    std::uint64_t removed = 0;   // target down, object changed or removed
    std::uint64_t replaced = 0;  // by a new connection between the same ports
    std::uint64_t evicted = 0;   // half-open, for a new session when the table was full
  };

  Engine(Sizes sizes, std::uint64_t seed, std::shared_ptr<Traffic> traffic);

  // The snapshots for the calls that follow; must outlive them. Sessions of older epochs are not counted from here on.
  // `forwarding` tells which addresses are the node's own: they begin no session. Null = none is.
  void use(const Directory& directory, const ForwardingState* forwarding = nullptr) noexcept;

  // From the facts in `lookup` to the rest of it. False where the direction is neither; else what the table has for it
  // can be fetched ahead: see session_table.h.
  template <class Address>
  [[gnu::flatten]] bool classify(Lookup<Address>& lookup) const noexcept;
  template <class Address>
  void fetch_buckets(const Lookup<Address>& lookup) const noexcept {
    table<Address>().fetch_buckets(lookup.probe);
  }
  template <class Address>
  void match(Lookup<Address>& lookup) const noexcept {
    table<Address>().match(lookup.probe);
  }
  template <class Address>
  void fetch_record(const Lookup<Address>& lookup) const noexcept {
    table<Address>().fetch_record(lookup.probe);
  }
  // Flattened: for most packets this is one walk through small functions. What is rare stays out of line. Without
  // match() before it, it does the same, only slower.
  template <class Address>
  [[nodiscard, gnu::flatten]] Action<Address> decide(const Lookup<Address>& lookup, std::uint32_t now) noexcept;
  // The same, with the action given to `take`: to be inlined into, where each kind of action is known for what it is.
  template <class Address, class Take>
  void decide(const Lookup<Address>& lookup, std::uint32_t now, Take&& take) noexcept;

  // Looks at up to `records` further records of each family and frees those that have expired or lost their binding.
  void sweep(std::uint32_t now, std::uint32_t records) noexcept;

  [[nodiscard]] std::uint32_t sessions() const { return table4_.size() + table6_.size(); }
  [[nodiscard]] std::uint32_t high_water() const { return std::max(table4_.high_water(), table6_.high_water()); }
  [[nodiscard]] const Tally& tally() const { return tally_; }
  template <class Address>
  [[nodiscard]] const SessionTable<Address>& table() const noexcept {
    if constexpr (std::is_same_v<Address, Ipv4Address>) {
      return table4_;
    } else {
      return table6_;
    }
  }
  // True for a record that a packet would find now.
  template <class Address>
  [[nodiscard]] bool is_live(const Session<Address>& session, std::uint32_t now) const noexcept {
    return session.state != SessionState::none && is_current(session) && !has_expired(session, now);
  }

 private:
  // What this worker knows about a binding beside the directory.
  struct BindingState {
    std::uint32_t sessions = 0;
    std::uint16_t epoch = 0;
    ServerId server = 0;
    TargetId target = 0;
  };
  // A reply whose first fragment was refused: the later ones follow it.
  struct RefusedFragment {
    std::uint64_t datagram = 0;  // hash of source, destination and identification; 0 = none
    std::uint32_t seen = 0;      // milliseconds
  };
  template <class Address>
  struct Key {
    Address client;
    std::uint64_t rest = 0;  // FlowRest::number(); the server's port: forward that was addressed, reverse the target's
  };

  template <class Address>
  [[nodiscard]] SessionTable<Address>& sessions_of() noexcept {
    return const_cast<SessionTable<Address>&>(std::as_const(*this).template table<Address>());
  }
  template <class Address>
  [[nodiscard]] static std::uint64_t forward_rest(const Service& service, const Facts<Address>& facts) noexcept;
  template <class Address>
  [[nodiscard]] static std::uint64_t reverse_rest(const Binding& binding, const Session<Address>& session) noexcept;
  template <class Address>
  [[nodiscard]] static std::uint64_t reply_rest(const Facts<Address>& facts, std::uint8_t form) noexcept;
  // Even and odd, as the table wants them.
  template <class Address>
  [[nodiscard]] std::uint32_t forward_hash(ServerId server, const Address& client,
                                           std::uint64_t key_rest) const noexcept;
  template <class Address>
  [[nodiscard]] std::uint32_t reverse_hash(const Address& target, const Address& client_address,
                                           std::uint64_t key_rest) const noexcept;

  // To the node, but not to a port and protocol that a service names.
  template <class Address>
  [[gnu::noinline]] bool classify_in_general(Lookup<Address>& lookup) const noexcept;
  template <class Address>
  bool classify_reply(Lookup<Address>& lookup) const noexcept;
  template <class Address>
  void aim_forward(Lookup<Address>& lookup, const Service& service) const noexcept;
  // Whether a session of the present epoch takes in the packet; whether replies with this key are its.
  template <class Address>
  [[nodiscard]] static bool is_of(const Session<Address>& session, const Binding& binding,
                                  const Lookup<Address>& lookup) noexcept;
  template <class Address>
  [[nodiscard]] static bool is_answered_by(const Session<Address>& session, const Binding& binding,
                                           const Address& target, const Address& client, std::uint64_t rest) noexcept;
  template <class Address>
  [[nodiscard]] Session<Address>* find_forward(const Lookup<Address>& lookup, std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] Session<Address>* find_reverse(const Address& target, const Key<Address>& key, std::uint32_t hash,
                                               std::uint32_t now) noexcept;
  // The same for a hash whose probe is there already.
  template <class Address>
  [[nodiscard]] Session<Address>* find_reverse(const Address& target, const Key<Address>& key,
                                               const typename SessionTable<Address>::Probe& probe,
                                               std::uint32_t now) noexcept;
  // True when a session of another server, in one of `forms`, takes the replies to a packet with these facts.
  template <class Address>
  [[nodiscard, gnu::noinline]] bool is_claimed(const Binding& binding, const Facts<Address>& facts, std::uint8_t forms,
                                               std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] RefusedFragment& refused_fragment(const Facts<Address>& facts, std::uint64_t& datagram) noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> refuse_fragment(const Facts<Address>& facts, std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> later_fragment_of_target(const Lookup<Address>& lookup, std::uint32_t now) noexcept;
  // Sources that begin no session: asked for only where there is none.
  template <class Address>
  [[nodiscard]] Refusal refusal_of_source(const Address& source) const noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> refuse_forward(const Lookup<Address>& lookup) const noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> forward(const Lookup<Address>& lookup, std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> reverse(const Lookup<Address>& lookup, std::uint32_t now) noexcept;
  // Every packet can be decided about by this: it finds what there is to find, however often it has to look.
  template <class Address>
  [[nodiscard, gnu::noinline]] Action<Address> decide_in_general(const Lookup<Address>& lookup,
                                                                 std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> begin_session(const Lookup<Address>& lookup, std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> create(const Lookup<Address>& lookup, BindingId id, const Session<Address>& draft,
                                       std::uint32_t reverse, std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> send_to_target(Session<Address>& session, const Binding& binding,
                                               const Facts<Address>& facts, std::uint32_t now) noexcept;
  template <class Address>
  [[nodiscard]] Action<Address> send_to_client(Session<Address>& session, const Binding& binding,
                                               const Facts<Address>& facts, std::uint32_t now) noexcept;
  [[nodiscard]] Pick pick(const Service& service, const Roster& roster, const PassedOver& passed_over,
                          std::uint64_t client) noexcept;
  [[nodiscard]] Pick pick_by_turn(const Service& service, const Roster& roster, const PassedOver& passed_over) noexcept;
  // The loads of a roster as they are now.
  [[nodiscard]] LoadTree load_tree(const Roster& roster) noexcept;
  [[nodiscard]] LoadTree tree_of(const LoadList& list) noexcept;
  [[nodiscard]] std::uint32_t sessions_of_target(TargetId target) const noexcept {
    return static_cast<std::uint32_t>(targets_[target].sessions.load(std::memory_order_relaxed));
  }
  // What load lists say about a target, after its sessions have changed.
  void update_loads(TargetId target) noexcept;
  template <class Address>
  static void touch(Session<Address>& session, const Binding& binding, const Facts<Address>& facts, Side from,
                    std::uint32_t now) noexcept;
  template <class Address>
  [[gnu::noinline]] void remove(Session<Address>& session) noexcept;
  // Room for one session in a full table: what has ended, else the oldest half-open one that is seen.
  template <class Address>
  void make_room(std::uint32_t& cursor, std::uint32_t now) noexcept;
  template <class Address>
  void sweep_table(std::uint32_t& cursor, std::uint32_t now, std::uint32_t records) noexcept;

  template <class Address>
  [[nodiscard]] bool is_current(const Session<Address>& session) const noexcept {
    return session.epoch == directory_->bindings[session.binding].epoch;
  }
  template <class Address>
  [[nodiscard]] static bool has_expired(const Session<Address>& session, std::uint32_t now) noexcept {
    return static_cast<std::int32_t>(session.expires - now) <= 0;
  }

  const Directory* directory_ = nullptr;
  const ForwardingState* forwarding_ = nullptr;
  std::uint64_t version_ = 0;
  std::uint64_t seed_;
  Random random_;
  std::shared_ptr<Traffic> traffic_;
  TrafficCells* servers_;  // in it, by number
  TrafficCells* targets_;
  SessionTable<Ipv4Address> table4_;
  SessionTable<Ipv6Address> table6_;
  std::uint32_t cursor4_ = 0;
  std::uint32_t cursor6_ = 0;
  std::uint32_t reclaimed_at_ = 0;  // when a full table was last searched for dead entries
  std::array<RefusedFragment, 256> refused_fragments_{};
  std::vector<BindingState> bindings_;    // by BindingId
  std::vector<std::uint32_t> rotations_;  // by server number
  // What schedulers remember. That of a roster or a load list is made when it is first asked in a new directory.
  struct Line {
    std::uint64_t version = 0;  // of the directory that its queue is of
    TurnTime now = 0;
  };
  std::array<std::vector<Line>, 2> lines_;    // by server number; see Roster::line
  std::array<std::vector<Turn>, 2> turns_;    // by BindingId
  std::vector<WaitingTurn> queues_;           // at the offsets of rosters
  std::vector<std::uint64_t> load_versions_;  // by load list: of the directory that its loads are of
  std::vector<Load> loads_;                   // at the offsets of load lists
  std::vector<std::uint16_t> load_winners_;   // at twice these offsets
  Tally tally_;
};

}  // namespace trivet::slb
