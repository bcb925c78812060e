#include "core/io/system_filter.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include <cstdint>

namespace trivet::core {

namespace {

constexpr std::uint32_t frame_protocol = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL);
constexpr std::uint32_t frame_kind = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE);
constexpr std::uint32_t ipv4_destination_at = 16;
constexpr std::uint32_t arp_target_at = 24;
constexpr std::uint32_t ipv6_destination_at = 24;

constexpr std::uint32_t nothing = 0;
constexpr std::uint32_t everything = UINT32_MAX;

std::uint32_t word_at(const IpAddress& address, std::size_t index) {
  const auto& bytes = address.bytes();
  return Ipv4Address{{bytes[4 * index], bytes[4 * index + 1], bytes[4 * index + 2], bytes[4 * index + 3]}}.number();
}

class Program {
 public:
  void load(std::uint32_t at) { emit(BPF_LD | BPF_W | BPF_ABS, at); }
  // Behind the Ethernet header, which is there and has no tag: the kernel has taken it off. Not by SKF_NET_OFF: that
  // reads the first part of a buffer only, and drivers that hand over pages may have no more than Ethernet there.
  void load_layer3(std::uint32_t at) { load(ETH_HLEN + at); }
  void end(std::uint32_t bytes) { emit(BPF_RET | BPF_K, bytes); }
  // The `skip` instructions that follow are left out when the loaded value is another one.
  void unless_skip(std::uint32_t value, std::size_t skip) {
    code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, static_cast<std::uint8_t>(skip), value});
  }
  // Goes on with what follows when the loaded value is `value`, else to where land() is called with the result.
  [[nodiscard]] std::size_t unless(std::uint32_t value) {
    code_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value});
    emit(BPF_JMP | BPF_JA, 0);
    return code_.size() - 1;
  }
  void land(std::size_t jump_at) { code_[jump_at].k = static_cast<std::uint32_t>(code_.size() - jump_at - 1); }
  std::vector<sock_filter> take() { return std::move(code_); }

 private:
  void emit(unsigned code, std::uint32_t k) { code_.push_back({static_cast<std::uint16_t>(code), 0, 0, k}); }

  std::vector<sock_filter> code_;
};

std::vector<IpAddress> addresses_of(const std::vector<IpAddress>& all, Family family) {
  std::vector<IpAddress> some;
  for (const IpAddress& address : all) {
    if (address.family() == family && some.size() < max_system_addresses) some.push_back(address);
  }
  return some;
}

void leave_out_ipv4(Program& program, std::uint16_t ether_type, std::uint32_t address_at,
                    const std::vector<IpAddress>& system) {
  const std::size_t other = program.unless(ether_type);
  program.load_layer3(address_at);
  for (const IpAddress& address : system) {
    program.unless_skip(word_at(address, 0), 1);
    program.end(nothing);
  }
  program.end(everything);
  program.land(other);
}

}  // namespace

std::vector<sock_filter> make_system_filter(const std::vector<IpAddress>& system) {
  const std::vector<IpAddress> system4 = addresses_of(system, Family::ipv4);
  Program program;
  program.load(frame_kind);
  program.unless_skip(PACKET_OUTGOING, 1);
  program.end(nothing);
  program.load(frame_protocol);
  leave_out_ipv4(program, ETH_P_IP, ipv4_destination_at, system4);
  leave_out_ipv4(program, ETH_P_ARP, arp_target_at, system4);
  const std::size_t other = program.unless(ETH_P_IPV6);
  for (const IpAddress& address : addresses_of(system, Family::ipv6)) {
    for (std::size_t word = 0; word < 4; ++word) {
      program.load_layer3(ipv6_destination_at + 4 * static_cast<std::uint32_t>(word));
      // Behind the return: two for each word that is left, and the return itself.
      program.unless_skip(word_at(address, word), 2 * (3 - word) + 1);
    }
    program.end(nothing);
  }
  program.land(other);
  program.end(everything);
  return program.take();
}

}  // namespace trivet::core
