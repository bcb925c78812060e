#include "arp/conflicts.h"

#include <algorithm>

namespace trivet::arp {

ConflictMonitor::Reaction ConflictMonitor::claimed(const Claim& claim, Time now) {
  const Key key{claim.address, claim.mac};
  auto found = known_.find(key);
  const bool is_new = found == known_.end();
  if (is_new) {
    make_room();
    found = known_.emplace(key, Record{}).first;
  }
  Record& record = found->second;
  record.last_heard = now;
  ++record.unlogged;

  Reaction reaction;
  reaction.repeated = record.unlogged;
  reaction.log = is_new || now >= record.last_log + log_interval;
  if (reaction.log) {
    record.last_log = now;
    record.unlogged = 0;
  }
  reaction.defend = claim.defend && may_defend(claim.address, now);
  return reaction;
}

void ConflictMonitor::make_room() {
  if (known_.size() < capacity) return;
  const auto oldest = std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) {
    return a.second.last_heard < b.second.last_heard;
  });
  known_.erase(oldest);
}

bool ConflictMonitor::may_defend(const IpAddress& address, Time now) {
  std::erase_if(defended_, [now](const auto& entry) { return now >= entry.second + defence_interval; });
  // Within the bound, an address that is still in the table has been defended less than 10 s ago.
  if (defended_.size() >= capacity) return false;
  return defended_.emplace(address, now).second;
}

}  // namespace trivet::arp
