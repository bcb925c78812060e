// Bulk TCP between two kernel hosts through packet I/O, with and without the hosts' offloads, with translated
// addresses.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <optional>

#include "io_bench.h"

namespace trivet::e2e {
namespace {

constexpr std::size_t transfer_bytes = 100U << 20U;
constexpr std::uint16_t server_port = 8080;

// The byte at a place of the stream: a pattern without short period, so that nothing lost, doubled or moved fits.
std::uint8_t byte_at(std::size_t place) {
  const std::uint64_t word = (place / 8 + 1) * 0x9e3779b97f4a7c15U;
  return static_cast<std::uint8_t>((word ^ (word >> 29U)) >> (8 * (place % 8)));
}

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Endpoint endpoint(const std::string& address, std::uint16_t port) {
  Endpoint result;
  if (address.find(':') == std::string::npos) {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(result.storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    ::inet_pton(AF_INET, address.c_str(), &ipv4.sin_addr);
    result.size = sizeof ipv4;
  } else {
    auto& ipv6 = reinterpret_cast<sockaddr_in6&>(result.storage);
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    ::inet_pton(AF_INET6, address.c_str(), &ipv6.sin6_addr);
    result.size = sizeof ipv6;
  }
  return result;
}

void limit_waiting(int fd) {
  const timeval patience{20, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

// Listens in a namespace and sends the pattern to the first who connects.
class PatternServer {
 public:
  PatternServer(const Lab& lab, const std::string& name, const std::string& address) {
    const InNamespace inside{lab.full_name(name)};
    const Endpoint at = endpoint(address, server_port);
    listener_ = ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    limit_waiting(listener_);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&at.storage), at.size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread{[this] { serve(); }};
  }
  PatternServer(const PatternServer&) = delete;
  PatternServer& operator=(const PatternServer&) = delete;
  ~PatternServer() {
    thread_.join();
    ::close(listener_);
  }

 private:
  void serve() const {
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0) return;
    limit_waiting(client);
    std::vector<std::uint8_t> part(1U << 18U);
    for (std::size_t sent = 0; sent < transfer_bytes;) {
      const std::size_t size = std::min(part.size(), transfer_bytes - sent);
      for (std::size_t i = 0; i < size; ++i) part[i] = byte_at(sent + i);
      for (std::size_t done = 0; done < size;) {
        const ssize_t count = ::send(client, part.data() + done, size - done, MSG_NOSIGNAL);
        if (count <= 0) {
          ::close(client);
          return;
        }
        done += static_cast<std::size_t>(count);
      }
      sent += size;
    }
    ::close(client);
  }
  int listener_ = -1;
  std::thread thread_;
};

// How many bytes of the pattern arrive unchanged until the connection ends or something is wrong.
std::size_t fetch(const Lab& lab, const std::string& name, const std::string& address, std::uint16_t port) {
  const InNamespace inside{lab.full_name(name)};
  const Endpoint to = endpoint(address, port);
  const int fd = ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  limit_waiting(fd);
  std::size_t good = 0;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0) {
    std::vector<std::uint8_t> part(1U << 18U);
    bool right = true;
    while (right) {
      const ssize_t count = ::recv(fd, part.data(), part.size(), 0);
      if (count <= 0) break;
      for (std::size_t i = 0; right && i < static_cast<std::size_t>(count); ++i) {
        right = part[i] == byte_at(good);
        if (right) ++good;
      }
    }
  } else {
    ADD_FAILURE() << "cannot connect to " << address << ": " << std::strerror(errno);
  }
  ::close(fd);
  return good;
}

class IoOffload : public testing::Test {
 protected:
  void SetUp() override {
    TRIVET_NEEDS_LAB();
    lab_.add_namespace("client");
    lab_.add_namespace("node");
    lab_.add_namespace("server");
    lab_.add_cable("node", "n0", "client", "c0");
    lab_.add_cable("node", "n1", "server", "s0");
    for (const auto& [name, host] : {std::pair{"client", "1"}, std::pair{"server", "2"}}) {
      const std::string interface = std::string{name[0]} + "0";
      lab_.run(name, "sysctl -qw net.ipv6.conf." + interface + ".disable_ipv6=0");
      lab_.run(name, "ip addr add 10.77.0." + std::string{host} + "/24 dev " + interface);
      lab_.run(name, "ip addr add 2001:db8:77::" + std::string{host} + "/64 dev " + interface + " nodad");
    }
  }

  void take(const std::string& access = "raw") {
    near_.emplace(lab_, "node", "n0", access);
    far_.emplace(lab_, "node", "n1", access);
    ASSERT_TRUE(near_->ok()) << near_->problem();
    ASSERT_TRUE(far_->ok()) << far_->problem();
  }

  void turn_offloads_off() {
    const std::string off = " tx off rx off sg off tso off gso off gro off >/dev/null";
    lab_.run("client", "ethtool -K c0" + off);
    lab_.run("server", "ethtool -K s0" + off);
    lab_.run("node", "ethtool -K n0" + off + " && ethtool -K n1" + off);
  }

  void look(const Packet& packet) {
    if (packet.segments != SegmentType::none) ++super_frames_;
    if (packet.checksum == ChecksumState::partial) ++partial_checksums_;
  }
  Forwarder::Change watch() {
    return [this](const Packet& packet, bool) { look(packet); };
  }

  Lab lab_;
  std::optional<Taken> near_;
  std::optional<Taken> far_;
  std::atomic<std::size_t> super_frames_ = 0;
  std::atomic<std::size_t> partial_checksums_ = 0;
};

TEST_F(IoOffload, SuperFramesAndPartialChecksumsPassWhole) {
  take();
  const Forwarder forwarder{near_->port(), far_->port(), watch()};
  for (const std::string address : {"10.77.0.2", "2001:db8:77::2"}) {
    const PatternServer server{lab_, "server", address};
    EXPECT_EQ(fetch(lab_, "client", address, server_port), transfer_bytes) << address;
  }
  EXPECT_GT(super_frames_, 100U);
  EXPECT_GT(partial_checksums_, 100U);
}

TEST_F(IoOffload, PlainFramesPassWholeWhereOffloadsAreOff) {
  turn_offloads_off();
  take();
  const Forwarder forwarder{near_->port(), far_->port(), watch()};
  for (const std::string address : {"10.77.0.2", "2001:db8:77::2"}) {
    const PatternServer server{lab_, "server", address};
    EXPECT_EQ(fetch(lab_, "client", address, server_port), transfer_bytes) << address;
  }
  EXPECT_EQ(super_frames_, 0U);
  EXPECT_EQ(partial_checksums_, 0U);
}

TEST_F(IoOffload, PartialChecksumsAreCompletedByXdpWhereOffloadsAreOn) {
  take("xdp");
  const Forwarder forwarder{near_->port(), far_->port(), watch()};
  for (const std::string address : {"10.77.0.2", "2001:db8:77::2"}) {
    const PatternServer server{lab_, "server", address};
    EXPECT_EQ(fetch(lab_, "client", address, server_port), transfer_bytes) << address;
  }
  EXPECT_GT(partial_checksums_, 100U);
}

TEST_F(IoOffload, PlainFramesPassByXdpWhereOffloadsAreOff) {
  turn_offloads_off();
  take("xdp");
  const Forwarder forwarder{near_->port(), far_->port(), watch()};
  const PatternServer server{lab_, "server", "10.77.0.2"};
  EXPECT_EQ(fetch(lab_, "client", "10.77.0.2", server_port), transfer_bytes);
}

TEST_F(IoOffload, SuperFramesFromAPacketSocketLeaveByAnXdpInterface) {
  near_.emplace(lab_, "node", "n0", "xdp");
  far_.emplace(lab_, "node", "n1", "raw");
  ASSERT_TRUE(near_->ok() && far_->ok()) << near_->problem() << far_->problem();
  const Forwarder forwarder{near_->port(), far_->port(), watch()};
  const PatternServer server{lab_, "server", "10.77.0.2"};
  EXPECT_EQ(fetch(lab_, "client", "10.77.0.2", server_port), transfer_bytes);
  EXPECT_GT(super_frames_, 100U);
}

TEST_F(IoOffload, SuperFramesAreCutWhereTheOutgoingInterfaceCannot) {
  lab_.run("node", "ethtool -K n0 tx off sg off tso off gso off >/dev/null");
  take();
  const Forwarder forwarder{near_->port(), far_->port(), watch()};
  const PatternServer server{lab_, "server", "10.77.0.2"};
  EXPECT_EQ(fetch(lab_, "client", "10.77.0.2", server_port), transfer_bytes);
  EXPECT_GT(super_frames_, 100U);
}

// What the door tells, as far as translation reads it.
void describe(Packet& packet) {
  const std::uint16_t type = packet.ethernet().type;
  packet.l3_offset = sizeof(wire::EthernetHeader);
  if (type == wire::ether_type::ipv4) {
    packet.classes = packet_class::ipv4;
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + packet.ipv4().header_length());
    packet.protocol = packet.ipv4().protocol;
  } else if (type == wire::ether_type::ipv6) {
    packet.classes = packet_class::ipv6;
    packet.l4_offset = packet.l3_offset + sizeof(wire::Ipv6Header);
    packet.protocol = packet.ipv6().next_header;
  } else {
    return;
  }
  if (packet.protocol == wire::ip_protocol::tcp) packet.classes |= packet_class::tcp;
}

struct Way {
  const char* name;
  const char* access;
  bool offloads;
};
class IoTranslation : public IoOffload, public testing::WithParamInterface<Way> {};

TEST_P(IoTranslation, ATranslatedDownloadArrivesWhole) {
  if (!GetParam().offloads) turn_offloads_off();
  take(GetParam().access);
  constexpr std::uint16_t service_port = 80;
  const std::string server_mac = lab_.run("server", "cat /sys/class/net/s0/address | tr -d '\\n'");
  for (const auto& [service, target] :
       {std::pair{"10.77.0.99", "10.77.0.2"}, std::pair{"2001:db8:77::99", "2001:db8:77::2"}}) {
    lab_.run("client", std::string{"ip neigh replace "} + service + " lladdr " + server_mac + " dev c0");
    const IpAddress service_address = *parse_ip(service);
    const IpAddress target_address = *parse_ip(target);
    const Forwarder forwarder{near_->port(), far_->port(), [&](Packet& packet, bool from_client) {
                                look(packet);
                                describe(packet);
                                if (!packet.is(packet_class::tcp)) return;
                                if (from_client && packet.destination() == service_address) {
                                  rewrite_destination(packet, target_address, server_port);
                                } else if (!from_client && packet.source() == target_address) {
                                  rewrite_source(packet, service_address, service_port);
                                }
                              }};
    const PatternServer server{lab_, "server", target};
    EXPECT_EQ(fetch(lab_, "client", service, service_port), transfer_bytes) << service;
  }
  EXPECT_EQ(partial_checksums_ > 100, GetParam().offloads);
}

INSTANTIATE_TEST_SUITE_P(Offloads, IoTranslation,
                         testing::Values(Way{"raw_on", "raw", true}, Way{"raw_off", "raw", false},
                                         Way{"xdp_on", "xdp", true}, Way{"xdp_off", "xdp", false}),
                         [](const auto& parameter) { return std::string{parameter.param.name}; });

}  // namespace
}  // namespace trivet::e2e
