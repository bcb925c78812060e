// Cost of the pipeline for each packet, without any device and without real modules (those are in seed_bench): door
// alone; a chain of seven modules that decide nothing, on a batch; the whole way of a worker from receive to transmit
// with one module that forwards, behind six that pass on.
#include <array>
#include <memory>
#include <vector>

#include "core/pipeline/forwarding_worker.h"
#include "measure.h"
#include "pipeline_bed.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::core {
namespace {

using bench::EndlessPort;
using bench::pipeline_frame;
using bench::pipeline_parts;
using testkit::ip;

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

void door(benchmark::State& state) {
  bench::DoorBed bed(state.range(0) == 6 ? Family::ipv6 : Family::ipv4);
  const bench::Measure measure;
  for (auto _ : state) bed.run();
  if (!bed.lets_in()) return state.SkipWithError("the door refuses the frame");
  measure.report(state, static_cast<std::uint64_t>(state.iterations()) * Batch::capacity);
}
BENCHMARK(door)->ArgName("ip")->Arg(4)->Arg(6);

void chain_of_seven(benchmark::State& state) {
  const ForwardingState forwarding(pipeline_parts());
  EndlessPort port(pipeline_frame(Family::ipv4));
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
  shared.publish_forwarding(std::make_shared<const ForwardingState>(pipeline_parts()));
  for (const char* const address : {"10.0.2.80", "2001:db8:2::80"}) {
    if (!shared.neighbors().update({2, ip(address), bench::pipeline_neighbor, 2, NeighborReachability::reachable})) {
      return state.SkipWithError("the neighbour is not taken");
    }
  }
  ForwardingWorker worker({}, shared);
  EndlessPort in(pipeline_frame(is_v6 ? Family::ipv6 : Family::ipv4));
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
