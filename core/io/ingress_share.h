// Leaves an interface to the kernel's protocols but for the frames that are this node's: those are dropped behind the
// packet sockets, so that the kernel neither answers nor forwards them.
//
//   to an address of `destinations`, ARP for one of them included        this node's
//   from an address of `sources` (targets) through us to somebody else    this node's
//   whatever is to be routed (with `routes`)                              this node's
//   everything else, groups and broadcast included                        the kernel's
//
// "To somebody else": sent to this interface, but to no address of the system. A packet filter table as IngressDrop's:
// it goes with this object or its process, and nobody can take the interface a second time.
// Thread: control.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "core/io/ingress_drop.h"
#include "core/io/netlink.h"
#include "core/io/packet_io.h"
#include "trivet/net/address.h"
#include "trivet/result.h"

namespace trivet::core {

class IngressShare {
 public:
  // Everything is the kernel's until update().
  [[nodiscard]] static std::expected<IngressShare, IngressDrop::Refusal> install(const std::string& interface,
                                                                                 int interface_index);
  // From one frame to the next; where it fails, the former holds on. `system`: the addresses of the system.
  [[nodiscard]] Result<void> update(const Claims& claims, const std::vector<IpAddress>& system);

 private:
  IngressShare(NetlinkSocket socket, std::string table) : socket_(std::move(socket)), table_(std::move(table)) {}

  NetlinkSocket socket_;
  std::string table_;
};

}  // namespace trivet::core
