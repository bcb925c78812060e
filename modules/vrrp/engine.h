// The VRRP state machine: who of the nodes that hear each other is master. RFC 3768 sections 6 and 7, with tracking,
// a hold on preemption, and advertisements on all interfaces of one network.
//
//                    network has an address, an interface of it has link
//        +--------+ ----------------------------------------------------> +----------+
//        |  init  | <---------------------------------------------------- |  backup  |
//        +--------+       last interface lost, network gone, stop         +----------+
//          ^    |                                                           |      ^
//          |    | as above, and priority 255                    no master,  |      | heard a better
//          |    v                                               or outbid   v      | master
//          |  +---------------------------------------------------------------------------+
//          +- |                                  master                                   |
//     as above+---------------------------------------------------------------------------+
//     (and priority 0 where an interface is left to say it)
//     Without a `vrrp` section the node is master and nothing of this happens.
//
// Times (RFC 3768 section 6.1; P = effective priority at that moment, A = interval of the configuration):
//     Skew_Time = (256 - P) / 256 s          Master_Down = 3 * A + Skew_Time
//
// The rule table. "Better" = higher priority, or equal and the higher source address. An advertisement has been checked
// (wire.h) before it comes here.
//   situation                                       what happens
//   ----------------------------------------------  ------------------------------------------------------------------
//   any: hop limit, version, checksum, ... wrong    refused before the engine, each under its own reason
//   any: other vrid, other network's interface      ignored, counted
//   any: source is our own address                  never processed: a loop if it is one that we sent (its IPv4 id),
//                                                   else another node has our `real`; counted, logged
//   any: other interval                             ignored, counted, logged, shown (RFC 3768 section 7.1)
//   any: other address list                         processed, counted, logged
//   start, ready                                    backup; with priority 255 master at once
//   start, equal or better master heard             stays backup: an equal never preempts
//   backup: Master_Down passes in silence           master; never held, never asks
//   backup: priority 0 heard                        master after Skew_Time; never held, never asks
//   backup: priority heard >= own                   Master_Down starts anew
//   backup: lower, preemption off or not stable     Master_Down starts anew
//   backup: lower, preemption on and stable         takes over Skew_Time after the first of them, if the gateway (next
//                                                   line) and a second look at the rules allow it
//     ... and the own gateway is tracked and up     asks for a fresh answer (GatewayCheckRequest) and waits for one
//     that
//                                                   is younger than that advertisement. None: stays backup, so a
//                                                   gateway that is dead for both nodes moves nothing
//   stable                                          for `vrrppreemptts` seconds: running, own effective priority
//                                                   unchanged, every check decided (up or down). 255 needs no stability
//   master: better heard                            backup
//   master: worse heard                             advertises at once (at most four times an interval), so that two
//                                                   masters part within one link delay
//   master: priority 0 heard                        advertises at once
//   master: own effective priority changes          advertises at once
//   last interface of the network loses link        init, whatever the priority: nobody could hear or correct us
//   identity (vrid, network, address) changes       priority 0 under the old one, then as at start
//   stop, or the section is taken away              priority 0
//
// Differences to RFC 3768: section 6.4.2 lets a preempting backup wait for Master_Down, here it takes over after
// Skew_Time; section 6.4.3 lets a master ignore worse ones in silence (RFC 9568 section 6.4.3 has it answer);
// section 7.1 lets the owner ignore everybody, here two owners part by address.
//
// Sans-IO: told the time, returns actions, holds no reference to anything. Thread: control. After each call the caller
// carries out the actions in their order, and calls on_time() at poll_at(). Failure: none; everything is bounded.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/time.h"
#include "trivet/topics/health.h"
#include "trivet/topics/role.h"
#include "vrrp/config.h"
#include "vrrp/peers.h"
#include "vrrp/tracker.h"
#include "vrrp/wire.h"

namespace trivet::vrrp {

// The VRRP network as the node has it now.
struct Attachment {
  std::optional<Ipv4Address> address;          // `real`
  std::vector<InterfaceId> interfaces;         // ascending
  std::vector<Ipv4Address> virtual_addresses;  // `virt`, or none
  VlanId vlan = 0;
  bool operator==(const Attachment&) const = default;
};

struct Received {
  InterfaceId interface = 0;
  Ipv4Address source;
  std::uint16_t id = 0;  // IPv4 identification
  Advert advert;
};

// What is counted; each has a counter of the same meaning.
enum class Tally : std::uint8_t {
  sent,               // advertisements, once for all interfaces
  sent_leaving,       // of these, with priority 0
  received,           // well-formed ones
  received_leaving,   // processed ones with priority 0
  not_running,        // ignored: this node is in init, or has no virtual router
  wrong_interface,    // ignored: no interface of the VRRP network
  other_vrid,         // ignored: another virtual router
  own_loop,           // ignored: sent by this node
  duplicate_address,  // ignored: another node has our `real`
  interval_mismatch,  // ignored
  address_mismatch,   // processed
  became_master,
};
inline constexpr std::size_t tally_count = 12;

struct SendAdvert {
  Advert advert;
  Ipv4Address source;
  std::uint16_t id = 0;
  std::vector<InterfaceId> interfaces;  // those with link
};
struct ChangeRole {  // role, or only its reason
  Role from = Role::init;
  Role to = Role::init;
  std::string reason;
};
struct AskGateway {};    // publish GatewayCheckRequest
struct PeersChanged {};  // publish peers()
struct Count {
  Tally tally{};
};
struct Notice {
  bool is_warning = false;
  std::string text;
};
using Action = std::variant<SendAdvert, ChangeRole, AskGateway, PeersChanged, Count, Notice>;
using Actions = std::vector<Action>;

// The next thing that time alone brings about, for people.
struct NextTimer {
  std::string_view name;  // "advertisement", "master down", "skew", "takeover"; empty = none
  Time at = never;
};

class Engine {
 public:
  // `first_id`: the IPv4 identification of the first advertisement; random, so that nodes with the same address differ.
  explicit Engine(std::uint16_t first_id) : next_id_(first_id) {}

  [[nodiscard]] Actions configure(const Config& config, Time now);
  [[nodiscard]] Actions attach(const Attachment& attachment, Time now);
  [[nodiscard]] Actions set_link(InterfaceId interface, bool up, Time now);
  [[nodiscard]] Actions set_gateway(Health health, Time last_answer, Time now);
  [[nodiscard]] Actions clear_gateway(Time now);
  [[nodiscard]] Actions set_target(const std::string& key, Health health, Time now);
  [[nodiscard]] Actions clear_target(const std::string& key, Time now);
  [[nodiscard]] Actions receive(const Received& received, Time now);
  [[nodiscard]] Time poll_at() const;
  [[nodiscard]] Actions on_time(Time now);
  [[nodiscard]] Actions stop(Time now);

  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] Time since() const { return since_; }
  [[nodiscard]] std::uint8_t effective_priority() const { return effective_; }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] const Attachment& attachment() const { return attachment_; }
  [[nodiscard]] std::vector<TrackedItem> tracked() const { return tracker_.items(); }
  [[nodiscard]] std::vector<VrrpPeer> peers() const { return peers_.list(); }
  [[nodiscard]] NextTimer next_timer() const;
  [[nodiscard]] std::string preemption(Time now) const;  // for people: what holds a takeover back, if anything
  [[nodiscard]] const std::string& last_complaint() const { return last_complaint_; }  // empty = none
  [[nodiscard]] Time last_complaint_at() const { return last_complaint_at_; }

 private:
  // A live master of lower priority has been heard, and this node is about to outbid it.
  struct Attempt {
    Time since;
    Time asked;  // the last AskGateway
    Ipv4Address master;
    std::uint8_t priority = 0;
  };
  enum class Silence : std::uint8_t { master_down, skew };  // what the running timer of a backup waits for
  enum class Complaint : std::uint8_t { loop, duplicate, interval, addresses };

  void settle(Time now, Actions& out);
  void update_priority(Time now, Actions& out);
  [[nodiscard]] std::string why_not_ready() const;  // empty = ready
  void change_role(Role role, std::string reason, Time now, Actions& out);
  void start(Time now, Actions& out);
  void leave(std::string reason, Time now, Actions& out);
  void become_master(std::string reason, Time now, Actions& out);
  void become_backup(std::string reason, Time now, Actions& out);
  void advertise(std::uint8_t priority, Time now, Actions& out);

  [[nodiscard]] bool accept(const Received& received, Time now, Actions& out);
  [[nodiscard]] bool is_own(const Received& received, Time now, Actions& out);
  void complain(Complaint complaint, std::string text, Time now, Actions& out);
  void note_peer(const Received& received, Time now, Actions& out);
  void receive_as_master(const Received& received, Time now, Actions& out);
  void receive_as_backup(const Received& received, Time now, Actions& out);
  void outbid(const Received& received, Time now, Actions& out);
  void expire_as_backup(Time now, Actions& out);

  [[nodiscard]] Duration interval() const { return std::chrono::seconds(config_.interval); }
  [[nodiscard]] Duration skew_time() const { return Duration(std::chrono::seconds(256 - effective_)) / 256; }
  [[nodiscard]] Duration peer_lifetime() const { return 4 * interval(); }
  [[nodiscard]] Time silence_ends() const;
  [[nodiscard]] Time takeover_at() const;
  [[nodiscard]] bool may_preempt(Time now) const;
  [[nodiscard]] bool has_fresh_answer() const;
  [[nodiscard]] std::vector<InterfaceId> up_interfaces() const;

  Config config_;
  Attachment attachment_;
  Tracker tracker_;
  PeerTable peers_;
  Role role_ = Role::init;
  std::string reason_ = "starting";
  Time since_;
  std::uint8_t effective_ = 0;

  Time advert_at_ = never;  // master
  Time last_sent_;
  std::uint16_t next_id_;
  std::uint32_t ids_used_ = 0;  // how many of the identifications before next_id_ are ours; at most remembered_ids

  Time silent_since_;  // backup: the last advertisement that counted
  Silence silence_ = Silence::master_down;
  Ipv4Address last_master_;  // unspecified = none heard since the start
  std::optional<Attempt> attempt_;
  Time stable_since_;
  bool was_decided_ = false;

  std::array<Time, 4> complained_{};  // by Complaint; epoch = never
  std::string last_complaint_;
  Time last_complaint_at_;
};

}  // namespace trivet::vrrp
