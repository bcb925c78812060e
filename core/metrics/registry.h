// Counters and drop reasons of a node: declared by name, counted per thread without sharing, summed when read.
//
// Declaring and reading: control thread. Counting: each thread in the ThreadCells that it was given. Names: a module
// ("core", "vrrp") and a name within it; declaring a pair again returns the id it has, so a module that is loaded again
// goes on counting. Ids are never reused. Cells are made for the limits below, so that a module which comes with a
// reload needs no new cells in running workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/metrics.h"
#include "trivet/result.h"
#include "trivet/verdict.h"

namespace trivet::core {

inline constexpr std::size_t max_counters = 1024;
inline constexpr std::size_t max_drop_reasons = 1024;

// One thread's cells. One writing thread; any thread reads.
struct ThreadCells {
  CounterCells counters{max_counters};
  CounterCells drops{max_drop_reasons};

  // Counts under reason 0 what no declaration can have given out.
  void drop(DropReason reason, std::uint64_t packets = 1) noexcept {
    drops.add(Counter{reason.id < max_drop_reasons ? reason.id : std::uint16_t{0}}, packets);
  }
};

struct MetricInfo {
  std::uint16_t id = 0;
  std::string module;
  std::string name;
  std::string help;
};

class MetricsRegistry {
 public:
  // Declares drop reason 0, core/unspecified.
  MetricsRegistry();
  MetricsRegistry(const MetricsRegistry&) = delete;
  MetricsRegistry& operator=(const MetricsRegistry&) = delete;
  ~MetricsRegistry() = default;

  // Fail when the limit is reached; the sentence names module and name.
  [[nodiscard]] Result<Counter> add_counter(std::string module, std::string name, std::string help);
  [[nodiscard]] Result<DropReason> add_drop_reason(std::string module, std::string name, std::string help);

  // By id, all that have been declared.
  [[nodiscard]] const std::vector<MetricInfo>& counters() const { return counters_; }
  [[nodiscard]] const std::vector<MetricInfo>& drop_reasons() const { return drop_reasons_; }
  // Null when there is none of that name.
  [[nodiscard]] const MetricInfo* find_counter(std::string_view module, std::string_view name) const;
  [[nodiscard]] const MetricInfo* find_drop_reason(std::string_view module, std::string_view name) const;

  // Cells for one more thread. They live as long as the registry, so that counts survive a worker.
  [[nodiscard]] ThreadCells& add_thread();
  // Sums over all threads. Each cell is exact; a set of them is not taken at one moment.
  [[nodiscard]] std::uint64_t read(Counter counter) const;
  [[nodiscard]] std::uint64_t read(DropReason reason) const;
  // By name; 0 for unknown ones.
  [[nodiscard]] std::uint64_t counter(std::string_view module, std::string_view name) const;
  [[nodiscard]] std::uint64_t drops(std::string_view module, std::string_view name) const;

 private:
  std::vector<MetricInfo> counters_;
  std::vector<MetricInfo> drop_reasons_;
  std::vector<std::unique_ptr<ThreadCells>> threads_;
};

}  // namespace trivet::core
