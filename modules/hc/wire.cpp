#include "hc/wire.h"

#include <cstring>

#include "hc/agent_wire.h"
#include "trivet/net/checksum.h"
#include "trivet/net/endian.h"
#include "trivet/wire/headers.h"

namespace trivet::hc::wire {
namespace {

using namespace trivet::wire;  // the headers of the SDK

constexpr std::uint8_t hop_limit = 64;
constexpr std::uint16_t dont_fragment = 0x4000;
constexpr std::uint32_t echo_magic = 0x54564843;  // "TVHC"
constexpr std::uint16_t syn_window = 65535;
constexpr std::uint16_t mss_ipv4 = 1460;
constexpr std::uint16_t mss_ipv6 = 1440;

struct EchoPayload {
  Be32 magic;
  Be32 slot;
  Be64 nonce;
};
static_assert(sizeof(EchoPayload) == echo_payload_size && alignof(EchoPayload) == 1);

struct MssOption {
  std::uint8_t kind = 2;
  std::uint8_t length = 4;
  Be16 size;
};
static_assert(sizeof(MssOption) == 4 && alignof(MssOption) == 1);

template <class T>
void append(std::vector<std::uint8_t>& bytes, const T& value) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(&value);
  bytes.insert(bytes.end(), first, first + sizeof(T));
}

// The header at an offset; none when it does not lie wholly within the bytes.
template <class T>
std::optional<T> read_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  if (bytes.size() < offset || bytes.size() - offset < sizeof(T)) {
    return std::nullopt;
  }
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::vector<std::uint8_t> ip_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                    std::size_t payload_length) {
  std::vector<std::uint8_t> packet;
  packet.reserve(sizeof(Ipv6Header) + payload_length);
  if (destination.is_v4()) {
    Ipv4Header header;
    header.total_length = static_cast<std::uint16_t>(sizeof(Ipv4Header) + payload_length);
    header.flags_and_offset = dont_fragment;  // so the id may stay 0: RFC 6864 section 4.1
    header.hop_limit = hop_limit;
    header.protocol = protocol;
    header.source = source.v4();
    header.destination = destination.v4();
    append(packet, header);
    const Be16 checksum = internet_checksum(packet);
    std::memcpy(packet.data() + offsetof(Ipv4Header, checksum), &checksum, sizeof(checksum));
  } else {
    Ipv6Header header;
    header.payload_length = static_cast<std::uint16_t>(payload_length);
    header.next_header = protocol;
    header.hop_limit = hop_limit;
    header.source = source.v6();
    header.destination = destination.v6();
    append(packet, header);
  }
  return packet;
}

// Puts `l4` behind an IP header, with its checksum at `checksum_offset`. ICMP over IPv4 is the one without a
// pseudo-header (RFC 792).
std::vector<std::uint8_t> finish(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                 std::vector<std::uint8_t> l4, std::size_t checksum_offset) {
  ChecksumSum sum;
  if (protocol != ip_protocol::icmp) {
    sum.add_pseudo_header(source, destination, protocol, static_cast<std::uint32_t>(l4.size()));
  }
  sum.add(l4);
  std::uint16_t checksum = sum.finish();
  if (protocol == ip_protocol::udp && checksum == 0) {
    checksum = 0xffff;  // RFC 768: zero would say that there is none
  }
  const Be16 field = checksum;
  std::memcpy(l4.data() + checksum_offset, &field, sizeof(field));
  std::vector<std::uint8_t> packet = ip_header(source, destination, protocol, l4.size());
  packet.insert(packet.end(), l4.begin(), l4.end());
  return packet;
}

std::vector<std::uint8_t> build_echo(const Probe& probe) {
  const bool is_v4 = probe.destination.is_v4();
  IcmpHeader header;
  header.type = is_v4 ? icmp_type::echo_request : icmpv6_type::echo_request;
  header.rest = (std::uint32_t{probe.echo_id} << 16U) | probe.echo_sequence;
  EchoPayload payload;
  payload.magic = echo_magic;
  payload.slot = probe.slot;
  payload.nonce = probe.nonce;
  std::vector<std::uint8_t> l4;
  append(l4, header);
  append(l4, payload);
  return finish(probe.source, probe.destination, is_v4 ? ip_protocol::icmp : ip_protocol::icmpv6, std::move(l4),
                offsetof(IcmpHeader, checksum));
}

std::vector<std::uint8_t> build_syn(const Probe& probe) {
  TcpHeader header;
  header.source_port = probe.local_port;
  header.destination_port = probe.remote_port;
  header.sequence = probe.sequence;
  header.data_offset = 0x60;
  header.flags = TcpHeader::syn;
  header.window = syn_window;
  MssOption option;
  option.size = probe.destination.is_v4() ? mss_ipv4 : mss_ipv6;
  std::vector<std::uint8_t> l4;
  append(l4, header);
  append(l4, option);
  return finish(probe.source, probe.destination, ip_protocol::tcp, std::move(l4), offsetof(TcpHeader, checksum));
}

std::vector<std::uint8_t> build_agent_request(const Probe& probe) {
  UdpHeader header;
  header.source_port = probe.local_port;
  header.destination_port = probe.remote_port;
  header.length = static_cast<std::uint16_t>(sizeof(UdpHeader) + agent_wire::message_size);
  std::vector<std::uint8_t> l4;
  append(l4, header);
  append(l4, agent_wire::encode(agent_wire::Request{probe.nonce}));
  return finish(probe.source, probe.destination, ip_protocol::udp, std::move(l4), offsetof(UdpHeader, checksum));
}

// RFC 792 and RFC 1812 section 5.2.7.1
std::optional<Failure> failure_ipv4(std::uint8_t type, std::uint8_t code) {
  if (type == icmp_type::time_exceeded) {
    return Failure::time_exceeded;
  }
  if (type != icmp_type::unreachable) {
    return std::nullopt;
  }
  switch (code) {
    case 0:
    case 6:
      return Failure::network_unreachable;
    case 1:
    case 7:
      return Failure::host_unreachable;
    case 3:
      return Failure::port_unreachable;
    case 9:
    case 10:
    case 13:
      return Failure::prohibited;
    default:
      return Failure::unreachable;
  }
}

// RFC 4443 section 3
std::optional<Failure> failure_ipv6(std::uint8_t type, std::uint8_t code) {
  if (type == icmpv6_type::time_exceeded) {
    return Failure::time_exceeded;
  }
  if (type != icmpv6_type::unreachable) {
    return std::nullopt;
  }
  switch (code) {
    case 0:
    case 6:
      return Failure::network_unreachable;
    case 1:
    case 5:
      return Failure::prohibited;
    case 3:
      return Failure::host_unreachable;
    case 4:
      return Failure::port_unreachable;
    default:
      return Failure::unreachable;
  }
}

struct Quoted {
  Probe probe;  // addresses only
  std::uint8_t protocol = 0;
  std::span<const std::uint8_t> l4;
};

// The quoted IP header. Probes have neither options nor extension headers, nor are they ever fragments.
std::optional<Quoted> parse_quoted(Family family, std::span<const std::uint8_t> bytes) {
  Quoted quoted;
  if (family == Family::ipv4) {
    const auto header = read_at<Ipv4Header>(bytes, 0);
    if (!header || header->version_and_length != 0x45 || header->is_fragment()) {
      return std::nullopt;
    }
    quoted.probe.source = header->source;
    quoted.probe.destination = header->destination;
    quoted.protocol = header->protocol;
    quoted.l4 = bytes.subspan(sizeof(Ipv4Header));
    return quoted;
  }
  const auto header = read_at<Ipv6Header>(bytes, 0);
  if (!header || (header->version_class_flow.value() >> 28U) != 6) {
    return std::nullopt;
  }
  quoted.probe.source = header->source;
  quoted.probe.destination = header->destination;
  quoted.protocol = header->next_header;
  quoted.l4 = bytes.subspan(sizeof(Ipv6Header));
  return quoted;
}

// The first eight bytes of layer 4 are all that RFC 792 promises.
bool read_quoted_ports(const Quoted& quoted, ErrorAnswer& answer) {
  struct Ports {
    Be16 source;
    Be16 destination;
    Be32 sequence;
  };
  const auto ports = read_at<Ports>(quoted.l4, 0);
  if (!ports) {
    return false;
  }
  answer.quoted.local_port = ports->source;
  answer.quoted.remote_port = ports->destination;
  if (answer.type == ProbeType::tcp) {
    answer.quoted.sequence = ports->sequence;
  }
  return true;
}

bool read_quoted_echo(Family family, const Quoted& quoted, ErrorAnswer& answer) {
  const auto header = read_at<IcmpHeader>(quoted.l4, 0);
  const std::uint8_t request = family == Family::ipv4 ? icmp_type::echo_request : icmpv6_type::echo_request;
  if (!header || header->type != request) {
    return false;
  }
  answer.quoted.echo_id = header->echo_id();
  answer.quoted.echo_sequence = header->echo_sequence();
  const auto payload = read_at<EchoPayload>(quoted.l4, sizeof(IcmpHeader));
  if (payload && payload->magic.value() == echo_magic) {
    answer.quoted.slot = payload->slot;
    answer.quoted.nonce = payload->nonce;
    answer.has_payload = true;
  }
  return true;
}

}  // namespace

std::vector<std::uint8_t> build_probe(const Probe& probe) {
  switch (probe.type) {
    case ProbeType::echo:
      return build_echo(probe);
    case ProbeType::tcp:
      return build_syn(probe);
    case ProbeType::agent:
      return build_agent_request(probe);
  }
  return {};
}

std::vector<std::uint8_t> build_segment(const Segment& segment) {
  TcpHeader header;
  header.source_port = segment.local_port;
  header.destination_port = segment.remote_port;
  header.sequence = segment.sequence;
  header.acknowledgement = segment.acknowledgement;
  header.flags = segment.flags;
  header.window = (segment.flags & TcpHeader::rst) != 0 ? std::uint16_t{0} : syn_window;
  std::vector<std::uint8_t> l4;
  append(l4, header);
  return finish(segment.source, segment.destination, ip_protocol::tcp, std::move(l4), offsetof(TcpHeader, checksum));
}

std::optional<EchoAnswer> parse_echo_reply(const IpAddress& source, const IpAddress& destination,
                                           std::span<const std::uint8_t> l4) {
  const auto header = read_at<IcmpHeader>(l4, 0);
  const auto payload = read_at<EchoPayload>(l4, sizeof(IcmpHeader));
  const std::uint8_t reply = source.is_v4() ? icmp_type::echo_reply : icmpv6_type::echo_reply;
  if (!header || !payload || l4.size() != sizeof(IcmpHeader) + sizeof(EchoPayload) || header->type != reply ||
      header->code != 0 || payload->magic.value() != echo_magic) {
    return std::nullopt;
  }
  EchoAnswer answer;
  answer.source = source;
  answer.destination = destination;
  answer.echo_id = header->echo_id();
  answer.echo_sequence = header->echo_sequence();
  answer.slot = payload->slot;
  answer.nonce = payload->nonce;
  return answer;
}

std::optional<TcpAnswer> parse_segment(const IpAddress& source, const IpAddress& destination,
                                       std::span<const std::uint8_t> l4) {
  const auto header = read_at<TcpHeader>(l4, 0);
  if (!header || header->header_length() < sizeof(TcpHeader) || header->header_length() > l4.size()) {
    return std::nullopt;
  }
  TcpAnswer answer;
  answer.source = source;
  answer.destination = destination;
  answer.remote_port = header->source_port;
  answer.local_port = header->destination_port;
  answer.sequence = header->sequence;
  answer.acknowledgement = header->acknowledgement;
  answer.flags = header->flags;
  return answer;
}

std::optional<AgentAnswer> parse_agent_answer(const IpAddress& source, const IpAddress& destination,
                                              std::span<const std::uint8_t> l4) {
  const auto header = read_at<UdpHeader>(l4, 0);
  if (!header || header->length.value() < sizeof(UdpHeader) || header->length.value() > l4.size()) {
    return std::nullopt;
  }
  const auto payload = l4.subspan(sizeof(UdpHeader), header->length.value() - sizeof(UdpHeader));
  const auto message = agent_wire::parse_answer(payload);
  if (!message) {
    return std::nullopt;
  }
  AgentAnswer answer;
  answer.source = source;
  answer.destination = destination;
  answer.remote_port = header->source_port;
  answer.local_port = header->destination_port;
  answer.nonce = message->nonce;
  answer.value = message->value.value_or(-1);
  return answer;
}

std::optional<ErrorAnswer> parse_icmp_error(Family family, std::span<const std::uint8_t> l4) {
  const auto header = read_at<IcmpHeader>(l4, 0);
  if (!header) {
    return std::nullopt;
  }
  const auto failure =
      family == Family::ipv4 ? failure_ipv4(header->type, header->code) : failure_ipv6(header->type, header->code);
  if (!failure) {
    return std::nullopt;
  }
  const auto quoted = parse_quoted(family, l4.subspan(sizeof(IcmpHeader)));
  if (!quoted) {
    return std::nullopt;
  }
  ErrorAnswer answer;
  answer.failure = *failure;
  answer.quoted = quoted->probe;
  const std::uint8_t icmp = family == Family::ipv4 ? ip_protocol::icmp : ip_protocol::icmpv6;
  bool is_known = false;
  if (quoted->protocol == icmp) {
    is_known = read_quoted_echo(family, *quoted, answer);
  } else if (quoted->protocol == ip_protocol::tcp || quoted->protocol == ip_protocol::udp) {
    answer.type = quoted->protocol == ip_protocol::tcp ? ProbeType::tcp : ProbeType::agent;
    is_known = read_quoted_ports(*quoted, answer);
  }
  answer.quoted.type = answer.type;
  return is_known ? std::optional<ErrorAnswer>(answer) : std::nullopt;
}

}  // namespace trivet::hc::wire
