#include "trivet/testkit/virtual_node.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <sstream>

#include "core/app/node.h"
#include "core/io/memory.h"
#include "test_workers.h"

namespace trivet::testkit {

struct VirtualNode::Parts {
  struct Port {
    VirtualNetwork::PortId id = 0;
    MacAddress mac;
    bool link = false;
  };

  VirtualNetwork& network;
  std::string name;
  std::string config;
  core::ModuleLoader loader;
  std::map<std::string, Port> ports;
  std::vector<std::string> log;
  std::unique_ptr<core::MemoryBackend> io;  // one for each life of the node
  std::unique_ptr<core::Node> node;
  Time started{};
  bool is_paused = false;

  Parts(VirtualNetwork& in_network, std::string node_name, std::vector<const ModuleDescriptor*> modules,
        std::string text)
      : network(in_network), name(std::move(node_name)), config(std::move(text)), loader(std::move(modules)) {}

  // Node time begins with each start.
  [[nodiscard]] Time node_now() const { return Time{network.now() - started}; }

  void add_ports(std::uint8_t mac_base) {
    Problems ignored;
    const core::Tree tree = core::parse_configuration(config, name, core::detect_format(name, config), ignored);
    for (const core::Object& object : tree.objects) {
      if (object.section != "interface") continue;
      for (const core::Parameter& parameter : object.parameters) {
        if (parameter.keyword != "name") continue;
        const std::string interface = parameter.words.front().elements.front().text;
        Port& port = ports[interface];
        port.mac = {{2, 0, 0, mac_base, 0, static_cast<std::uint8_t>(object.index)}};
        port.id = network.add_port(name + '.' + interface,
                                   {[this, interface](Bytes frame) { receive(interface, std::move(frame)); },
                                    [this, interface](bool up) { set_link(interface, up); }});
      }
    }
  }
  void receive(const std::string& interface, Bytes frame) {
    if (node == nullptr || is_paused) return;
    io->inject(interface, std::move(frame));
    node->step(node_now());
  }
  void set_link(const std::string& interface, bool up) {
    ports.at(interface).link = up;
    if (node == nullptr) return;
    io->set_carrier(interface, up);
    if (!is_paused) node->step(node_now());
  }
  void write(std::string_view module, std::string_view text) {
    char time[32];
    std::snprintf(time, sizeof(time), "%.3f ", to_seconds(network.now().time_since_epoch()));
    log.push_back(time + name + ' ' + std::string(module) + ": " + std::string(text));
  }
  void make() {
    io = std::make_unique<core::MemoryBackend>();
    for (const auto& [interface, port] : ports) {
      io->add_interface(interface, port.mac);
      io->set_carrier(interface, port.link);
      io->on_sent(interface,
                  [this, id = port.id](core::MemoryFrame frame) { network.send(id, std::move(frame.bytes)); });
    }
    core::NodeOptions options;
    options.io = io.get();
    options.loader = &loader;
    options.seed = network.random()();
    options.pool = {.small_count = 256, .large_count = 4};
    options.workers = test_workers(config);
    options.log = [this](LogLevel, LogKind, std::string_view module, std::string_view text) { write(module, text); };
    node = std::make_unique<core::Node>(std::move(options));
    io->on_link_change([this](const std::string& interface) { node->refresh_link(interface, node_now()); });
  }
  void unmake() {
    network.remove_actor(this);
    node.reset();
    io.reset();
  }
};

VirtualNode::VirtualNode(VirtualNetwork& network, std::string name, std::vector<const ModuleDescriptor*> modules,
                         std::string config_text, std::uint8_t mac_base)
    : parts_(std::make_unique<Parts>(network, std::move(name), std::move(modules), std::move(config_text))) {
  parts_->add_ports(mac_base);
}

VirtualNode::~VirtualNode() { parts_->unmake(); }

VirtualNetwork::PortId VirtualNode::port(const std::string& interface) const { return parts_->ports.at(interface).id; }

void VirtualNode::start() {
  if (is_running()) return;
  Parts& parts = *parts_;
  parts.started = parts.network.now();
  parts.is_paused = false;
  parts.make();
  const Problems problems = parts.node->configure(parts.config, parts.name + ".conf", parts.node_now());
  for (const Problem& problem : problems.list()) {
    if (problem.severity == Severity::error) ADD_FAILURE() << to_string(problem);
  }
  parts.node->step(parts.node_now());
  const auto poll_at = [&parts] {
    const Time next = parts.is_paused ? never : parts.node->poll_at();
    return next == never ? never : Time{next.time_since_epoch() + parts.started.time_since_epoch()};
  };
  parts.network.add_actor(&parts, {poll_at, [&parts](Time) { parts.node->step(parts.node_now()); }});
}

void VirtualNode::stop() {
  if (!is_running()) return;
  parts_->node->stop(parts_->node_now());
  parts_->unmake();
}

void VirtualNode::kill() { parts_->unmake(); }
void VirtualNode::pause() { parts_->is_paused = true; }

void VirtualNode::proceed() {
  parts_->is_paused = false;
  if (is_running()) parts_->node->step(parts_->node_now());
}

bool VirtualNode::is_running() const { return parts_->node != nullptr; }

Problems VirtualNode::reload(const std::string& config_text) {
  parts_->config = config_text;
  if (!is_running()) return {};
  Problems problems = parts_->node->configure(config_text, parts_->name + ".conf", parts_->node_now());
  parts_->node->step(parts_->node_now());
  return problems;
}

Role VirtualNode::role() const { return is_running() ? parts_->node->forwarding().role().role : Role::init; }

Report VirtualNode::command(const std::string& line) {
  if (!is_running()) return error_report("the node does not run");
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  auto report = std::make_shared<Report>(error_report("not answered"));
  parts_->node->command(words, parts_->node_now(), [report](Report answer) { *report = std::move(answer); });
  parts_->node->step(parts_->node_now());
  return *report;
}

std::uint64_t VirtualNode::drops(std::string_view module, std::string_view reason) const {
  return is_running() ? parts_->node->metrics().drops(module, reason) : 0;
}

const std::vector<std::string>& VirtualNode::log() const { return parts_->log; }

}  // namespace trivet::testkit
