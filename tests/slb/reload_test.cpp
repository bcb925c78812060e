// What workers see while a configuration is applied: the worker runs between two modules' apply().
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/app/node.h"
#include "core/io/memory.h"
#include "lab.h"

namespace trivet::slb {
namespace {

// Writes the health of targets: what it has to say is said in apply(), as hc does.
struct Told {
  std::vector<TargetHealth> in_apply;
  Bus* bus = nullptr;
};
Told& told() {
  static Told instance;
  return instance;
}
TargetHealth of(TargetId target, Health health) { return {.target = target, .health = health, .reason = "test"}; }

class FactsModule final : public Module {
 public:
  void declare(Setup& setup) override { setup.publishes<TargetHealth>(); }
  void start(Host& host, Time) override { told().bus = &host.bus(); }
  void apply(std::unique_ptr<Plan>, Time) override {
    for (const TargetHealth& health : told().in_apply) told().bus->publish(health);
  }
};

// Calls the test back in apply().
std::function<void()>& in_apply() {
  static std::function<void()> function;
  return function;
}
class WatchModule final : public Module {
 public:
  void declare(Setup&) override {}
  void apply(std::unique_ptr<Plan>, Time) override {
    if (in_apply()) in_apply()();
  }
};

constexpr ModuleDescriptor facts_descriptor{.name = "facts",
                                            .version = "1.0",
                                            .create = []() -> Module* { return new FactsModule; },
                                            .destroy = [](Module* module) { delete module; }};
constexpr ModuleDescriptor watch_descriptor{.name = "watch",
                                            .version = "1.0",
                                            .create = []() -> Module* { return new WatchModule; },
                                            .destroy = [](Module* module) { delete module; }};

class SlbReload : public testing::TestWithParam<const char*> {
 protected:
  SlbReload() : loader_({&descriptor, &facts_descriptor, &watch_descriptor}) {
    told() = {};
    in_apply() = {};
    io_.add_interface("eth1", testkit::Harness::mac_of(1));
    io_.add_interface("eth2", testkit::Harness::mac_of(2));
    core::NodeOptions options;
    options.io = &io_;
    options.loader = &loader_;
    options.worker_mode = core::WorkerMode::own_threads;
    options.pool = {.small_count = 512, .large_count = 16};
    node_ = std::make_unique<core::Node>(std::move(options));
  }
  ~SlbReload() override { in_apply() = {}; }

  void configure(const std::string& targets) {
    std::string text = "hostname A\nmodules " + std::string{GetParam()} + "\n" + base_config +
                       Lab::server(1, net4, net4.vip, "  port 80\n  sessionid src+port\n  targets " + targets + "\n") +
                       Lab::target(1, net4, net4.t1, "");
    if (targets != "1") text += Lab::target(2, net4, net4.t2, "") + Lab::target(3, net4, net4.bob, "");
    EXPECT_FALSE(node_->configure(text, "test.conf", Time{}).has_errors());
  }
  void run() {
    node_->step(Time{});
    while (node_->worker(0).run_once(Time{})) {
    }
    node_->step(Time{});
  }
  void know(const char* address, const MacAddress& mac, InterfaceId interface) {
    node_->join_bus("test").publish(NeighborEntry{.network = interface,
                                                  .address = testkit::ip(address),
                                                  .mac = mac,
                                                  .interface = interface,
                                                  .reachability = NeighborReachability::reachable});
  }
  // Opens a few connections and says how many reached target 1, and how many anybody else.
  std::pair<std::size_t, std::size_t> open(std::uint16_t from) {
    for (std::uint16_t i = 0; i < 8; ++i) {
      const auto port = static_cast<std::uint16_t>(from + i);
      io_.inject("eth1", Lab::from_alice(net4, net4.vip, testkit::tcp(port, 80).syn()));
    }
    while (node_->worker(0).run_once(Time{})) {
    }
    std::pair<std::size_t, std::size_t> counts;
    for (const char* const name : {"eth1", "eth2"}) {
      for (const core::MemoryFrame& frame : io_.take_sent(name)) {
        const bool is_first = std::equal(t1_mac.bytes.begin(), t1_mac.bytes.end(), frame.bytes.begin());
        ++(is_first ? counts.first : counts.second);
      }
    }
    return counts;
  }

  core::MemoryBackend io_;
  core::ModuleLoader loader_;
  std::unique_ptr<core::Node> node_;
};

TEST_P(SlbReload, ANewTargetTakesNothingBeforeItsHealthIsKnown) {
  using Counts = std::pair<std::size_t, std::size_t>;
  told().in_apply = {of(1, Health::up)};
  configure("1");
  know(net4.t1, t1_mac, 2);
  know(net4.t2, t2_mac, 2);
  know(net4.bob, bob_mac, 1);
  run();
  EXPECT_EQ(open(1000), (Counts{8, 0}));

  told().in_apply.push_back(of(2, Health::undecided));
  told().in_apply.push_back(of(3, Health::undecided));
  bool has_run = false;
  in_apply() = [&] {
    has_run = true;
    EXPECT_EQ(open(2000), (Counts{8, 0})) << "while the configuration is applied";
  };
  configure("1,2,3");
  EXPECT_TRUE(has_run);
  EXPECT_EQ(open(3000), (Counts{8, 0})) << "and afterwards";
  run();
  EXPECT_EQ(open(4000), (Counts{8, 0}));

  told().bus->publish(of(2, Health::up));
  run();
  EXPECT_EQ(open(5000), (Counts{4, 4}));
}

TEST_P(SlbReload, ATargetThatIsCheckedFromNowOnTakesNothingUntilItAnswers) {
  using Counts = std::pair<std::size_t, std::size_t>;
  told().in_apply = {of(1, Health::up), of(2, Health::up), of(3, Health::down)};
  configure("1,2,3");
  know(net4.t1, t1_mac, 2);
  know(net4.t2, t2_mac, 2);
  run();
  EXPECT_EQ(open(1000), (Counts{4, 4}));
  told().in_apply[1].health = Health::undecided;
  configure("1,2,3");
  EXPECT_EQ(open(2000), (Counts{8, 0}));
}

// Whoever checks may stand on either side of slb.
INSTANTIATE_TEST_SUITE_P(Lines, SlbReload, testing::Values("facts,slb,watch", "slb,watch,facts"),
                         [](const auto& test) { return test.index == 0 ? "FactsFirst" : "FactsLast"; });

}  // namespace
}  // namespace trivet::slb
