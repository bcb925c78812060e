// Cost of the balancer for each packet, by the size of its table: whole batches of 64 through the worker, translation
// included. "hit": packets of sessions picked at random from all there are. "miss": packets to a service that find no
// session and begin none. "pass": packets of others. "new": SYNs that begin sessions.
//
// The time of one packet is the time of an iteration / 64 (items a second says it too).
#include <benchmark/benchmark.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "slb/directory.h"
#include "slb/worker.h"
#include "trivet/forwarding.h"
#include "trivet/module.h"
#include "trivet/random.h"

namespace trivet::slb {
namespace {

const Ipv4Address service4 = *parse_ipv4("10.0.0.80");
const Ipv4Address other4 = *parse_ipv4("10.0.0.99");
const Ipv6Address service6 = *parse_ipv6("2001:db8::80");
const Ipv6Address other6 = *parse_ipv6("2001:db8::99");
const Ipv6Address clients6 = *parse_ipv6("2001:db8:2::");

class Context final : public WorkerContext {
 public:
  [[nodiscard]] std::size_t number() const override { return 0; }
  [[nodiscard]] CounterCells& counters() override { return counters_; }
  [[nodiscard]] Random& random() override { return random_; }
  bool post(const WorkerMessage&) noexcept override { return true; }
  Packet* acquire() noexcept override { return nullptr; }
  void hand_over(Packet*, Verdict) noexcept override {}

 private:
  CounterCells counters_{16};
  Random random_{1};
};

std::unique_ptr<const Directory> two_targets() {
  ServerConfig server;
  server.number = 1;
  server.address4 = service4;
  server.address6 = service6;
  server.port = 8080;
  server.protocol = wire::ip_protocol::tcp;
  server.session_id = SessionId::connection;
  server.targets = {1, 2};
  server.session_timeout = std::chrono::seconds(100000);
  server.state = LifeCycle::enabled;
  TargetConfig first;
  first.number = 1;
  first.address4 = parse_ipv4("10.1.0.1");
  first.address6 = parse_ipv6("2001:db8:1::1");
  first.port = 80;
  first.state = LifeCycle::enabled;
  TargetConfig second = first;
  second.number = 2;
  second.address4 = parse_ipv4("10.1.0.2");
  second.address6 = parse_ipv6("2001:db8:1::2");
  Config config;
  config.servers = {server};
  config.targets = {first, second};
  Registry registry;
  registry.configure(config);
  return registry.build();
}

// 64 TCP packets in buffers of their own, as the door hands them over.
class Packets {
 public:
  explicit Packets(Family family) : family_(family) {
    for (std::size_t i = 0; i < packets_.size(); ++i) {
      Packet& packet = packets_[i];
      packet.buffer = packet.data = buffers_[i].data();
      packet.capacity = static_cast<std::uint32_t>(buffers_[i].size());
      packet.l3_offset = sizeof(wire::EthernetHeader);
      packet.protocol = wire::ip_protocol::tcp;
      const bool is_v4 = family == Family::ipv4;
      const std::size_t l3 = is_v4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header);
      packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + l3);
      packet.payload_offset = static_cast<std::uint16_t>(packet.l4_offset + sizeof(wire::TcpHeader));
      packet.length = packet.payload_offset;
      packet.classes = packet_class::all | packet_class::tcp | (is_v4 ? packet_class::ipv4 : packet_class::ipv6);
    }
  }
  // Client number `client` has an address and a port of its own.
  void set(std::size_t at, std::uint32_t client, bool to_service, std::uint8_t flags) {
    Packet& packet = packets_[at];
    if (family_ == Family::ipv4) {
      packet.ipv4() = wire::Ipv4Header{};
      packet.ipv4().source = Ipv4Address::from_number(0xac100000U + (client >> 4U));
      packet.ipv4().destination = to_service ? service4 : other4;
    } else {
      packet.ipv6() = wire::Ipv6Header{};
      packet.ipv6().source = clients6;
      const std::uint32_t host = client >> 4U;
      std::memcpy(packet.ipv6().source.bytes.data() + 12, &host, sizeof host);
      packet.ipv6().destination = to_service ? service6 : other6;
    }
    packet.tcp() = wire::TcpHeader{};
    packet.tcp().source_port = static_cast<std::uint16_t>(1024 + (client & 15U));
    packet.tcp().destination_port = 8080;
    packet.tcp().flags = flags;
  }
  void fill(Batch& batch, const ForwardingState& state) {
    batch.reset(Time{} + std::chrono::seconds(1), state);
    for (Packet& packet : packets_) batch.push(packet);
    batch.set_pending(~std::uint64_t{0});
  }

 private:
  Family family_;
  std::array<Packet, Batch::capacity> packets_{};
  std::array<std::array<std::uint8_t, 128>, Batch::capacity> buffers_{};
};

struct Bed {
  Bed(Family family, std::uint32_t sessions)
      : packets(family),
        directory(two_targets()),
        state(ForwardingState::Parts{}),
        worker(context, directory, Handles{}) {
    const Engine::Sizes sizes{.sessions4 = sessions + 1000, .sessions6 = sessions + 1000};
    worker.install(std::make_unique<Engine>(sizes, 1, std::make_shared<Traffic>()));
    for (std::uint32_t client = 0; client < sessions; client += Batch::capacity) {
      for (std::uint32_t i = 0; i < Batch::capacity; ++i) packets.set(i, client + i, true, wire::TcpHeader::syn);
      run();
    }
  }
  void run() {
    packets.fill(batch, state);
    worker.process(batch);
  }
  Packets packets;
  Snapshot<Directory> directory;
  ForwardingState state;
  Context context;
  BalancerWorker worker;
  Batch batch;
};

enum class Kind : std::uint8_t { hit, miss, pass };

void packets(benchmark::State& state, Family family, Kind kind) {
  const auto sessions = static_cast<std::uint32_t>(state.range(0));
  const auto bed = std::make_unique<Bed>(family, sessions);
  Random random(2);
  for (auto _ : state) {
    // Making the packets is measured too, a few nanoseconds each: stopping the clock would cost more.
    for (std::size_t i = 0; i < Batch::capacity; ++i) {
      const auto client = static_cast<std::uint32_t>(random.below(sessions));
      bed->packets.set(i, kind == Kind::miss ? client + sessions : client, kind != Kind::pass, wire::TcpHeader::ack);
    }
    bed->run();
    benchmark::DoNotOptimize(bed->batch.verdict(0));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(Batch::capacity));
}

void new_sessions(benchmark::State& state, Family family) {
  constexpr std::uint32_t room = 1'000'000;
  std::unique_ptr<Bed> bed;
  std::uint32_t client = room;
  for (auto _ : state) {
    if (client >= room) {
      state.PauseTiming();
      bed = nullptr;
      bed = std::make_unique<Bed>(family, 0);
      bed->worker.install(std::make_unique<Engine>(Engine::Sizes{.sessions4 = room, .sessions6 = room}, 1,
                                                   std::make_shared<Traffic>()));
      client = 0;
      state.ResumeTiming();
    }
    for (std::size_t i = 0; i < Batch::capacity; ++i) bed->packets.set(i, client++, true, wire::TcpHeader::syn);
    bed->run();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(Batch::capacity));
}

BENCHMARK_CAPTURE(packets, ipv4_hit, Family::ipv4, Kind::hit)->Arg(1'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(packets, ipv4_miss, Family::ipv4, Kind::miss)->Arg(1'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(packets, ipv4_pass, Family::ipv4, Kind::pass)->Arg(1'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(packets, ipv6_hit, Family::ipv6, Kind::hit)->Arg(1'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(packets, ipv6_miss, Family::ipv6, Kind::miss)->Arg(1'000)->Arg(1'000'000);
BENCHMARK_CAPTURE(new_sessions, ipv4_new, Family::ipv4);
BENCHMARK_CAPTURE(new_sessions, ipv6_new, Family::ipv6);

}  // namespace
}  // namespace trivet::slb
