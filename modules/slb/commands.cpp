#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "slb/module.h"
#include "trivet/topics/health.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {

struct SessionsQuery {
  std::uint32_t server = 0;  // 0 = all
  std::uint32_t limit = 100;
};

struct SessionRow {
  IpAddress client;
  IpAddress server_address;
  IpAddress target_address;
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;
  std::uint16_t target_port = 0;
  ServerId server = 0;
  TargetId target = 0;
  std::uint8_t protocol = 0;
  SessionState state = SessionState::none;
  std::uint32_t age = 0;
  std::uint32_t idle = 0;
  std::uint32_t left = 0;
};

// A walk over the tables of all workers, a piece at a time, so that packets never wait long.
struct SessionsWalk {
  static constexpr std::uint32_t records_a_visit = 8192;
  struct Share {
    std::uint32_t at4 = 0;
    std::uint32_t at6 = 0;
    bool finished = false;
    std::vector<SessionRow> rows;
  };
  SessionsQuery query;
  std::vector<Share> shares;  // by worker; each is written by its worker, read when all have answered
  CommandReply reply;
};

namespace {

Cell number(std::uint64_t value) { return Cell{value}; }
Cell text(std::string_view value) { return Cell{std::string{value}}; }
Cell port_cell(std::uint16_t port) { return port == 0 ? text("any") : number(port); }

std::string addresses_of(const std::optional<Ipv4Address>& address4, const std::optional<Ipv6Address>& address6) {
  std::string list;
  if (address4) list = to_string(*address4);
  if (address6) list += (list.empty() ? "" : ",") + to_string(*address6);
  return list.empty() ? "-" : list;
}

std::string_view life_cycle_reason(LifeCycle state) {
  return state == LifeCycle::defined ? "not registered" : "not enabled";
}

std::string_view protocol_of(const ServerConfig& server) {
  if (server.protocol != 0) return protocol_name(server.protocol);
  return server.port != 0 ? "tcp,udp" : "any";
}

void append_traffic(std::vector<Cell>& row, const TrafficSum& sum) {
  row.insert(row.end(), {number(sum.sessions), number(sum.packets_in), number(sum.bytes_in), number(sum.packets_out),
                         number(sum.bytes_out)});
}

const std::vector<Column> traffic_columns{{"sessions", "Sessions"},
                                          {"packets_in", "Packets in"},
                                          {"bytes_in", "Bytes in"},
                                          {"packets_out", "Packets out"},
                                          {"bytes_out", "Bytes out"}};

Result<SessionsQuery> parse_query(const std::vector<std::string>& arguments) {
  SessionsQuery query;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string& option = arguments[i];
    if (option != "--server" && option != "--limit") {
      return fail("unknown argument '" + option + "'; usage: show sessions [--server N] [--limit N]");
    }
    if (i + 1 == arguments.size()) return fail(option + " needs a number");
    const std::string& word = arguments[i + 1];
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    const std::uint32_t most = option == "--server" ? max_servers : 100'000;
    if (error != std::errc{} || end != word.data() + word.size() || value == 0 || value > most) {
      std::string text = option;
      text.append(" takes a number from 1 to ").append(std::to_string(most)).append(", not '").append(word).append("'");
      return fail(std::move(text));
    }
    (option == "--server" ? query.server : query.limit) = value;
  }
  return query;
}

template <class Address>
SessionRow row_of(const Session<Address>& session, const Binding& binding, std::uint32_t now) {
  SessionRow row;
  row.client = session.client;
  row.client_port = session.rest.client_port;
  row.server = binding.server;
  row.server_address = binding.template server_address<Address>();
  row.server_port = binding.server_port != 0 ? binding.server_port : session.rest.server_port;
  row.target = binding.target;
  row.target_address = binding.template target_address<Address>();
  row.target_port = binding.target_port != 0 ? binding.target_port : session.rest.server_port;
  row.protocol = session.rest.protocol != 0 ? session.rest.protocol : binding.protocol;
  row.state = session.state;
  row.age = now - session.created;
  row.left = session.expires - now;
  std::uint32_t life = timeout_of(session.state, binding.idle_timeout);
  if (session.state == SessionState::idle && session.rest.protocol == wire::ip_protocol::udp) {
    life = std::min(life, datagram_timeout);
  }
  row.idle = life > row.left ? life - row.left : 0;
  return row;
}

// Returns true at the end of the table.
template <class Address>
bool walk_table(const Engine& engine, const Directory& directory, const SessionsQuery& query, std::uint32_t now,
                std::uint32_t& at, std::vector<SessionRow>& rows) {
  const SessionTable<Address>& table = engine.table<Address>();
  const std::uint32_t end = std::min(table.high_water(), at + SessionsWalk::records_a_visit);
  for (; at < end && rows.size() < query.limit; ++at) {
    const Session<Address>& session = table.record(at);
    if (!engine.is_live(session, now)) continue;
    const Binding& binding = directory.bindings[session.binding];
    if (query.server != 0 && binding.server != query.server) continue;
    rows.push_back(row_of(session, binding, now));
  }
  return at >= table.high_water() || rows.size() >= query.limit;
}

std::string with_port(const IpAddress& address, std::uint16_t port) {
  if (port == 0) return to_string(address);
  std::string text = to_string(address);
  if (address.is_v6()) text.insert(0, "[").append("]");
  return text.append(":").append(std::to_string(port));
}

Report report_of(const SessionsWalk& walk) {
  Report report;
  Table table{.key = "sessions",
              .title = "",
              .columns = {{"client", "Client"},
                          {"server", "Server"},
                          {"server_address", "Service"},
                          {"target", "Target"},
                          {"target_address", "Target address"},
                          {"protocol", "Protocol"},
                          {"state", "State"},
                          {"age_seconds", "Age (s)"},
                          {"idle_seconds", "Idle (s)"},
                          {"expires_seconds", "Expires (s)"}},
              .rows = {}};
  bool is_cut = false;
  for (const SessionsWalk::Share& share : walk.shares) {
    is_cut = is_cut || share.rows.size() >= walk.query.limit;
    for (const SessionRow& row : share.rows) {
      if (table.rows.size() >= walk.query.limit) break;
      table.rows.push_back({text(with_port(row.client, row.client_port)), number(row.server),
                            text(with_port(row.server_address, row.server_port)), number(row.target),
                            text(with_port(row.target_address, row.target_port)), text(protocol_name(row.protocol)),
                            text(to_string(row.state)), Cell{static_cast<double>(row.age) / 1000},
                            Cell{static_cast<double>(row.idle) / 1000}, Cell{static_cast<double>(row.left) / 1000}});
    }
  }
  report.tables.push_back(std::move(table));
  if (is_cut) {
    report.notes.push_back("The list ends at " + std::to_string(walk.query.limit) + " sessions; --limit N shows more.");
  }
  return report;
}

}  // namespace

void BalancerModule::declare_commands(Setup& setup) {
  setup.command({"show servers", "", "Servers with their state, targets, sessions and traffic."},
                [this](const std::vector<std::string>&, Time, CommandReply reply) { reply(show_servers()); });
  setup.command({"show targets", "", "Targets with their health, sessions and traffic."},
                [this](const std::vector<std::string>&, Time, CommandReply reply) { reply(show_targets()); });
  setup.command({"show sessions", "[--server N] [--limit N]", "Sessions of all workers."},
                [this](const std::vector<std::string>& arguments, Time, CommandReply reply) {
                  show_sessions(arguments, std::move(reply));
                });
}

TrafficSum BalancerModule::server_traffic(ServerId server) const {
  TrafficSum sum;
  for (const std::shared_ptr<Traffic>& worker : traffic_) sum.add(worker->servers[server]);
  return sum;
}

TrafficSum BalancerModule::target_traffic(TargetId target) const {
  TrafficSum sum;
  for (const std::shared_ptr<Traffic>& worker : traffic_) sum.add(worker->targets[target]);
  return sum;
}

std::string BalancerModule::target_reason(const TargetConfig& target) const {
  if (target.state != LifeCycle::enabled) return std::string{life_cycle_reason(target.state)};
  if (!target.address4 && !target.address6) return "no address";
  const TargetHealth* health = host_->bus().last<TargetHealth>(std::to_string(target.number));
  if (health != nullptr && !health->reason.empty()) return health->reason;
  if (target.weight == 0) return "weight 0 takes no new sessions";
  return "";
}

Report BalancerModule::show_servers() const {
  Table table{.key = "servers",
              .title = "",
              .columns = {{"number", "Server"},
                          {"name", "Name"},
                          {"address", "Address"},
                          {"port", "Port"},
                          {"protocol", "Protocol"},
                          {"method", "Method"},
                          {"state", "State"},
                          {"reason", "Reason"},
                          {"targets_up", "Up"},
                          {"targets", "Targets"}},
              .rows = {}};
  table.columns.insert(table.columns.end(), traffic_columns.begin(), traffic_columns.end());
  for (const ServerConfig& server : registry_.config().servers) {
    std::uint64_t up = 0;
    for (const TargetId target_number : server.targets) {
      const TargetConfig* target = registry_.config().target(target_number);
      if (target == nullptr || !fits(server, *target)) continue;
      up += static_cast<std::uint64_t>(target->state == LifeCycle::enabled &&
                                       registry_.health(target_number) == Health::up);
    }
    std::string_view reason;
    if (server.state != LifeCycle::enabled) {
      reason = life_cycle_reason(server.state);
    } else if (server.has_open_reference) {
      reason = "names a target that is not defined";
    } else if (!server.address4 && !server.address6) {
      reason = "no address";
    } else if (up == 0) {
      reason = server.targets.empty() ? "no targets" : "no target is up";
    }
    std::vector<Cell> row{number(server.number),
                          text(server.name),
                          text(addresses_of(server.address4, server.address6)),
                          port_cell(server.port),
                          text(protocol_of(server)),
                          text(to_string(server.method)),
                          text(server.is_active() ? "active" : "inactive"),
                          text(reason),
                          number(up),
                          number(server.targets.size())};
    append_traffic(row, server_traffic(server.number));
    table.rows.push_back(std::move(row));
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

Report BalancerModule::show_targets() const {
  Table table{.key = "targets",
              .title = "",
              .columns = {{"number", "Target"},
                          {"name", "Name"},
                          {"address", "Address"},
                          {"port", "Port"},
                          {"state", "State"},
                          {"health", "Health"},
                          {"reason", "Reason"},
                          {"agent_value", "Agent"},
                          {"weight", "Weight"}},
              .rows = {}};
  table.columns.insert(table.columns.end(), traffic_columns.begin(), traffic_columns.end());
  for (const TargetConfig& target : registry_.config().targets) {
    const TargetHealth* health = host_->bus().last<TargetHealth>(std::to_string(target.number));
    const bool has_value = health != nullptr && health->agent_value >= 0;
    std::vector<Cell> row{number(target.number),
                          text(target.name),
                          text(addresses_of(target.address4, target.address6)),
                          target.port == 0 ? Cell{} : number(target.port),
                          text(target.state == LifeCycle::enabled ? "enabled" : life_cycle_reason(target.state)),
                          text(to_string(registry_.health(target.number))),
                          text(target_reason(target)),
                          has_value ? Cell{health->agent_value} : Cell{},
                          number(target.weight)};
    append_traffic(row, target_traffic(target.number));
    table.rows.push_back(std::move(row));
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

void BalancerModule::show_sessions(const std::vector<std::string>& arguments, CommandReply reply) {
  const Result<SessionsQuery> query = parse_query(arguments);
  if (!query) {
    reply(error_report(query.error().text));
    return;
  }
  auto walk = std::make_shared<SessionsWalk>();
  walk->query = *query;
  walk->shares.resize(host_->worker_count());
  walk->reply = std::move(reply);
  visit_workers(walk);
}

void BalancerModule::visit_workers(const std::shared_ptr<SessionsWalk>& walk) {
  host_->on_workers(
      [walk](Worker& worker, std::size_t at) {
        SessionsWalk::Share& share = walk->shares[at];
        if (share.finished) return;
        auto& balancer = static_cast<BalancerWorker&>(worker);
        const Engine* engine = balancer.engine();
        if (engine == nullptr) {
          share.finished = true;
          return;
        }
        const Directory& directory = balancer.directory();
        const std::uint32_t now = balancer.last_seen();
        share.finished = walk_table<Ipv4Address>(*engine, directory, walk->query, now, share.at4, share.rows) &&
                         walk_table<Ipv6Address>(*engine, directory, walk->query, now, share.at6, share.rows);
      },
      [this, walk] {
        const bool finished = std::all_of(walk->shares.begin(), walk->shares.end(),
                                          [](const SessionsWalk::Share& share) { return share.finished; });
        if (finished) {
          walk->reply(report_of(*walk));
        } else {
          visit_workers(walk);
        }
      });
}

}  // namespace trivet::slb
