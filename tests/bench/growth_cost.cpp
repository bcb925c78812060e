// Runs packets through the seed's node with few and with many of one thing, as sections that callgrind counts:
// instructions a packet from receive to transmit, WHAT/FAMILY/SIZE. growth_test.py reads and judges. The times are
// growth_bench's.
//
// Packets of sessions: all sessions in turn, which are spread over all there is. New ones: a SYN each.
#include <cstdio>
#include <string>

#include "callgrind_section.h"
#include "seed_bed.h"
#include "trivet/batch.h"

namespace trivet::bench {
namespace {

constexpr std::uint32_t packets = 2048;
constexpr std::uint32_t rounds = packets / Batch::capacity;
constexpr std::uint32_t targets_of_networks = 258;  // more than one for each of 256

enum class Kind : std::uint8_t { forward, reverse, begin };

void run_rounds(SeedBed& bed) {
  for (std::uint32_t i = 0; i < rounds; ++i) bed.run_worker();
}

bool count(const std::string& what, const BedKind& bed_kind, std::uint32_t size, Kind kind) {
  const std::string name = what + (bed_kind.family == Family::ipv4 ? "/ipv4/" : "/ipv6/") + std::to_string(size);
  SeedBed bed(bed_kind);
  if (!bed.problem().empty()) {
    std::fprintf(stderr, "%s: %s\n", name.c_str(), bed.problem().c_str());
    return false;
  }
  const bool begins = kind == Kind::begin;
  FrameList frames;
  for (std::uint32_t i = 0; i < (begins ? 2 * packets : packets); ++i) {
    frames.add(kind == Kind::reverse ? bed.from_target(i, wire::TcpHeader::ack)
                                     : bed.from_client(i, begins ? wire::TcpHeader::syn : wire::TcpHeader::ack));
  }
  BenchPort& in = kind == Kind::reverse ? bed.inside() : bed.access();
  BenchPort& out = kind == Kind::reverse ? bed.access() : bed.inside();
  in.feed_forever(frames, Batch::capacity);
  run_rounds(bed);  // so that everything has been used before
  const std::uint64_t sent_before = out.sent();
  const std::uint64_t created_before = bed.counter("slb", "sessions_created");
  {
    const Section section(name);
    const Collect collect;
    run_rounds(bed);
  }
  const std::uint64_t created = bed.counter("slb", "sessions_created") - created_before;
  report(name, packets);
  if (out.sent() - sent_before == packets && created == (begins ? packets : 0)) return true;
  std::fprintf(stderr, "%s: not every packet was what it should have been, or not every one left\n", name.c_str());
  return false;
}

bool count_targets(Family family) {
  for (const std::uint32_t size : {1U, 1024U}) {
    if (!count("targets/forward", {.family = family, .sessions = packets, .targets = size}, size, Kind::forward)) {
      return false;
    }
  }
  if (family == Family::ipv6) return true;  // methods know nothing of families
  for (const char* const method : {"rr", "random", "hash", "first", "session"}) {
    for (const std::uint32_t size : {1U, 1024U}) {
      const BedKind kind{.family = family, .targets = size, .method = method};
      if (!count("targets/new_" + std::string{method}, kind, size, Kind::begin)) return false;
    }
  }
  return true;
}

bool count_servers(Family family) {
  for (const std::uint32_t size : {1U, 512U}) {
    const BedKind established{.family = family, .sessions = packets, .servers = size};
    if (!count("servers/forward", established, size, Kind::forward)) return false;
    // They share their targets, so each one's sessions count for all.
    if (!count("servers/new_session", {.family = family, .servers = size}, size, Kind::begin)) return false;
  }
  return true;
}

bool count_networks(Family family) {
  for (const std::uint32_t size : {1U, 256U}) {
    BedKind kind{
        .family = family, .sessions = packets, .targets = targets_of_networks, .networks = size, .method = "rr"};
    if (!count("networks/forward", kind, size, Kind::forward)) return false;
    if (!count("networks/reverse", kind, size, Kind::reverse)) return false;
    kind.tagging = Tagging::vlans;
    if (!count("networks/reverse_vlans", kind, size, Kind::reverse)) return false;
  }
  return true;
}

int run() {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (!count_targets(family) || !count_servers(family) || !count_networks(family)) return 1;
  }
  return 0;
}

}  // namespace
}  // namespace trivet::bench

int main() { return trivet::bench::run(); }
