// hc: health of targets and of the gateway, by probes of the node's own stack. The adapter between engine and host.
//
// Thread: control, but for the workers it makes. README.md is the manual page.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hc/config.h"
#include "hc/engine.h"
#include "hc/worker.h"
#include "trivet/abi.h"
#include "trivet/module.h"
#include "trivet/snapshot.h"

namespace trivet::hc {

class HcModule : public Module {
 public:
  void declare(Setup& setup) override;
  void start(Host& host, Time now) override;
  std::unique_ptr<Plan> check(const ConfigView& view, Problems& problems) override;
  void apply(std::unique_ptr<Plan> plan, Time now) override;
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override;
  void on_punt(const Packet& packet, Time now) override;
  [[nodiscard]] Time poll_at() const override;
  void on_time(Time now) override;

 private:
  struct Counters {
    std::array<Counter, 3> probes{};  // by ProbeType
    Counter successes;
    Counter failures;
    Counter bad_checksum;
    Counter malformed;
    Counter wrong_nonce;
    Counter stray;
  };

  [[nodiscard]] Path path_to(const IpAddress& destination) const;
  AnswerResult judge(const Packet& packet, Time now);
  void count(AnswerResult result);
  void carry_out(Time now);
  void announce(const SubjectChange& change);
  [[nodiscard]] std::string subject_label(SubjectId id) const;
  [[nodiscard]] Report show_gateway(Time now) const;
  [[nodiscard]] Report show_checks(const std::vector<std::string>& arguments, Time now) const;

  Host* host_ = nullptr;
  Counters counters_;
  DropReason flood_;
  Snapshot<Probed> probed_;
  Config config_;
  std::optional<Engine> engine_;  // from start() on
  Actions actions_;               // emptied by carry_out()
  bool paths_changed_ = false;
  bool gateway_requested_ = false;
  Time now_;  // of the last call that knew the time
};

[[nodiscard]] Module* create_module();
void destroy_module(Module* module);

inline constexpr ModuleDescriptor descriptor{
    .name = "hc", .version = "1.0", .create = &create_module, .destroy = &destroy_module};

}  // namespace trivet::hc
