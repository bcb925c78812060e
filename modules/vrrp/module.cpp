#include "vrrp/module.h"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "trivet/forwarding.h"
#include "trivet/module.h"
#include "trivet/snapshot.h"
#include "trivet/topics/groups.h"
#include "trivet/topics/health.h"
#include "trivet/topics/links.h"
#include "trivet/topics/topology.h"
#include "trivet/topics/vrrp_peers.h"
#include "vrrp/config.h"
#include "vrrp/engine.h"
#include "vrrp/report.h"
#include "vrrp/worker.h"

namespace trivet::vrrp {
namespace {

class ConfigPlan final : public Plan {
 public:
  explicit ConfigPlan(Config plan_config) : config(std::move(plan_config)) {}
  Config config;
};

// The network that carries the advertisements, as the node has it now.
Attachment attachment_of(const ForwardingState& forwarding, NetworkId number) {
  Attachment attachment;
  const NetworkView* network = forwarding.network(number);
  if (network == nullptr) return attachment;
  attachment.address = network->real4;
  attachment.interfaces = network->interfaces;
  attachment.vlan = network->vlan;
  if (network->virt4) attachment.virtual_addresses.push_back(*network->virt4);
  return attachment;
}

class VrrpModule final : public Module {
 public:
  void declare(Setup& setup) override;
  void start(Host& host, Time now) override;
  std::unique_ptr<Plan> check(const ConfigView& config, Problems& problems) override;
  void apply(std::unique_ptr<Plan> plan, Time now) override;
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override;
  void on_punt(const Packet& packet, Time now) override;
  [[nodiscard]] Time poll_at() const override;
  void on_time(Time now) override;
  void stop(Time now) override;

 private:
  // The bus tells no time: what it delivers waits here for on_time(), which is due at once then.
  using Fact = std::function<Actions(Engine& engine, Time now)>;

  void subscribe();
  void take_facts(Time now);
  void carry_out(const Actions& actions);
  void carry_out_one(const SendAdvert& action);
  void carry_out_one(const ChangeRole& action);
  void carry_out_one(const AskGateway& action);
  void carry_out_one(const PeersChanged& action);
  void carry_out_one(const Count& action);
  void carry_out_one(const Notice& action);
  void publish_role();
  void publish_groups();
  void publish_admission();
  [[nodiscard]] Counter counter(Tally tally) const { return counters_.at(static_cast<std::size_t>(tally)); }
  [[nodiscard]] Report report(Time now) const;

  Host* host_ = nullptr;
  WorkerReasons reasons_;
  std::array<Counter, tally_count> counters_{};
  std::optional<Engine> engine_;
  std::vector<Fact> facts_;
  std::optional<RoleState> published_role_;
  std::vector<GroupMembership> published_groups_;
  Snapshot<Admission> admission_;
};

void VrrpModule::declare(Setup& setup) {
  declare_config(setup);
  declare_worker(setup, reasons_);
  for (std::size_t i = 0; i < tally_count; ++i) {
    const TallyName& name = tally_name(static_cast<Tally>(i));
    counters_.at(i) = setup.counter(name.name, name.help);
  }
  setup.publishes<RoleState>();
  setup.publishes<VrrpPeer>();
  setup.publishes<GroupMembership>();
  setup.publishes<GatewayCheckRequest>();
  setup.subscribes<LinkState>();
  setup.subscribes<GatewayHealth>();
  setup.subscribes<TargetHealth>();
  setup.subscribes<TopologyChanged>();
  setup.must_stand_before("master", "a backup would not hear the master's advertisements behind that gate");
  setup.command({"show vrrp", "", "role of this node and why, priorities, what is tracked, other routers, counters"},
                [this](const std::vector<std::string>&, Time now, CommandReply reply) { reply(report(now)); });
}

void VrrpModule::start(Host& host, Time) {
  host_ = &host;
  engine_.emplace(static_cast<std::uint16_t>(host.random()()));
  // Without a value every reader would take this node for a master until the first configuration is in.
  publish_role();
  subscribe();
}

void VrrpModule::subscribe() {
  Bus& bus = host_->bus();
  bus.subscribe<LinkState>([this](const LinkState& link) {
    facts_.emplace_back([interface = link.interface, up = link.up](Engine& engine, Time now) {
      return engine.set_link(interface, up, now);
    });
  });
  bus.on_erase<LinkState>([this](const std::string& key) {
    facts_.emplace_back([key](Engine& engine, Time now) {
      return engine.set_link(static_cast<InterfaceId>(std::stoul(key)), false, now);
    });
  });
  // A check that cannot be made has nothing to be waited for: it is decided, and not up. Otherwise a node whose link to
  // the targets is down would never be stable and never replace a master that is worse off.
  const auto decided = [](Health health, bool is_blocked) { return is_blocked ? Health::down : health; };
  bus.subscribe<GatewayHealth>([this, decided](const GatewayHealth& gateway) {
    facts_.emplace_back([health = decided(gateway.health, gateway.is_blocked), answer = gateway.last_answer](
                            Engine& engine, Time now) { return engine.set_gateway(health, answer, now); });
  });
  bus.on_erase<GatewayHealth>([this](const std::string&) {
    facts_.emplace_back([](Engine& engine, Time now) { return engine.clear_gateway(now); });
  });
  bus.subscribe<TargetHealth>([this, decided](const TargetHealth& target) {
    facts_.emplace_back([key = target.key(), health = decided(target.health, target.is_blocked)](
                            Engine& engine, Time now) { return engine.set_target(key, health, now); });
  });
  bus.on_erase<TargetHealth>([this](const std::string& key) {
    facts_.emplace_back([key](Engine& engine, Time now) { return engine.clear_target(key, now); });
  });
  bus.subscribe<TopologyChanged>([this](const TopologyChanged&) {
    facts_.emplace_back([this](Engine& engine, Time now) {
      return engine.attach(attachment_of(host_->forwarding(), engine.config().network), now);
    });
  });
}

std::unique_ptr<Plan> VrrpModule::check(const ConfigView& config, Problems& problems) {
  return std::make_unique<ConfigPlan>(read_config(config, problems));
}

void VrrpModule::apply(std::unique_ptr<Plan> plan, Time now) {
  const Config& config = static_cast<const ConfigPlan&>(*plan).config;
  take_facts(now);
  carry_out(engine_->configure(config, now));
  carry_out(engine_->attach(attachment_of(host_->forwarding(), config.network), now));
  publish_role();
}

std::unique_ptr<Worker> VrrpModule::make_worker(WorkerContext& context) {
  const WorkerCounters counters{counter(Tally::not_running), counter(Tally::wrong_interface),
                                counter(Tally::other_vrid)};
  return std::make_unique<AdvertWorker>(reasons_, counters, context.counters(), admission_);
}

void VrrpModule::on_punt(const Packet& packet, Time now) {
  take_facts(now);
  const wire::Ipv4Header& ip = packet.ipv4();
  std::expected<Advert, AdvertError> advert = parse_advert(packet.l4_bytes(), ip.hop_limit);
  // The worker has let only good ones through.
  if (!advert) return;
  carry_out(engine_->receive({packet.in_interface, ip.source, ip.id, std::move(*advert)}, now));
}

Time VrrpModule::poll_at() const {
  if (!engine_) return never;
  return facts_.empty() ? engine_->poll_at() : Time{};
}

void VrrpModule::on_time(Time now) {
  take_facts(now);
  if (engine_->poll_at() <= now) carry_out(engine_->on_time(now));
}

void VrrpModule::stop(Time now) { carry_out(engine_->stop(now)); }

void VrrpModule::take_facts(Time now) {
  for (const Fact& fact : std::exchange(facts_, {})) carry_out(fact(*engine_, now));
}

void VrrpModule::carry_out(const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([this](const auto& one) { carry_out_one(one); }, action);
  }
  publish_groups();
  publish_admission();
}

void VrrpModule::carry_out_one(const SendAdvert& action) {
  for (const InterfaceId number : action.interfaces) {
    const InterfaceView* interface = host_->forwarding().interface(number);
    if (interface == nullptr) continue;
    const MacAddress source =
        engine_->config().virtual_mac ? vrrp_mac(Family::ipv4, action.advert.vrid) : interface->mac;
    host_->transmit(number, engine_->attachment().vlan, build_frame(action.advert, {source, action.source, action.id}));
  }
}

void VrrpModule::carry_out_one(const ChangeRole& action) {
  std::string line = "role ";
  if (action.from != action.to) line += std::string(to_string(action.from)) + " -> ";
  line += std::string(to_string(action.to)) + ": " + action.reason;
  // Another reason for the same role is no change; while a configuration settles there are several.
  host_->log().change(action.from == action.to ? LogLevel::debug : LogLevel::info, line);
  publish_role();
}

void VrrpModule::carry_out_one(const AskGateway& action) {
  static_cast<void>(action);
  host_->bus().publish(GatewayCheckRequest{});
}

void VrrpModule::carry_out_one(const PeersChanged& action) {
  static_cast<void>(action);
  host_->bus().publish_list(engine_->peers());
}

void VrrpModule::carry_out_one(const Count& action) { host_->count(counter(action.tally)); }

void VrrpModule::carry_out_one(const Notice& action) {
  if (action.is_warning) {
    host_->log().warning(action.text);
  } else {
    host_->log().change(LogLevel::info, action.text);
  }
}

void VrrpModule::publish_role() {
  const Config& config = engine_->config();
  RoleState state{engine_->role(), config.vrid, config.has_section && config.virtual_mac, engine_->reason(),
                  engine_->since()};
  if (state == published_role_) return;
  published_role_ = state;
  host_->bus().publish(std::move(state));
}

void VrrpModule::publish_groups() {
  std::vector<GroupMembership> groups;
  if (engine_->config().has_section) {
    const Attachment& attachment = engine_->attachment();
    for (const InterfaceId interface : attachment.interfaces) groups.push_back({interface, group4, attachment.vlan});
  }
  if (groups == published_groups_) return;
  published_groups_ = groups;
  host_->bus().publish_list(std::move(groups));
}

void VrrpModule::publish_admission() {
  Admission next;
  next.has_router = engine_->config().has_section;
  next.vrid = engine_->config().vrid;
  next.vlan = engine_->attachment().vlan;
  for (const InterfaceId interface : engine_->attachment().interfaces) {
    if (interface <= max_interfaces) next.interfaces.set(interface);
  }
  for (const VrrpPeer& peer : engine_->peers()) next.peers.at(next.peer_count++) = peer.address.v4();
  if (next == admission_.get()) return;
  admission_.publish(*host_, std::make_unique<const Admission>(next));
}

Report VrrpModule::report(Time now) const {
  if (!engine_) return error_report("vrrp has not been started yet");
  TallyValues values{};
  for (std::size_t i = 0; i < tally_count; ++i) values.at(i) = host_->read(counters_.at(i));
  return make_report(*engine_, values, now);
}

}  // namespace

Module* create_module() { return new VrrpModule; }  // the loader owns it and gives it back to destroy_module()

void destroy_module(Module* module) { delete module; }

}  // namespace trivet::vrrp
