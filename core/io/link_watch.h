// The state of the system's interfaces, and who changed: existence, carrier, MAC, MTU, name; addresses of the system.
//
// Listens to the kernel's link events (rtnetlink). When the kernel had to drop events, everything is read anew, so that
// no change is missed, though one that was undone meanwhile may be. The kernel may hold back the news of a carrier for
// up to a second (it limits such events): interfaces that link() was asked for are looked at every 100 ms, too.
// Thread: control.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/io/file_descriptor.h"
#include "core/io/netlink.h"
#include "core/io/packet_io.h"

namespace trivet::core {

class LinkWatch {
 public:
  [[nodiscard]] static Result<LinkWatch> open();

  // As the kernel has it now, not as of the last event.
  [[nodiscard]] LinkInfo link(const std::string& name);
  // Called from process() with the name of each interface that came, went or changed; both names where it was renamed.
  // With all names that link() was asked for where addresses of the system have changed.
  void on_change(std::function<void(const std::string& name)> handler) { handler_ = std::move(handler); }
  [[nodiscard]] int fd() const noexcept { return wait_.get(); }
  void process();

 private:
  LinkWatch(NetlinkSocket events, NetlinkSocket requests, FileDescriptor timer, FileDescriptor wait)
      : events_(std::move(events)), requests_(std::move(requests)), timer_(std::move(timer)), wait_(std::move(wait)) {}

  struct Known {
    std::string name;
    LinkInfo info;
    bool operator==(const Known&) const = default;
  };
  [[nodiscard]] std::optional<LinkEntry> query(const std::string& name);
  void read_all();
  void look_at_asked();
  void update(const LinkEntry& entry);
  void remove(int index);
  void report(const std::string& name) const;

  NetlinkSocket events_;
  NetlinkSocket requests_;
  FileDescriptor timer_;
  FileDescriptor wait_;  // readable when the timer or the socket is
  std::set<std::string> asked_;
  std::map<int, Known> known_;
  std::function<void(const std::string&)> handler_;
};

}  // namespace trivet::core
