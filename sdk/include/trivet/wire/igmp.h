// Group management over IPv4. Sources: RFC 1112 (version 1), RFC 2236 (version 2), RFC 3376 (version 3).
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

struct IgmpQuery {
  std::uint8_t version = 3;                      // by length and response time (RFC 3376 section 7.1)
  std::chrono::milliseconds maximum_response{};  // version 1: 10 s (RFC 2236 section 4); sent in steps of 100 ms
  Ipv4Address group;                             // unspecified = general query
  std::vector<Ipv4Address> sources;
  bool suppress = false;            // S flag
  std::uint8_t robustness = 0;      // QRV; 0 = unknown
  std::chrono::seconds interval{};  // QQI
  bool operator==(const IgmpQuery&) const = default;
};

enum class IgmpReportKind : std::uint8_t { report1 = 0x12, report2 = 0x16, leave = 0x17 };

struct IgmpReport {  // versions 1 and 2
  IgmpReportKind kind = IgmpReportKind::report2;
  Ipv4Address group;
  bool operator==(const IgmpReport&) const = default;
};

enum class IgmpRecordType : std::uint8_t {
  is_include = 1,
  is_exclude = 2,
  to_include = 3,
  to_exclude = 4,
  allow = 5,
  block = 6,
};

struct IgmpRecord {
  IgmpRecordType type = IgmpRecordType::is_exclude;
  Ipv4Address group;
  std::vector<Ipv4Address> sources;
  bool operator==(const IgmpRecord&) const = default;
};

// `message`: from the IGMP type on; the checksum is the caller's. None: another type, too short, counts that reach past
// the end, a group that is none.
[[nodiscard]] std::optional<IgmpQuery> parse_igmp_query(std::span<const std::uint8_t> message);
[[nodiscard]] std::optional<IgmpReport> parse_igmp_report(std::span<const std::uint8_t> message) noexcept;
[[nodiscard]] std::optional<std::vector<IgmpRecord>> parse_igmp_report3(std::span<const std::uint8_t> message);

// Whole IPv4 packets: hop limit 1, router alert (not in version 1), checksums complete.
[[nodiscard]] std::vector<std::uint8_t> igmp_query_packet(const Ipv4Address& source, const IgmpQuery& values);
[[nodiscard]] std::vector<std::uint8_t> igmp_report_packet(const Ipv4Address& source, const IgmpReport& values);
// To 224.0.0.22. The caller keeps a report within the MTU; each record without sources has 8 bytes.
[[nodiscard]] std::vector<std::uint8_t> igmp_report3_packet(const Ipv4Address& source,
                                                            std::span<const IgmpRecord> records);

}  // namespace trivet::wire
