// Keeps received frames of an interface from the kernel's own protocols, and from a second process that takes it.
//
// A packet filter table (nf_tables, family netdev) with one chain whose policy is to drop. Packet sockets see frames
// before it. The table belongs to the socket that made it: the kernel removes it when this object or its process ends,
// in any way, and nobody else can change it or make another of its name.
// Thread: control.
#pragma once

#include <string>

#include "core/io/netlink.h"
#include "trivet/result.h"

namespace trivet::core {

class IngressDrop {
 public:
  enum class Failure { taken, unsupported, other };
  struct Refusal {
    Failure kind = Failure::other;
    std::string text;
  };
  [[nodiscard]] static std::expected<IngressDrop, Refusal> install(const std::string& interface, int interface_index);
  // What errno of nf_tables means.
  [[nodiscard]] static Failure classify(int number);

 private:
  explicit IngressDrop(NetlinkSocket socket) : socket_(std::move(socket)) {}
  NetlinkSocket socket_;
};

}  // namespace trivet::core
