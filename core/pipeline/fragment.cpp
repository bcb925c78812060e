#include "core/pipeline/fragment.h"

#include <array>
#include <cstring>

#include "trivet/net/checksum.h"

namespace trivet::core {

namespace {

constexpr std::size_t ethernet_length = sizeof(wire::EthernetHeader);

// A fragment's buffer, with everything but its bytes set.
Packet* new_fragment(const Packet& whole, std::size_t l3_length, PacketPool& pool) noexcept {
  Packet* const packet = pool.acquire(ethernet_length + l3_length);
  if (packet == nullptr) return nullptr;
  packet->length = static_cast<std::uint32_t>(ethernet_length + l3_length);
  packet->classes = whole.classes | packet_class::fragment;
  packet->in_interface = whole.in_interface;
  packet->network = whole.network;
  packet->l3_offset = ethernet_length;
  packet->ether_type = whole.ether_type;
  packet->protocol = whole.protocol;
  return packet;
}

// The options that every fragment repeats: those with the copied flag, padded with zero (end of options).
// Returns their length, a multiple of 4. Options that do not parse are left out from there on.
std::size_t copied_options(std::span<const std::uint8_t> options, std::array<std::uint8_t, 40>& out) noexcept {
  constexpr std::uint8_t end_of_options = 0;
  constexpr std::uint8_t no_operation = 1;
  constexpr std::uint8_t copied = 0x80;
  std::size_t length = 0;
  std::size_t at = 0;
  while (at < options.size() && options[at] != end_of_options) {
    if (options[at] == no_operation) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size()) break;
    const std::size_t option_length = options[at + 1];
    if (option_length < 2 || at + option_length > options.size()) break;
    if ((options[at] & copied) != 0) {
      std::memcpy(out.data() + length, options.data() + at, option_length);
      length += option_length;
    }
    at += option_length;
  }
  while (length % 4 != 0) out[length++] = end_of_options;
  return length;
}

void release_all(PacketPool& pool, std::span<Packet*> packets) noexcept {
  for (Packet* const packet : packets) pool.release(packet);
}

std::size_t fragment_ipv4(const Packet& packet, std::size_t mtu, PacketPool& pool, std::span<Packet*> out) noexcept {
  constexpr std::uint16_t more_fragments = 0x2000;
  const wire::Ipv4Header& header = packet.ipv4();
  const std::span<const std::uint8_t> bytes = packet.l3_bytes();
  const std::size_t first_header = header.header_length();
  std::array<std::uint8_t, 40> options{};
  const std::size_t options_length =
      copied_options(bytes.subspan(sizeof(wire::Ipv4Header), first_header - sizeof(wire::Ipv4Header)), options);
  const std::span<const std::uint8_t> data = bytes.subspan(first_header);
  const std::size_t base = header.fragment_offset();
  const bool more_behind = (header.flags_and_offset.value() & more_fragments) != 0;

  std::size_t count = 0;
  std::size_t done = 0;
  while (done < data.size()) {
    const std::size_t header_length = count == 0 ? first_header : sizeof(wire::Ipv4Header) + options_length;
    if (header_length + 8 > mtu) break;
    const std::size_t room = (mtu - header_length) / 8 * 8;
    const bool is_last = data.size() - done <= mtu - header_length;
    const std::size_t length = is_last ? data.size() - done : room;
    Packet* const piece = count < out.size() ? new_fragment(packet, header_length + length, pool) : nullptr;
    if (piece == nullptr) break;
    std::uint8_t* const l3 = piece->data + piece->l3_offset;
    std::memcpy(l3, bytes.data(), count == 0 ? first_header : sizeof(wire::Ipv4Header));
    if (count > 0) std::memcpy(l3 + sizeof(wire::Ipv4Header), options.data(), options_length);
    std::memcpy(l3 + header_length, data.data() + done, length);
    wire::Ipv4Header& own = piece->ipv4();
    own.version_and_length = static_cast<std::uint8_t>(0x40U | (header_length / 4));
    own.total_length = static_cast<std::uint16_t>(header_length + length);
    own.flags_and_offset =
        static_cast<std::uint16_t>(((base + done) / 8) | (!is_last || more_behind ? more_fragments : 0U));
    own.checksum = 0;
    own.checksum = internet_checksum({l3, header_length});
    out[count++] = piece;
    done += length;
  }
  if (done == data.size() && count > 0) return count;
  release_all(pool, out.first(count));
  return 0;
}

std::size_t fragment_ipv6(const Packet& packet, std::size_t mtu, std::uint32_t identification, PacketPool& pool,
                          std::span<Packet*> out) noexcept {
  const std::uint8_t next = packet.ipv6().next_header;
  // These would belong to the part that each fragment repeats. This node originates none that is large.
  if (next == wire::ip_protocol::hop_by_hop || next == wire::ip_protocol::routing ||
      next == wire::ip_protocol::fragment) {
    return 0;
  }
  constexpr std::size_t headers = sizeof(wire::Ipv6Header) + sizeof(wire::Ipv6FragmentHeader);
  const std::span<const std::uint8_t> bytes = packet.l3_bytes();
  const std::span<const std::uint8_t> data = bytes.subspan(sizeof(wire::Ipv6Header));
  if (mtu < headers + 8) return 0;
  const std::size_t room = (mtu - headers) / 8 * 8;

  std::size_t count = 0;
  std::size_t done = 0;
  while (done < data.size()) {
    const bool is_last = data.size() - done <= mtu - headers;
    const std::size_t length = is_last ? data.size() - done : room;
    Packet* const piece = count < out.size() ? new_fragment(packet, headers + length, pool) : nullptr;
    if (piece == nullptr) break;
    std::uint8_t* const l3 = piece->data + piece->l3_offset;
    std::memcpy(l3, bytes.data(), sizeof(wire::Ipv6Header));
    wire::Ipv6Header& own = piece->ipv6();
    own.payload_length = static_cast<std::uint16_t>(sizeof(wire::Ipv6FragmentHeader) + length);
    own.next_header = wire::ip_protocol::fragment;
    const wire::Ipv6FragmentHeader fragment{.next_header = next,
                                            .reserved = 0,
                                            .offset_and_more = static_cast<std::uint16_t>(done | (is_last ? 0U : 1U)),
                                            .id = identification};
    std::memcpy(l3 + sizeof(wire::Ipv6Header), &fragment, sizeof(fragment));
    std::memcpy(l3 + headers, data.data() + done, length);
    piece->fragment_header_offset = static_cast<std::uint16_t>(piece->l3_offset + sizeof(wire::Ipv6Header));
    out[count++] = piece;
    done += length;
  }
  if (done == data.size() && count > 0) return count;
  release_all(pool, out.first(count));
  return 0;
}

}  // namespace

void complete_checksum(Packet& packet) noexcept {
  if (packet.checksum != ChecksumState::partial) return;
  const std::size_t field = std::size_t{packet.checksum_start} + packet.checksum_offset;
  if (field + 2 > packet.length || packet.checksum_start >= packet.length) return;
  // The field holds the pseudo-header's sum and is itself part of what is summed.
  ChecksumSum sum;
  sum.add(packet.frame().subspan(packet.checksum_start));
  std::uint16_t value = sum.finish();
  if (value == 0 && packet.protocol == wire::ip_protocol::udp) value = 0xffff;
  packet.data[field] = static_cast<std::uint8_t>(value >> 8U);
  packet.data[field + 1] = static_cast<std::uint8_t>(value);
  packet.checksum = ChecksumState::unverified;
}

std::size_t make_fragments(const Packet& packet, std::size_t mtu, std::uint32_t identification, PacketPool& pool,
                           std::span<Packet*> out) noexcept {
  return packet.is(packet_class::ipv4) ? fragment_ipv4(packet, mtu, pool, out)
                                       : fragment_ipv6(packet, mtu, identification, pool, out);
}

}  // namespace trivet::core
