// What the tests of packet formats share. A parser is given exact buffers of every shorter length, so that reading
// past the end is seen by the address sanitizer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "trivet/testkit/packet_builder.h"

namespace trivet::wire {

// The lengths below `whole.size()` at which `parse` accepts the bytes.
template <class Parse>
std::vector<std::size_t> accepted_lengths(const testkit::Frame& whole, Parse parse) {
  std::vector<std::size_t> accepted;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const testkit::Frame part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    if (parse(part)) accepted.push_back(size);
  }
  return accepted;
}

// What follows the first `size` bytes.
inline testkit::Frame behind(const testkit::Frame& packet, std::size_t size) {
  return {packet.begin() + static_cast<std::ptrdiff_t>(size), packet.end()};
}

// Destination of an IP packet.
inline Ipv6Address destination6(const testkit::Frame& packet) {
  Ipv6Address address;
  std::copy_n(packet.begin() + 24, 16, address.bytes.begin());
  return address;
}
inline Ipv4Address destination4(const testkit::Frame& packet) {
  return {{packet[16], packet[17], packet[18], packet[19]}};
}

}  // namespace trivet::wire
