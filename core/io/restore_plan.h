// What to undo when an interface goes back to the kernel, and the process that does it when this one cannot.
//
// A plan is made complete before anything is changed. Executing it only makes system calls on bytes that are ready, so
// that it works in a forked copy of a process with threads, and does no harm when it is executed twice.
// Thread: control.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/io/file_descriptor.h"
#include "core/io/netlink.h"
#include "trivet/result.h"

namespace trivet::core {

class RestorePlan {
 public:
  // The interface is one of the calling thread's network namespace; elsewhere execute() does nothing.
  explicit RestorePlan(int interface_index);

  // Flags (IFF_*) under `mask` get the values that they have in `flags`.
  void restore_flags(std::uint32_t flags, std::uint32_t mask);
  // The file <prefix><interface's name then><suffix> gets `value`: an interface keeps its settings when it is renamed.
  void restore_setting(std::string prefix, std::string suffix, std::string value);
  // The driver takes VLAN tags out of received frames.
  void restore_vlan_offload() { restores_vlan_offload_ = true; }
  void restore_address(RawMessage dumped);
  void restore_route(RawMessage dumped);

  // In the order above, whatever the order of the calls. What fails is left: the interface may be gone.
  void execute() const noexcept;

 private:
  struct Setting {
    std::string prefix;
    std::string suffix;
    std::string value;
  };
  void write_setting(const char* name, const Setting& setting) const noexcept;

  int interface_index_;
  std::uint64_t namespace_;  // inode of the network namespace; 0 = unknown
  std::vector<RawMessage> flags_;
  std::vector<Setting> settings_;
  bool restores_vlan_offload_ = false;
  std::vector<RawMessage> addresses_;
  std::vector<RawMessage> routes_;
};

// A small process that executes a plan when the process that started it ends without disarm(), be it by kill -9.
//
// While it lives, no other process (in this network namespace) can start one for the same interface: who comes too
// early after a crash is told so, instead of being overtaken by what the dead process had to restore.
class Watcher {
 public:
  [[nodiscard]] static Result<Watcher> start(int interface_index, const RestorePlan& plan);
  Watcher(Watcher&&) = default;
  Watcher& operator=(Watcher&&) = default;
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() = default;  // without disarm(): the plan is executed

  // The watcher ends without doing anything. Returns when it has ended (at most a second later).
  void disarm() noexcept;

 private:
  explicit Watcher(FileDescriptor line) : line_(std::move(line)) {}
  FileDescriptor line_;
};

}  // namespace trivet::core
