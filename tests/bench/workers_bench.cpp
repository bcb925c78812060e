// What several workers cost and bring, without any device: steering alone; a packet that is handed to another worker,
// beside one that is not, both workers on one thread (the work of it, without the caches' traffic); one and two workers
// on threads of their own, where half of the packets cross.
//
// Threads need as many free processors: judge by the ratio of runs in turn (scripts and other builds rest).
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "core/pipeline/exchange.h"
#include "core/pipeline/forwarding_worker.h"
#include "core/pipeline/steering.h"
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
constexpr std::uint32_t clients = 256;

// Gives a burst of frames at each call, of another client each; takes everything.
class ClientPort final : public PacketPort {
 public:
  explicit ClientPort(std::vector<Frame> frames) : frames_(std::move(frames)) {}
  std::size_t receive(PacketPool& pool, std::span<Packet*> out) noexcept override {
    if (frames_.empty()) return 0;
    std::size_t count = 0;
    for (; count < out.size(); ++count) {
      const Frame& frame = frames_[next_];
      Packet* const packet = pool.acquire(frame.size());
      if (packet == nullptr) break;
      next_ = next_ + 1 == frames_.size() ? 0 : next_ + 1;
      std::memcpy(packet->data, frame.data(), frame.size());
      packet->length = static_cast<std::uint32_t>(frame.size());
      out[count] = packet;
    }
    return count;
  }
  void transmit(PacketPool& pool, std::span<Packet* const> packets) noexcept override {
    sent_ += packets.size();
    for (Packet* const packet : packets) pool.release(packet);
  }
  [[nodiscard]] std::vector<int> poll_fds() const override { return {}; }
  [[nodiscard]] PortCounters counters() const noexcept override { return {.tx_frames = sent_}; }

 private:
  std::vector<Frame> frames_;
  std::size_t next_ = 0;
  std::uint64_t sent_ = 0;
};

class Forwarding final : public Worker {
 public:
  void process(Batch& batch) noexcept override {
    for (const std::size_t i : batch.pending()) batch.decide(i, Verdict::forward());
  }
};

// The client is the source of everything here.
class SourceSteering final : public Steering {
 public:
  void find_far_sides(std::span<const AddressPair>, std::span<FarSide> sides) const noexcept override {
    for (FarSide& side : sides) side = FarSide::source;
  }
};

ForwardingState::Parts parts() {
  ForwardingState::Parts result;
  result.interfaces = {{1, "in", in_mac, 1500, true, {1}}, {2, "out", out_mac, 1500, true, {2}}};
  for (NetworkId number = 1; number <= 2; ++number) {
    NetworkView network;
    network.number = number;
    network.interfaces = {number};
    result.networks.push_back(network);
  }
  result.routes.push_back({{ip("2001:db8:2::"), 64}, std::nullopt, 2});
  return result;
}

std::vector<Frame> frames_of(const std::function<bool(std::uint32_t client)>& wanted) {
  using namespace testkit;
  std::vector<Frame> frames;
  for (std::uint32_t client = 0; frames.size() < clients; ++client) {
    if (!wanted(client)) continue;
    Ipv6Address source = ip6("2001:db8:1::");
    source.bytes[14] = static_cast<std::uint8_t>(client >> 8U);
    source.bytes[15] = static_cast<std::uint8_t>(client);
    frames.push_back(eth(host_mac, in_mac) / testkit::ipv6(source, ip6("2001:db8:2::80")) / tcp(1, 80).syn());
  }
  return frames;
}
std::uint32_t owner(std::uint32_t client, std::uint32_t workers) {
  Ipv6Address source = testkit::ip6("2001:db8:1::");
  source.bytes[14] = static_cast<std::uint8_t>(client >> 8U);
  source.bytes[15] = static_cast<std::uint8_t>(client);
  return spread(fold(source), workers);
}

// Workers with a port each to receive from and one to send by.
class Bed {
 public:
  Bed(std::size_t count, const std::function<std::vector<Frame>(std::size_t worker)>& frames)
      : shared_(metrics_, count) {
    shared_.publish_forwarding(std::make_shared<const ForwardingState>(parts()));
    static_cast<void>(
        shared_.neighbors().update({2, ip("2001:db8:2::80"), far_mac, 2, NeighborReachability::reachable}));
    std::vector<Exchange::Member> members;
    for (std::size_t number = 0; number < count; ++number) {
      WorkerConfig config;
      config.number = number;
      workers_.push_back(std::make_unique<ForwardingWorker>(config, shared_));
      members.push_back(workers_.back()->member());
      in_.push_back(std::make_unique<ClientPort>(frames(number)));
      out_.push_back(std::make_unique<ClientPort>(std::vector<Frame>{}));
      modules_.push_back(std::make_unique<Forwarding>());
    }
    if (count > 1) exchange_ = std::make_unique<Exchange>(std::move(members));
    for (std::size_t number = 0; number < count; ++number) {
      if (exchange_ != nullptr) workers_[number]->join(*exchange_);
      workers_[number]->set_ports({{1, in_[number].get()}, {2, out_[number].get()}});
      workers_[number]->set_chain({{1, packet_class::all, modules_[number].get(), PuntUrgency::normal, &steering_}});
    }
  }
  void run(std::size_t number) { workers_[number]->run_once(Time{}); }
  [[nodiscard]] std::uint64_t sent(std::size_t number) const { return out_[number]->counters().tx_frames; }
  [[nodiscard]] std::uint64_t lost() const { return metrics_.drops("core", "worker-queue-full"); }

 private:
  MetricsRegistry metrics_;
  SharedState shared_;
  SourceSteering steering_;
  std::vector<std::unique_ptr<Forwarding>> modules_;
  std::vector<std::unique_ptr<ClientPort>> in_, out_;
  std::vector<std::unique_ptr<ForwardingWorker>> workers_;
  std::unique_ptr<Exchange> exchange_;
};

void steering(benchmark::State& state) {
  const auto workers = static_cast<std::uint32_t>(state.range(0));
  ClientPort port(frames_of([](std::uint32_t) { return true; }));
  PacketPool pool;
  std::array<Packet*, Batch::capacity> packets{};
  port.receive(pool, packets);
  for (Packet* const packet : packets) {
    packet->classes = packet_class::all | packet_class::ipv6 | packet_class::tcp;
    packet->l3_offset = sizeof(wire::EthernetHeader);
  }
  const SourceSteering module;
  const Steering* const modules[] = {&module};
  Steerer steerer;
  std::array<std::uint32_t, Batch::capacity> owners{};
  const bench::Measure measure;
  for (auto _ : state) {
    steerer.find_owners(packets, modules, 0, workers, owners);
    benchmark::DoNotOptimize(owners);
  }
  measure.report(state, static_cast<std::uint64_t>(state.iterations()) * Batch::capacity);
}
BENCHMARK(steering)->ArgName("workers")->Arg(2)->Arg(4);

// kept: worker 0 receives what is its own. handed over: what is worker 1's.
void hand_over(benchmark::State& state) {
  const auto wanted = static_cast<std::uint32_t>(state.range(0));
  Bed bed(2, [wanted](std::size_t number) {
    return number != 0 ? std::vector<Frame>{}
                       : frames_of([wanted](std::uint32_t client) { return owner(client, 2) == wanted; });
  });
  const bench::Measure measure;
  for (auto _ : state) {
    bed.run(0);
    bed.run(1);
  }
  const auto expected = static_cast<std::uint64_t>(state.iterations()) * Batch::capacity;
  if (bed.sent(wanted) != expected) return state.SkipWithError("not every packet was sent by its owner");
  measure.report(state, expected);
}
BENCHMARK(hand_over)->ArgName("handed over")->Arg(0)->Arg(1);

// The same load for each worker, so twice of it with two; packets that are lost for want of room do not count.
std::unique_ptr<Bed> shared_bed;
void workers_on_threads(benchmark::State& state) {
  const auto self = static_cast<std::size_t>(state.thread_index());
  const std::uint64_t before = shared_bed->sent(self);
  for (auto _ : state) shared_bed->run(self);
  const auto packets = static_cast<double>(shared_bed->sent(self) - before);
  state.SetItemsProcessed(static_cast<std::int64_t>(packets));
  if (self == 0) state.counters["lost"] = static_cast<double>(shared_bed->lost());
}
BENCHMARK(workers_on_threads)
    ->Setup([](const benchmark::State& state) {
      shared_bed = std::make_unique<Bed>(static_cast<std::size_t>(state.threads()),
                                         [](std::size_t) { return frames_of([](std::uint32_t) { return true; }); });
    })
    ->Teardown([](const benchmark::State&) { shared_bed.reset(); })
    ->Threads(1)
    ->Threads(2)
    ->UseRealTime();

}  // namespace
}  // namespace trivet::core
