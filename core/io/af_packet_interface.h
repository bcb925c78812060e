// A taken interface and its ports, one for each worker.
//
// Thread: control, but for the ports (see packet_io.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/io/file_descriptor.h"
#include "core/io/kernel_guard.h"
#include "core/io/packet_io.h"
#include "core/io/rx_ring.h"
#include "core/io/traffic_filter.h"
#include "core/io/tx_socket.h"

namespace trivet::core {

// The workers of an interface: all send, the first `receiving` receive.
struct Workers {
  Workers(std::size_t count, std::size_t threads)
      : all(std::max<std::size_t>(count, 1)), receiving(std::clamp<std::size_t>(threads, 1, all)) {}
  std::size_t all;
  std::size_t receiving;
};

class AfPacketPort : public PacketPort {
 public:
  // `data` for workers that receive, `critical` and `local` only for the first worker.
  AfPacketPort(std::optional<RxRing> data, std::optional<RxRing> critical, std::optional<RxRing> local,
               FileDescriptor transmit);

  // Critical frames first, up to a full burst. Then local ones, which leave half of what is left to data.
  std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept override;
  void transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept override;
  [[nodiscard]] std::vector<int> poll_fds() const override;
  [[nodiscard]] PortCounters counters() const noexcept override;

 private:
  void clear_errors() noexcept;

  std::optional<RxRing> data_;
  std::optional<RxRing> critical_;
  std::optional<RxRing> local_;
  TxSocket transmit_;
  std::uint32_t empty_rounds_ = 0;
  std::atomic<std::uint64_t> rx_frames_ = 0;
  std::atomic<std::uint64_t> rx_bytes_ = 0;
};

class AfPacketInterface : public InterfaceIo {
 public:
  [[nodiscard]] static Result<std::unique_ptr<AfPacketInterface>> open(std::unique_ptr<KernelGuard> guard,
                                                                       Workers workers,
                                                                       std::function<void(const std::string&)> warn);

  PacketPort& port(std::size_t worker) override { return *ports_.at(worker); }
  [[nodiscard]] bool alive() override;
  void set_mac_filter(const std::vector<MacAddress>& addresses) override;
  void set_own_addresses(const std::vector<IpAddress>& addresses) override;
  void let_in_tags() override;
  void set_claims(const Claims& claims) override;
  [[nodiscard]] bool is_shared() const noexcept { return guard_->is_shared(); }
  void warn(const std::string& text) const { warn_(text); }
  // What has been told to the kernel: without those that are the system's; and the addresses of the system.
  [[nodiscard]] const Claims& claims() const noexcept { return claims_in_force_; }
  [[nodiscard]] const std::vector<IpAddress>& system_addresses() const noexcept { return system_; }
  [[nodiscard]] int interface_index() const noexcept { return guard_->interface_index(); }

 private:
  AfPacketInterface(std::unique_ptr<KernelGuard> guard, std::function<void(const std::string&)> warn)
      : guard_(std::move(guard)), warn_(std::move(warn)) {}
  Result<void> open_ports(Workers workers);
  Result<void> install_filter(const std::vector<IpAddress>& own);
  [[nodiscard]] bool change_membership(int option, unsigned short type, const MacAddress& mac);
  void listen_to_all();
  void share();
  void install_system_filter();

  std::unique_ptr<KernelGuard> guard_;  // last to go: what comes after must be closed before the kernel may listen
  std::function<void(const std::string&)> warn_;
  QueueLayout queues_;
  FileDescriptor settings_;  // a socket that receives nothing: memberships live as long as it does
  int group_member_ = -1;    // a receive queue's socket, by which the filter of the group is set
  std::vector<int> receivers_;
  std::optional<Claims> claims_;  // of a shared interface
  Claims claims_in_force_;
  std::vector<IpAddress> system_;
  std::set<IpAddress> disputed_;  // claimed, but the system's: told once
  std::vector<std::unique_ptr<AfPacketPort>> ports_;
  std::vector<MacAddress> macs_;
  bool promiscuous_ = false;
  bool tags_let_in_ = false;
};

}  // namespace trivet::core
