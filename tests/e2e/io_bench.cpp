#include "io_bench.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

#include "core/app/busy_poll.h"
#include "trivet/net/checksum.h"

namespace trivet::e2e {

namespace {

constexpr MacAddress near_mac{{0x02, 0, 0, 0, 0, 0x0a}};
constexpr MacAddress far_mac{{0x02, 0, 0, 0, 0, 0x0b}};

Frame ethernet(std::uint16_t type) {
  wire::EthernetHeader header;
  header.destination = near_mac;
  header.source = far_mac;
  header.type = type;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
  return {bytes, bytes + sizeof header};
}

template <class Header>
void append(Frame& frame, const Header& header) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
  frame.insert(frame.end(), bytes, bytes + sizeof header);
}

Frame ipv4(std::uint8_t protocol, const std::string& destination, std::size_t payload) {
  Frame frame = ethernet(wire::ether_type::ipv4);
  wire::Ipv4Header header;
  header.total_length = static_cast<std::uint16_t>(sizeof header + payload);
  header.hop_limit = 64;
  header.protocol = protocol;
  header.source = *parse_ipv4("10.77.0.2");
  header.destination = *parse_ipv4(destination);
  header.checksum = internet_checksum({reinterpret_cast<const std::uint8_t*>(&header), sizeof header});
  append(frame, header);
  return frame;
}

void append_udp(Frame& frame, std::size_t payload, std::uint8_t first) {
  wire::UdpHeader header;
  header.source_port = 4000;
  header.destination_port = 4001;
  header.length = static_cast<std::uint16_t>(sizeof header + payload);
  append(frame, header);
  for (std::size_t i = 0; i < payload; ++i) frame.push_back(static_cast<std::uint8_t>(first + i));
}

}  // namespace

Taken::Taken(const Lab& lab, const std::string& name, const std::string& interface, Addresses addresses,
             const std::string& access)
    : namespace_(lab.full_name(name)) {
  core::AfPacketOptions options;
  options.take = addresses == Addresses::take;
  options.warn = [warnings = warnings_](const std::string& text) { warnings->push_back(text); };
  options.note = [notes = notes_](const std::string& text) { notes->push_back(text); };
  const InNamespace inside{namespace_};
  backend_ = core::make_af_packet_backend(std::move(options));
  auto opened = backend_->open({.number = 1, .name = interface, .access = access}, 1);
  if (opened) {
    io_ = std::move(*opened);
  } else {
    problem_ = opened.error().text;
  }
}

Taken::~Taken() {
  const InNamespace inside{namespace_};
  io_.reset();
  backend_.reset();
}

std::vector<Frame> Taken::receive(std::size_t count, std::chrono::milliseconds deadline) {
  std::vector<Frame> frames;
  static_cast<void>(wait_for(
      [&] {
        std::array<Packet*, 64> burst{};
        while (const std::size_t size = port().receive(pool_, burst)) {
          for (Packet* packet : std::span{burst}.first(size)) {
            frames.emplace_back(packet->frame().begin(), packet->frame().end());
            pool_.release(packet);
          }
        }
        return frames.size() >= count;
      },
      deadline));
  return frames;
}

void Taken::send(const std::vector<Frame>& frames) {
  std::vector<Packet*> packets;
  for (const Frame& frame : frames) {
    Packet* packet = pool_.acquire(frame.size());
    std::memcpy(packet->data, frame.data(), frame.size());
    packet->length = static_cast<std::uint32_t>(frame.size());
    packets.push_back(packet);
  }
  port().transmit(pool_, packets);
}

FarEnd::FarEnd(const Lab& lab, const std::string& name, const std::string& interface) : fd_(-1) {
  const InNamespace inside{lab.full_name(name)};
  fd_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  const int on = 1;
  const int buffer_bytes = 32 << 20;
  ::setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot bind to " + interface);
  }
}

FarEnd::~FarEnd() { ::close(fd_); }

void FarEnd::send(const Frame& frame) const {
  ssize_t sent = -1;
  static_cast<void>(wait_for([&] {
    sent = ::send(fd_, frame.data(), frame.size(), 0);
    return sent >= 0 || errno != ENOBUFS;
  }));
  EXPECT_EQ(sent, static_cast<ssize_t>(frame.size())) << std::strerror(errno);
}

Frame FarEnd::receive(std::chrono::milliseconds deadline) const {
  pollfd wanted{fd_, POLLIN, 0};
  if (::poll(&wanted, 1, static_cast<int>(deadline.count())) <= 0) return {};
  Frame frame(70000);
  const ssize_t size = ::recv(fd_, frame.data(), frame.size(), MSG_DONTWAIT);
  frame.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return frame;
}

Forwarder::Forwarder(core::PacketPort& a, core::PacketPort& b, Change change)
    : a_(a), b_(b), change_(std::move(change)), thread_([this] { run(); }) {}

Forwarder::~Forwarder() {
  stop_ = true;
  thread_.join();
}

void Forwarder::run() {
  std::vector<pollfd> wanted;
  for (core::PacketPort* port : {&a_, &b_}) {
    for (const int fd : port->poll_fds()) wanted.push_back({fd, POLLIN, 0});
  }
  constexpr int look_around_milliseconds = 20;
  core::BusyPoll busy_poll;
  while (!stop_) {
    const Time now{std::chrono::steady_clock::now().time_since_epoch()};
    const bool found = move(a_, b_, true) + move(b_, a_, false) != 0;
    if (!busy_poll.look_again(now, found)) {
      ::poll(wanted.data(), wanted.size(), look_around_milliseconds);
    } else if (!found) {
      ::sched_yield();
    }
  }
}

std::size_t Forwarder::move(core::PacketPort& from, core::PacketPort& to, bool from_a) {
  std::array<Packet*, 64> burst{};
  const std::size_t count = from.receive(pool_, burst);
  const std::span<Packet*> packets = std::span{burst}.first(count);
  if (change_) {
    for (Packet* packet : packets) change_(*packet, from_a);
  }
  if (count != 0) to.transmit(pool_, packets);
  return count;
}

Frame udp_frame(const std::string& destination, std::size_t payload, std::uint8_t first) {
  Frame frame = ipv4(wire::ip_protocol::udp, destination, sizeof(wire::UdpHeader) + payload);
  append_udp(frame, payload, first);
  return frame;
}

Frame ipv4_frame(std::uint8_t protocol, const std::string& destination) {
  constexpr std::size_t payload = 26;
  Frame frame = ipv4(protocol, destination, payload);
  frame.resize(frame.size() + payload, 0x08);
  return frame;
}

Frame ipv6_frame(std::uint8_t next_header, const std::string& destination, const Frame& payload) {
  Frame frame = ethernet(wire::ether_type::ipv6);
  wire::Ipv6Header header;
  header.payload_length = static_cast<std::uint16_t>(payload.size());
  header.next_header = next_header;
  header.hop_limit = 255;
  header.source = *parse_ipv6("2001:db8:77::2");
  header.destination = *parse_ipv6(destination);
  append(frame, header);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

Frame udp6_frame(const std::string& destination, std::size_t payload) {
  Frame udp;
  append_udp(udp, payload, 0);
  return ipv6_frame(wire::ip_protocol::udp, destination, udp);
}

Frame arp_frame() {
  Frame frame = ethernet(wire::ether_type::arp);
  frame.resize(60, 1);
  return frame;
}

}  // namespace trivet::e2e
