// Other nodes that claim an own address: what to log and when to defend.
//
// Thread: control. Sans-IO. Source: RFC 5227 section 2.4 (b): one announcement as defence at most every 10 s.
// A pair of address and claimant is logged when it is first heard, then at most once a minute, and all together at most
// `lines` times a minute. The table is bounded: the pair that has been silent longest makes room.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/time.h"

namespace trivet::arp {

struct Claim {
  IpAddress address;          // the own address that is claimed
  MacAddress mac;             // by whom
  InterfaceId interface = 0;  // where it was heard
  bool is_probe = false;      // the other node asks whether it may use the address (RFC 5227 probe, RFC 4862)
  bool defend = false;        // an announcement is a lawful answer
  VlanId vlan = 0;            // on the interface
  bool operator==(const Claim&) const = default;
};

class ConflictMonitor {
 public:
  static constexpr std::size_t capacity = 256;
  static constexpr unsigned lines = 32;
  static constexpr Duration log_interval = std::chrono::seconds(60);
  static constexpr Duration defence_interval = std::chrono::seconds(10);

  struct Reaction {
    bool log = false;
    bool defend = false;
    std::uint64_t repeated = 0;  // claims since the last log line, this one included
  };
  [[nodiscard]] Reaction claimed(const Claim& claim, Time now);
  [[nodiscard]] std::size_t size() const { return known_.size(); }

 private:
  struct Key {
    IpAddress address;
    MacAddress mac;
    auto operator<=>(const Key&) const = default;
  };
  struct Record {
    Time last_heard;
    Time last_log;
    std::uint64_t unlogged = 0;
    bool was_logged = false;
  };
  void make_room();
  bool may_log(Time now);
  bool may_defend(const IpAddress& address, Time now);

  std::map<Key, Record> known_;
  std::map<IpAddress, Time> defended_;
  Time minute_end_;
  unsigned lines_logged_ = 0;  // in this minute
};

}  // namespace trivet::arp
