// A forwarding worker on virtual cables with one module that does what the test says: the fixture of pipeline tests.
//
// Network 1: interface 1, 10.0.1.0/24, 2001:db8:1::/64, real .1/::1. Network 2: interfaces 2 and 3, 10.0.2.0/24,
// 2001:db8:2::/64, real .1/::1, virt 10.0.2.254 and 2001:db8:2::fe. Default routes: 10.0.2.9 and 2001:db8:2::9.
#pragma once

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/io/memory.h"
#include "core/metrics/registry.h"
#include "core/pipeline/forwarding_worker.h"
#include "core/pipeline/shared_state.h"
#include "trivet/forwarding.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::core::test {

using testkit::Frame;

inline MacAddress interface_mac(InterfaceId number) { return {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(number)}}; }
inline const MacAddress host_mac{{2, 0, 0, 0, 1, 1}};    // on network 1
inline const MacAddress far_mac{{2, 0, 0, 0, 2, 0x50}};  // 10.0.2.50, 2001:db8:2::50
inline const MacAddress router_mac{{2, 0, 0, 0, 2, 9}};  // the default gateway

// A module's worker whose behaviour is a function.
class ScriptedWorker : public Worker {
 public:
  std::function<Verdict(Packet&, Batch&)> decide = [](Packet&, Batch&) { return Verdict::forward(); };
  std::function<void(Batch&)> whole;  // instead of `decide`
  std::vector<Time> ticks;
  std::vector<std::size_t> batches;  // number of pending packets of each call

  void process(Batch& batch) noexcept override {
    batches.push_back(static_cast<std::size_t>(std::popcount(batch.pending().mask())));
    if (whole) return whole(batch);
    for (const std::size_t i : batch.pending()) batch.decide(i, decide(batch.packet(i), batch));
  }
  void tick(Time now) noexcept override { ticks.push_back(now); }
};

struct Punt {
  ModuleId module = 0;
  Frame frame;
  InterfaceId in_interface = 0;
};

struct RecordingSink : ControlSink {
  std::vector<Punt> punts;
  std::vector<std::pair<ModuleId, WorkerMessage>> messages;
  std::vector<std::string> neighbors;  // "wanted 2/10.0.2.50"

  void on_punt(ModuleId module, const Packet& packet) override {
    punts.push_back({module, Frame(packet.frame().begin(), packet.frame().end()), packet.in_interface});
  }
  void on_message(ModuleId module, const WorkerMessage& message) override { messages.emplace_back(module, message); }
  void on_neighbor_wanted(NetworkId network, const IpAddress& address) override {
    neighbors.push_back("wanted " + std::to_string(network) + "/" + to_string(address));
  }
  void on_neighbor_used(NetworkId network, const IpAddress& address) override {
    neighbors.push_back("used " + std::to_string(network) + "/" + to_string(address));
  }
};

class Lab {
 public:
  static constexpr ModuleId module = 7;

  explicit Lab(WorkerConfig config = {}) : shared(metrics, 1), worker(config, shared) {
    std::vector<PortEntry> ports;
    for (InterfaceId number = 1; number <= 3; ++number) {
      backend.add_interface(name(number), interface_mac(number));
      io.push_back(std::move(backend.open({.number = number, .name = name(number)}, 1).value()));
      ports.push_back({number, &io.back()->port(0)});
    }
    parts = make_parts();
    publish();
    worker.set_ports(ports);
    context = &worker.make_context(module);
    worker.set_chain({{module, packet_class::all, &script, PuntUrgency::normal}});
    run();
  }

  static std::string name(InterfaceId number) { return "eth" + std::to_string(number); }

  static ForwardingState::Parts make_parts() {
    using testkit::ip;
    using testkit::ip4;
    using testkit::ip6;
    ForwardingState::Parts parts;
    parts.role.role = Role::master;
    parts.role.vrid = 64;
    parts.role.virtual_mac = true;
    for (InterfaceId number = 1; number <= 3; ++number) {
      const NetworkId network = number == 1 ? 1 : 2;
      parts.interfaces.push_back({number, name(number), interface_mac(number), 1500, true, {network}});
    }
    for (NetworkId number = 1; number <= 2; ++number) {
      const std::string n = std::to_string(number);
      NetworkView view;
      view.number = number;
      view.interfaces = number == 1 ? std::vector<InterfaceId>{1} : std::vector<InterfaceId>{2, 3};
      view.prefix4 = IpPrefix{ip("10.0." + n + ".0"), 24};
      view.prefix6 = IpPrefix{ip("2001:db8:" + n + "::"), 64};
      view.real4 = ip4("10.0." + n + ".1");
      view.real6 = ip6("2001:db8:" + n + "::1");
      parts.routes.push_back({*view.prefix4, std::nullopt, number});
      parts.routes.push_back({*view.prefix6, std::nullopt, number});
      parts.addresses.push_back({*view.real4, AddressScope::own, number});
      parts.addresses.push_back({*view.real6, AddressScope::own, number});
      parts.networks.push_back(view);
    }
    parts.addresses.push_back({ip("10.0.2.254"), AddressScope::master, 2});
    parts.addresses.push_back({ip("2001:db8:2::fe"), AddressScope::master, 2});
    parts.routes.push_back({{ip("0.0.0.0"), 0}, ip("10.0.2.9"), 2});
    parts.routes.push_back({{ip("::"), 0}, ip("2001:db8:2::9"), 2});
    return parts;
  }

  void publish() {
    ForwardingState::Parts copy = parts;
    shared.publish_forwarding(std::make_shared<const ForwardingState>(std::move(copy)));
  }

  // Runs the worker, delivering what it sends to control, until nothing is left to do.
  void run() {
    bool busy = true;
    while (busy) {
      busy = worker.run_once(now);
      busy = worker.drain(sink) != 0 || busy;
    }
  }
  void advance(Duration by) {
    now += by;
    run();
  }
  void inject(InterfaceId number, Frame frame) { backend.inject(name(number), std::move(frame)); }
  void inject_and_run(InterfaceId number, Frame frame) {
    inject(number, std::move(frame));
    run();
  }
  std::vector<Frame> sent(InterfaceId number) {
    std::vector<Frame> frames;
    for (MemoryFrame& frame : backend.take_sent(name(number))) frames.push_back(std::move(frame.bytes));
    return frames;
  }
  void set_neighbor(NetworkId network, const std::string& address, MacAddress mac, InterfaceId interface,
                    NeighborReachability reachability = NeighborReachability::reachable) {
    ASSERT_TRUE(shared.neighbors().update({network, testkit::ip(address), mac, interface, reachability}));
    worker.neighbors_changed();
  }
  // 10.0.2.50, 2001:db8:2::50 and both gateways behind interface 2, the hosts of network 1 behind interface 1.
  void know_everybody() {
    set_neighbor(2, "10.0.2.50", far_mac, 2);
    set_neighbor(2, "2001:db8:2::50", far_mac, 2);
    set_neighbor(2, "10.0.2.9", router_mac, 2);
    set_neighbor(2, "2001:db8:2::9", router_mac, 2);
    set_neighbor(1, "10.0.1.50", host_mac, 1);
    set_neighbor(1, "2001:db8:1::50", host_mac, 1);
  }
  std::uint64_t drops(const std::string& reason) const { return metrics.drops("core", reason); }

  MetricsRegistry metrics;
  SharedState shared;
  MemoryBackend backend;
  std::vector<std::unique_ptr<InterfaceIo>> io;
  ForwardingWorker worker;
  ScriptedWorker script;
  WorkerContext* context = nullptr;
  RecordingSink sink;
  ForwardingState::Parts parts;
  Time now{};
};

}  // namespace trivet::core::test
