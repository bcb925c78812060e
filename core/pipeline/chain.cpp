#include "core/pipeline/chain.h"

#include <utility>

namespace trivet::core {

namespace {

// One writer: no read-modify-write needed.
void add(std::atomic<std::uint64_t>& cell, std::uint64_t amount) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

std::size_t kind_index(Verdict verdict) {
  const auto kind = static_cast<std::size_t>(verdict.kind());
  return kind < ModuleCounts::kinds ? kind : static_cast<std::size_t>(Verdict::Kind::drop);
}

}  // namespace

Chain::Chain(std::vector<ChainEntry> entries, std::array<ModuleCounts, max_modules>& counts)
    : entries_(std::move(entries)), counts_(&counts) {}

void Chain::run(Batch& batch, Outcome& outcome) noexcept {
  const std::size_t size = batch.size();
  std::uint64_t undecided = size == Batch::capacity ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
  std::array<PacketClass, Batch::capacity> classes;
  for (std::size_t i = 0; i < size; ++i) {
    outcome.verdicts[i] = Verdict::next();
    classes[i] = batch.packet(i).classes;
  }
  for (std::size_t entry = 0; entry < entries_.size() && undecided != 0; ++entry) {
    const ChainEntry& module = entries_[entry];
    std::uint64_t pending = 0;
    for (const std::size_t i : Batch::Indices{undecided}) {
      if (!classes[i].has_any(module.classes)) continue;
      pending |= std::uint64_t{1} << i;
      batch.decide(i, Verdict::next());  // whatever an earlier module left in a place that was not its own
    }
    if (pending == 0) continue;
    batch.set_pending(pending);
    module.worker->process(batch);
    batch.set_pending(0);

    ModuleCounts& counts = (*counts_)[module.module];
    std::array<std::uint64_t, ModuleCounts::kinds> decisions{};
    std::uint64_t packets = 0;
    for (const std::size_t i : Batch::Indices{pending}) {
      const Verdict verdict = batch.verdict(i);
      ++packets;
      ++decisions[kind_index(verdict)];
      classes[i] = batch.packet(i).classes;  // a module that rewrites a packet may change them
      if (verdict.kind() == Verdict::Kind::next) continue;
      outcome.verdicts[i] = verdict;
      outcome.entries[i] = static_cast<std::uint8_t>(entry);
      undecided &= ~(std::uint64_t{1} << i);
    }
    add(counts.batches, 1);
    add(counts.packets, packets);
    for (std::size_t kind = 0; kind < decisions.size(); ++kind) {
      if (decisions[kind] != 0) add(counts.decisions[kind], decisions[kind]);
    }
  }
}

void Chain::tick(Time now) noexcept {
  for (const ChainEntry& entry : entries_) entry.worker->tick(now);
}

}  // namespace trivet::core
