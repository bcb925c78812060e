// Multicast listener discovery. Sources: RFC 2710 (version 1), RFC 3810 (version 2).
//
// Thread: any; pure. Allocates: for the control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/headers.h"

namespace trivet::wire {

struct MldQuery {
  std::uint8_t version = 2;  // by length: 24 bytes = 1, 28 and more = 2 (RFC 3810 section 8.1)
  std::chrono::milliseconds maximum_response{};
  Ipv6Address group;  // unspecified = general query
  std::vector<Ipv6Address> sources;
  bool suppress = false;            // S flag
  std::uint8_t robustness = 0;      // QRV; 0 = unknown
  std::chrono::seconds interval{};  // QQI
  bool operator==(const MldQuery&) const = default;
};

enum class MldRecordType : std::uint8_t {
  is_include = 1,
  is_exclude = 2,
  to_include = 3,
  to_exclude = 4,
  allow = 5,
  block = 6,
};

struct MldRecord {
  MldRecordType type = MldRecordType::is_exclude;
  Ipv6Address group;
  std::vector<Ipv6Address> sources;
  bool operator==(const MldRecord&) const = default;
};

// A version 1 report or done.
struct MldReport1 {
  bool is_done = false;
  Ipv6Address group;
  bool operator==(const MldReport1&) const = default;
};

// `message`: the ICMPv6 message from its type on; the checksum is the caller's. None: another type, too short, counts
// that reach past the end, a group that is none.
[[nodiscard]] std::optional<MldQuery> parse_mld_query(std::span<const std::uint8_t> message);
[[nodiscard]] std::optional<MldReport1> parse_mld_report1(std::span<const std::uint8_t> message) noexcept;
[[nodiscard]] std::optional<std::vector<MldRecord>> parse_mld_report2(std::span<const std::uint8_t> message);

// Whole IPv6 packets: hop limit 1, router alert, checksum complete. `source` is link-local (or unspecified for
// reports).
[[nodiscard]] std::vector<std::uint8_t> mld_query_packet(const Ipv6Address& source, const MldQuery& values);
[[nodiscard]] std::vector<std::uint8_t> mld_report1_packet(const Ipv6Address& source, const MldReport1& values);
// To ff02::16. The caller keeps a report within the MTU; each record without sources has 20 bytes.
[[nodiscard]] std::vector<std::uint8_t> mld_report2_packet(const Ipv6Address& source,
                                                           std::span<const MldRecord> records);

}  // namespace trivet::wire
