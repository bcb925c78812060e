#include "core/io/af_packet.h"

#include <optional>
#include <utility>

#include "core/io/af_packet_interface.h"
#include "core/io/link_watch.h"

namespace trivet::core {

namespace {

class AfPacketBackend : public IoBackend {
 public:
  AfPacketBackend(AfPacketOptions options, Result<LinkWatch> watch)
      : options_(std::move(options)), watch_(std::move(watch)) {}

  Result<std::unique_ptr<InterfaceIo>> open(const InterfaceSpec& spec, std::size_t workers) override {
    if (!watch_) return std::unexpected(watch_.error());
    if (spec.access != "auto" && spec.access != "raw") {
      return fail("interface " + spec.name + ": access " + spec.access + " is not supported, use raw or auto");
    }
    const KernelAddresses addresses = options_.take ? KernelAddresses::take : KernelAddresses::refuse;
    auto guard = KernelGuard::take(spec.name, addresses, options_.warn);
    if (!guard) return std::unexpected(guard.error());
    auto interface = AfPacketInterface::open(std::move(*guard), workers, options_.warn);
    if (!interface) return fail("interface " + spec.name + ": " + interface.error().text);
    return std::move(*interface);
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
};

}  // namespace

std::unique_ptr<IoBackend> make_af_packet_backend(AfPacketOptions options) {
  return std::make_unique<AfPacketBackend>(std::move(options), LinkWatch::open());
}

}  // namespace trivet::core
