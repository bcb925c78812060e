// The module harness: one whole node in this process, in virtual time, with interfaces in memory.
//
// Configuration text in, frames in, time; frames, events, counters and log lines out. Interface N of the configuration
// (whatever its name) has MAC 02:00:00:00:00:NN and MTU 1500. Nothing sleeps; the same calls give the same result.
//
//     Harness node({&trivet::ping::descriptor}, "hostname A\nmodules ping\n...");
//     node.inject(1, request);
//     EXPECT_EQ(node.take_sent(1).size(), 1U);
//
// Thread: one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/abi.h"
#include "trivet/command.h"
#include "trivet/event.h"
#include "trivet/forwarding.h"
#include "trivet/packet.h"
#include "trivet/result.h"
#include "trivet/time.h"

namespace trivet::testkit {

using Bytes = std::vector<std::uint8_t>;

// A frame with what an offloading interface says about it.
struct OffloadFrame {
  Bytes bytes;
  ChecksumState checksum = ChecksumState::unverified;
  SegmentType segments = SegmentType::none;
  std::uint16_t segment_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};

class Harness {
 public:
  // `modules` are found by name; the text decides which run. Errors of the configuration are test failures (use
  // problems() to look at warnings). The node is stepped at time 0.
  Harness(std::vector<const ModuleDescriptor*> modules, const std::string& config_text, std::uint64_t seed = 1);
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;
  ~Harness();

  // Frames come in together; the node runs until it is quiet.
  void inject(InterfaceId interface, Bytes frame);
  void inject(InterfaceId interface, const std::vector<Bytes>& frames);
  void inject(InterfaceId interface, OffloadFrame frame);
  // Frames sent through the interface since the last call.
  [[nodiscard]] std::vector<Bytes> take_sent(InterfaceId interface);
  [[nodiscard]] std::vector<OffloadFrame> take_sent_frames(InterfaceId interface);

  // Time passes; every deadline on the way is served in its order.
  void advance(Duration duration);
  [[nodiscard]] Time now() const;

  // The bus as participant "test": publish what a module listens to, subscribe to what it says.
  [[nodiscard]] Bus& bus();
  // Serves what a publication has caused.
  void settle();

  [[nodiscard]] std::uint64_t drops(std::string_view module, std::string_view reason) const;
  [[nodiscard]] std::uint64_t counter(std::string_view module, std::string_view name) const;
  // "module: text" since the last call.
  [[nodiscard]] std::vector<std::string> take_log();
  [[nodiscard]] Report command(const std::string& line);
  void set_link(InterfaceId interface, bool up);
  // Another configuration; with errors nothing changes. Returns everything that was said.
  Problems reload(const std::string& config_text);
  // What the first configuration said.
  [[nodiscard]] const Problems& problems() const;
  [[nodiscard]] const ForwardingState& forwarding() const;
  // Priority 0 and the like; what is sent can still be taken.
  void stop();

  [[nodiscard]] static MacAddress mac_of(InterfaceId interface);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace trivet::testkit
