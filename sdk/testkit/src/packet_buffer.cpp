#include "trivet/testkit/packet_buffer.h"

#include <algorithm>

#include "core/pipeline/door.h"
#include "core/pipeline/packet_pool.h"

namespace trivet::testkit {

PacketBuffer::PacketBuffer(const Frame& frame, std::size_t tailroom)
    : bytes_(core::PacketPool::headroom + frame.size() + tailroom) {
  packet_.buffer = bytes_.data();
  packet_.data = bytes_.data() + core::PacketPool::headroom;
  packet_.capacity = static_cast<std::uint32_t>(bytes_.size());
  packet_.length = static_cast<std::uint32_t>(frame.size());
  std::ranges::copy(frame, packet_.data);
}

std::string PacketBuffer::enter(const ForwardingState& state, InterfaceId interface,
                                const std::vector<MacAddress>& groups) {
  core::DoorFilter filter;
  for (const MacAddress& group : groups) filter.add(interface, group);
  packet_.in_interface = interface;
  const core::DoorDrop drop = core::examine(packet_, state, filter);
  return drop == core::DoorDrop::none ? "" : core::door_drops[static_cast<std::size_t>(drop)].name;
}

}  // namespace trivet::testkit
