#include "core/io/af_xdp_interface.h"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string_view>
#include <utility>

#include "core/io/ethtool.h"
#include "core/io/partial_checksum.h"
#include "core/io/xdp/steer.h"
#include "core/pipeline/fragment.h"
#include "core/pipeline/vlan_tag.h"

namespace trivet::core {

namespace {

// Interfaces whose far side is memory of the same machine: checksums may have been left out.
constexpr std::array<std::string_view, 3> drivers_without_wire = {"veth", "tun", "virtio_net"};

Wire wire_of(const std::string& name) {
  const auto found = std::ranges::find(drivers_without_wire, driver_name(name));
  return found == drivers_without_wire.end() ? Wire::present : Wire::absent;
}

}  // namespace

std::size_t AfXdpPort::receive(PacketPool& pool, std::span<Packet*> out) noexcept {
  std::size_t count = packets_.receive(pool, out.first(out.size() - out.size() / 4));
  const std::size_t from_packets = count;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    count += queues_[(next_queue_ + i) % queues_.size()]->receive(pool, out.subspan(count));
  }
  if (!queues_.empty()) next_queue_ = (next_queue_ + 1) % queues_.size();
  if (count == 0) {
    constexpr std::uint32_t rounds = 64;
    if (++empty_rounds_ % rounds == 2) {
      for (XskQueue* queue : queues_) queue->clear_error();
    }
    return 0;
  }
  empty_rounds_ = 0;
  note(out.subspan(from_packets, count - from_packets));
  return count;
}

void AfXdpPort::note(std::span<Packet* const> received) noexcept {
  std::uint64_t bytes = 0;
  for (Packet* packet : received) {
    bytes += packet->length;
    if (wire_ == Wire::absent) detect_partial_checksum(*packet);
  }
  rx_frames_.fetch_add(received.size(), std::memory_order_relaxed);
  rx_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

// Super-frames need somebody who cuts them; of a frame that is too long the packet socket knows what to say.
bool AfXdpPort::fits(const Packet& packet) const noexcept {
  const std::size_t headers = sizeof(wire::EthernetHeader) + (packet.vlan != 0 ? vlan_tag_bytes : 0);
  return packet.segments == SegmentType::none && packet.length >= headers &&
         packet.length <= std::min<std::size_t>(mtu_.load(std::memory_order_relaxed) + headers, UmemStore::chunk_bytes);
}

void AfXdpPort::transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept {
  if (queues_.empty()) return packets_.transmit(pool, packets);
  // In runs, so that the order stays.
  while (!packets.empty()) {
    const auto whole = [this](const Packet* packet) { return fits(*packet); };
    const auto end =
        fits(*packets.front()) ? std::ranges::find_if_not(packets, whole) : std::ranges::find_if(packets, whole);
    const std::span<Packet* const> run = packets.first(static_cast<std::size_t>(end - packets.begin()));
    packets = packets.subspan(run.size());
    if (!fits(*run.front())) {
      packets_.transmit(pool, run);
      continue;
    }
    for (Packet* packet : run) complete_checksum(*packet);
    queues_.front()->send(run);
    for (Packet* packet : run) pool.release(packet);
  }
}

std::vector<int> AfXdpPort::poll_fds() const {
  std::vector<int> fds = packets_.poll_fds();
  for (const XskQueue* queue : queues_) fds.push_back(queue->fd());
  return fds;
}

PortCounters AfXdpPort::counters() const noexcept {
  PortCounters counters = packets_.counters();
  counters.rx_frames += rx_frames_.load(std::memory_order_relaxed);
  counters.rx_bytes += rx_bytes_.load(std::memory_order_relaxed);
  for (const XskQueue* queue : queues_) {
    counters.rx_dropped += queue->receive_drops();
    counters.tx_frames += queue->sent_frames();
    counters.tx_bytes += queue->sent_bytes();
    counters.tx_dropped += queue->send_drops();
  }
  return counters;
}

Result<std::unique_ptr<AfXdpInterface>> AfXdpInterface::open(std::unique_ptr<AfPacketInterface>& packets,
                                                             const std::string& name, Workers workers, XskMode mode,
                                                             UmemStore& store) {
  std::unique_ptr<AfXdpInterface> interface {
    new AfXdpInterface { name, packets->interface_index(), mode }
  };
  // XDP has no place beside the frame for a tag.
  if (vlan_tags(name) == VlanTags::taken_off) interface->restore_vlan_ = set_vlan_tags(name, VlanTags::in_the_frame);
  // The program first: without sockets it changes nothing, and most refusals are its own.
  auto program = XdpProgram::attach(interface->interface_index_, interface->mtu_.load());
  if (!program) return std::unexpected(program.error());
  interface->program_.emplace(std::move(*program));
  // Nothing of the system's is taken until it is known what is this node's.
  interface->shared_ = packets->is_shared();
  if (interface->shared_) {
    if (!interface->program_->set_claims({}, {})) {
      return fail("the XDP program cannot be told that the interface is shared");
    }
    interface->set_macs();
  }
  if (auto done = interface->open_queues(store); !done) return std::unexpected(done.error());

  for (std::size_t worker = 0; worker < workers.all; ++worker) {
    std::vector<XskQueue*> queues;
    if (worker < workers.receiving) {
      for (std::size_t i = worker; i < interface->queues_.size(); i += workers.receiving) {
        queues.push_back(interface->queues_[i].get());
      }
    }
    interface->ports_.push_back(
        std::make_unique<AfXdpPort>(packets->port(worker), std::move(queues), interface->mtu_, wire_of(name)));
  }
  interface->packets_ = std::move(packets);
  return interface;
}

AfXdpInterface::AfXdpInterface(std::string name, int interface_index, XskMode mode)
    : name_(std::move(name)), interface_index_(interface_index), mode_(mode), mtu_(interface_mtu(interface_index)) {}

AfXdpInterface::~AfXdpInterface() {
  // By its number: meanwhile another interface may have this name.
  std::array<char, IF_NAMESIZE> name{};
  if (restore_vlan_ && ::if_indextoname(static_cast<unsigned>(interface_index_), name.data()) != nullptr) {
    static_cast<void>(set_vlan_tags(name.data(), VlanTags::taken_off));
  }
}

Result<void> AfXdpInterface::open_queues(UmemStore& store) {
  const std::uint32_t count = std::min<std::uint32_t>(receive_queues(name_), TRIVET_XDP_MAX_QUEUES);
  for (std::uint32_t queue = 0; queue < count; ++queue) {
    auto opened = XskQueue::open(store, interface_index_, queue, mode_);
    if (!opened) return fail(opened.error().text);
    if (auto done = program_->set_socket(queue, (*opened)->fd()); !done) return done;
    queues_.push_back(std::move(*opened));
  }
  return {};
}

bool AfXdpInterface::alive() {
  if (!packets_->alive()) return false;
  mtu_.store(interface_mtu(interface_index_), std::memory_order_relaxed);
  if (shared_) {
    set_macs();  // the interface's may have changed
    share();
  }
  return true;
}

void AfXdpInterface::set_mac_filter(const std::vector<MacAddress>& addresses) {
  packets_->set_mac_filter(addresses);
  further_macs_ = addresses;
  if (shared_) set_macs();
}

void AfXdpInterface::set_macs() {
  std::set<MacAddress> macs{interface_mac(interface_index_)};
  for (const MacAddress& mac : further_macs_) {
    if (!mac.is_multicast()) macs.insert(mac);
  }
  program_->set_macs(macs);
}

void AfXdpInterface::set_claims(const Claims& claims) {
  packets_->set_claims(claims);
  if (shared_) share();
}

void AfXdpInterface::share() {
  if (packets_->claims() == shared_claims_ && packets_->system_addresses() == shared_system_) return;
  shared_claims_ = packets_->claims();
  shared_system_ = packets_->system_addresses();
  if (!program_->set_claims(shared_claims_, shared_system_)) {
    packets_->warn("interface " + name_ + ": the XDP program has no room for all addresses of this node");
  }
}

void AfXdpInterface::set_own_addresses(const std::vector<IpAddress>& addresses) {
  packets_->set_own_addresses(addresses);
  program_->set_own_addresses(addresses);
}

std::string AfXdpInterface::description() const {
  std::string text = mode_ == XskMode::zero_copy ? "zero-copy" : "copy mode";
  text += program_->hook() == XdpProgram::Hook::driver ? ", program in the driver, "
                                                       : ", generic program (the driver takes none), ";
  return text + std::to_string(queues_.size()) + (queues_.size() == 1 ? " queue" : " queues");
}

std::string why_no_zero_copy(const std::string& name, int interface_index) {
  UmemStore store{{.receive_chunks = 64, .send_chunks = 64, .queues = 1}};
  const auto opened = XskQueue::open(store, interface_index, 0, XskMode::zero_copy);
  if (opened) return {};
  if (opened.error().number == EOPNOTSUPP) return "the driver " + driver_name(name) + " has no zero-copy AF_XDP";
  return opened.error().text;
}

}  // namespace trivet::core
