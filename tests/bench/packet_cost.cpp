// Runs some hundred packets of each kind, each kind as a section that callgrind counts by itself: instructions a
// packet, which repeat exactly. Through the seed's node: from receive to transmit. Through the door alone ("door").
// Through the balancer's worker alone ("slb-"): hits and misses by the size of its table, a batch handed over to the
// batch decided. instruction_test.py reads and judges.
//
// Start it with --instr-atstart=no --collect-atstart=no: tables are filled at full speed.
// Prints one line a section, in order: its name and the number of packets in it. Nothing is counted outside of them.
#include <cstdio>
#include <string>

#include "callgrind_section.h"
#include "pipeline_bed.h"
#include "seed_bed.h"
#include "slb_bed.h"
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
  {
    const Section section(name);
    const Collect collect;
    for (int i = 0; i < rounds; ++i) bed.run_worker();
  }
  in.stop();
  const std::uint64_t sent = out.sent() - before;
  report(name, sent);
  return sent == std::uint64_t{rounds} * Batch::capacity;
}

const char* door_alone(Family family) {
  DoorBed bed(family);
  for (int i = 0; i < warm_up; ++i) bed.run();
  const std::string name = family == Family::ipv4 ? "door/ipv4" : "door/ipv6";
  {
    const Section section(name);
    const Collect collect;
    for (int i = 0; i < rounds; ++i) bed.run();
  }
  report(name, std::uint64_t{rounds} * Batch::capacity);
  return bed.lets_in() ? nullptr : "the door refuses a frame";
}

const char* slb_alone(Family family, std::uint32_t established) {
  SlbBed bed(family, established, established + 1000);
  if (bed.sessions_created() != established) return "not every session was begun";
  for (const SlbPacket kind : {SlbPacket::hit, SlbPacket::miss}) {
    const std::string name = std::string{kind == SlbPacket::hit ? "slb-hit" : "slb-miss"} +
                             (family == Family::ipv4 ? "/ipv4/" : "/ipv6/") + std::to_string(established);
    const std::uint64_t before = bed.to_targets();
    {
      const Section section(name);
      for (int i = 0; i < rounds; ++i) {
        bed.set_all(kind);
        const Collect collect;
        bed.run();
      }
    }
    if (!bed.is_right(kind)) return "a packet was not what it should have been";
    const std::uint64_t packets = std::uint64_t{rounds} * Batch::capacity;
    if (bed.to_targets() - before != (kind == SlbPacket::hit ? packets : 0)) return "a hit was none, or a miss was one";
    report(name, packets);
  }
  return nullptr;
}

const char* seed(Family family, bool with_idle_module) {
  SeedBed bed({.family = family, .sessions = sessions, .idle_modules = with_idle_module ? 1U : 0U});
  if (!bed.problem().empty()) {
    std::fprintf(stderr, "%s\n", bed.problem().c_str());
    return "the node is of no use";
  }
  const std::string tail = family == Family::ipv4 ? "/ipv4" : "/ipv6";
  bool is_right = count(bed, Kind::forward, (with_idle_module ? "with-idle-module" : "forward") + tail);
  if (!with_idle_module) {
    is_right = count(bed, Kind::reverse, "reverse" + tail) && is_right;
    is_right = count(bed, Kind::routed, "routed" + tail) && is_right;
  }
  return is_right ? nullptr : "not every packet left";
}

int run() {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const char* wrong = seed(family, false);
    if (wrong == nullptr) wrong = seed(family, true);
    if (wrong == nullptr) wrong = door_alone(family);
    for (const std::uint32_t established : {1'000U, 1'000'000U}) {
      if (wrong == nullptr) wrong = slb_alone(family, established);
    }
    if (wrong == nullptr) continue;
    std::fprintf(stderr, "%s\n", wrong);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace trivet::bench

int main() { return trivet::bench::run(); }
