#include "core/app/node.h"

#include <algorithm>
#include <exception>
#include <map>

#include "core/app/module_host.h"
#include "core/app/module_instance.h"
#include "core/app/prepared_config.h"
#include "core/app/worker_count.h"
#include "core/app/worker_watch.h"
#include "core/bus/event_bus.h"
#include "core/cli/core_commands.h"
#include "core/net/interface_manager.h"
#include "core/net/topology.h"
#include "core/pipeline/exchange.h"
#include "core/pipeline/shared_state.h"
#include "trivet/topics/neighbors.h"

namespace trivet::core {

namespace {

constexpr int core_rank = -1;
// What one step() does at most before it gives the caller a chance; a node that is busier is stepped again at once.
constexpr int round_limit = 1000;
constexpr int inline_run_limit = 10'000;

}  // namespace

class Node::Implementation final : public ControlSink {
 public:
  explicit Implementation(NodeOptions options);
  ~Implementation() override;

  Problems configure(std::string_view text, const std::string& source, Time now);
  Problems check(std::string_view text, const std::string& source);
  void step(Time now);
  [[nodiscard]] Time poll_at() const;
  void stop(Time now);
  void refresh_link(const std::string& name, Time now);
  void command(const std::vector<std::string>& words, Time now, CommandReply reply);
  [[nodiscard]] std::vector<CommandInfo> commands() const;

  // ControlSink
  void on_punt(ModuleId module, const Packet& packet) override;
  void on_message(ModuleId module, const WorkerMessage& message) override;
  void on_neighbor_wanted(NetworkId network, const IpAddress& address) override;
  void on_neighbor_used(NetworkId network, const IpAddress& address) override;

  struct Running {
    std::unique_ptr<ModuleInstance> instance;
    std::unique_ptr<ModuleHost> host;
    bool failed = false;
  };

  // Calls into a module; what it throws ends the module (an essential one: the node).
  template <class Call>
  void call(Running& running, std::string_view what, Call&& function);
  void module_failed(Running& running, std::string_view what, std::string_view error);

  void log(LogLevel level, std::string_view text) { services.log(level, LogKind::message, "core", text); }
  Running* find(std::string_view name);
  Running* find(ModuleId id);
  [[nodiscard]] ModuleId id_of(const std::string& name);
  void subscribe();
  void log_links();
  void apply(PreparedConfig prepared, Time now);
  void stop_removed(const PreparedConfig& prepared, Time now);
  void adopt(PreparedConfig& prepared, Time now);
  void update_chains();
  void update_ports();
  void make_workers();
  void warn_of_other_workers(const ConfigView& next, Problems& problems) const;
  bool run_workers(Time now);
  void watch_workers(Time now);
  bool run_timers(Time now);
  void settle(Time now);

  NodeOptions options;
  EventBus event_bus;
  MetricsRegistry registry;
  SharedState shared;
  Random random;
  std::vector<std::unique_ptr<ForwardingWorker>> workers;
  std::optional<Exchange> exchange;  // of several workers
  WorkerWatch watch;
  std::size_t wanted_workers = 0;  // by the first configuration
  HostServices services;
  Bus& bus;
  InterfaceManager interfaces;
  Topology topology;
  std::vector<std::unique_ptr<Running>> modules;   // in the order of the modules line
  std::vector<std::string> module_ids;             // index = ModuleId; never reused for another name
  std::vector<std::shared_ptr<Running>> retiring;  // stopped; their workers may still run
  std::uint64_t ports_version = 0;
  Tree tree;
  Schema schema;
  ConfigView view;
  bool is_configured = false;
  bool is_stopped = false;
  std::size_t refusals_logged = 0;
  std::map<InterfaceId, std::string> logged_links;
  Time current{};  // of the present call
  std::optional<std::string> fatal;
};

Node::Implementation::Implementation(NodeOptions given)
    : options(std::move(given)),
      shared(registry, options.workers, default_neighbors, options.seed),
      random(options.seed),
      watch(options.workers),
      bus(event_bus.join("core", core_rank)),
      interfaces(*options.io, options.workers),
      topology(bus, interfaces, shared),
      schema(make_core_schema()) {
  services.shared = &shared;
  services.workers = &workers;
  services.cells = &registry.add_thread();
  services.random = &random;
  services.log = options.log ? options.log : [](LogLevel, LogKind, std::string_view, std::string_view) {};
  make_workers();
  subscribe();
}

void Node::Implementation::make_workers() {
  std::vector<Exchange::Member> members;
  for (std::size_t number = 0; number < options.workers; ++number) {
    WorkerConfig config;
    config.number = number;
    config.pool = options.pool;
    config.egress = EgressLimits{}.share_of(options.workers);
    config.seed = random();
    workers.push_back(std::make_unique<ForwardingWorker>(config, shared));
    if (options.wake_control) workers.back()->set_wake_control(options.wake_control);
    members.push_back(workers.back()->member());
  }
  if (workers.size() <= 1) return;
  exchange.emplace(std::move(members));
  for (auto& worker : workers) worker->join(*exchange);
}

Node::Implementation::~Implementation() {
  // Workers have been stopped (or are inline). Modules' Worker objects go before their modules.
  for (auto& running : modules) running->host->module_workers().clear();
  for (auto& running : retiring) running->host->module_workers().clear();
  for (auto& running : modules) event_bus.leave(running->instance->name());
}

void Node::Implementation::subscribe() {
  bus.subscribe<NeighborEntry>([this](const NeighborEntry& entry) {
    if (!shared.neighbors().update(entry))
      log(LogLevel::warning, "neighbour table full: " + entry.key() + " is left out");
    for (auto& worker : workers) worker->neighbors_changed();
  });
  bus.on_erase<NeighborEntry>([this](const std::string& key) {
    shared.neighbors().erase(key);
    for (auto& worker : workers) worker->neighbors_changed();
  });
  log_links();
}

void Node::Implementation::log_links() {
  bus.subscribe<LinkState>([this](const LinkState& link) {
    const std::string who = "interface " + std::to_string(link.interface) + " (" + link.name + ")";
    std::string& known = logged_links[link.interface];
    const std::string state = link.up ? "up: carrier" : "down: " + link.reason;
    if (known == state) return;
    known = state;
    services.log(link.up ? LogLevel::info : LogLevel::warning, LogKind::change, "core", who + ' ' + state);
  });
}

template <class Call>
void Node::Implementation::call(Running& running, std::string_view what, Call&& function) {
  if (running.failed) return;
  try {
    function(running.instance->module());
  } catch (const std::exception& error) {
    module_failed(running, what, error.what());
  } catch (...) {
    module_failed(running, what, "it threw something that is no exception");
  }
}

void Node::Implementation::module_failed(Running& running, std::string_view what, std::string_view error) {
  running.failed = true;
  std::string text =
      "module '" + running.instance->name() + "' failed in " + std::string(what) + ": " + std::string(error);
  if (running.instance->descriptor().essential != 0) {
    if (!fatal) fatal = text;
    text += "; the node cannot go on without it";
  } else {
    text += "; it is taken off the chain until the next start";
  }
  log(LogLevel::error, text);
  update_chains();
}

Node::Implementation::Running* Node::Implementation::find(std::string_view name) {
  const auto found =
      std::ranges::find_if(modules, [&](const auto& running) { return running->instance->name() == name; });
  return found == modules.end() ? nullptr : found->get();
}

Node::Implementation::Running* Node::Implementation::find(ModuleId id) {
  const auto found = std::ranges::find_if(modules, [&](const auto& running) { return running->host->id() == id; });
  return found == modules.end() ? nullptr : found->get();
}

ModuleId Node::Implementation::id_of(const std::string& name) {
  const auto found = std::ranges::find(module_ids, name);
  const auto index = found - module_ids.begin();
  if (found == module_ids.end()) module_ids.push_back(name);
  return static_cast<ModuleId>(index);
}

// --- configuration ---------------------------------------------------------------------------------------------------

Problems Node::Implementation::check(std::string_view text, const std::string& source) {
  Problems problems;
  const auto find_running = [this](const std::string& name) {
    Running* const running = find(name);
    return running == nullptr ? nullptr : running->instance.get();
  };
  static_cast<void>(prepare_configuration(text, source, *options.loader, registry, find_running, problems));
  return problems;
}

Problems Node::Implementation::configure(std::string_view text, const std::string& source, Time now) {
  Problems problems;
  const auto find_running = [this](const std::string& name) {
    Running* const running = find(name);
    return running == nullptr ? nullptr : running->instance.get();
  };
  auto prepared = prepare_configuration(text, source, *options.loader, registry, find_running, problems);
  // Ids are never given to another name: what counts is every name that has run, and those that are new.
  const auto is_new = [this](const PreparedConfig::Entry& entry) {
    return std::ranges::find(module_ids, entry.name) == module_ids.end();
  };
  if (prepared &&
      module_ids.size() + static_cast<std::size_t>(std::ranges::count_if(prepared->modules, is_new)) > max_modules) {
    problems.error({source, 0, 0}, "too many modules: a node runs at most " + std::to_string(max_modules));
    prepared.reset();
  }
  if (!prepared) return problems;
  warn_of_other_workers(prepared->view, problems);
  current = now;
  if (is_configured) {
    const ConfigDiff changes = diff(view, prepared->view);
    if (changes.empty()) log(LogLevel::info, "configuration read again: nothing has changed");
    for (const std::string& line : describe(changes)) log(LogLevel::info, "configuration: " + line);
  }
  try {
    apply(std::move(*prepared), now);
  } catch (const std::exception& error) {
    // Neither the old nor the new configuration runs: no state to go on in.
    std::erase(modules, nullptr);
    fatal = std::string("the configuration could be applied in part only: ") + error.what();
    problems.error({source, 0, 0}, *fatal);
  }
  return problems;
}

// Sessions belong to a worker by their client's address and the number of workers, so that number stays.
void Node::Implementation::warn_of_other_workers(const ConfigView& next, Problems& problems) const {
  const std::size_t wanted = configured_workers(next);
  if (!is_configured || wanted == wanted_workers) return;
  Position where;
  for (const SectionView* section : next.all("interface")) {
    if (where.line == 0 || section->integer("threads").value_or(1) == static_cast<std::int64_t>(wanted)) {
      where = section->where("threads");
    }
  }
  problems.warning(where, "threads: the number of workers changes from " + std::to_string(wanted_workers) + " to " +
                              std::to_string(wanted) + " when the node is started again, not by a reload");
}

void Node::Implementation::apply(PreparedConfig prepared, Time now) {
  stop_removed(prepared, now);
  tree = std::move(prepared.tree);
  schema = std::move(prepared.schema);
  view = std::move(prepared.view);

  if (!is_configured) wanted_workers = configured_workers(view);
  NetObjects objects = read_objects(view);
  for (InterfaceObject& object : objects.interfaces) {
    object.spec.threads = std::min(object.spec.threads, workers.size());
  }
  bool role_has_writer = false;
  for (const PreparedConfig::Entry& entry : prepared.modules) {
    for (const auto& topic : entry.instance().declaration().topics) {
      role_has_writer = role_has_writer || (topic.use == TopicUse::publishes && topic.topic.name == RoleState::topic);
    }
  }
  interfaces.apply(objects.interfaces, now);
  update_ports();
  topology.apply(std::move(objects), role_has_writer);
  settle(now);

  adopt(prepared, now);
  for (PreparedConfig::Entry& entry : prepared.modules) {
    if (Running* const running = find(entry.name)) {
      call(*running, "apply()", [&](Module& module) { module.apply(std::move(entry.plan), now); });
    }
  }
  update_chains();
  is_configured = true;
  settle(now);
}

void Node::Implementation::stop_removed(const PreparedConfig& prepared, Time now) {
  bool any = false;
  for (auto& running : modules) {
    const bool stays = std::ranges::any_of(prepared.modules,
                                           [&](const auto& entry) { return entry.running == running->instance.get(); });
    if (stays) continue;
    call(*running, "stop()", [&](Module& module) { module.stop(now); });
    event_bus.leave(running->instance->name());
    log(LogLevel::info, "module '" + running->instance->name() + "' stopped");
    retiring.push_back(std::move(running));
    any = true;
  }
  if (!any) return;
  std::erase(modules, nullptr);
  update_chains();
}

void Node::Implementation::adopt(PreparedConfig& prepared, Time now) {
  std::vector<std::unique_ptr<Running>> ordered;
  int rank = 0;
  for (PreparedConfig::Entry& entry : prepared.modules) {
    if (entry.created == nullptr) {
      const auto old = std::ranges::find_if(
          modules, [&](const auto& running) { return running != nullptr && running->instance.get() == entry.running; });
      ordered.push_back(std::move(*old));
      event_bus.set_rank(entry.name, rank++);
      continue;
    }
    auto running = std::make_unique<Running>();
    running->instance = std::move(entry.created);
    running->host =
        std::make_unique<ModuleHost>(entry.name, id_of(entry.name), services, event_bus.join(entry.name, rank++));
    call(*running, "start()", [&](Module& module) { module.start(*running->host, now); });
    if (running->instance->declaration().classes != PacketClass{}) {
      call(*running, "make_worker()", [&](Module& module) {
        for (auto& worker : workers) {
          running->host->module_workers().push_back(module.make_worker(worker->make_context(running->host->id())));
        }
      });
      std::erase(running->host->module_workers(), nullptr);
    }
    ordered.push_back(std::move(running));
  }
  modules = std::move(ordered);
}

// Tells every worker which modules a packet meets now. Modules that stopped are freed when no worker runs them.
void Node::Implementation::update_chains() {
  auto finished = std::make_shared<std::size_t>(workers.size());
  const auto leaving = std::make_shared<std::vector<std::shared_ptr<Running>>>(std::move(retiring));
  retiring.clear();
  for (std::size_t number = 0; number < workers.size(); ++number) {
    std::vector<ChainEntry> entries;
    for (const auto& running : modules) {
      if (running == nullptr || running->failed || running->host->module_workers().size() != workers.size()) continue;
      const Declaration& declaration = running->instance->declaration();
      entries.push_back({running->host->id(), declaration.classes, running->host->module_workers()[number].get(),
                         declaration.urgency, declaration.steering});
    }
    workers[number]->set_chain(std::move(entries), [finished, leaving] {
      if (--*finished != 0) return;
      for (const auto& running : *leaving) running->host->module_workers().clear();
      leaving->clear();
    });
  }
}

// Gives every worker the ports of the interfaces that are open now; closed ones go when no worker uses them.
void Node::Implementation::update_ports() {
  if (ports_version == interfaces.ports_version()) return;
  ports_version = interfaces.ports_version();
  const auto closed = std::make_shared<std::vector<std::shared_ptr<InterfaceIo>>>(interfaces.take_closed());
  for (std::size_t number = 0; number < workers.size(); ++number) {
    workers[number]->set_ports(interfaces.ports(number), [closed] {});
  }
}

// --- running ---------------------------------------------------------------------------------------------------------

void Node::Implementation::refresh_link(const std::string& name, Time now) {
  if (is_stopped || !interfaces.refresh(name, now)) return;
  update_ports();
  topology.links_changed();
}

bool Node::Implementation::run_workers(Time now) {
  bool busy = false;
  for (auto& worker : workers) {
    if (options.worker_mode == WorkerMode::inline_in_step) {
      for (int i = 0; i < inline_run_limit && worker->run_once(now); ++i) busy = true;
    }
    if (worker->drain(*this) != 0) busy = true;
  }
  return busy;
}

bool Node::Implementation::run_timers(Time now) {
  bool busy = false;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    Running& running = *modules[i];
    if (running.failed || running.instance->module().poll_at() > now) continue;
    call(running, "on_time()", [&](Module& module) { module.on_time(now); });
    busy = true;
  }
  if (interfaces.poll_at() <= now && interfaces.retry(now)) {
    update_ports();
    topology.links_changed();
    busy = true;
  }
  return busy;
}

// Who is stuck holds sessions that nobody else can serve: the process ends, so that the peer takes over.
void Node::Implementation::watch_workers(Time now) {
  if (options.worker_mode != WorkerMode::own_threads || fatal || now < watch.poll_at()) return;
  std::vector<std::uint64_t> runs;
  runs.reserve(workers.size());
  for (const auto& worker : workers) runs.push_back(worker->runs());
  if (const auto stuck = watch.look(runs, now)) {
    fatal = "worker " + std::to_string(*stuck) + " is stuck: it has finished no run for more than a second";
    log(LogLevel::error, *fatal);
  }
  for (auto& worker : workers) worker->neighbors_changed();  // wakes those that sleep
}

void Node::Implementation::settle(Time now) {
  current = now;
  event_bus.deliver();
  for (; refusals_logged < event_bus.refusals().size(); ++refusals_logged) {
    log(LogLevel::error, event_bus.refusals()[refusals_logged]);
  }
}

void Node::Implementation::step(Time now) {
  current = now;
  if (is_stopped) {
    // What the modules have said last goes out; nobody is asked for more, lest they speak again.
    run_workers(now);
    return;
  }
  for (int round = 0; round < round_limit; ++round) {
    bool busy = run_workers(now);
    busy = event_bus.deliver() != 0 || busy;
    busy = run_timers(now) || busy;
    if (!busy && event_bus.idle()) break;
  }
  settle(now);
  watch_workers(now);
  shared.epochs().collect();
}

Time Node::Implementation::poll_at() const {
  if (is_stopped) return never;
  Time next = interfaces.poll_at();
  if (!event_bus.idle()) return current;
  for (const auto& running : modules) {
    if (!running->failed) next = std::min(next, running->instance->module().poll_at());
  }
  if (options.worker_mode == WorkerMode::inline_in_step) {
    for (const auto& worker : workers) next = std::min(next, worker->poll_at());
  } else if (!fatal) {
    next = std::min(next, watch.poll_at());
  }
  return next;
}

void Node::Implementation::stop(Time now) {
  if (is_stopped) return;
  is_stopped = true;
  current = now;
  for (auto& running : modules) call(*running, "stop()", [&](Module& module) { module.stop(now); });
  if (options.worker_mode == WorkerMode::inline_in_step) run_workers(now);
}

void Node::Implementation::on_punt(ModuleId module, const Packet& packet) {
  if (is_stopped) return;
  if (Running* const running = find(module)) {
    call(*running, "on_punt()", [&](Module& object) { object.on_punt(packet, current); });
  }
  event_bus.deliver();
}

void Node::Implementation::on_message(ModuleId module, const WorkerMessage& message) {
  if (is_stopped) return;
  if (Running* const running = find(module)) {
    call(*running, "on_message()", [&](Module& object) { object.on_message(message, current); });
  }
}

void Node::Implementation::on_neighbor_wanted(NetworkId network, const IpAddress& address) {
  if (!is_stopped) bus.publish(NeighborWanted{network, address});
}

void Node::Implementation::on_neighbor_used(NetworkId network, const IpAddress& address) {
  if (!is_stopped) bus.publish(NeighborUsed{network, address});
}

// --- commands --------------------------------------------------------------------------------------------------------

std::vector<Node::CommandInfo> Node::Implementation::commands() const {
  std::vector<CommandInfo> list;
  for (const CommandSpec& spec : core_command_specs()) list.push_back({"core", spec});
  for (const auto& running : modules) {
    for (const auto& command : running->instance->declaration().commands) {
      list.push_back({running->instance->name(), command.spec});
    }
  }
  std::ranges::sort(list, {}, [](const CommandInfo& info) { return info.spec.name; });
  return list;
}

void Node::Implementation::command(const std::vector<std::string>& words, Time now, CommandReply reply) {
  CoreCommandContext context{view, interfaces, topology.objects(), shared, event_bus, workers, {}, {}};
  for (const auto& running : modules) {
    context.modules.push_back({running->instance->name(), running->instance->descriptor().version, running->host->id(),
                               running->failed, running->instance->declaration().classes,
                               !running->host->module_workers().empty()});
  }
  for (const CommandInfo& info : commands()) context.commands.push_back({info.module, info.spec});
  if (auto report = run_core_command(context, words)) {
    reply(std::move(*report));
    return;
  }
  for (const auto& running : modules) {
    for (const auto& command : running->instance->declaration().commands) {
      const auto arguments = match_command(command.spec.name, words);
      if (!arguments) continue;
      if (running->failed) {
        reply(error_report("module '" + running->instance->name() + "' has failed: see the log"));
        return;
      }
      if (!arguments->empty() && command.spec.arguments.empty()) {
        reply(no_argument_taken(command.spec.name, arguments->front()));
        return;
      }
      // Shared, so that somebody answers when the handler throws.
      const auto answer = std::make_shared<CommandReply>(std::move(reply));
      call(*running, "a command", [&](Module&) {
        command.handler(*arguments, now, [answer](Report report) {
          if (*answer) std::exchange(*answer, nullptr)(std::move(report));
        });
      });
      if (running->failed && *answer) {
        std::exchange(*answer, nullptr)(error_report("module '" + running->instance->name() + "' failed: see the log"));
      }
      return;
    }
  }
  reply(unknown_command(context, words));
}

// --- Node ------------------------------------------------------------------------------------------------------------

Node::Node(NodeOptions options) : implementation_(std::make_unique<Implementation>(std::move(options))) {}
Node::~Node() = default;

Problems Node::configure(std::string_view text, const std::string& source, Time now) {
  return implementation_->configure(text, source, now);
}
Problems Node::check(std::string_view text, const std::string& source) { return implementation_->check(text, source); }
void Node::step(Time now) { implementation_->step(now); }
Time Node::poll_at() const { return implementation_->poll_at(); }
void Node::stop(Time now) { implementation_->stop(now); }
void Node::refresh_link(const std::string& name, Time now) { implementation_->refresh_link(name, now); }
void Node::command(const std::vector<std::string>& words, Time now, CommandReply reply) {
  implementation_->command(words, now, std::move(reply));
}
std::vector<Node::CommandInfo> Node::commands() const { return implementation_->commands(); }
ForwardingWorker& Node::worker(std::size_t number) { return *implementation_->workers.at(number); }
std::size_t Node::worker_count() const { return implementation_->workers.size(); }
const ForwardingState& Node::forwarding() const { return implementation_->shared.forwarding(); }
const MetricsRegistry& Node::metrics() const { return implementation_->registry; }
const Tree& Node::tree() const { return implementation_->tree; }
const Schema& Node::schema() const { return implementation_->schema; }
Bus& Node::join_bus(const std::string& name) { return implementation_->event_bus.join(name, 1000); }
const std::optional<std::string>& Node::fatal() const { return implementation_->fatal; }

}  // namespace trivet::core
