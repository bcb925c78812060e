// The interfaces that the node takes: opened when they can be, tried again while they cannot, with the state of each.
//
// A missing interface or a refused access is a state with a reason and a retry, never a failure of a configuration.
// Thread: control. Ownership: the manager's; an interface that it closes is handed out by take_closed() and must live
// until no worker uses its ports any more.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/io/packet_io.h"
#include "core/net/objects.h"
#include "core/pipeline/forwarding_worker.h"
#include "trivet/time.h"
#include "trivet/topics/links.h"

namespace trivet::core {

class InterfaceManager {
 public:
  static constexpr Duration retry_interval = std::chrono::seconds{1};
  static constexpr Duration reopen_delay = std::chrono::milliseconds{100};  // of one that was gone or is still held

  InterfaceManager(IoBackend& backend, std::size_t workers) : backend_(backend), workers_(workers) {}

  // The interfaces as configured now. Those that did not change stay open.
  void apply(const std::vector<InterfaceObject>& objects, Time now);
  // The link of this interface of the system may have changed. True when the state of one of ours has.
  bool refresh(const std::string& name, Time now);
  // Tries again what is due. True when something has changed.
  bool retry(Time now);
  [[nodiscard]] Time poll_at() const;

  // One for each configured interface, by number.
  [[nodiscard]] std::vector<LinkState> states() const;
  [[nodiscard]] std::map<InterfaceId, LinkInfo> links() const;  // carrier only where the interface is taken
  [[nodiscard]] std::vector<PortEntry> ports(std::size_t worker) const;
  [[nodiscard]] InterfaceIo* io(InterfaceId number);
  [[nodiscard]] std::vector<std::shared_ptr<InterfaceIo>> take_closed();
  // Changes with each open and close: ports() of the workers must be set again.
  [[nodiscard]] std::uint64_t ports_version() const { return ports_version_; }

 private:
  struct Entry {
    InterfaceObject object;
    std::shared_ptr<InterfaceIo> io;
    LinkInfo link;
    std::string reason;  // why it is not up
    Time retry_at = never;
    bool waits_for_release = false;  // this node itself still holds the interface: see leaving_
  };
  [[nodiscard]] bool is_leaving(const std::string& name) const;
  [[nodiscard]] bool is_due(const Entry& entry, Time now) const;
  bool update(Entry& entry, Time now);
  void open(Entry& entry, Time now);
  void close(Entry& entry);

  IoBackend& backend_;
  std::size_t workers_;
  std::map<InterfaceId, Entry> entries_;
  std::vector<std::shared_ptr<InterfaceIo>> closed_;
  // By name: closed, but alive as long as a worker uses its ports. Such an interface cannot be taken again yet.
  std::multimap<std::string, std::weak_ptr<InterfaceIo>> leaving_;
  std::uint64_t ports_version_ = 0;
};

}  // namespace trivet::core
