#include "vrrp/tracker.h"

#include <algorithm>

#include "vrrp/wire.h"

namespace trivet::vrrp {

void Tracker::set_gateway(Health health, Time last_answer) {
  gateway_ = health;
  last_answer_ = last_answer;
}

void Tracker::clear_gateway() { set_gateway(Health::up, Time{}); }

void Tracker::set_target(const std::string& key, Health health) {
  if (health == Health::undecided) {
    undecided_targets_.insert(key);
  } else {
    undecided_targets_.erase(key);
  }
}

bool Tracker::link_up(InterfaceId interface) const {
  const auto found = links_.find(interface);
  return found != links_.end() && found->second;
}

bool Tracker::tracks() const { return config_.tracking && config_.priority != owner_priority; }

bool Tracker::gateway_can_be_asked() const {
  return tracks() && config_.gateway_penalty != 0 && gateway_ == Health::up && last_answer_ != Time{};
}

std::vector<TrackedItem> Tracker::items() const {
  std::vector<TrackedItem> items;
  for (const TrackedLink& link : config_.tracked_links) {
    const bool up = link_up(link.interface);
    items.push_back({link.name, up ? "up" : "down", link.penalty, tracks() && !up});
  }
  if (config_.gateway_penalty != 0) {
    const bool counts = tracks() && gateway_ != Health::up;
    items.push_back({"gateway", std::string(to_string(gateway_)), config_.gateway_penalty, counts});
  }
  return items;
}

std::uint8_t Tracker::effective_priority() const {
  int priority = config_.priority;
  for (const TrackedItem& item : items()) {
    if (item.counts) priority -= item.penalty;
  }
  return static_cast<std::uint8_t>(std::max(priority, 1));
}

std::string Tracker::lowered_by() const {
  std::string text;
  for (const TrackedItem& item : items()) {
    if (!item.counts) continue;
    if (!text.empty()) text += ", ";
    text += item.name + ' ' + item.state;
  }
  return text;
}

}  // namespace trivet::vrrp
