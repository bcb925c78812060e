// Cost of the balancer for each packet, by the size of its table: whole batches of 64 through the worker, translation
// included. "hit": packets of sessions picked at random from all there are. "miss": packets to a service that find no
// session and begin none. "pass": packets of others. "new": SYNs that begin sessions. "look_up": the table alone,
// batches of 64 keys, all there.
//
// Every run proves by counters that its packets were what it says.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "measure.h"
#include "slb/session_table.h"
#include "slb_bed.h"
#include "trivet/random.h"

namespace trivet::slb {
namespace {

using bench::SlbBed;
using bench::SlbPacket;

void packets(benchmark::State& state, Family family, SlbPacket kind, std::uint32_t sessions) {
  const auto bed = std::make_unique<SlbBed>(family, sessions, sessions + 1000);
  const std::uint64_t created = bed->sessions_created();
  const std::uint64_t before = bed->to_targets();
  if (created != sessions) return state.SkipWithError("not every session was begun");
  const bench::Measure measure;
  for (auto _ : state) {
    // Making the packets is measured too, a few nanoseconds each: stopping the clock would cost more.
    bed->set_all(kind);
    bed->run();
  }
  const std::uint64_t count = static_cast<std::uint64_t>(state.iterations()) * Batch::capacity;
  measure.report(state, count);
  if (!bed->is_right(kind)) return state.SkipWithError("a packet was not what it should have been");
  if (bed->to_targets() - before != (kind == SlbPacket::hit ? count : 0)) {
    return state.SkipWithError("a hit was none, or something else was a hit");
  }
  if (bed->sessions_created() != created) state.SkipWithError("a packet began a session");
}

void new_sessions(benchmark::State& state, Family family) {
  const auto bed = std::make_unique<SlbBed>(family, 0, static_cast<std::uint32_t>(state.range(0)));
  std::uint32_t client = 0;
  const bench::Measure measure;
  for (auto _ : state) {
    for (std::size_t i = 0; i < Batch::capacity; ++i) bed->set(i, client++, true, wire::TcpHeader::syn);
    bed->run();
  }
  const std::uint64_t count = static_cast<std::uint64_t>(state.iterations()) * Batch::capacity;
  measure.report(state, count);
  if (bed->sessions_created() != count) state.SkipWithError("not every SYN began a session");
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
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = table.probe(keys[at + i]);
    for (const auto& probe : wanted) table.fetch_buckets(probe);
    at = at + wanted.size() == keys.size() ? 0 : at + wanted.size();
    for (auto& probe : wanted) table.match(probe);
    for (const auto& probe : wanted) table.fetch_record(probe);
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
  constexpr std::array kinds{std::pair{SlbPacket::hit, "hit"}, std::pair{SlbPacket::miss, "miss"},
                             std::pair{SlbPacket::pass, "pass"}};
  for (const std::uint32_t sessions : {1'000U, 100'000U, 1'000'000U, 10'000'000U}) {
    if (sessions > least_sessions && !fits_in_memory(sessions)) continue;
    for (const Family family : {Family::ipv4, Family::ipv6}) {
      for (const auto& [kind, name] : kinds) {
        if (kind == SlbPacket::pass && sessions != 1'000) continue;
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
