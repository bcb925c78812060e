// Keeps the kernel's own network stack off an interface while the node has it, and gives it back as it was.
//
// While it exists the kernel neither speaks on the interface (IPv6 off, no addresses, ARP off) nor hears anything there
// (an ingress drop that only packet sockets precede), and the interface is administratively up. Everything is restored
// by the destructor, or by a watcher process when this process ends without (kill -9 included). Routes that somebody
// had set through the interface come back with its addresses.
// A shared interface (KernelAddresses::keep) is only brought up, and stays so; the kernel goes on with all that is not
// this node's.
// Thread: control.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/io/ingress_drop.h"
#include "core/io/ingress_share.h"
#include "core/io/restore_plan.h"
#include "trivet/result.h"

namespace trivet::core {

// What becomes of an interface that carries addresses of the system: it is refused; they are taken away; or the system
// keeps it and shares it with this node.
enum class KernelAddresses { refuse, take, keep };

class KernelGuard {
 public:
  // Fails with a sentence when the interface is missing, is no Ethernet, belongs to a bridge or bond, is taken by
  // another process, or carries addresses of the system (IPv6 link-local alone is fine) and these may not be taken.
  // `warn` hears what does not prevent taking it.
  [[nodiscard]] static Result<std::unique_ptr<KernelGuard>> take(const std::string& name, KernelAddresses addresses,
                                                                 const std::function<void(const std::string&)>& warn);
  KernelGuard(const KernelGuard&) = delete;
  KernelGuard& operator=(const KernelGuard&) = delete;
  ~KernelGuard();

  [[nodiscard]] int interface_index() const noexcept { return interface_index_; }
  [[nodiscard]] bool is_shared() const noexcept { return share_.has_value(); }
  // Of a shared interface; see IngressShare.
  [[nodiscard]] Result<void> share(const Claims& claims, const std::vector<IpAddress>& system);

 private:
  KernelGuard(int interface_index, RestorePlan plan, Watcher watcher)
      : interface_index_(interface_index), plan_(std::move(plan)), watcher_(std::move(watcher)) {}

  int interface_index_;
  RestorePlan plan_;
  Watcher watcher_;
  std::optional<IngressDrop> drop_;
  std::optional<IngressShare> share_;
};

}  // namespace trivet::core
