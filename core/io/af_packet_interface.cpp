#include "core/io/af_packet_interface.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/io/ethtool.h"
#include "core/io/netlink.h"
#include "core/io/system_filter.h"

namespace trivet::core {

namespace {

constexpr RxRingSizes data_ring{.slots = 4096, .large_frame_bytes = 16U << 20U};
constexpr RxRingSizes critical_ring{.slots = 512, .large_frame_bytes = 1U << 20U};
constexpr RxRingSizes local_ring{.slots = 512, .large_frame_bytes = 4U << 20U};

// Newer than the system headers that we build with (Linux 6.2). A group does without, as its sockets ignore what goes
// out before they are in it, but then each has to filter.
constexpr unsigned flag_ignore_outgoing = 0x4000;

std::string system_error(const char* what) { return std::string{what} + ": " + std::strerror(errno); }

// Puts the sockets into one fan-out group, in order: the selector's number is a socket's place in the group.
Result<void> join_group(const std::vector<RxRing>& rings, bool& outgoing_ignored) {
  unsigned type = PACKET_FANOUT_CBPF | flag_ignore_outgoing;
  unsigned value = (type | PACKET_FANOUT_FLAG_UNIQUEID) << 16U;
  outgoing_ignored = true;
  for (const RxRing& ring : rings) {
    if (::setsockopt(ring.fd(), SOL_PACKET, PACKET_FANOUT, &value, sizeof value) != 0) {
      if (&ring != rings.data() || !outgoing_ignored || errno != EINVAL) {
        return fail(system_error("cannot join receive queues to a group"));
      }
      outgoing_ignored = false;
      type = PACKET_FANOUT_CBPF;
      value = (type | PACKET_FANOUT_FLAG_UNIQUEID) << 16U;
      if (::setsockopt(ring.fd(), SOL_PACKET, PACKET_FANOUT, &value, sizeof value) != 0) {
        return fail(system_error("cannot join receive queues to a group"));
      }
    }
    // The first one has been given a number that is free; the others join it.
    int joined = 0;
    socklen_t size = sizeof joined;
    if (::getsockopt(ring.fd(), SOL_PACKET, PACKET_FANOUT, &joined, &size) != 0) {
      return fail(system_error("cannot read the number of a group of receive queues"));
    }
    value = (type << 16U) | (static_cast<unsigned>(joined) & 0xffffU);
  }
  return {};
}

}  // namespace

AfPacketPort::AfPacketPort(std::optional<RxRing> data, std::optional<RxRing> critical, std::optional<RxRing> local,
                           FileDescriptor transmit)
    : data_(std::move(data)),
      critical_(std::move(critical)),
      local_(std::move(local)),
      transmit_(std::move(transmit)) {}

std::size_t AfPacketPort::receive(PacketPool& pool, std::span<Packet*> out) noexcept {
  std::size_t count = critical_ ? critical_->receive(pool, out) : 0;
  if (local_) {
    const std::size_t left = out.size() - count;
    count += local_->receive(pool, out.subspan(count, left - left / 2));
  }
  if (data_) count += data_->receive(pool, out.subspan(count));
  if (count == 0) {
    // An interface that goes down leaves an error that poll() reports until somebody reads it.
    constexpr std::uint32_t rounds = 64;
    if (++empty_rounds_ % rounds == 2) clear_errors();
    return 0;
  }
  empty_rounds_ = 0;
  std::uint64_t bytes = 0;
  for (const Packet* packet : out.first(count)) bytes += packet->length;
  rx_frames_.fetch_add(count, std::memory_order_relaxed);
  rx_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return count;
}

void AfPacketPort::clear_errors() noexcept {
  if (critical_) critical_->clear_error();
  if (local_) local_->clear_error();
  if (data_) data_->clear_error();
}

void AfPacketPort::transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept {
  transmit_.send(packets);
  for (Packet* packet : packets) pool.release(packet);
}

std::vector<int> AfPacketPort::poll_fds() const {
  std::vector<int> fds;
  if (critical_) fds.push_back(critical_->fd());
  if (local_) fds.push_back(local_->fd());
  if (data_) fds.push_back(data_->fd());
  return fds;
}

PortCounters AfPacketPort::counters() const noexcept {
  PortCounters counters;
  counters.rx_frames = rx_frames_.load(std::memory_order_relaxed);
  counters.rx_bytes = rx_bytes_.load(std::memory_order_relaxed);
  if (data_) counters.rx_dropped = data_->dropped();
  if (critical_) counters.rx_dropped += critical_->dropped();
  if (local_) counters.rx_dropped += local_->dropped();
  counters.tx_frames = transmit_.frames();
  counters.tx_bytes = transmit_.bytes();
  counters.tx_dropped = transmit_.dropped();
  return counters;
}

Result<std::unique_ptr<AfPacketInterface>> AfPacketInterface::open(std::unique_ptr<KernelGuard> guard, Workers workers,
                                                                   std::function<void(const std::string&)> warn) {
  std::unique_ptr<AfPacketInterface> interface {
    new AfPacketInterface { std::move(guard), std::move(warn) }
  };
  if (auto done = interface->open_ports(workers); !done) {
    return std::unexpected(done.error());
  }
  return interface;
}

Result<void> AfPacketInterface::open_ports(Workers workers) {
  const int index = guard_->interface_index();
  queues_.workers = workers.receiving;
  auto settings = TxSocket::open(index);
  if (!settings) return std::unexpected(settings.error());
  settings_ = std::move(*settings);

  std::vector<RxRing> rings;
  rings.reserve(queues_.count());
  for (std::size_t queue = 0; queue < queues_.count(); ++queue) {
    const RxRingSizes sizes = queue < workers.receiving     ? data_ring
                              : queue == queues_.critical() ? critical_ring
                                                            : local_ring;
    auto ring = RxRing::open(index, sizes);
    if (!ring) return std::unexpected(ring.error());
    rings.push_back(std::move(*ring));
  }
  bool outgoing_ignored = true;
  if (auto done = join_group(rings, outgoing_ignored); !done) return done;
  group_member_ = rings.front().fd();
  for (const RxRing& ring : rings) receivers_.push_back(ring.fd());
  if (auto done = install_filter({}); !done) return done;
  for (RxRing& ring : rings) ring.accept_frames(outgoing_ignored ? Outgoing::ignored : Outgoing::filter);

  for (std::size_t worker = 0; worker < workers.all; ++worker) {
    auto transmit = TxSocket::open(index);
    if (!transmit) return std::unexpected(transmit.error());
    std::optional<RxRing> data;
    if (worker < workers.receiving) data.emplace(std::move(rings[worker]));
    std::optional<RxRing> critical;
    std::optional<RxRing> local;
    if (worker == 0) {
      critical.emplace(std::move(rings[queues_.critical()]));
      local.emplace(std::move(rings[queues_.local()]));
    }
    ports_.push_back(
        std::make_unique<AfPacketPort>(std::move(data), std::move(critical), std::move(local), std::move(*transmit)));
  }
  return {};
}

bool AfPacketInterface::alive() {
  ifreq request{};
  request.ifr_ifindex = guard_->interface_index();
  if (::ioctl(settings_.get(), SIOCGIFNAME, &request) != 0) return false;
  share();  // the addresses of the system may have changed
  return true;
}

void AfPacketInterface::set_claims(const Claims& claims) {
  if (!is_shared() || claims_ == claims) return;
  claims_ = claims;
  share();
}

void AfPacketInterface::share() {
  if (!claims_) return;
  auto route = NetlinkSocket::open(NETLINK_ROUTE);
  const auto present = route ? read_addresses(*route, 0) : std::unexpected(route.error());
  if (!present) return warn_(present.error().text);
  std::vector<IpAddress> system;
  for (const AddressEntry& entry : *present) system.push_back(entry.address);
  std::ranges::sort(system);
  Claims claims = *claims_;
  std::erase_if(claims.destinations, [&](const IpAddress& address) {
    const bool is_of_system = std::ranges::binary_search(system, address);
    if (is_of_system && disputed_.insert(address).second) {
      warn_(to_string(address) + " is an address of this system, which keeps it: give the node another one");
    }
    return is_of_system;
  });
  if (claims == claims_in_force_ && system == system_) return;
  // In this order no frame is nobody's.
  if (const auto done = guard_->share(claims, system); !done) {
    return warn_("the system cannot be told what is this node's: " + done.error().text);
  }
  const bool system_changed = system != system_;
  claims_in_force_ = std::move(claims);
  system_ = std::move(system);
  if (system_changed) install_system_filter();
}

void AfPacketInterface::install_system_filter() {
  std::vector<sock_filter> code = make_system_filter(system_);
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  for (const int receiver : receivers_) {
    if (::setsockopt(receiver, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
      return warn_(system_error("cannot leave out the frames of the system"));
    }
  }
}

Result<void> AfPacketInterface::install_filter(const std::vector<IpAddress>& own) {
  std::vector<sock_filter> code = make_traffic_filter(queues_, own);
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (::setsockopt(group_member_, SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof program) != 0) {
    return fail(system_error("cannot set the filter that sorts received frames"));
  }
  return {};
}

void AfPacketInterface::set_own_addresses(const std::vector<IpAddress>& addresses) {
  // The former program stays where the new one is refused.
  if (const auto done = install_filter(addresses); !done) warn_(done.error().text);
}

bool AfPacketInterface::change_membership(int option, unsigned short type, const MacAddress& mac) {
  packet_mreq request{};
  request.mr_ifindex = guard_->interface_index();
  request.mr_type = type;
  request.mr_alen = static_cast<unsigned short>(mac.bytes.size());
  std::memcpy(request.mr_address, mac.bytes.data(), mac.bytes.size());
  return ::setsockopt(settings_.get(), SOL_PACKET, option, &request, sizeof request) == 0;
}

void AfPacketInterface::set_mac_filter(const std::vector<MacAddress>& addresses) {
  const auto type_of = [](const MacAddress& mac) {
    return static_cast<unsigned short>(mac.is_multicast() ? PACKET_MR_MULTICAST : PACKET_MR_UNICAST);
  };
  std::vector<MacAddress> wanted = addresses;
  std::ranges::sort(wanted);
  wanted.erase(std::ranges::unique(wanted).begin(), wanted.end());
  std::erase_if(wanted, [](const MacAddress& mac) { return mac.is_broadcast() || mac.is_zero(); });

  // New ones first: an address that stays is let in all the time.
  std::vector<MacAddress> present;
  bool refused = false;
  for (const MacAddress& mac : wanted) {
    const bool known = std::ranges::binary_search(macs_, mac);
    if (known || change_membership(PACKET_ADD_MEMBERSHIP, type_of(mac), mac)) {
      present.push_back(mac);
    } else {
      refused = true;
    }
  }
  for (const MacAddress& mac : macs_) {
    if (!std::ranges::binary_search(wanted, mac)) {
      static_cast<void>(change_membership(PACKET_DROP_MEMBERSHIP, type_of(mac), mac));
    }
  }
  macs_ = std::move(present);
  if (refused) listen_to_all();
}

// Network cards may sort out tags that nobody has named to them. Named they are by devices of the kernel for each VLAN;
// in promiscuous mode cards let all tags in, and the mode goes with our socket, however the process ends.
void AfPacketInterface::let_in_tags() {
  if (std::exchange(tags_let_in_, true)) return;
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(static_cast<unsigned>(guard_->interface_index()), name.data()) == nullptr) return;
  if (has_feature(name.data(), "rx-vlan-filter")) listen_to_all();
}

void AfPacketInterface::listen_to_all() {
  if (promiscuous_) return;
  promiscuous_ = change_membership(PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC, {});
  if (!promiscuous_) warn_(system_error("an interface lets in neither further addresses nor all frames"));
}

}  // namespace trivet::core
