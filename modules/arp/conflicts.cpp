#include "arp/conflicts.h"

#include <algorithm>

namespace trivet::arp {

ConflictMonitor::Reaction ConflictMonitor::claimed(const Claim& claim, Time now) {
  const Key key{claim.address, claim.mac};
  auto found = known_.find(key);
  if (found == known_.end()) {
    make_room();
    found = known_.emplace(key, Record{}).first;
  }
  Record& record = found->second;
  record.last_heard = now;
  ++record.unlogged;

  Reaction reaction;
  reaction.repeated = record.unlogged;
  reaction.log = (!record.was_logged || now >= record.last_log + log_interval) && may_log(now);
  if (reaction.log) {
    record.last_log = now;
    record.was_logged = true;
    record.unlogged = 0;
  }
  reaction.defend = claim.defend && may_defend(claim.address, now);
  return reaction;
}

// Made-up addresses make a new pair of each message.
bool ConflictMonitor::may_log(Time now) {
  if (now >= minute_end_) {
    minute_end_ = now + log_interval;
    lines_logged_ = 0;
  }
  return lines_logged_++ < lines;
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
