// The whole way of a packet through the seed's node, from receive to transmit: real modules, real configuration
// (examples/lb1.conf, and the same in IPv4), established sessions. Copying a frame in, as a driver would, is in it;
// "copy alone" says what that costs.
//
//     hit_forward, hit_reverse  packets of sessions picked at random, to targets and back
//     mixed                     28 forward, 3 routed, 1 echo from one side, 32 reverse from the other
//     routed, echo              of one flow
//     with_idle_module          hit_forward with one module more, which wants every packet and does nothing
//     new_sessions              SYN of clients that have no session yet; items a second = sessions a second
//
// Every run proves by counters that its packets were what it says, and that each of them left.
#include <string>

#include "measure.h"
#include "seed_bed.h"
#include "trivet/batch.h"
#include "trivet/random.h"

namespace trivet::bench {
namespace {

constexpr std::size_t burst = Batch::capacity;

enum class Traffic : std::uint8_t { hit_forward, hit_reverse, mixed, routed, echo };

struct Load {
  FrameList access;
  FrameList inside;
  std::size_t access_burst = burst;
  std::size_t inside_burst = burst;
};

// So many that the sessions of a large table are not all in the cache when they come again.
std::size_t frames_for(std::uint32_t sessions) { return std::min<std::size_t>(std::size_t{4} * sessions, 1'000'000); }

Load load_of(const SeedBed& bed, Traffic traffic) {
  const std::uint32_t sessions = bed.kind().sessions;
  Random random(2);
  Load load;
  const auto client = [&] { return static_cast<std::uint32_t>(random.below(sessions)); };
  const std::size_t count = frames_for(sessions) / burst * burst;
  switch (traffic) {
    case Traffic::hit_forward:
      for (std::size_t i = 0; i < count; ++i) load.access.add(bed.from_client(client(), wire::TcpHeader::ack));
      break;
    case Traffic::hit_reverse:
      for (std::size_t i = 0; i < count; ++i) load.inside.add(bed.from_target(client(), wire::TcpHeader::ack));
      break;
    case Traffic::mixed:
      load.access_burst = load.inside_burst = burst / 2;
      for (std::size_t i = 0; i < count / 2; ++i) {
        const std::size_t place = i % load.access_burst;
        const bool is_hit = place < 28;
        load.access.add(is_hit ? bed.from_client(client(), wire::TcpHeader::ack)
                               : (place < 31 ? bed.routed() : bed.echo_request()));
        load.inside.add(bed.from_target(client(), wire::TcpHeader::ack));
      }
      break;
    case Traffic::routed:
      for (std::size_t i = 0; i < burst; ++i) load.access.add(bed.routed());
      break;
    case Traffic::echo:
      for (std::size_t i = 0; i < burst; ++i) load.access.add(bed.echo_request());
      break;
  }
  return load;
}

struct Counts {
  explicit Counts(SeedBed& bed)
      : to_targets(bed.counter("slb", "to_targets")),
        to_clients(bed.counter("slb", "to_clients")),
        routed(bed.counter("rt", "routed")),
        sent(bed.access().sent() + bed.inside().sent()) {}
  std::uint64_t to_targets;
  std::uint64_t to_clients;
  std::uint64_t routed;
  std::uint64_t sent;
};

// What 64 packets of the traffic must have counted.
Counts expected(Counts counts, Traffic traffic, std::uint64_t iterations) {
  counts.sent += iterations * burst;
  switch (traffic) {
    case Traffic::hit_forward:
      counts.to_targets += iterations * burst;
      break;
    case Traffic::hit_reverse:
      counts.to_clients += iterations * burst;
      break;
    case Traffic::mixed:
      counts.to_targets += iterations * 28;
      counts.routed += iterations * 3;
      counts.to_clients += iterations * 32;
      break;
    case Traffic::routed:
      counts.routed += iterations * burst;
      break;
    case Traffic::echo:
      break;
  }
  return counts;
}

const char* difference(const Counts& wanted, const Counts& counts) {
  if (wanted.to_targets != counts.to_targets) return "not every packet that should have was sent to a target";
  if (wanted.to_clients != counts.to_clients) return "not every packet that should have was sent to a client";
  if (wanted.routed != counts.routed) return "not every packet that should have was routed";
  return wanted.sent != counts.sent ? "not every packet left" : nullptr;
}

void run(benchmark::State& state, const BedKind& kind, Traffic traffic) {
  SeedBed& bed = seed_bed(kind);
  if (!bed.problem().empty()) return state.SkipWithError(bed.problem().c_str());
  const Load load = load_of(bed, traffic);
  if (load.access.size() != 0) bed.access().feed_forever(load.access, load.access_burst);
  if (load.inside.size() != 0) bed.inside().feed_forever(load.inside, load.inside_burst);
  const Counts before(bed);
  const std::uint64_t created = bed.counter("slb", "sessions_created");
  const Measure measure;
  for (auto _ : state) bed.run_worker();
  const auto iterations = static_cast<std::uint64_t>(state.iterations());
  measure.report(state, iterations * burst);
  bed.access().stop();
  bed.inside().stop();
  const char* const wrong = difference(expected(before, traffic, iterations), Counts(bed));
  if (wrong != nullptr) return state.SkipWithError(wrong);
  if (bed.counter("slb", "sessions_created") != created) state.SkipWithError("a hit began a session");
}

void new_sessions(benchmark::State& state, Family family) {
  const auto room = static_cast<std::uint32_t>(state.range(0));
  SeedBed bed({.family = family, .sessions = 0, .room = room});
  if (!bed.problem().empty()) return state.SkipWithError(bed.problem().c_str());
  FrameList frames;
  for (std::uint32_t client = 0; client < room; ++client) {
    frames.add(bed.from_client(client, wire::TcpHeader::syn));
  }
  bed.access().feed_once(frames);
  const std::uint64_t sent = bed.inside().sent();
  const Measure measure;
  for (auto _ : state) bed.run_worker();
  const std::uint64_t packets = static_cast<std::uint64_t>(state.iterations()) * burst;
  measure.report(state, packets);
  if (bed.counter("slb", "sessions_created") != packets) return state.SkipWithError("not every SYN began a session");
  if (bed.inside().sent() - sent != packets) state.SkipWithError("not every packet left");
}

void copy_alone(benchmark::State& state) {
  SeedBed& bed = seed_bed({.family = Family::ipv6, .sessions = 1000});
  if (!bed.problem().empty()) return state.SkipWithError(bed.problem().c_str());
  const Load load = load_of(bed, Traffic::hit_forward);
  BenchPort port;
  port.feed_forever(load.access, burst);
  core::PacketPool pool;
  std::array<Packet*, burst> packets{};
  const Measure measure;
  for (auto _ : state) {
    const std::size_t count = port.receive(pool, packets);
    port.transmit(pool, std::span<Packet* const>(packets).first(count));
  }
  const std::uint64_t count = static_cast<std::uint64_t>(state.iterations()) * burst;
  measure.report(state, count);
  if (port.sent() != count) state.SkipWithError("not every packet left");
}

struct TrafficName {
  Traffic traffic;
  const char* name;
};
constexpr std::array traffic_names{
    TrafficName{Traffic::hit_forward, "hit_forward"}, TrafficName{Traffic::hit_reverse, "hit_reverse"},
    TrafficName{Traffic::mixed, "mixed"}, TrafficName{Traffic::routed, "routed"}, TrafficName{Traffic::echo, "echo"}};

// A machine with less memory has no benchmark of the larger ones.
// Runs everywhere, so that a machine short of memory still runs something.
constexpr std::uint32_t least_sessions = 1'000;

const bool is_registered = [] {
  benchmark::RegisterBenchmark("seed/copy_alone", copy_alone);
  for (const std::uint32_t sessions : {1'000U, 100'000U, 1'000'000U, 10'000'000U}) {
    if (sessions > least_sessions && !fits_in_memory(sessions)) continue;
    for (const Family family : {Family::ipv6, Family::ipv4}) {
      const std::string tail = std::string{family == Family::ipv4 ? "/ipv4/" : "/ipv6/"} + std::to_string(sessions);
      const BedKind kind{.family = family, .sessions = sessions, .room = std::max(sessions + sessions / 2, 1'048'576U)};
      for (const TrafficName& entry : traffic_names) {
        const bool uses_sessions = entry.traffic != Traffic::routed && entry.traffic != Traffic::echo;
        if (!uses_sessions && sessions != 1'000) continue;
        benchmark::RegisterBenchmark(("seed/" + std::string{entry.name} + tail).c_str(), run, kind, entry.traffic);
      }
      if (sessions > 100'000) continue;
      BedKind longer = kind;
      longer.idle_modules = 1;
      benchmark::RegisterBenchmark(("seed/with_idle_module" + tail).c_str(), run, longer, Traffic::hit_forward);
    }
  }
  for (const Family family : {Family::ipv6, Family::ipv4}) {
    const std::string name = std::string{"seed/new_sessions"} + (family == Family::ipv4 ? "/ipv4" : "/ipv6");
    for (const std::int64_t room : {6'400, 1'000'000}) {
      benchmark::RegisterBenchmark(name.c_str(), new_sessions, family)->Arg(room)->Iterations(room / 64);
    }
  }
  return true;
}();

}  // namespace
}  // namespace trivet::bench
