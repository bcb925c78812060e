// How frames come in and go out: the seam between the pipeline and the world.
//
// An IoBackend takes interfaces and watches links (control thread). A taken interface has one PacketPort a worker.
// Back ends: af_packet (raw sockets), pcap (replay and record), memory (tests: virtual cables).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/pipeline/packet_pool.h"
#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/result.h"
#include "trivet/time.h"

namespace trivet::core {

struct PortCounters {
  std::uint64_t rx_frames = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_dropped = 0;  // lost before we saw them (ring full, no buffer)
  std::uint64_t tx_frames = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_dropped = 0;  // refused by the interface
};

// One worker's end of an interface. Thread: that worker; counters() any.
class PacketPort {
 public:
  PacketPort() = default;
  PacketPort(const PacketPort&) = delete;
  PacketPort& operator=(const PacketPort&) = delete;
  virtual ~PacketPort() = default;

  // Fills `out` with up to out.size() frames from `pool`, control frames (ARP, ND, VRRP, ICMP, frames for addresses of
  // this node) before others where the back end can tell them apart. Sets data, length and the offload fields.
  virtual std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept = 0;
  // Takes the packets: sends what the interface accepts, counts the rest as tx_dropped, releases all to `pool`. The MTU
  // does not count a VLAN tag (packet.vlan is not 0: the frame has one).
  virtual void transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept = 0;
  // File descriptors that turn readable when receive() has something; empty for back ends without.
  [[nodiscard]] virtual std::vector<int> poll_fds() const = 0;
  [[nodiscard]] virtual PortCounters counters() const noexcept = 0;
};

struct InterfaceSpec {
  InterfaceId number = 0;
  std::string name;
  std::string access = "auto";
  std::size_t threads = 1;   // of its workers, the first so many receive; all send
  bool passthrough = false;  // what concerns no object of the configuration is left to the system: set_claims()
  bool operator==(const InterfaceSpec&) const = default;
};

// What of a shared interface's frames is this node's (InterfaceSpec::passthrough).
struct Claims {
  std::vector<IpAddress> destinations;  // own, virtual and server addresses
  std::vector<IpAddress> sources;       // targets: what they send through this node to others
  bool routes = false;                  // whatever is sent through this node
  bool operator==(const Claims&) const = default;
};

struct LinkInfo {
  bool exists = false;
  bool carrier = false;  // administratively up and with carrier
  MacAddress mac;
  std::uint32_t mtu = 1500;
  std::uint32_t index = 0;  // of the system; another one under the same name is another interface. 0: not told
  bool operator==(const LinkInfo&) const = default;
};

// A taken interface. Destroying it gives the interface back to the kernel as it was. Thread: control, but for ports.
class InterfaceIo {
 public:
  InterfaceIo() = default;
  InterfaceIo(const InterfaceIo&) = delete;
  InterfaceIo& operator=(const InterfaceIo&) = delete;
  virtual ~InterfaceIo() = default;

  [[nodiscard]] virtual PacketPort& port(std::size_t worker) = 0;
  // False when the interface that was taken is gone, even if there is one of its name again: destroy this, open anew.
  [[nodiscard]] virtual bool alive() { return true; }
  // Further unicast and group MACs that the interface shall let in (virtual MACs, joined groups). Replaces the former.
  virtual void set_mac_filter(const std::vector<MacAddress>& addresses) = 0;
  // There are networks with a VLAN tag: none may be sorted out on the way in. Holds until this ends.
  virtual void let_in_tags() {}
  // Of a shared interface: replaces the former. An address that the system has, too, stays the system's.
  virtual void set_claims(const Claims& claims) { static_cast<void>(claims); }
  // Addresses of this node on the interface: frames for them count as control frames.
  virtual void set_own_addresses(const std::vector<IpAddress>& addresses) { static_cast<void>(addresses); }
};

class IoBackend {
 public:
  IoBackend() = default;
  IoBackend(const IoBackend&) = delete;
  IoBackend& operator=(const IoBackend&) = delete;
  virtual ~IoBackend() = default;

  // Takes an interface for `workers` workers. Fails with a sentence that says what to do; the caller tries again later.
  virtual Result<std::unique_ptr<InterfaceIo>> open(const InterfaceSpec& spec, std::size_t workers) = 0;
  // The state of an interface of the system now, taken or not.
  [[nodiscard]] virtual LinkInfo link(const std::string& name) = 0;
  // Called on the control thread, from within dispatch of watch_fd() (or by the test), whenever a link may have
  // changed.
  virtual void on_link_change(std::function<void(const std::string& name)> handler) = 0;
  // Readable when link changes wait; -1: none. process_link_events() reads them and calls the handler.
  [[nodiscard]] virtual int watch_fd() const { return -1; }
  virtual void process_link_events() {}
};

}  // namespace trivet::core
