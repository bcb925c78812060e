// How the cost of a packet grows with what the node has: the whole way from receive to transmit through the seed's
// node, with more and more of one thing. Traffic is spread over all there is of it, so that what variety costs (caches)
// is in the number. Sizes are the last part of a name:
//
//     growth/sessions/forward     sessions, hit at random
//     growth/targets/forward      targets of one server
//     growth/targets/new_METHOD   the same; each packet begins a session
//     growth/servers/forward      servers that share two targets
//     growth/networks/...         networks of targets on one interface, 258 targets spread over them; to targets, from
//                                 them, and from them with a VLAN tag for each network
//     growth/modules/forward      modules in the chain: the seed's seven, the others want every packet and do nothing
//
// Workers: see workers_bench. Every run proves by counters that its packets were what it says, and that each left.
#include <string>

#include "measure.h"
#include "seed_bed.h"
#include "trivet/batch.h"
#include "trivet/random.h"

namespace trivet::bench {
namespace {

constexpr std::size_t burst = Batch::capacity;
// Where sessions are not what grows.
constexpr std::uint32_t usual_sessions = 16384;
// More than one each of so many networks.
constexpr std::uint32_t targets_of_networks = 258;
constexpr std::uint32_t new_sessions_a_run = 64000;

enum class Direction : std::uint8_t { forward, reverse };

// So many that the sessions of a large table are not all in the cache when they come again.
std::size_t frames_for(std::uint32_t sessions) {
  return std::min<std::size_t>(std::size_t{4} * sessions, 1'000'000) / burst * burst;
}

struct Counts {
  explicit Counts(SeedBed& bed)
      : created(bed.counter("slb", "sessions_created")),
        to_targets(bed.counter("slb", "to_targets")),
        to_clients(bed.counter("slb", "to_clients")),
        access(bed.access().sent()),
        inside(bed.inside().sent()) {}
  std::uint64_t created;
  std::uint64_t to_targets;
  std::uint64_t to_clients;
  std::uint64_t access;
  std::uint64_t inside;
  bool operator==(const Counts&) const = default;
};

void established(benchmark::State& state, const BedKind& kind, Direction direction) {
  SeedBed& bed = seed_bed(kind);
  if (!bed.problem().empty()) return state.SkipWithError(bed.problem().c_str());
  if (bed.busy_targets() != kind.targets) return state.SkipWithError("not every target has sessions");
  const bool is_forward = direction == Direction::forward;
  Random random(2);
  FrameList frames;
  for (std::size_t i = frames_for(kind.sessions); i != 0; --i) {
    const auto client = static_cast<std::uint32_t>(random.below(kind.sessions));
    frames.add(is_forward ? bed.from_client(client, wire::TcpHeader::ack)
                          : bed.from_target(client, wire::TcpHeader::ack));
  }
  BenchPort& port = is_forward ? bed.access() : bed.inside();
  port.feed_forever(frames, burst);
  Counts expected(bed);
  const Measure measure;
  for (auto _ : state) bed.run_worker();
  const std::uint64_t packets = static_cast<std::uint64_t>(state.iterations()) * burst;
  measure.report(state, packets);
  port.stop();
  (is_forward ? expected.to_targets : expected.to_clients) += packets;
  (is_forward ? expected.inside : expected.access) += packets;
  if (!(Counts(bed) == expected)) state.SkipWithError("not every packet was of a session, or not every one left");
}

void new_sessions(benchmark::State& state, const BedKind& kind) {
  SeedBed bed(kind);
  if (!bed.problem().empty()) return state.SkipWithError(bed.problem().c_str());
  FrameList frames;
  for (std::uint32_t client = 0; client < kind.room; ++client) {
    frames.add(bed.from_client(client, wire::TcpHeader::syn));
  }
  bed.access().feed_once(frames);
  Counts expected(bed);
  const Measure measure;
  for (auto _ : state) bed.run_worker();
  const std::uint64_t packets = static_cast<std::uint64_t>(state.iterations()) * burst;
  measure.report(state, packets);
  bed.access().stop();
  expected.created += packets;
  expected.to_targets += packets;
  expected.inside += packets;
  if (!(Counts(bed) == expected)) state.SkipWithError("not every packet began a session, or not every one left");
}

std::string family_name(Family family) { return family == Family::ipv4 ? "/ipv4/" : "/ipv6/"; }

void add_established(const std::string& name, const BedKind& kind, std::uint32_t size,
                     Direction direction = Direction::forward) {
  const std::string full = "growth/" + name + family_name(kind.family) + std::to_string(size);
  benchmark::RegisterBenchmark(full.c_str(), established, kind, direction);
}

void add_sessions(Family family) {
  for (const std::uint32_t size : {1'000U, 10'000U, 100'000U, 1'000'000U, 10'000'000U}) {
    // The smallest runs everywhere, so that a machine short of memory still runs something.
    if (size > 1'000 && !fits_in_memory(size)) continue;
    add_established("sessions/forward",
                    {.family = family, .sessions = size, .room = std::max(size + size / 2, 1'048'576U)}, size);
  }
}

void add_targets(Family family) {
  for (const std::uint32_t size : {1U, 4U, 16U, 64U, 256U, 1024U}) {
    add_established("targets/forward", {.family = family, .sessions = usual_sessions, .targets = size}, size);
  }
}

void add_methods() {
  for (const char* const method : {"rr", "random", "hash", "first", "session"}) {
    for (const std::uint32_t size : {1U, 4U, 16U, 64U, 256U, 1024U}) {
      const BedKind kind{.family = Family::ipv4, .room = new_sessions_a_run, .targets = size, .method = method};
      const std::string name = "growth/targets/new_" + std::string{method} + "/ipv4/" + std::to_string(size);
      benchmark::RegisterBenchmark(name.c_str(), new_sessions, kind)->Iterations(new_sessions_a_run / burst);
    }
  }
}

void add_servers(Family family) {
  for (const std::uint32_t size : {1U, 8U, 64U, 512U}) {
    add_established("servers/forward", {.family = family, .sessions = usual_sessions, .servers = size}, size);
  }
}

void add_networks(Family family) {
  for (const std::uint32_t size : {1U, 16U, 64U, 256U}) {
    BedKind kind{
        .family = family, .sessions = usual_sessions, .targets = targets_of_networks, .networks = size, .method = "rr"};
    add_established("networks/forward", kind, size);
    add_established("networks/reverse", kind, size, Direction::reverse);
    kind.tagging = Tagging::vlans;
    add_established("networks/reverse_vlans", kind, size, Direction::reverse);
  }
}

void add_modules(Family family) {
  constexpr std::uint32_t seed_modules = 7;
  for (const std::uint32_t size : {7U, 10U, 15U, 20U}) {
    add_established("modules/forward",
                    {.family = family, .sessions = usual_sessions, .idle_modules = size - seed_modules}, size);
  }
}

const bool is_registered = [] {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    add_targets(family);
    add_servers(family);
    add_networks(family);
    add_modules(family);
    add_sessions(family);
  }
  add_methods();
  return true;
}();

}  // namespace
}  // namespace trivet::bench
