// Runs some hundred packets of each kind through the seed's node, each kind as a section that callgrind counts by
// itself: instructions a packet from receive to transmit, which repeat exactly. instruction_test.py reads and judges.
//
// Prints one line a section, in order: its name and the number of packets in it. Nothing is counted outside of them.
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#error "packet_cost needs valgrind's headers (Debian: valgrind); scripts/setup.sh installs them"
#endif

#include <cstdio>
#include <string>
#include <vector>

#include "seed_bed.h"
#include "trivet/batch.h"

namespace trivet::bench {
namespace {

constexpr std::uint32_t sessions = 1024;
constexpr int warm_up = 4;
constexpr int rounds = 16;

enum class Kind : std::uint8_t { forward, reverse, routed };

bool count(SeedBed& bed, Kind kind, const std::string& name) {
  FrameList frames;
  for (std::uint32_t i = 0; i < sessions; ++i) {
    // Scattered over the table, the same each time.
    const std::uint32_t client = (i * 397U) % sessions;
    if (kind == Kind::forward) frames.add(bed.from_client(client, wire::TcpHeader::ack));
    if (kind == Kind::reverse) frames.add(bed.from_target(client, wire::TcpHeader::ack));
    if (kind == Kind::routed) frames.add(bed.routed());
  }
  BenchPort& in = kind == Kind::reverse ? bed.inside() : bed.access();
  BenchPort& out = kind == Kind::reverse ? bed.access() : bed.inside();
  in.feed_forever(frames, Batch::capacity);
  for (int i = 0; i < warm_up; ++i) bed.run_worker();
  const std::uint64_t before = out.sent();
  CALLGRIND_ZERO_STATS;
  CALLGRIND_TOGGLE_COLLECT;
  for (int i = 0; i < rounds; ++i) bed.run_worker();
  CALLGRIND_TOGGLE_COLLECT;
  CALLGRIND_DUMP_STATS_AT(name.c_str());
  in.stop();
  const std::uint64_t sent = out.sent() - before;
  std::printf("%s %llu\n", name.c_str(), static_cast<unsigned long long>(sent));
  return sent == std::uint64_t{rounds} * Batch::capacity;
}

int run() {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    for (const bool with_idle_module : {false, true}) {
      SeedBed bed({.family = family, .sessions = sessions, .with_idle_module = with_idle_module});
      if (!bed.problem().empty()) {
        std::fprintf(stderr, "%s\n", bed.problem().c_str());
        return 1;
      }
      const std::string tail = family == Family::ipv4 ? "/ipv4" : "/ipv6";
      bool is_right = count(bed, Kind::forward, (with_idle_module ? "with-idle-module" : "forward") + tail);
      if (!with_idle_module) {
        is_right = count(bed, Kind::reverse, "reverse" + tail) && is_right;
        is_right = count(bed, Kind::routed, "routed" + tail) && is_right;
      }
      if (is_right) continue;
      std::fputs("not every packet left\n", stderr);
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace trivet::bench

int main() { return trivet::bench::run(); }
