// The state of the system's interfaces, and who changed: existence, carrier, MAC, MTU, name.
//
// Listens to the kernel's link events (rtnetlink). When the kernel had to drop events, everything is read anew, so that
// no change is missed, though one that was undone meanwhile may be.
// Thread: control.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/io/netlink.h"
#include "core/io/packet_io.h"

namespace trivet::core {

class LinkWatch {
 public:
  [[nodiscard]] static Result<LinkWatch> open();

  // As the kernel has it now, not as of the last event.
  [[nodiscard]] LinkInfo link(const std::string& name);
  // Called from process() with the name of each interface that came, went or changed; both names where it was renamed.
  void on_change(std::function<void(const std::string& name)> handler) { handler_ = std::move(handler); }
  [[nodiscard]] int fd() const noexcept { return events_.fd(); }
  void process();

 private:
  LinkWatch(NetlinkSocket events, NetlinkSocket requests)
      : events_(std::move(events)), requests_(std::move(requests)) {}

  struct Known {
    std::string name;
    LinkInfo info;
    bool operator==(const Known&) const = default;
  };
  void read_all();
  void update(const LinkEntry& entry);
  void remove(int index);
  void report(const std::string& name) const;

  NetlinkSocket events_;
  NetlinkSocket requests_;
  std::map<int, Known> known_;
  std::function<void(const std::string&)> handler_;
};

}  // namespace trivet::core
