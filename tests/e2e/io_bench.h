// A node's end of some interfaces for tests of packet I/O: a backend within a namespace, packets as plain bytes.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/io/af_packet.h"
#include "core/pipeline/packet_pool.h"
#include "lab.h"

namespace trivet::e2e {

using Frame = std::vector<std::uint8_t>;

// One interface taken by packet I/O within a namespace of the lab.
class Taken {
 public:
  enum class Addresses { refuse, take };
  Taken(const Lab& lab, const std::string& name, const std::string& interface, Addresses addresses = Addresses::refuse,
        const std::string& access = "auto");
  Taken(const Lab& lab, const std::string& name, const std::string& interface, const std::string& access)
      : Taken(lab, name, interface, Addresses::refuse, access) {}
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;
  ~Taken();
  [[nodiscard]] core::InterfaceIo& io() { return *io_; }
  [[nodiscard]] core::PacketPort& port() { return io_->port(0); }
  [[nodiscard]] core::IoBackend& backend() { return *backend_; }
  [[nodiscard]] bool ok() const { return io_ != nullptr; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return *warnings_; }
  [[nodiscard]] const std::vector<std::string>& notes() const { return *notes_; }
  [[nodiscard]] core::PacketPool& pool() { return pool_; }

  // What has come in, waiting up to the deadline until there are at least `count` frames.
  std::vector<Frame> receive(std::size_t count, std::chrono::milliseconds deadline = std::chrono::seconds{5});
  void send(const std::vector<Frame>& frames);

 private:
  std::string namespace_;
  std::shared_ptr<std::vector<std::string>> warnings_ = std::make_shared<std::vector<std::string>>();
  std::shared_ptr<std::vector<std::string>> notes_ = std::make_shared<std::vector<std::string>>();
  core::PacketPool pool_;
  std::unique_ptr<core::IoBackend> backend_;
  std::unique_ptr<core::InterfaceIo> io_;
  std::string problem_;
};

// A raw socket of the kernel's side: the far end of a cable.
class FarEnd {
 public:
  FarEnd(const Lab& lab, const std::string& name, const std::string& interface);
  FarEnd(const FarEnd&) = delete;
  FarEnd& operator=(const FarEnd&) = delete;
  ~FarEnd();
  // Again when the cable's queue is full.
  void send(const Frame& frame) const;
  // The next frame that comes in; empty when none does within the deadline.
  [[nodiscard]] Frame receive(std::chrono::milliseconds deadline = std::chrono::seconds{5}) const;

 private:
  int fd_;
};

// Carries every frame from one interface to the other, both ways, until destroyed. `change` may alter a packet; it is
// told whether the packet came in at `a`.
class Forwarder {
 public:
  using Change = std::function<void(Packet& packet, bool from_a)>;
  Forwarder(core::PacketPort& a, core::PacketPort& b, Change change = {});
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;
  ~Forwarder();

 private:
  void run();
  std::size_t move(core::PacketPort& from, core::PacketPort& to, bool from_a);

  core::PacketPort& a_;
  core::PacketPort& b_;
  Change change_;
  core::PacketPool pool_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// Frames for tests. `payload` bytes count up from `first`.
[[nodiscard]] Frame udp_frame(const std::string& destination, std::size_t payload, std::uint8_t first = 0);
[[nodiscard]] Frame udp6_frame(const std::string& destination, std::size_t payload);
[[nodiscard]] Frame ipv4_frame(std::uint8_t protocol, const std::string& destination);
[[nodiscard]] Frame ipv6_frame(std::uint8_t next_header, const std::string& destination, const Frame& payload);
[[nodiscard]] Frame arp_frame();

}  // namespace trivet::e2e
