// Recognises a frame whose TCP or UDP checksum its sender has left to the interface, where nothing says so.
//
// Between virtual machines and namespaces a frame may travel with the sum of its pseudo-header in the checksum field
// only, since no wire can spoil it. Packet sockets tell (vnet_header.h); AF_XDP cannot. A complete checksum looks like
// that by chance, one in 65,536; taken for partial it is computed anew over what was received, which gives the same
// value. What is lost is the receiver's chance to find such a frame damaged, which matters where there is a wire: so
// only for interfaces without.
// Thread: any; pure.
#pragma once

#include "trivet/packet.h"

namespace trivet::core {

// Sets the offload fields of a frame (data and length are set) to partial when its checksum field looks it. Looks
// behind one VLAN tag; not at fragments and not behind IPv6 extension headers.
void detect_partial_checksum(Packet& packet) noexcept;

}  // namespace trivet::core
