#include "core/io/traffic_filter.h"

#include <cstdint>
#include <utility>

#include "trivet/wire/headers.h"

namespace trivet::core {

namespace {

constexpr std::uint32_t frame_protocol = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL);

// Offsets from the network header.
constexpr std::uint32_t ipv4_protocol_at = 9;
constexpr std::uint32_t ipv4_source_at = 12;
constexpr std::uint32_t ipv4_destination_at = 16;
constexpr std::uint32_t ipv6_next_header_at = 6;
constexpr std::uint32_t ipv6_source_at = 8;
constexpr std::uint32_t ipv6_destination_at = 24;
constexpr std::uint32_t ipv6_payload_at = 40;

class Program {
 public:
  explicit Program(QueueLayout queues) : queues_(queues) {}

  void load32(std::uint32_t at) { emit(BPF_LD | BPF_W | BPF_ABS, at); }
  void load8(std::uint32_t at) { emit(BPF_LD | BPF_B | BPF_ABS, at); }
  void go_to_queue(std::size_t queue) { emit(BPF_RET | BPF_K, static_cast<std::uint32_t>(queue)); }

  // Ends here with `queue` when the loaded value is `value`; otherwise goes on.
  void match(std::uint32_t value, std::size_t queue) {
    code_.push_back(jump(BPF_JEQ, value, 0, 1));
    go_to_queue(queue);
  }
  // As match(), for low <= value <= high.
  void match_range(std::uint32_t low, std::uint32_t high, std::size_t queue) {
    code_.push_back(jump(BPF_JGE, low, 0, 2));
    code_.push_back(jump(BPF_JGT, high, 1, 0));
    go_to_queue(queue);
  }
  // Goes on with what follows when the loaded value is `value`, else to where land() is called with the result.
  [[nodiscard]] std::size_t unless(std::uint32_t value) {
    code_.push_back(jump(BPF_JEQ, value, 1, 0));
    emit(BPF_JMP | BPF_JA, 0);
    return code_.size() - 1;
  }
  void land(std::size_t jump_at) { code_[jump_at].k = static_cast<std::uint32_t>(code_.size() - jump_at - 1); }

  // All words in order are equal to those from `at` on: this queue.
  void match_words(std::uint32_t at, const std::uint32_t (&words)[4], std::size_t queue) {
    for (unsigned i = 0; i < 4; ++i) {
      load32(at + 4 * i);
      // To the instruction behind the return: two for each word that is left, and the return itself.
      code_.push_back(jump(BPF_JEQ, words[i], 0, static_cast<std::uint8_t>(2 * (3 - i) + 1)));
    }
    go_to_queue(queue);
  }

  // Spreads over the data queues by both addresses, which lie behind each other, `words` in all. Both directions of a
  // flow meet. The same function as owner_of() for packets whose far side is unknown (core/pipeline/steering.h).
  void spread(std::uint32_t addresses_at, unsigned words) {
    if (queues_.workers > 1) {
      load32(addresses_at);
      for (unsigned i = 1; i < words; ++i) {
        emit(BPF_MISC | BPF_TAX, 0);
        load32(addresses_at + 4 * i);
        emit(BPF_ALU | BPF_XOR | BPF_X, 0);
      }
      emit(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1U);
      emit(BPF_ALU | BPF_RSH | BPF_K, 16);
      emit(BPF_ALU | BPF_MOD | BPF_K, static_cast<std::uint32_t>(queues_.workers));
      emit(BPF_RET | BPF_A, 0);
    } else {
      go_to_queue(0);
    }
  }

  std::vector<sock_filter> take() { return std::move(code_); }

 private:
  void emit(unsigned code, std::uint32_t k) { code_.push_back({static_cast<std::uint16_t>(code), 0, 0, k}); }
  static sock_filter jump(unsigned condition, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    return {static_cast<std::uint16_t>(BPF_JMP | condition | BPF_K), if_true, if_false, value};
  }

  QueueLayout queues_;
  std::vector<sock_filter> code_;
};

std::uint32_t word_at(const IpAddress& address, std::size_t index) {
  const auto& bytes = address.bytes();
  return Ipv4Address{{bytes[4 * index], bytes[4 * index + 1], bytes[4 * index + 2], bytes[4 * index + 3]}}.number();
}

void add_ipv4(Program& program, QueueLayout queues, const std::vector<IpAddress>& own) {
  program.load8(ipv4_protocol_at);
  program.match(wire::ip_protocol::vrrp, queues.critical());
  program.match(wire::ip_protocol::igmp, queues.critical());
  program.match(wire::ip_protocol::icmp, queues.local());
  program.load32(ipv4_destination_at);
  std::size_t count = 0;
  for (const IpAddress& address : own) {
    if (!address.is_v4() || ++count > max_filtered_addresses) continue;
    program.match(word_at(address, 0), queues.local());
  }
  program.spread(ipv4_source_at, 2);
}

void add_ipv6(Program& program, QueueLayout queues, const std::vector<IpAddress>& own) {
  program.load8(ipv6_next_header_at);
  program.match(wire::ip_protocol::vrrp, queues.critical());

  const std::size_t not_icmp = program.unless(wire::ip_protocol::icmpv6);
  program.load8(ipv6_payload_at);
  program.match_range(wire::icmpv6_type::mld_query, wire::icmpv6_type::redirect, queues.critical());
  program.match(wire::icmpv6_type::mldv2_report, queues.critical());
  program.go_to_queue(queues.local());

  // MLD carries a router alert option (RFC 3810 section 5). Its first byte is the type of the header that follows.
  program.land(not_icmp);
  const std::size_t not_hop_by_hop = program.unless(wire::ip_protocol::hop_by_hop);
  program.load8(ipv6_payload_at);
  program.match(wire::ip_protocol::icmpv6, queues.critical());

  program.land(not_hop_by_hop);
  std::size_t count = 0;
  for (const IpAddress& address : own) {
    if (!address.is_v6() || ++count > max_filtered_addresses) continue;
    const std::uint32_t words[4] = {word_at(address, 0), word_at(address, 1), word_at(address, 2), word_at(address, 3)};
    program.match_words(ipv6_destination_at, words, queues.local());
  }
  program.spread(ipv6_source_at, 8);
}

}  // namespace

std::vector<sock_filter> make_traffic_filter(QueueLayout queues, const std::vector<IpAddress>& own) {
  Program program{queues};
  program.load32(frame_protocol);
  program.match(wire::ether_type::arp, queues.critical());
  const std::size_t not_ipv4 = program.unless(wire::ether_type::ipv4);
  add_ipv4(program, queues, own);
  program.land(not_ipv4);
  const std::size_t not_ipv6 = program.unless(wire::ether_type::ipv6);
  add_ipv6(program, queues, own);
  program.land(not_ipv6);
  program.go_to_queue(0);
  return program.take();
}

}  // namespace trivet::core
