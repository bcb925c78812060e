#include "slb/module.h"

#include <algorithm>
#include <utility>

#include "trivet/forwarding.h"
#include "trivet/topics/health.h"
#include "trivet/topics/topology.h"

namespace trivet::slb {
namespace {

struct BalancerPlan final : Plan {
  Config config;
};

// To this module itself, after an apply(). See await_facts().
struct ConfigurationApplied {
  static constexpr std::string_view topic = "trivet.slb.applied/1";
  static constexpr TopicKind kind = TopicKind::event;
  std::uint32_t generation = 0;
  bool is_last = false;
};

struct RefusalName {
  Refusal refusal;
  const char* name;
  const char* help;
};

constexpr std::array refusal_names{
    RefusalName{Refusal::bad_source, "bad-source",
                "To a service address, from an unspecified, loopback, multicast or reserved source."},
    RefusalName{Refusal::link_local, "link-local", "To a service address, from a link-local source."},
    RefusalName{Refusal::own_source, "own-source", "To a service address, from an address of this node."},
    RefusalName{Refusal::fragment, "fragment", "A fragment to a service address, or of a reply that has a session."},
    RefusalName{Refusal::icmp_error, "icmp-error", "An ICMP error to a service address; these are not translated."},
    RefusalName{Refusal::no_service, "no-service", "To a service address, but no server takes this port or protocol."},
    RefusalName{Refusal::no_target, "no-target", "A new session, and no target of the server takes one."},
    RefusalName{Refusal::no_session, "no-session", "No session, and the packet does not begin one."},
    RefusalName{Refusal::session_conflict, "session-conflict",
                "A new session whose replies could not be told from another server's, on every target."},
    RefusalName{Refusal::session_table_full, "session-table-full", "A new session, and the table is full."}};

}  // namespace

Module* create_module() { return new BalancerModule; }
void destroy_module(Module* module) { delete module; }

void BalancerModule::declare(Setup& setup) {
  declare_keys(setup);
  setup.wants(packet_class::ipv4 | packet_class::ipv6);
  setup.steering(steering_);
  for (const RefusalName& entry : refusal_names) {
    handles_.drops[static_cast<std::size_t>(entry.refusal)] = setup.drop_reason(entry.name, entry.help);
  }
  handles_.to_targets = setup.counter("to_targets", "Packets sent on to targets.");
  handles_.to_clients = setup.counter("to_clients", "Replies of targets sent on to clients.");
  handles_.sessions_created = setup.counter("sessions_created", "Sessions begun.");
  handles_.sessions_expired = setup.counter("sessions_expired", "Sessions ended by time.");
  handles_.sessions_removed =
      setup.counter("sessions_removed", "Sessions ended because their target went down or changed, or the server did.");
  handles_.sessions_replaced =
      setup.counter("sessions_replaced", "Closed sessions replaced by a new connection between the same ports.");
  handles_.sessions_evicted =
      setup.counter("sessions_evicted", "Half-open sessions given up for new ones when the table was full.");
  setup.publishes<OwnAddress>();
  setup.publishes<ConfigurationApplied>();
  setup.subscribes<ConfigurationApplied>();
  setup.subscribes<TargetHealth>();
  setup.subscribes<TopologyChanged>();
  setup.must_stand_before("rt", "rt decides about every packet that slb has not taken, and slb must see replies first");
  declare_commands(setup);
}

void BalancerModule::start(Host& host, Time /*now*/) {
  host_ = &host;
  host.bus().subscribe<TargetHealth>([this](const TargetHealth& value) { on_health(value.target, value.health); });
  host.bus().on_erase<TargetHealth>([this](const std::string& key) {
    if (!key.empty()) on_health(static_cast<TargetId>(std::stoul(key)), Health::up);
  });
  host.bus().subscribe<ConfigurationApplied>([this](const ConfigurationApplied& applied) {
    if (applied.generation != generation_) return;
    if (!applied.is_last) return host_->bus().publish(ConfigurationApplied{applied.generation, true});
    awaits_facts_ = false;
    rebuild();
  });
  // A server's address belongs to the network whose prefix holds it, and that may have changed.
  host.bus().subscribe<TopologyChanged>([this](const TopologyChanged&) { publish_addresses(); });
}

std::unique_ptr<Plan> BalancerModule::check(const ConfigView& config, Problems& problems) {
  auto plan = std::make_unique<BalancerPlan>();
  plan->config = parse(config, problems);
  if (installed_sessions_ != 0 && plan->config.max_sessions != installed_sessions_) {
    problems.warning(config.settings().where("maxsessions"),
                     "maxsessions takes effect when the node is started again; until then it is " +
                         std::to_string(installed_sessions_));
  }
  return plan;
}

void BalancerModule::apply(std::unique_ptr<Plan> plan, Time /*now*/) {
  registry_.configure(static_cast<BalancerPlan&>(*plan).config);
  await_facts();
  if (installed_sessions_ == 0) install_engines(registry_.config().max_sessions);
  publish_addresses();
}

std::unique_ptr<Worker> BalancerModule::make_worker(WorkerContext& context) {
  return std::make_unique<BalancerWorker>(context, *directory_, handles_);
}

// The size of the tables is configuration, which workers are made without; so the first apply brings them.
void BalancerModule::install_engines(std::uint32_t max_sessions) {
  installed_sessions_ = max_sessions;
  const std::size_t workers = host_->worker_count();
  // Clients are spread evenly over the workers; an eighth more each evens out what chance does to that.
  const auto share = static_cast<std::uint32_t>(max_sessions / std::max<std::size_t>(1, workers));
  const std::uint32_t size = workers <= 1 ? share : share + share / 8;
  auto engines = std::make_shared<std::vector<std::unique_ptr<Engine>>>();
  for (std::size_t i = 0; i < workers; ++i) {
    traffic_.push_back(std::make_shared<Traffic>());
    engines->push_back(
        std::make_unique<Engine>(Engine::Sizes{.sessions4 = size, .sessions6 = size}, host_->random()(), traffic_[i]));
  }
  host_->on_workers([engines](Worker& worker, std::size_t number) {
    static_cast<BalancerWorker&>(worker).install(std::move((*engines)[number]));
  });
}

void BalancerModule::stop(Time /*now*/) { host_->bus().publish_list<OwnAddress>({}); }

void BalancerModule::on_health(TargetId target, Health health) {
  if (registry_.set_health(target, health) && !awaits_facts_) rebuild();
}

// A target that is new, or is checked from now on, counts as up until its health is told, and whoever checks it tells
// when it applies the configuration: before or after this module, in any case before the bus delivers the second of two
// events, the one that is published when the first arrives. Until then workers keep the former directory.
void BalancerModule::await_facts() {
  awaits_facts_ = true;
  host_->bus().publish(ConfigurationApplied{++generation_, false});
}

void BalancerModule::rebuild() { directory_->publish(*host_, registry_.build()); }

void BalancerModule::publish_addresses() {
  std::vector<OwnAddress> list;
  const auto add = [&](const ServerConfig& server, const IpAddress& address) {
    const auto known =
        std::find_if(list.begin(), list.end(), [&](const OwnAddress& entry) { return entry.address == address; });
    if (known != list.end()) {
      if (server.takes_everything()) known->answers_echo = false;
      return;
    }
    list.push_back({.address = address,
                    .scope = AddressScope::master,
                    .network = host_->forwarding().network_of(address),
                    .interface = 0,
                    .answers_echo = !server.takes_everything()});
  };
  for (const ServerConfig& server : registry_.config().servers) {
    if (!server.is_active()) continue;
    if (server.address4) add(server, *server.address4);
    if (server.address6) add(server, *server.address6);
  }
  // The list itself changes the topology: publish only what is news.
  if (has_published_ && list == published_) return;
  has_published_ = true;
  published_ = list;
  host_->bus().publish_list<OwnAddress>(std::move(list));
}

}  // namespace trivet::slb
