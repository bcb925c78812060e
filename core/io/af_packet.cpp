#include "core/io/af_packet.h"

#include <string>
#include <utility>

#include "core/io/af_packet_interface.h"
#include "core/io/af_xdp_interface.h"
#include "core/io/link_watch.h"

namespace trivet::core {

namespace {

class AfPacketBackend : public IoBackend {
 public:
  AfPacketBackend(AfPacketOptions options, Result<LinkWatch> watch)
      : options_(std::move(options)), watch_(std::move(watch)) {}

  Result<std::unique_ptr<InterfaceIo>> open(const InterfaceSpec& spec, std::size_t workers) override {
    if (!watch_) return std::unexpected(watch_.error());
    const std::string who = "interface " + std::to_string(spec.number) + " (" + spec.name + ")" +
                            (spec.passthrough ? ", shared with the system" : "");
    const KernelAddresses addresses = spec.passthrough ? KernelAddresses::keep
                                      : options_.take  ? KernelAddresses::take
                                                       : KernelAddresses::refuse;
    auto guard = KernelGuard::take(spec.name, addresses, options_.warn);
    if (!guard) return std::unexpected(guard.error());
    const Workers all{workers, spec.threads};
    auto packets = AfPacketInterface::open(std::move(*guard), all, options_.warn);
    if (!packets) return fail("interface " + spec.name + ": " + packets.error().text);
    if (spec.access == "raw") {
      options_.note(who + ": raw");
      return std::move(*packets);
    }
    std::string reason = why_no_zero_copy(spec.name, (*packets)->interface_index());
    if (spec.access == "xdp" || reason.empty()) {
      const XskMode mode = reason.empty() ? XskMode::zero_copy : XskMode::copy;
      auto opened = AfXdpInterface::open(*packets, spec.name, all, mode, store_);
      if (opened) {
        options_.note(who + ": xdp: " + (*opened)->description() + (reason.empty() ? "" : "; " + reason));
        return std::move(*opened);
      }
      if (spec.access == "xdp") return fail("interface " + spec.name + ": " + opened.error().text);
      reason = opened.error().text;
    }
    options_.note(who + ": raw: " + reason);
    return std::move(*packets);
  }

  LinkInfo link(const std::string& name) override { return watch_ ? watch_->link(name) : LinkInfo{}; }
  void on_link_change(std::function<void(const std::string&)> handler) override {
    if (watch_) watch_->on_change(std::move(handler));
  }
  [[nodiscard]] int watch_fd() const override { return watch_ ? watch_->fd() : -1; }
  void process_link_events() override {
    if (watch_) watch_->process();
  }

 private:
  AfPacketOptions options_;
  Result<LinkWatch> watch_;
  UmemStore store_;
};

}  // namespace

std::unique_ptr<IoBackend> make_af_packet_backend(AfPacketOptions options) {
  return std::make_unique<AfPacketBackend>(std::move(options), LinkWatch::open());
}

}  // namespace trivet::core
