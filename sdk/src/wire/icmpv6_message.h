// Completing ICMPv6 messages. Private to the SDK's sources.
//
// Thread: any; pure.
#pragma once

#include <cstdint>
#include <vector>

#include "bytes.h"
#include "trivet/wire/ip.h"

namespace trivet::wire {

// Fills in the checksum of `message` (RFC 4443 section 2.3) and puts the IPv6 header before it. `values.next_header` is
// set here.
[[nodiscard]] inline std::vector<std::uint8_t> icmpv6_packet(Ipv6Values values, Bytes& message) {
  values.next_header = ip_protocol::icmpv6;
  message.patch16(2, 0);
  ChecksumSum sum;
  sum.add_pseudo_header(values.source, values.destination, ip_protocol::icmpv6,
                        static_cast<std::uint32_t>(message.size()));
  sum.add(message.view());
  message.patch16(2, sum.finish());
  return ipv6_packet(values, message.view());
}

}  // namespace trivet::wire
