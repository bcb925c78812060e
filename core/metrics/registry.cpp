#include "core/metrics/registry.h"

#include <algorithm>
#include <string>
#include <utility>

namespace trivet::core {

namespace {

const MetricInfo* find(const std::vector<MetricInfo>& list, std::string_view module, std::string_view name) {
  const auto at =
      std::ranges::find_if(list, [&](const MetricInfo& info) { return info.module == module && info.name == name; });
  return at == list.end() ? nullptr : &*at;
}

Result<std::uint16_t> add(std::vector<MetricInfo>& list, std::size_t limit, std::string_view what, std::string module,
                          std::string name, std::string help) {
  if (const MetricInfo* const known = find(list, module, name)) return known->id;
  if (list.size() >= limit) {
    return fail("no room for the " + std::string(what) + " " + module + "/" + name + ": " + std::to_string(limit) +
                " are declared already");
  }
  const auto id = static_cast<std::uint16_t>(list.size());
  list.push_back({id, std::move(module), std::move(name), std::move(help)});
  return id;
}

}  // namespace

MetricsRegistry::MetricsRegistry() {
  drop_reasons_.push_back({0, "core", "unspecified", "a module dropped the packet without a declared reason"});
}

Result<Counter> MetricsRegistry::add_counter(std::string module, std::string name, std::string help) {
  Result<std::uint16_t> id =
      add(counters_, max_counters, "counter", std::move(module), std::move(name), std::move(help));
  if (!id) return std::unexpected(std::move(id).error());
  return Counter{*id};
}

Result<DropReason> MetricsRegistry::add_drop_reason(std::string module, std::string name, std::string help) {
  Result<std::uint16_t> id =
      add(drop_reasons_, max_drop_reasons, "drop reason", std::move(module), std::move(name), std::move(help));
  if (!id) return std::unexpected(std::move(id).error());
  return DropReason{*id};
}

const MetricInfo* MetricsRegistry::find_counter(std::string_view module, std::string_view name) const {
  return find(counters_, module, name);
}

const MetricInfo* MetricsRegistry::find_drop_reason(std::string_view module, std::string_view name) const {
  return find(drop_reasons_, module, name);
}

ThreadCells& MetricsRegistry::add_thread() { return *threads_.emplace_back(std::make_unique<ThreadCells>()); }

std::uint64_t MetricsRegistry::read(Counter counter) const {
  std::uint64_t sum = 0;
  if (counter.id >= max_counters) return sum;
  for (const auto& cells : threads_) sum += cells->counters.read(counter);
  return sum;
}

std::uint64_t MetricsRegistry::read(DropReason reason) const {
  std::uint64_t sum = 0;
  if (reason.id >= max_drop_reasons) return sum;
  for (const auto& cells : threads_) sum += cells->drops.read(Counter{reason.id});
  return sum;
}

std::uint64_t MetricsRegistry::counter(std::string_view module, std::string_view name) const {
  const MetricInfo* const info = find_counter(module, name);
  return info == nullptr ? 0 : read(Counter{info->id});
}

std::uint64_t MetricsRegistry::drops(std::string_view module, std::string_view name) const {
  const MetricInfo* const info = find_drop_reason(module, name);
  return info == nullptr ? 0 : read(DropReason{info->id});
}

}  // namespace trivet::core
