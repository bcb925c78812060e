// A packet with a buffer of its own, for tests of workers and of SDK functions without a node around them.
//
//     PacketBuffer buffer(eth(a, b) / ipv4(x, y) / tcp(1, 2).syn());
//     ASSERT_EQ(buffer.enter(state, 1), "");           // through the door
//     worker.process(batch_of(buffer.packet()));
//     EXPECT_FRAME_EQ(buffer.frame(), ...);
//
// Thread: one owner.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "trivet/forwarding.h"
#include "trivet/packet.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::testkit {

class PacketBuffer {
 public:
  // Room before the frame as in the core's buffers, and `tailroom` bytes behind it.
  explicit PacketBuffer(const Frame& frame, std::size_t tailroom = 64);
  PacketBuffer(const PacketBuffer&) = delete;
  PacketBuffer& operator=(const PacketBuffer&) = delete;

  [[nodiscard]] Packet& packet() { return packet_; }
  [[nodiscard]] Frame frame() const { return {packet_.data, packet_.data + packet_.length}; }
  // Lets the door fill in the metadata, as if the frame had come in through `interface`. Returns the name of the drop
  // reason; empty when the packet was let in. `groups`: joined multicast groups of that interface.
  std::string enter(const ForwardingState& state, InterfaceId interface, const std::vector<MacAddress>& groups = {});

 private:
  Frame bytes_;
  Packet packet_;
};

}  // namespace trivet::testkit
