// Several forwarding workers of one node on virtual cables, as Lab is one: same interfaces, networks and addresses.
//
// The steering says: 10.0.2.254 and 2001:db8:2::fe are services, 10.0.2.50 and 2001:db8:2::50 targets.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "core/pipeline/exchange.h"
#include "core/pipeline/steering.h"
#include "pipeline_lab.h"

namespace trivet::core::test {

class ServiceSteering final : public Steering {
 public:
  void find_far_sides(std::span<const AddressPair> pairs, std::span<FarSide> sides) const noexcept override {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (is_one_of(services_, pairs[i].destination)) {
        sides[i] = FarSide::source;
      } else if (is_one_of(targets_, pairs[i].source)) {
        sides[i] = FarSide::destination;
      }
    }
  }

 private:
  static bool is_one_of(const std::array<IpAddress, 2>& list, const IpAddress& address) noexcept {
    return std::ranges::find(list, address) != list.end();
  }
  std::array<IpAddress, 2> services_{testkit::ip("10.0.2.254"), testkit::ip("2001:db8:2::fe")};
  std::array<IpAddress, 2> targets_{testkit::ip("10.0.2.50"), testkit::ip("2001:db8:2::50")};
};

class Team {
 public:
  static constexpr PoolSizes default_pool{.small_count = 512, .large_count = 16};

  explicit Team(std::size_t count, WorkerConfig config = {.pool = default_pool})
      : pool_sizes(config.pool), shared(metrics, count), scripts(count) {
    for (InterfaceId number = 1; number <= 3; ++number) {
      backend.add_interface(Lab::name(number), interface_mac(number));
      io.push_back(
          std::move(backend.open({.number = number, .name = Lab::name(number), .threads = count}, count).value()));
    }
    parts = Lab::make_parts();
    publish();
    std::vector<Exchange::Member> members;
    for (std::size_t number = 0; number < count; ++number) {
      config.number = number;
      workers.push_back(std::make_unique<ForwardingWorker>(config, shared));
      members.push_back(workers.back()->member());
    }
    exchange = std::make_unique<Exchange>(std::move(members));
    for (auto& worker : workers) worker->join(*exchange);
    set_ports();
    set_chains();
  }

  void set_ports() {
    for (std::size_t number = 0; number < workers.size(); ++number) {
      std::vector<PortEntry> ports;
      for (InterfaceId id = 1; id <= io.size(); ++id) {
        if (io[id - 1] != nullptr) ports.push_back({id, &io[id - 1]->port(number)});
      }
      workers[number]->set_ports(ports);
    }
  }
  void set_chains(const std::function<void()>& done = {}) {
    for (std::size_t number = 0; number < workers.size(); ++number) {
      static_cast<void>(workers[number]->make_context(Lab::module));
      workers[number]->set_chain({{Lab::module, packet_class::all, &scripts[number], PuntUrgency::normal, &steering}},
                                 [done] {
                                   if (done) done();
                                 });
    }
  }
  void publish() {
    ForwardingState::Parts copy = parts;
    shared.publish_forwarding(std::make_shared<const ForwardingState>(std::move(copy)));
  }
  // Runs the workers one after the other until nothing is left to do.
  void run() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& worker : workers) {
        while (worker->run_once(now)) busy = true;
        busy = worker->drain(sink) != 0 || busy;
      }
    }
  }
  void advance(Duration by) {
    now += by;
    run();
  }
  void inject(InterfaceId number, Frame frame, std::size_t worker = 0) {
    backend.inject(Lab::name(number), MemoryFrame{.bytes = std::move(frame)}, worker);
  }
  std::vector<Frame> sent(InterfaceId number) {
    std::vector<Frame> frames;
    for (MemoryFrame& frame : backend.take_sent(Lab::name(number))) frames.push_back(std::move(frame.bytes));
    return frames;
  }
  void set_neighbor(NetworkId network, const std::string& address, MacAddress mac, InterfaceId interface) {
    ASSERT_TRUE(
        shared.neighbors().update({network, testkit::ip(address), mac, interface, NeighborReachability::reachable}));
    for (auto& worker : workers) worker->neighbors_changed();
  }
  void know_everybody() {
    set_neighbor(2, "10.0.2.50", far_mac, 2);
    set_neighbor(2, "2001:db8:2::50", far_mac, 2);
    set_neighbor(2, "10.0.2.9", router_mac, 2);
    set_neighbor(2, "2001:db8:2::9", router_mac, 2);
  }
  std::uint64_t drops(const std::string& reason) const { return metrics.drops("core", reason); }
  // Every buffer is in the pool that it came from. Nobody runs.
  void expect_whole_pools() {
    run();
    for (auto& worker : workers) worker->run_once(now);  // takes home what came back last
    for (auto& worker : workers) {
      EXPECT_EQ(worker->pool().available_small(), pool_sizes.small_count) << "worker " << worker->number();
      EXPECT_EQ(worker->pool().available_large(), pool_sizes.large_count) << "worker " << worker->number();
    }
  }

  PoolSizes pool_sizes;
  MetricsRegistry metrics;
  SharedState shared;
  MemoryBackend backend;
  std::vector<std::unique_ptr<InterfaceIo>> io;
  std::vector<ScriptedWorker> scripts;  // by worker
  std::vector<std::unique_ptr<ForwardingWorker>> workers;
  std::unique_ptr<Exchange> exchange;
  ServiceSteering steering;
  RecordingSink sink;
  ForwardingState::Parts parts;
  Time now{};
};

}  // namespace trivet::core::test
