#include "trivet/wire/mld.h"

#include <algorithm>

#include "bytes.h"
#include "group_codes.h"
#include "icmpv6_message.h"

namespace trivet::wire {

namespace {

constexpr std::size_t version1_size = 24;
constexpr std::size_t query2_size = 28;
constexpr std::size_t record_size = 20;
constexpr unsigned response_mantissa = 12;
constexpr unsigned interval_mantissa = 4;

constexpr Ipv6Address all_nodes{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr Ipv6Address all_routers{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
constexpr Ipv6Address all_version2_routers{{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16}};

std::vector<Ipv6Address> read_sources(std::span<const std::uint8_t> bytes, std::size_t count) {
  std::vector<Ipv6Address> sources(count);
  for (std::size_t i = 0; i < count; ++i) sources[i] = read_ipv6(bytes, i * 16);
  return sources;
}

Ipv6Values header(const Ipv6Address& source, const Ipv6Address& destination) {
  return {.source = source, .destination = destination, .hop_limit = 1, .router_alert = true};
}

std::uint32_t clamped(std::int64_t count) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, 0xffffffff));
}

}  // namespace

std::optional<MldQuery> parse_mld_query(std::span<const std::uint8_t> message) {
  // Between 25 and 27 bytes it is neither version and must be ignored (RFC 3810 section 8.1).
  if (message.size() < version1_size || (message.size() > version1_size && message.size() < query2_size)) {
    return std::nullopt;
  }
  if (message[0] != icmpv6_type::mld_query || message[1] != 0) return std::nullopt;
  MldQuery query;
  query.group = read_ipv6(message, 8);
  if (!query.group.is_unspecified() && !query.group.is_multicast()) return std::nullopt;
  if (message.size() == version1_size) {
    query.version = 1;
    query.maximum_response = std::chrono::milliseconds(read16(message, 4));
    return query;
  }
  query.maximum_response = std::chrono::milliseconds(decode_float(read16(message, 4), response_mantissa));
  query.suppress = (message[24] & 8U) != 0;
  query.robustness = message[24] & 7U;
  query.interval = std::chrono::seconds(decode_float(message[25], interval_mantissa));
  const std::size_t count = read16(message, 26);
  const auto rest = message.subspan(query2_size);
  if (count * 16 > rest.size()) return std::nullopt;
  query.sources = read_sources(rest, count);
  return query;
}

std::optional<MldReport1> parse_mld_report1(std::span<const std::uint8_t> message) noexcept {
  if (message.size() < version1_size || message[1] != 0) return std::nullopt;
  if (message[0] != icmpv6_type::mld_report && message[0] != icmpv6_type::mld_done) return std::nullopt;
  const MldReport1 report{.is_done = message[0] == icmpv6_type::mld_done, .group = read_ipv6(message, 8)};
  if (!report.group.is_multicast()) return std::nullopt;
  return report;
}

std::optional<std::vector<MldRecord>> parse_mld_report2(std::span<const std::uint8_t> message) {
  if (message.size() < 8 || message[0] != icmpv6_type::mldv2_report || message[1] != 0) return std::nullopt;
  const std::size_t count = read16(message, 6);
  auto rest = message.subspan(8);
  if (count * record_size > rest.size()) return std::nullopt;
  std::vector<MldRecord> records;
  records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (rest.size() < record_size) return std::nullopt;
    const std::size_t sources = read16(rest, 2);
    const std::size_t size = record_size + sources * 16 + std::size_t{rest[1]} * 4;
    if (rest.size() < size) return std::nullopt;
    // Unknown types are skipped (RFC 3810 section 5.2.12).
    if (rest[0] >= 1 && rest[0] <= 6) {
      records.push_back({.type = static_cast<MldRecordType>(rest[0]),
                         .group = read_ipv6(rest, 4),
                         .sources = read_sources(rest.subspan(record_size), sources)});
      if (!records.back().group.is_multicast()) return std::nullopt;
    }
    rest = rest.subspan(size);
  }
  return records;
}

std::vector<std::uint8_t> mld_query_packet(const Ipv6Address& source, const MldQuery& values) {
  Bytes message(query2_size + values.sources.size() * 16);
  message.u8(icmpv6_type::mld_query).u8(0).u16(0);
  const std::uint32_t response = clamped(values.maximum_response.count());
  if (values.version == 1) {
    message.u16(static_cast<std::uint16_t>(std::min(response, 0xffffU)));
  } else {
    message.u16(static_cast<std::uint16_t>(encode_float(response, response_mantissa)));
  }
  message.u16(0).ip(values.group);
  if (values.version != 1) {
    message.u8(static_cast<std::uint8_t>((values.suppress ? 8U : 0U) | (values.robustness & 7U)));
    message.u8(static_cast<std::uint8_t>(encode_float(clamped(values.interval.count()), interval_mantissa)));
    message.u16(static_cast<std::uint16_t>(values.sources.size()));
    for (const Ipv6Address& address : values.sources) message.ip(address);
  }
  return icmpv6_packet(header(source, values.group.is_unspecified() ? all_nodes : values.group), message);
}

std::vector<std::uint8_t> mld_report1_packet(const Ipv6Address& source, const MldReport1& values) {
  Bytes message(version1_size);
  message.u8(values.is_done ? icmpv6_type::mld_done : icmpv6_type::mld_report).u8(0).u16(0).u32(0).ip(values.group);
  return icmpv6_packet(header(source, values.is_done ? all_routers : values.group), message);
}

std::vector<std::uint8_t> mld_report2_packet(const Ipv6Address& source, std::span<const MldRecord> records) {
  Bytes message(8 + records.size() * record_size);
  message.u8(icmpv6_type::mldv2_report).u8(0).u16(0).u16(0).u16(static_cast<std::uint16_t>(records.size()));
  for (const MldRecord& record : records) {
    message.u8(static_cast<std::uint8_t>(record.type)).u8(0).u16(static_cast<std::uint16_t>(record.sources.size()));
    message.ip(record.group);
    for (const Ipv6Address& address : record.sources) message.ip(address);
  }
  return icmpv6_packet(header(source, all_version2_routers), message);
}

}  // namespace trivet::wire
