// Sends copies of one UDP frame out of an interface as fast as it goes, for a bounded time. For flood tests.
// Usage: blaster INTERFACE SOURCE_MAC DESTINATION_MAC SOURCE_IP6 DESTINATION_IP6 SECONDS
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/wire/ethernet.h"
#include "trivet/wire/ip.h"

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: blaster INTERFACE SOURCE_MAC DESTINATION_MAC SOURCE_IP6 DESTINATION_IP6 SECONDS\n");
    return 2;
  }
  const auto source_mac = trivet::parse_mac(argv[2]);
  const auto destination_mac = trivet::parse_mac(argv[3]);
  const auto source = trivet::parse_ipv6(argv[4]);
  const auto destination = trivet::parse_ipv6(argv[5]);
  const double seconds = std::strtod(argv[6], nullptr);
  const unsigned index = ::if_nametoindex(argv[1]);
  if (!source_mac || !destination_mac || !source || !destination || index == 0 || seconds <= 0 || seconds > 120) {
    std::fprintf(stderr, "blaster: bad argument (SECONDS is at most 120)\n");
    return 2;
  }
  const auto packet = trivet::wire::udp_packet({*source, *destination, 4000, 4001, 64}, {});
  auto frame = trivet::wire::ethernet_frame(*destination_mac, *source_mac, trivet::wire::ether_type::ipv6, packet);
  const int fd = ::socket(AF_PACKET, SOCK_RAW, 0);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(index);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    std::perror("blaster");
    return 1;
  }
  std::array<mmsghdr, 64> messages{};
  iovec part{frame.data(), frame.size()};
  for (mmsghdr& message : messages) {
    message.msg_hdr.msg_iov = &part;
    message.msg_hdr.msg_iovlen = 1;
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  unsigned long long sent = 0;
  while (std::chrono::steady_clock::now() < end) {
    const int count = ::sendmmsg(fd, messages.data(), messages.size(), 0);
    if (count > 0) sent += static_cast<unsigned long long>(count);
  }
  ::close(fd);
  std::printf("%llu\n", sent);
  return sent == 0 ? 1 : 0;
}
