#include <algorithm>

#include "arp/module.h"
#include "trivet/forwarding.h"

namespace trivet::arp {

namespace {

double tenths(Duration duration) { return static_cast<double>(duration / std::chrono::milliseconds(100)) / 10; }

}  // namespace

Report neighbors_report(const NeighborCache& cache, const ForwardingState& node, Time now) {
  Table table;
  table.key = "neighbors";
  table.columns = {{"network", "Network"}, {"address", "Address"}, {"mac", "MAC"},       {"interface", "Interface"},
                   {"state", "State"},     {"age", "Age s"},       {"next", "Next in s"}};
  for (const NeighborCache::Entry* entry : cache.list()) {
    const NeighborEntry& shown = entry->shown;
    std::vector<Cell> row(7);
    row[0] = std::uint64_t{shown.network};
    row[1] = to_string(shown.address);
    if (shown.usable()) {
      const InterfaceView* interface = node.interface(shown.interface);
      row[2] = to_string(shown.mac);
      row[3] = interface == nullptr ? std::to_string(shown.interface) : interface->name;
      row[5] = tenths(now - entry->confirmed);
    }
    row[4] = std::string(to_string(shown.reachability));
    row[6] = tenths(std::max(entry->deadline - now, Duration{}));
    table.rows.push_back(std::move(row));
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

}  // namespace trivet::arp
