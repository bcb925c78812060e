// The program in an interface's driver that hands data to AF_XDP sockets (xdp/steer.bpf.c): loaded, attached, fed.
//
// The attachment is a BPF link: it belongs to this object's descriptors and goes with them, however the process ends.
// Thread: control.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/io/packet_io.h"
#include "trivet/net/address.h"
#include "trivet/result.h"

struct bpf_object;

namespace trivet::core {

class XdpProgram {
 public:
  // Where the program runs: in the driver, or (slower) in front of the protocols, for drivers without.
  enum class Hook { driver, generic };

  // Loads and attaches the program: in the driver where that has a place for it, else at the generic hook. Until
  // set_socket() it passes everything on to the packet sockets. `mtu` for the sentence only.
  [[nodiscard]] static Result<XdpProgram> attach(int interface_index, std::uint32_t mtu);
  XdpProgram(XdpProgram&& other) noexcept;
  XdpProgram& operator=(XdpProgram&&) = delete;
  XdpProgram(const XdpProgram&) = delete;
  XdpProgram& operator=(const XdpProgram&) = delete;
  ~XdpProgram();

  // Frames of this receive queue go to this AF_XDP socket.
  [[nodiscard]] Result<void> set_socket(std::uint32_t queue, int socket);
  // Frames for these addresses are control frames. Those beyond TRIVET_XDP_MAX_OWN_ADDRESSES count as data.
  void set_own_addresses(const std::vector<IpAddress>& addresses);
  // The interface is shared with the system: what is this node's of it, by the rules of IngressShare. False: the table
  // of TRIVET_XDP_MAX_CLAIMS addresses is full; what is left out goes to the system.
  [[nodiscard]] bool set_claims(const Claims& claims, const std::vector<IpAddress>& system);
  // What is sent through this node has one of these destinations: up to TRIVET_XDP_MAX_MACS.
  void set_macs(const std::set<MacAddress>& macs);
  [[nodiscard]] Hook hook() const noexcept { return hook_; }

 private:
  XdpProgram(bpf_object* object, int link, Hook hook) : object_(object), link_(link), hook_(hook) {}
  [[nodiscard]] int map(const char* name) const;

  bpf_object* object_;
  int link_;
  Hook hook_;
  std::vector<IpAddress> own_;
  std::map<IpAddress, std::uint32_t> claims_;
  std::set<MacAddress> macs_;
};

}  // namespace trivet::core
