// The program in an interface's driver that hands data to AF_XDP sockets (xdp/steer.bpf.c): loaded, attached, fed.
//
// The attachment is a BPF link: it belongs to this object's descriptors and goes with them, however the process ends.
// Thread: control.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/result.h"

struct bpf_object;

namespace trivet::core {

class XdpProgram {
 public:
  // Where the program runs: in the driver, or (slower) in front of the protocols, for drivers without.
  enum class Hook { driver, generic };

  // Loads the program into the kernel; it runs nowhere yet.
  [[nodiscard]] static Result<XdpProgram> load();
  XdpProgram(XdpProgram&& other) noexcept;
  XdpProgram& operator=(XdpProgram&&) = delete;
  XdpProgram(const XdpProgram&) = delete;
  XdpProgram& operator=(const XdpProgram&) = delete;
  ~XdpProgram();

  // Frames of this receive queue go to this AF_XDP socket.
  [[nodiscard]] Result<void> set_socket(std::uint32_t queue, int socket);
  // Frames for these addresses are control frames. Those beyond TRIVET_XDP_MAX_OWN_ADDRESSES count as data.
  void set_own_addresses(const std::vector<IpAddress>& addresses);
  // Attaches in the driver where that has a place for programs, else at the generic hook. `mtu` for the sentence only.
  [[nodiscard]] Result<Hook> attach(int interface_index, std::uint32_t mtu);

 private:
  explicit XdpProgram(bpf_object* object) : object_(object) {}
  [[nodiscard]] int map(const char* name) const;

  bpf_object* object_;
  int link_ = -1;
  std::vector<IpAddress> own_;
};

}  // namespace trivet::core
