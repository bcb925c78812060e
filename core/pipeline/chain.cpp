#include "core/pipeline/chain.h"

#include <bit>
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

// The packets of a batch by their class bits. There are few kinds, so a module's interest is asked for once each.
class ClassGroups {
 public:
  explicit ClassGroups(const Batch& batch) noexcept { gather(batch); }

  [[nodiscard]] std::uint64_t wanted(PacketClass classes) const noexcept {
    std::uint64_t mask = 0;
    for (std::size_t i = 0; i < count_; ++i) mask |= (groups_[i] & classes.bits()) != 0 ? masks_[i] : 0;
    return mask;
  }
  // A module that rewrites a packet may change them.
  void refresh(const Batch& batch) noexcept {
    std::uint32_t changed = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) changed |= classes_[i] ^ batch.packet(i).classes.bits();
    if (changed != 0) gather(batch);
  }

 private:
  void gather(const Batch& batch) noexcept {
    count_ = 0;
    std::size_t group = 0;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::uint32_t classes = batch.packet(i).classes.bits();
      classes_[i] = classes;
      if (count_ == 0 || groups_[group] != classes) group = find(classes);
      masks_[group] |= std::uint64_t{1} << i;
    }
  }
  [[nodiscard]] std::size_t find(std::uint32_t classes) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      if (groups_[i] == classes) return i;
    }
    groups_[count_] = classes;
    masks_[count_] = 0;
    return count_++;
  }

  std::size_t count_ = 0;
  // As far as count_ and the batch's size say; the rest is never read.
  std::array<std::uint32_t, Batch::capacity> groups_;
  std::array<std::uint64_t, Batch::capacity> masks_;
  std::array<std::uint32_t, Batch::capacity> classes_;
};

}  // namespace

Chain::Chain(std::vector<ChainEntry> entries, std::array<ModuleCounts, max_modules>& counts)
    : entries_(std::move(entries)), counts_(&counts) {}

void Chain::run(Batch& batch, Outcome& outcome) noexcept {
  const std::size_t size = batch.size();
  std::uint64_t undecided = size == Batch::capacity ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
  for (std::size_t i = 0; i < size; ++i) outcome.verdicts[i] = Verdict::next();
  ClassGroups groups(batch);
  for (std::size_t entry = 0; entry < entries_.size(); ++entry) {
    const ChainEntry& module = entries_[entry];
    const std::uint64_t pending = undecided & groups.wanted(module.classes);
    if (pending == 0) continue;
    batch.set_pending(pending);
    module.worker->process(batch);
    batch.set_pending(0);
    undecided &= ~collect(batch, entry, pending, outcome);
    if (undecided == 0) return;
    groups.refresh(batch);
  }
}

std::uint64_t Chain::collect(Batch& batch, std::size_t entry, std::uint64_t pending, Outcome& outcome) noexcept {
  const std::uint64_t touched = batch.take_decided().mask();
  std::array<std::uint64_t, ModuleCounts::kinds> decisions{};
  std::uint64_t decided = 0;
  for (const std::size_t i : Batch::Indices{touched & pending}) {
    const Verdict verdict = batch.verdict(i);
    if (verdict.kind() == Verdict::Kind::next) continue;
    ++decisions[kind_index(verdict)];
    outcome.verdicts[i] = verdict;
    outcome.entries[i] = static_cast<std::uint8_t>(entry);
    decided |= std::uint64_t{1} << i;
  }
  if (const std::uint64_t foreign = touched & ~pending; foreign != 0) {
    // The next modules find their own places as if nobody had been there.
    for (const std::size_t i : Batch::Indices{foreign}) batch.decide(i, Verdict::next());
    static_cast<void>(batch.take_decided());
  }
  ModuleCounts& counts = (*counts_)[entries_[entry].module];
  add(counts.batches, 1);
  add(counts.packets, static_cast<std::uint64_t>(std::popcount(pending)));
  decisions[static_cast<std::size_t>(Verdict::Kind::next)] =
      static_cast<std::uint64_t>(std::popcount(pending & ~decided));
  for (std::size_t kind = 0; kind < decisions.size(); ++kind) {
    if (decisions[kind] != 0) add(counts.decisions[kind], decisions[kind]);
  }
  return decided;
}

void Chain::tick(Time now) noexcept {
  for (const ChainEntry& entry : entries_) entry.worker->tick(now);
}

}  // namespace trivet::core
