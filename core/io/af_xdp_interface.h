// An interface taken by AF_XDP: a program in the driver hands data to a socket for each receive queue; the rest goes
// the way of packet sockets.
//
// Built around an AfPacketInterface, which keeps the kernel off, lets addresses in, and has the queues of control
// frames. These hold what the program passes on: control frames, frames that fit no buffer (super-frames at the generic
// hook), and frames of queues without a socket. Queue q belongs to worker q modulo the number of workers that receive;
// a worker without a queue of its own sends by its packet socket, as does any worker what AF_XDP cannot carry. Thread:
// control, but for the ports (see packet_io.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/io/af_packet_interface.h"
#include "core/io/packet_io.h"
#include "core/io/xdp_program.h"
#include "core/io/xsk_queue.h"

namespace trivet::core {

// Whether a frame's complete checksum can be told from one left to the interface (see partial_checksum.h).
enum class Wire { present, absent };

class AfXdpPort : public PacketPort {
 public:
  // `mtu` and `packets` live longer.
  AfXdpPort(PacketPort& packets, std::vector<XskQueue*> queues, const std::atomic<std::uint32_t>& mtu, Wire wire)
      : packets_(packets), queues_(std::move(queues)), mtu_(mtu), wire_(wire) {}

  // First what the packet sockets have, up to three quarters of a burst; then data, from another queue each time.
  std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept override;
  void transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept override;
  [[nodiscard]] std::vector<int> poll_fds() const override;
  [[nodiscard]] PortCounters counters() const noexcept override;

 private:
  [[nodiscard]] bool fits(const Packet& packet) const noexcept;
  void note(std::span<Packet* const> received) noexcept;

  PacketPort& packets_;
  std::vector<XskQueue*> queues_;
  const std::atomic<std::uint32_t>& mtu_;
  Wire wire_;
  std::size_t next_queue_ = 0;
  std::uint32_t empty_rounds_ = 0;
  std::atomic<std::uint64_t> rx_frames_ = 0;
  std::atomic<std::uint64_t> rx_bytes_ = 0;
};

class AfXdpInterface : public InterfaceIo {
 public:
  // Takes `packets` over only when it succeeds. `store` lives longer.
  [[nodiscard]] static Result<std::unique_ptr<AfXdpInterface>> open(std::unique_ptr<AfPacketInterface>& packets,
                                                                    const std::string& name, Workers workers,
                                                                    XskMode mode, UmemStore& store);
  AfXdpInterface(const AfXdpInterface&) = delete;
  AfXdpInterface& operator=(const AfXdpInterface&) = delete;
  ~AfXdpInterface() override;

  PacketPort& port(std::size_t worker) override { return *ports_.at(worker); }
  [[nodiscard]] bool alive() override;
  void set_mac_filter(const std::vector<MacAddress>& addresses) override;
  void set_own_addresses(const std::vector<IpAddress>& addresses) override;
  void let_in_tags() override { packets_->let_in_tags(); }
  void set_claims(const Claims& claims) override;
  // In a few words for the log: mode, place of the program, queues.
  [[nodiscard]] std::string description() const;

 private:
  AfXdpInterface(std::string name, int interface_index, XskMode mode);
  [[nodiscard]] Result<void> open_queues(UmemStore& store);
  void share();
  void set_macs();

  std::unique_ptr<AfPacketInterface> packets_;  // last to go: until then the kernel stays off
  std::string name_;
  int interface_index_;
  XskMode mode_;
  bool restore_vlan_ = false;
  bool shared_ = false;
  std::vector<MacAddress> further_macs_;  // of the filter
  Claims shared_claims_;                  // as the program has them
  std::vector<IpAddress> shared_system_;
  std::atomic<std::uint32_t> mtu_;
  std::vector<std::unique_ptr<XskQueue>> queues_;
  std::optional<XdpProgram> program_;  // detached before the sockets close
  std::vector<std::unique_ptr<AfXdpPort>> ports_;
};

// Why AF_XDP cannot have frames put into the UMEM by the driver of an interface; empty: it can.
[[nodiscard]] std::string why_no_zero_copy(const std::string& name, int interface_index);

}  // namespace trivet::core
