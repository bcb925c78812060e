// Interfaces in memory, for tests and the simulator: each is the end of a virtual cable.
//
// The pipeline's side is an IoBackend like any other. The test's side puts frames in and takes frames out. Nothing
// happens by itself and nothing depends on time: the same calls give the same result. Interfaces exist from
// add_interface() on; opening any other name fails.
//
// Thread: one, but for ports: inject() and take_sent() may run on another thread than the worker (a lock guards the
// queues). The hook on_sent runs on the worker's thread and without that lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/io/packet_io.h"

namespace trivet::core {

// A frame on a virtual cable, with what an offloading interface would say about it.
struct MemoryFrame {
  std::vector<std::uint8_t> bytes;
  ChecksumState checksum = ChecksumState::unverified;
  SegmentType segments = SegmentType::none;
  std::uint16_t segment_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
  bool operator==(const MemoryFrame&) const = default;
};

class MemoryBackend final : public IoBackend {
 public:
  struct Limits {
    std::size_t receive_queue = 4096;  // frames of an interface that wait for the worker; more are dropped and counted
    std::size_t sent_queue = 65536;    // sent frames that wait for take_sent()
  };
  explicit MemoryBackend(Limits limits);
  MemoryBackend() : MemoryBackend(Limits{}) {}
  ~MemoryBackend() override;

  // --- the pipeline's side ---
  // Fails for a name that was not added, and for one that is taken already.
  Result<std::unique_ptr<InterfaceIo>> open(const InterfaceSpec& spec, std::size_t workers) override;
  [[nodiscard]] LinkInfo link(const std::string& name) override;
  void on_link_change(std::function<void(const std::string& name)> handler) override;

  // --- the test's side ---
  void add_interface(const std::string& name, MacAddress mac, std::uint32_t mtu = 1500);
  // Calls the handler of on_link_change() if that changes anything. A cable that is cut loses what is injected or sent.
  void set_carrier(const std::string& name, bool carrier);
  // The interface vanishes (false) or comes back; calls the handler. It cannot be opened while it is gone.
  void set_exists(const std::string& name, bool exists);
  // A frame comes in, for worker `worker`. Lost when the interface is not taken or has no carrier, or the queue is
  // full.
  void inject(const std::string& name, MemoryFrame frame, std::size_t worker = 0);
  void inject(const std::string& name, std::vector<std::uint8_t> bytes) {
    inject(name, MemoryFrame{.bytes = std::move(bytes)});
  }
  // Frames sent since the last call, in their order. Empty while a hook takes them.
  [[nodiscard]] std::vector<MemoryFrame> take_sent(const std::string& name);
  // Takes each frame sent instead of the queue; empty = the queue again. May inject into any interface.
  void on_sent(const std::string& name, std::function<void(MemoryFrame frame)> hook);
  // True while frames that were injected wait for a worker.
  [[nodiscard]] bool has_waiting() const;
  [[nodiscard]] std::vector<MacAddress> mac_filter(const std::string& name) const;
  // Asked for by InterfaceIo::let_in_tags(). Tags come in here in any case.
  [[nodiscard]] bool lets_in_tags(const std::string& name) const;
  [[nodiscard]] bool is_taken(const std::string& name) const;

 private:
  struct Cable;
  class Port;
  class Interface;
  [[nodiscard]] std::shared_ptr<Cable> find(const std::string& name) const;

  Limits limits_;
  std::map<std::string, std::shared_ptr<Cable>> cables_;
  std::function<void(const std::string&)> link_handler_;
};

}  // namespace trivet::core
