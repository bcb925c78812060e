// Packet I/O on the system's interfaces: by packet sockets (access raw) or AF_XDP (access xdp).
//
// raw: an interface with N workers has N + 2 receive queues (see traffic_filter.h): the first worker serves its own,
// the critical and the local one, the others their own. All pass checksum and segmentation offloads.
// xdp: data by AF_XDP sockets, the rest as above (see af_xdp_interface.h).
// auto: xdp where the driver puts frames into our memory itself (zero-copy), else raw.
// While an interface is taken, the kernel's own stack is kept off it (see kernel_guard.h).
// Thread: backend and interfaces control; a port its worker, but for counters(). The back end lives longer.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "core/io/packet_io.h"
#include "trivet/result.h"

namespace trivet::core {

struct AfPacketOptions {
  bool take = false;              // take interfaces that carry addresses of the system (--take)
  std::filesystem::path run_dir;  // where the daemon keeps its files; nothing needs one here now
  // Hears sentences about what does not work as it should but does not prevent taking an interface.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
  // Hears how each interface has been taken, and why that way.
  std::function<void(const std::string&)> note = [](const std::string&) {};
};

// Never null. Where the system's links cannot be watched (no netlink), every open() fails with the reason.
[[nodiscard]] std::unique_ptr<IoBackend> make_af_packet_backend(AfPacketOptions options);

}  // namespace trivet::core
