#include "trivet/wire/igmp.h"

#include <algorithm>

#include "bytes.h"
#include "group_codes.h"
#include "trivet/wire/ip.h"

namespace trivet::wire {

namespace {

constexpr std::uint8_t type_query = 0x11;
constexpr std::uint8_t type_report3 = 0x22;
constexpr std::size_t short_size = 8;
constexpr std::size_t query3_size = 12;
constexpr std::size_t record_size = 8;
constexpr unsigned mantissa = 4;
constexpr std::chrono::milliseconds response_unit{100};

constexpr Ipv4Address all_systems{{224, 0, 0, 1}};
constexpr Ipv4Address all_routers{{224, 0, 0, 2}};
constexpr Ipv4Address all_version3_routers{{224, 0, 0, 22}};

std::vector<Ipv4Address> read_sources(std::span<const std::uint8_t> bytes, std::size_t count) {
  std::vector<Ipv4Address> sources(count);
  for (std::size_t i = 0; i < count; ++i) sources[i] = read_ipv4(bytes, i * 4);
  return sources;
}

std::vector<std::uint8_t> complete(const Ipv4Address& source, const Ipv4Address& destination, bool router_alert,
                                   Bytes& message) {
  constexpr std::uint8_t internetwork_control = 0xc0;  // RFC 3376 section 4
  message.patch16(2, internet_checksum(message.view()));
  return ipv4_packet({.source = source,
                      .destination = destination,
                      .protocol = ip_protocol::igmp,
                      .hop_limit = 1,
                      .traffic_class = internetwork_control,
                      .router_alert = router_alert},
                     message.view());
}

std::uint32_t clamped(std::int64_t count) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, 0xffffffff));
}

// Versions 1 and 2: the code is a plain number; 1 writes none.
std::uint8_t response_code(const IgmpQuery& values) {
  const std::uint32_t units = clamped(values.maximum_response / response_unit);
  if (values.version == 1) return 0;
  if (values.version == 2) return static_cast<std::uint8_t>(std::clamp(units, 1U, 255U));
  return static_cast<std::uint8_t>(encode_float(units, mantissa));
}

}  // namespace

std::optional<IgmpQuery> parse_igmp_query(std::span<const std::uint8_t> message) {
  // Between 9 and 11 bytes it is no version and must be ignored (RFC 3376 section 7.1).
  if (message.size() < short_size || (message.size() > short_size && message.size() < query3_size)) {
    return std::nullopt;
  }
  if (message[0] != type_query) return std::nullopt;
  IgmpQuery query;
  query.group = read_ipv4(message, 4);
  if (!query.group.is_unspecified() && !query.group.is_multicast()) return std::nullopt;
  if (message.size() == short_size) {
    query.version = message[1] == 0 ? 1 : 2;
    query.maximum_response = response_unit * (message[1] == 0 ? 100 : message[1]);
    return query;
  }
  query.maximum_response = response_unit * decode_float(message[1], mantissa);
  query.suppress = (message[8] & 8U) != 0;
  query.robustness = message[8] & 7U;
  query.interval = std::chrono::seconds(decode_float(message[9], mantissa));
  const std::size_t count = read16(message, 10);
  const auto rest = message.subspan(query3_size);
  if (count * 4 > rest.size()) return std::nullopt;
  query.sources = read_sources(rest, count);
  return query;
}

std::optional<IgmpReport> parse_igmp_report(std::span<const std::uint8_t> message) noexcept {
  if (message.size() < short_size) return std::nullopt;
  const auto kind = static_cast<IgmpReportKind>(message[0]);
  if (kind != IgmpReportKind::report1 && kind != IgmpReportKind::report2 && kind != IgmpReportKind::leave) {
    return std::nullopt;
  }
  const IgmpReport report{.kind = kind, .group = read_ipv4(message, 4)};
  if (!report.group.is_multicast()) return std::nullopt;
  return report;
}

std::optional<std::vector<IgmpRecord>> parse_igmp_report3(std::span<const std::uint8_t> message) {
  if (message.size() < short_size || message[0] != type_report3) return std::nullopt;
  const std::size_t count = read16(message, 6);
  auto rest = message.subspan(short_size);
  if (count * record_size > rest.size()) return std::nullopt;
  std::vector<IgmpRecord> records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < record_size) return std::nullopt;
    const std::size_t sources = read16(rest, 2);
    const std::size_t size = record_size + sources * 4 + std::size_t{rest[1]} * 4;
    if (rest.size() < size) return std::nullopt;
    // Unknown types are skipped (RFC 3376 section 4.2.12).
    if (rest[0] >= 1 && rest[0] <= 6) {
      records.push_back({.type = static_cast<IgmpRecordType>(rest[0]),
                         .group = read_ipv4(rest, 4),
                         .sources = read_sources(rest.subspan(record_size), sources)});
      if (!records.back().group.is_multicast()) return std::nullopt;
    }
    rest = rest.subspan(size);
  }
  return records;
}

std::vector<std::uint8_t> igmp_query_packet(const Ipv4Address& source, const IgmpQuery& values) {
  Bytes message(query3_size + values.sources.size() * 4);
  message.u8(type_query).u8(response_code(values)).u16(0).ip(values.group);
  if (values.version >= 3) {
    message.u8(static_cast<std::uint8_t>((values.suppress ? 8U : 0U) | (values.robustness & 7U)));
    message.u8(static_cast<std::uint8_t>(encode_float(clamped(values.interval.count()), mantissa)));
    message.u16(static_cast<std::uint16_t>(values.sources.size()));
    for (const Ipv4Address& address : values.sources) message.ip(address);
  }
  const Ipv4Address destination = values.group.is_unspecified() ? all_systems : values.group;
  return complete(source, destination, values.version >= 2, message);
}

std::vector<std::uint8_t> igmp_report_packet(const Ipv4Address& source, const IgmpReport& values) {
  Bytes message(short_size);
  message.u8(static_cast<std::uint8_t>(values.kind)).u8(0).u16(0).ip(values.group);
  const Ipv4Address destination = values.kind == IgmpReportKind::leave ? all_routers : values.group;
  return complete(source, destination, values.kind != IgmpReportKind::report1, message);
}

std::vector<std::uint8_t> igmp_report3_packet(const Ipv4Address& source, std::span<const IgmpRecord> records) {
  Bytes message(short_size + records.size() * record_size);
  message.u8(type_report3).u8(0).u16(0).u16(0).u16(static_cast<std::uint16_t>(records.size()));
  for (const IgmpRecord& record : records) {
    message.u8(static_cast<std::uint8_t>(record.type)).u8(0).u16(static_cast<std::uint16_t>(record.sources.size()));
    message.ip(record.group);
    for (const Ipv4Address& address : record.sources) message.ip(address);
  }
  return complete(source, all_version3_routers, true, message);
}

}  // namespace trivet::wire
