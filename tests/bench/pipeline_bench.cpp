// Cost of the pipeline for each packet, without any device and without real modules (those are in seed_bench): door
// alone; a chain of seven modules that decide nothing, on a batch; the whole way of a worker from receive to transmit
// with one module that forwards, behind six that pass on.
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "core/pipeline/door.h"
#include "core/pipeline/forwarding_worker.h"
#include "measure.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::core {
namespace {

using testkit::Frame;
using testkit::ip;

constexpr MacAddress in_mac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress out_mac{{2, 0, 0, 0, 0, 2}};
constexpr MacAddress host_mac{{2, 0, 0, 0, 1, 1}};
constexpr MacAddress far_mac{{2, 0, 0, 0, 2, 80}};

// Gives 64 copies of a frame at each call; takes everything.
class EndlessPort final : public PacketPort {
 public:
  explicit EndlessPort(Frame frame) : frame_(std::move(frame)) {}
  std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept override {
    if (frame_.empty()) return 0;
    for (Packet*& packet : out) {
      packet = pool.acquire(frame_.size());
      std::memcpy(packet->data, frame_.data(), frame_.size());
      packet->length = static_cast<std::uint32_t>(frame_.size());
    }
    return out.size();
  }
  void transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept override {
    sent_ += packets.size();
    for (Packet* const packet : packets) pool.release(packet);
  }
  [[nodiscard]] std::vector<int> poll_fds() const override { return {}; }
  [[nodiscard]] PortCounters counters() const noexcept override { return {.tx_frames = sent_}; }

 private:
  Frame frame_;
  std::uint64_t sent_ = 0;
};

class Passing final : public Worker {
 public:
  void process(Batch&) noexcept override {}
};
class Forwarding final : public Worker {
 public:
  void process(Batch& batch) noexcept override {
    for (const std::size_t i : batch.pending()) batch.decide(i, Verdict::forward());
  }
};

ForwardingState::Parts parts() {
  ForwardingState::Parts result;
  result.interfaces = {{1, "in", in_mac, 1500, true, {1}}, {2, "out", out_mac, 1500, true, {2}}};
  for (NetworkId number = 1; number <= 2; ++number) {
    const auto byte = static_cast<std::uint8_t>(number);
    NetworkView network;
    network.number = number;
    network.interfaces = {number};
    network.prefix4 = IpPrefix{Ipv4Address{{10, 0, byte, 0}}, 24};
    network.real4 = Ipv4Address{{10, 0, byte, 1}};
    result.addresses.push_back({*network.real4, AddressScope::own, number});
    result.routes.push_back({*network.prefix4, std::nullopt, number});
    result.networks.push_back(network);
  }
  result.routes.push_back({{ip("2001:db8:2::"), 64}, std::nullopt, 2});
  return result;
}

Frame frame_of(bool is_v6) {
  using namespace testkit;
  if (is_v6) return eth(host_mac, in_mac) / testkit::ipv6("2001:db8:1::9", "2001:db8:2::80") / tcp(1, 80).syn();
  return eth(host_mac, in_mac) / testkit::ipv4("10.0.1.9", "10.0.2.80") / tcp(1, 80).syn();
}

void door(benchmark::State& state) {
  const ForwardingState forwarding(parts());
  const DoorFilter filter;
  EndlessPort port(frame_of(state.range(0) == 6));
  PacketPool pool;
  std::array<Packet*, Batch::capacity> packets{};
  port.receive(pool, packets);
  std::array<DoorDrop, Batch::capacity> results{};
  const bench::Measure measure;
  for (auto _ : state) {
    for (Packet* const packet : packets) packet->in_interface = 1;
    examine(packets, forwarding, filter, results);
    benchmark::DoNotOptimize(results);
  }
  if (results[0] != DoorDrop::none) return state.SkipWithError("the door refuses the frame");
  measure.report(state, static_cast<std::uint64_t>(state.iterations()) * Batch::capacity);
}
BENCHMARK(door)->ArgName("ip")->Arg(4)->Arg(6);

void chain_of_seven(benchmark::State& state) {
  const ForwardingState forwarding(parts());
  EndlessPort port(frame_of(false));
  PacketPool pool;
  std::array<Packet*, Batch::capacity> packets{};
  port.receive(pool, packets);
  for (Packet* const packet : packets) packet->classes = packet_class::all | packet_class::ipv4 | packet_class::tcp;
  // "interested": each module wants the packets; else none does.
  const PacketClass wanted = state.range(0) == 1 ? packet_class::tcp : packet_class::arp;
  std::array<Passing, 7> modules;
  std::vector<ChainEntry> entries;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    entries.push_back({static_cast<ModuleId>(i), wanted, &modules[i], PuntUrgency::normal});
  }
  std::array<ModuleCounts, max_modules> counts;
  Chain chain(entries, counts);
  auto batch = std::make_unique<Batch>();
  Chain::Outcome outcome;
  const bench::Measure measure;
  for (auto _ : state) {
    batch->reset(Time{}, forwarding);
    for (Packet* const packet : packets) batch->push(*packet);
    chain.run(*batch, outcome);
    benchmark::DoNotOptimize(outcome);
  }
  const std::uint64_t seen = counts[0].packets.load();
  const std::uint64_t wanted_packets =
      state.range(0) == 1 ? static_cast<std::uint64_t>(state.iterations()) * Batch::capacity : 0;
  if (seen != wanted_packets) return state.SkipWithError("the modules did not see what they want");
  measure.report(state, static_cast<std::uint64_t>(state.iterations()) * Batch::capacity);
}
BENCHMARK(chain_of_seven)->ArgName("interested")->Arg(0)->Arg(1);

void worker_forward(benchmark::State& state) {
  const bool is_v6 = state.range(0) == 6;
  MetricsRegistry metrics;
  SharedState shared(metrics, 1);
  shared.publish_forwarding(std::make_shared<const ForwardingState>(parts()));
  for (const char* const address : {"10.0.2.80", "2001:db8:2::80"}) {
    if (!shared.neighbors().update({2, ip(address), far_mac, 2, NeighborReachability::reachable})) {
      return state.SkipWithError("the neighbour is not taken");
    }
  }
  ForwardingWorker worker({}, shared);
  EndlessPort in(frame_of(is_v6));
  EndlessPort out({});
  std::array<Passing, 6> passing;
  Forwarding forwarding;
  std::vector<ChainEntry> entries;
  for (std::size_t i = 0; i < passing.size(); ++i) {
    entries.push_back({static_cast<ModuleId>(i), packet_class::tcp, &passing[i], PuntUrgency::normal});
  }
  entries.push_back({6, packet_class::all, &forwarding, PuntUrgency::normal});
  worker.set_ports({{1, &in}, {2, &out}});
  worker.set_chain(std::move(entries));
  Time now{};
  const bench::Measure measure;
  for (auto _ : state) {
    worker.run_once(now);
    now += std::chrono::microseconds{10};
  }
  const auto expected = static_cast<std::uint64_t>(state.iterations()) * Batch::capacity;
  if (out.counters().tx_frames != expected) return state.SkipWithError("not every packet was sent");
  measure.report(state, static_cast<std::uint64_t>(state.iterations()) * Batch::capacity);
}
BENCHMARK(worker_forward)->ArgName("ip")->Arg(4)->Arg(6);

}  // namespace
}  // namespace trivet::core
