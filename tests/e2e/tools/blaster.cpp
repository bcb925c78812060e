// Sends UDP frames out of an interface, as fast as it goes or at a rate, for a bounded time. For floods and benchmarks.
// Usage: blaster INTERFACE SOURCE_MAC DESTINATION_MAC SOURCE_IP DESTINATION_IP SECONDS [PORT [FLOWS [RATE]]]
//   PORT   of the destination (4001)
//   FLOWS  source ports, one after the other (1)
//   RATE   frames a second; 0: as many as go (0). Time that was lost is not made up for by a burst.
// Frames of IPv4 have 60 bytes, the least that Ethernet has. Prints how many were sent, and in how many seconds.
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/ethernet.h"
#include "trivet/wire/ip.h"

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
constexpr std::size_t burst = 64;
constexpr std::uint16_t first_source_port = 4000;

struct Plan {
  unsigned interface = 0;
  trivet::MacAddress source_mac;
  trivet::MacAddress destination_mac;
  trivet::IpAddress source;
  trivet::IpAddress destination;
  double seconds = 0;
  std::uint16_t port = 4001;
  std::size_t flows = 1;
  double rate = 0;
};

// Empty: not as the usage says.
std::optional<Plan> parse(std::span<char*> words) {
  if (words.size() < 7 || words.size() > 10) return std::nullopt;
  const auto number = [&](std::size_t at, double otherwise) {
    return words.size() > at ? std::strtod(words[at], nullptr) : otherwise;
  };
  const auto source_mac = trivet::parse_mac(words[2]);
  const auto destination_mac = trivet::parse_mac(words[3]);
  const auto source = trivet::parse_ip(words[4]);
  const auto destination = trivet::parse_ip(words[5]);
  const double seconds = number(6, 0);
  const double port = number(7, 4001);
  const double flows = number(8, 1);
  const double rate = number(9, 0);
  const unsigned interface = ::if_nametoindex(words[1]);
  if (!source_mac || !destination_mac || !source || !destination || source->family() != destination->family() ||
      interface == 0 || seconds <= 0 || seconds > 120 || port < 1 || port > 65535 || flows < 1 || flows > 32768 ||
      rate < 0) {
    return std::nullopt;
  }
  return Plan{interface,
              *source_mac,
              *destination_mac,
              *source,
              *destination,
              seconds,
              static_cast<std::uint16_t>(port),
              static_cast<std::size_t>(flows),
              rate};
}

int open_socket(unsigned interface) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW, 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(interface);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return -1;
  return fd;
}

std::vector<std::vector<std::uint8_t>> frames_of(const Plan& plan) {
  const bool is_ipv4 = plan.source.is_v4();
  const std::vector<std::uint8_t> payload(is_ipv4 ? 18 : 0);
  std::vector<std::vector<std::uint8_t>> frames;
  for (std::size_t flow = 0; flow < plan.flows; ++flow) {
    const auto port = static_cast<std::uint16_t>(first_source_port + flow);
    const auto packet = trivet::wire::udp_packet({plan.source, plan.destination, port, plan.port, 64}, payload);
    frames.push_back(trivet::wire::ethernet_frame(
        plan.destination_mac, plan.source_mac,
        is_ipv4 ? trivet::wire::ether_type::ipv4 : trivet::wire::ether_type::ipv6, packet));
  }
  return frames;
}

}  // namespace

int main(int argc, char** argv) {
  const auto plan = parse({argv, static_cast<std::size_t>(argc)});
  if (!plan) {
    std::fprintf(stderr,
                 "usage: blaster INTERFACE SOURCE_MAC DESTINATION_MAC SOURCE_IP DESTINATION_IP SECONDS [PORT [FLOWS "
                 "[RATE]]]\nSECONDS is at most 120, FLOWS at most 32768\n");
    return 2;
  }
  const int fd = open_socket(plan->interface);
  if (fd < 0) {
    std::perror("blaster");
    return 1;
  }
  auto frames = frames_of(*plan);
  // One message for each frame that a round sends: every flow at least once, and whole bursts.
  std::vector<iovec> parts((frames.size() + burst - 1) / burst * burst);
  std::vector<mmsghdr> messages(parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& frame = frames[i % frames.size()];
    parts[i] = {frame.data(), frame.size()};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const auto begin = Clock::now();
  const auto end = begin + Seconds{plan->seconds};
  const auto interval = std::chrono::duration_cast<Clock::duration>(
      Seconds{plan->rate > 0 ? static_cast<double>(burst) / plan->rate : 0});
  auto due = begin;
  auto now = begin;
  unsigned long long sent = 0;
  std::size_t at = 0;
  while ((now = Clock::now()) < end) {
    if (now < due) continue;
    due = std::max(due, now - interval) + interval;
    const int count = ::sendmmsg(fd, &messages[at], burst, 0);
    if (count > 0) sent += static_cast<unsigned long long>(count);
    at = (at + burst) % messages.size();
  }
  ::close(fd);
  std::printf("%llu %.6f\n", sent, Seconds{now - begin}.count());
  return sent == 0 ? 1 : 0;
}
