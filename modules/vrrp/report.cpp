#include "vrrp/report.h"

#include <algorithm>
#include <string>
#include <utility>

#include "vrrp/words.h"

namespace trivet::vrrp {
namespace {

constexpr std::array<TallyName, tally_count> tally_names{{
    {"advertisements_sent", "advertisements sent, once for all interfaces"},
    {"leaving_sent", "of these, with priority 0: this node stopped being master"},
    {"advertisements_received", "advertisements of this virtual router that were looked at"},
    {"leaving_received", "of these, with priority 0 from the peer"},
    {"ignored_not_running", "ignored: this node was in init or has no vrrp section"},
    {"ignored_wrong_interface", "ignored: came in outside the VRRP network"},
    {"ignored_other_vrid", "ignored: of another virtual router"},
    {"ignored_own_loop", "ignored: sent by this node, came back"},
    {"ignored_duplicate_address", "ignored: from another node with our real address"},
    {"ignored_interval", "ignored: another advertisement interval"},
    {"address_mismatch", "processed although the address list differs from ours"},
    {"became_master", "times this node became master"},
}};

std::string text(std::string_view view) { return std::string(view); }

Cell number(std::uint64_t value) { return Cell{value}; }

Table tracked_table(const Engine& engine) {
  Table table{"tracked",
              "Tracked",
              {{"name", "Name"}, {"state", "State"}, {"trackval", "Trackval"}, {"counts", "Subtracted"}},
              {}};
  for (const TrackedItem& item : engine.tracked()) {
    table.rows.push_back({item.name, item.state, number(item.penalty), item.counts});
  }
  return table;
}

Table peers_table(const Engine& engine, Time now) {
  Table table{
      "peers",
      "Other routers heard",
      {{"address", "Address"}, {"priority", "Priority"}, {"interface", "Interface"}, {"silent_for", "Silent for s"}},
      {}};
  for (const VrrpPeer& peer : engine.peers()) {
    table.rows.push_back(
        {to_string(peer.address), number(peer.priority), number(peer.interface), to_seconds(now - peer.last_heard)});
  }
  return table;
}

Table counter_table(const TallyValues& counters) {
  Table table{"counters", "Counters", {{"name", "Name"}, {"value", "Value"}}, {}};
  for (std::size_t i = 0; i < tally_count; ++i) {
    table.rows.push_back({text(tally_names.at(i).name), number(counters.at(i))});
  }
  return table;
}

void add_router(const Engine& engine, Time now, Report& report) {
  const Config& config = engine.config();
  const Attachment& attachment = engine.attachment();
  report.fields.push_back({"vrid", "Virtual router", number(config.vrid), ""});
  report.fields.push_back({"version", "Version", number(2), ""});
  report.fields.push_back({"priority", "Priority", number(config.priority), ""});
  report.fields.push_back({"effective_priority", "Effective priority", number(engine.effective_priority()), ""});
  report.fields.push_back({"tracking", "Tracking", config.tracking, ""});
  report.fields.push_back({"preemption", "Preemption", engine.preemption(now), ""});
  report.fields.push_back({"network", "Network", number(config.network), ""});
  report.fields.push_back(
      {"address", "Address", attachment.address ? Cell{to_string(*attachment.address)} : Cell{}, ""});
  report.fields.push_back({"interval", "Interval", number(config.interval), "s"});
  report.fields.push_back(
      {"mac", "MAC", config.virtual_mac ? to_string(vrrp_mac(Family::ipv4, config.vrid)) : "real", ""});
  const NextTimer timer = engine.next_timer();
  report.fields.push_back({"next_timer", "Next timer", timer.name.empty() ? Cell{} : Cell{text(timer.name)}, ""});
  report.fields.push_back({"next_timer_in", "In",
                           timer.at == never ? Cell{} : Cell{to_seconds(std::max(timer.at - now, Duration{}))}, "s"});
  if (!engine.last_complaint().empty()) {
    report.notes.push_back(words::seconds(now - engine.last_complaint_at()) + " ago: " + engine.last_complaint());
  }
}

}  // namespace

const TallyName& tally_name(Tally tally) { return tally_names.at(static_cast<std::size_t>(tally)); }

Report make_report(const Engine& engine, const TallyValues& counters, Time now) {
  Report report;
  report.fields.push_back({"role", "Role", text(to_string(engine.role())), ""});
  report.fields.push_back({"reason", "Reason", engine.reason(), ""});
  report.fields.push_back({"held_for", "Held for", to_seconds(now - engine.since()), "s"});
  if (!engine.config().has_section) return report;
  add_router(engine, now, report);
  report.tables.push_back(tracked_table(engine));
  report.tables.push_back(peers_table(engine, now));
  report.tables.push_back(counter_table(counters));
  return report;
}

}  // namespace trivet::vrrp
