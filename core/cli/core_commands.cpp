#include "core/cli/core_commands.h"

#include <algorithm>

namespace trivet::core {

namespace {

std::string text_of(LifeCycle state) {
  switch (state) {
    case LifeCycle::defined:
      return "defined";
    case LifeCycle::registered:
      return "registered";
    case LifeCycle::enabled:
      return "enabled";
  }
  return "?";
}

template <class Address>
Cell optional_text(const std::optional<Address>& address) {
  return address ? Cell{to_string(*address)} : Cell{};
}

std::string number_list(const std::vector<InterfaceId>& numbers) {
  std::string text;
  for (const InterfaceId number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return text;
}

Report show_interfaces(const CoreCommandContext& context) {
  Table table;
  table.key = "interfaces";
  table.columns = {{"number", "No"},    {"name", "Name"},
                   {"state", "State"},  {"link", "Link"},
                   {"mac", "MAC"},      {"mtu", "MTU"},
                   {"rx_frames", "RX"}, {"rx_dropped", "RX lost"},
                   {"tx_frames", "TX"}, {"tx_dropped", "TX lost"},
                   {"reason", "Reason"}};
  for (const LinkState& link : context.interfaces.states()) {
    const auto object = std::ranges::find_if(context.objects.interfaces, [&](const InterfaceObject& candidate) {
      return candidate.spec.number == link.interface;
    });
    PortCounters counters;
    for (std::size_t worker = 0; worker < context.workers.size(); ++worker) {
      for (const PortEntry& port : context.interfaces.ports(worker)) {
        if (port.interface != link.interface) continue;
        const PortCounters part = port.port->counters();
        counters.rx_frames += part.rx_frames;
        counters.rx_dropped += part.rx_dropped;
        counters.tx_frames += part.tx_frames;
        counters.tx_dropped += part.tx_dropped;
      }
    }
    const LifeCycle state = object == context.objects.interfaces.end() ? LifeCycle::defined : object->state;
    table.rows.push_back({std::uint64_t{link.interface}, link.name, text_of(state), link.up ? "up" : "down",
                          link.mac.is_zero() ? Cell{} : Cell{to_string(link.mac)}, std::uint64_t{link.mtu},
                          counters.rx_frames, counters.rx_dropped, counters.tx_frames, counters.tx_dropped,
                          link.reason.empty() ? Cell{} : Cell{link.reason}});
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

Report show_networks(const CoreCommandContext& context) {
  Table table;
  table.key = "networks";
  table.columns = {{"number", "No"},    {"name", "Name"},   {"state", "State"}, {"interfaces", "Interfaces"},
                   {"vlan", "Vlan"},    {"prefix", "IPv4"}, {"real", "Real"},   {"virt", "Virt"},
                   {"prefix6", "IPv6"}, {"real6", "Real6"}, {"virt6", "Virt6"}};
  for (const NetworkObject& network : context.objects.networks) {
    const NetworkView& view = network.view;
    table.rows.push_back({std::uint64_t{view.number}, view.name.empty() ? Cell{} : Cell{view.name},
                          network.has_open_reference ? Cell{"incomplete"} : Cell{text_of(network.state)},
                          number_list(view.interfaces), view.vlan == 0 ? Cell{} : Cell{std::uint64_t{view.vlan}},
                          optional_text(view.prefix4), optional_text(view.real4), optional_text(view.virt4),
                          optional_text(view.prefix6), optional_text(view.real6), optional_text(view.virt6)});
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

Report show_drops(const CoreCommandContext& context) {
  Table table;
  table.key = "drops";
  table.columns = {{"module", "Module"}, {"reason", "Reason"}, {"packets", "Packets"}, {"help", "Meaning"}};
  const MetricsRegistry& metrics = context.shared.metrics();
  for (const MetricInfo& info : metrics.drop_reasons()) {
    const std::uint64_t packets = metrics.read(DropReason{info.id});
    if (packets != 0) table.rows.push_back({info.module, info.name, packets, info.help});
  }
  Report report;
  if (table.rows.empty()) report.notes.emplace_back("No packet has been dropped.");
  report.tables.push_back(std::move(table));
  return report;
}

Report show_counters(const CoreCommandContext& context) {
  Table table;
  table.key = "counters";
  table.columns = {{"module", "Module"}, {"name", "Counter"}, {"value", "Value"}, {"help", "Meaning"}};
  const MetricsRegistry& metrics = context.shared.metrics();
  for (const MetricInfo& info : metrics.counters()) {
    table.rows.push_back({info.module, info.name, metrics.read(Counter{info.id}), info.help});
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

Report show_modules(const CoreCommandContext& context) {
  Table table;
  table.key = "modules";
  table.columns = {{"place", "Place"},     {"name", "Module"},      {"version", "Version"}, {"state", "State"},
                   {"packets", "Packets"}, {"next", "Passed on"},   {"sent", "Sent"},       {"dropped", "Dropped"},
                   {"punted", "Punted"},   {"consumed", "Consumed"}};
  std::uint64_t place = 0;
  for (const CoreCommandContext::ModuleInfo& module : context.modules) {
    std::uint64_t packets = 0;
    std::array<std::uint64_t, ModuleCounts::kinds> kinds{};
    for (const auto& worker : context.workers) {
      const ModuleCounts& counts = worker->module_counts(module.id);
      packets += counts.packets.load(std::memory_order_relaxed);
      for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        kinds[kind] += counts.decisions[kind].load(std::memory_order_relaxed);
      }
    }
    const auto of = [&](Verdict::Kind kind) { return kinds[static_cast<std::size_t>(kind)]; };
    const char* const state = module.failed ? "failed" : module.has_workers ? "running" : "control only";
    table.rows.push_back({++place, module.name, module.version, state, packets, of(Verdict::Kind::next),
                          of(Verdict::Kind::forward) + of(Verdict::Kind::originate) + of(Verdict::Kind::transmit),
                          of(Verdict::Kind::drop), of(Verdict::Kind::punt), of(Verdict::Kind::consumed)});
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

Report show_bus(const CoreCommandContext& context) {
  Table table;
  table.key = "topics";
  table.columns = {{"topic", "Topic"},
                   {"kind", "Kind"},
                   {"writers", "Written by"},
                   {"subscribers", "Readers"},
                   {"deliveries", "Deliveries"}};
  for (const EventBus::TopicInfo& topic : context.bus.topics()) {
    std::string writers;
    for (const std::string& writer : topic.writers) writers += (writers.empty() ? "" : ", ") + writer;
    const char* const kind = topic.kind == TopicKind::event   ? "event"
                             : topic.kind == TopicKind::state ? "state"
                                                              : "roster";
    table.rows.push_back({topic.name, kind, writers.empty() ? Cell{} : Cell{writers}, std::uint64_t{topic.subscribers},
                          topic.deliveries});
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

Report help(const CoreCommandContext& context) {
  Table table;
  table.key = "commands";
  table.columns = {{"command", "Command"}, {"help", "What it does"}, {"module", "Module"}};
  for (const CoreCommandContext::CommandEntry& command : context.commands) {
    const std::string arguments = command.spec.arguments.empty() ? "" : ' ' + command.spec.arguments;
    table.rows.push_back({command.spec.name + arguments, command.spec.help, command.module});
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

using Runner = Report (*)(const CoreCommandContext&);
struct Entry {
  CommandSpec spec;
  Runner run;
};

const std::vector<Entry>& entries() {
  static const std::vector<Entry> list = {
      {{"help", "", "all commands of this node"}, help},
      {{"show bus", "", "topics of the event bus with writers and readers"}, show_bus},
      {{"show counters", "", "all counters"}, show_counters},
      {{"show drops", "", "packets dropped, by reason"}, show_drops},
      {{"show interfaces", "", "interfaces with link, MAC and traffic"}, show_interfaces},
      {{"show modules", "", "modules in the order packets meet them, with what they decided"}, show_modules},
      {{"show networks", "", "networks with their addresses"}, show_networks},
  };
  return list;
}

std::size_t common_words(const std::string& name, const std::vector<std::string>& words) {
  std::size_t count = 0;
  std::size_t start = 0;
  for (const std::string& word : words) {
    const std::size_t end = std::min(name.find(' ', start), name.size());
    if (start >= name.size() || !name.substr(start, end - start).starts_with(word)) break;
    ++count;
    start = end + 1;
  }
  return count;
}

}  // namespace

const std::vector<CommandSpec>& core_command_specs() {
  static const std::vector<CommandSpec> list = [] {
    std::vector<CommandSpec> specs;
    for (const Entry& entry : entries()) specs.push_back(entry.spec);
    return specs;
  }();
  return list;
}

std::optional<std::vector<std::string>> match_command(const std::string& name, const std::vector<std::string>& words) {
  std::size_t start = 0;
  std::size_t used = 0;
  while (start < name.size()) {
    const std::size_t end = std::min(name.find(' ', start), name.size());
    if (used == words.size() || words[used] != name.substr(start, end - start)) return std::nullopt;
    ++used;
    start = end + 1;
  }
  return std::vector<std::string>(words.begin() + static_cast<std::ptrdiff_t>(used), words.end());
}

std::optional<Report> run_core_command(const CoreCommandContext& context, const std::vector<std::string>& words) {
  for (const Entry& entry : entries()) {
    const auto arguments = match_command(entry.spec.name, words);
    if (!arguments) continue;
    if (!arguments->empty()) return no_argument_taken(entry.spec.name, arguments->front());
    return entry.run(context);
  }
  return std::nullopt;
}

Report no_argument_taken(const std::string& command, const std::string& argument) {
  return error_report("'" + command + "' takes no arguments, not '" + argument + "'");
}

Report unknown_command(const CoreCommandContext& context, const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  std::size_t best = 0;
  for (const auto& command : context.commands) best = std::max(best, common_words(command.spec.name, words));
  std::string near;
  for (const auto& command : context.commands) {
    if (best != 0 && common_words(command.spec.name, words) == best)
      near += (near.empty() ? "" : ", ") + command.spec.name;
  }
  return error_report("there is no command '" + line + "'" +
                      (near.empty() ? "; 'help' lists all" : "; there are: " + near));
}

}  // namespace trivet::core
