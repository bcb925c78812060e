// Cost of the balancer for each packet, by the size of its table: whole batches of 64 through the worker, translation
// included. "hit": packets of sessions picked at random from all there are. "miss": packets to a service that find no
// session and begin none. "pass": packets of others. "new": SYNs that begin sessions. "look_up": the table alone,
// batches of 64 keys, all there.
//
// Every run proves by counters that its packets were what it says.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "measure.h"
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

// Cells of their own, so that they can be read.
Handles handles() {
  Handles handles;
  handles.to_targets = Counter{1};
  handles.to_clients = Counter{2};
  handles.sessions_created = Counter{3};
  handles.sessions_expired = Counter{4};
  handles.sessions_removed = Counter{5};
  handles.sessions_replaced = Counter{6};
  handles.sessions_evicted = Counter{7};
  for (std::size_t i = 0; i < handles.drops.size(); ++i) handles.drops[i].id = static_cast<std::uint16_t>(i);
  return handles;
}

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
        worker(context, directory, handles()) {
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

// What the worker must have decided about each packet of the last batch.
bool is_right(const Batch& batch, Kind kind) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Verdict verdict = batch.verdict(i);
    switch (kind) {
      case Kind::hit:
        if (verdict != Verdict::forward()) return false;
        break;
      case Kind::miss:
        if (verdict != Verdict::drop({static_cast<std::uint16_t>(Refusal::no_session)})) return false;
        break;
      case Kind::pass:
        if (verdict != Verdict::next()) return false;
        break;
    }
  }
  return true;
}

void packets(benchmark::State& state, Family family, Kind kind, std::uint32_t sessions) {
  const auto bed = std::make_unique<Bed>(family, sessions);
  const CounterCells& counters = bed->context.counters();
  const std::uint64_t created = counters.read(Counter{3});
  const std::uint64_t before = counters.read(Counter{1});
  if (created < sessions) return state.SkipWithError("not every session was begun");
  Random random(2);
  const bench::Measure measure;
  for (auto _ : state) {
    // Making the packets is measured too, a few nanoseconds each: stopping the clock would cost more.
    for (std::size_t i = 0; i < Batch::capacity; ++i) {
      const auto client = static_cast<std::uint32_t>(random.below(sessions));
      bed->packets.set(i, kind == Kind::miss ? client + sessions + Batch::capacity : client, kind != Kind::pass,
                       wire::TcpHeader::ack);
    }
    bed->run();
    benchmark::DoNotOptimize(bed->batch.verdict(0));
  }
  const std::uint64_t count = static_cast<std::uint64_t>(state.iterations()) * Batch::capacity;
  measure.report(state, count);
  if (!is_right(bed->batch, kind)) return state.SkipWithError("a packet was not what it should have been");
  if (counters.read(Counter{1}) - before != (kind == Kind::hit ? count : 0)) {
    return state.SkipWithError("a hit was none, or something else was a hit");
  }
  if (counters.read(Counter{3}) != created) state.SkipWithError("a packet began a session");
}

void new_sessions(benchmark::State& state, Family family) {
  const auto room = static_cast<std::uint32_t>(state.range(0));
  const auto bed = std::make_unique<Bed>(family, 0);
  bed->worker.install(
      std::make_unique<Engine>(Engine::Sizes{.sessions4 = room, .sessions6 = room}, 1, std::make_shared<Traffic>()));
  std::uint32_t client = 0;
  const bench::Measure measure;
  for (auto _ : state) {
    for (std::size_t i = 0; i < Batch::capacity; ++i) bed->packets.set(i, client++, true, wire::TcpHeader::syn);
    bed->run();
  }
  const std::uint64_t count = static_cast<std::uint64_t>(state.iterations()) * Batch::capacity;
  measure.report(state, count);
  if (bed->context.counters().read(Counter{3}) != count) state.SkipWithError("not every SYN began a session");
}

template <class Address>
void look_up(benchmark::State& state, std::uint32_t sessions) {
  SessionTable<Address> table(sessions + sessions / 8);
  Random hashes(3);
  for (std::uint32_t i = 0; i < sessions; ++i) {
    const auto forward = static_cast<std::uint32_t>(hashes()) & ~1U;
    Session<Address>* const session = table.insert(forward, static_cast<std::uint32_t>(hashes()) | 1U);
    if (session == nullptr) return state.SkipWithError("the table is full");
    session->state = SessionState::established;
    session->expires = i;
  }
  Random random(2);
  std::uint64_t found = 0;
  std::array<typename SessionTable<Address>::Probe, Batch::capacity> wanted{};
  // Some millions of keys, made before the clock runs.
  std::vector<std::uint32_t> keys(std::min<std::size_t>(std::size_t{4} * sessions, 4'000'000) / wanted.size() *
                                  wanted.size());
  for (std::uint32_t& key : keys) {
    key = table.record(static_cast<std::uint32_t>(random.below(sessions))).forward_hash;
  }
  std::size_t at = 0;
  const bench::Measure measure;
  for (auto _ : state) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      wanted[i] = table.probe(keys[at + i]);
      table.prefetch_buckets(wanted[i]);
    }
    at = at + wanted.size() == keys.size() ? 0 : at + wanted.size();
    for (auto& probe : wanted) table.match(probe);
    for (const auto& probe : wanted) {
      const auto* session = table.find(
          probe, [hash = probe.hash](const Session<Address>& record) { return record.forward_hash == hash; });
      found += static_cast<std::uint64_t>(session != nullptr);
    }
  }
  const std::uint64_t count = static_cast<std::uint64_t>(state.iterations()) * wanted.size();
  measure.report(state, count);
  if (found != count) state.SkipWithError("a key was not found");
}

// Tables of both families (only one is filled), and what is around them.
// Runs everywhere, so that a machine short of memory still runs something.
constexpr std::uint32_t least_sessions = 1'000;

bool fits_in_memory(std::uint32_t sessions) {
  const auto free =
      static_cast<std::uint64_t>(::sysconf(_SC_AVPHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return free > std::uint64_t{sessions} * 100 + (std::uint64_t{256} << 20U);
}

const bool is_registered = [] {
  constexpr std::array kinds{std::pair{Kind::hit, "hit"}, std::pair{Kind::miss, "miss"}, std::pair{Kind::pass, "pass"}};
  for (const std::uint32_t sessions : {1'000U, 100'000U, 1'000'000U, 10'000'000U}) {
    if (sessions > least_sessions && !fits_in_memory(sessions)) continue;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      for (const auto& [kind, name] : kinds) {
        if (kind == Kind::pass && sessions != 1'000) continue;
        const std::string full = std::string{"slb/"} + name + (family == Family::ipv4 ? "/ipv4/" : "/ipv6/");
        benchmark::RegisterBenchmark((full + std::to_string(sessions)).c_str(), packets, family, kind, sessions);
      }
    }
  }
  for (const std::uint32_t sessions : {1'000U, 1'000'000U, 8'000'000U}) {
    if (sessions > least_sessions && !fits_in_memory(sessions)) continue;
    const std::string number = std::to_string(sessions);
    benchmark::RegisterBenchmark(("slb/look_up/ipv4/" + number).c_str(), look_up<Ipv4Address>, sessions);
    benchmark::RegisterBenchmark(("slb/look_up/ipv6/" + number).c_str(), look_up<Ipv6Address>, sessions);
  }
  for (const std::int64_t room : {6'400, 1'000'000}) {
    benchmark::RegisterBenchmark("slb/new_sessions/ipv4", new_sessions, Family::ipv4)->Arg(room)->Iterations(room / 64);
    benchmark::RegisterBenchmark("slb/new_sessions/ipv6", new_sessions, Family::ipv6)->Arg(room)->Iterations(room / 64);
  }
  return true;
}();

}  // namespace
}  // namespace trivet::slb
