#include "trivet/testkit/harness.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "core/app/node.h"
#include "core/io/memory.h"
#include "test_workers.h"

namespace trivet::testkit {

struct Harness::Parts {
  core::MemoryBackend io;
  core::ModuleLoader loader;
  std::vector<std::string> log;
  std::map<InterfaceId, std::string> names;
  Problems problems;
  Time now{};
  std::unique_ptr<core::Node> node;
  Bus* bus = nullptr;

  explicit Parts(std::vector<const ModuleDescriptor*> modules) : loader(std::move(modules)) {}

  // Every interface that the text names gets its virtual cable.
  void add_interfaces(const std::string& text) {
    Problems ignored;
    const core::Tree tree =
        core::parse_configuration(text, "test.conf", core::detect_format("test.conf", text), ignored);
    for (const core::Object& object : tree.objects) {
      const auto number = static_cast<InterfaceId>(object.index);
      if (object.section != "interface" || names.contains(number)) continue;
      for (const core::Parameter& parameter : object.parameters) {
        if (parameter.keyword != "name" || parameter.words.empty()) continue;
        names[number] = parameter.words.front().elements.front().text;
        io.add_interface(names[number], mac_of(number));
      }
    }
  }
  const std::string& name(InterfaceId interface) const {
    const auto found = names.find(interface);
    static const std::string none;  // no such interface: the back end ignores the empty name
    if (found != names.end()) return found->second;
    ADD_FAILURE() << "the configuration has no interface " << interface;
    return none;
  }
  void settle() { node->step(now); }
};

Harness::Harness(std::vector<const ModuleDescriptor*> modules, const std::string& config_text, std::uint64_t seed)
    : parts_(std::make_unique<Parts>(std::move(modules))) {
  parts_->add_interfaces(config_text);
  core::NodeOptions options;
  options.io = &parts_->io;
  options.loader = &parts_->loader;
  options.seed = seed;
  options.pool = {.small_count = 512, .large_count = 16};
  options.workers = test_workers(config_text);
  options.log = [this](LogLevel, LogKind, std::string_view module, std::string_view text) {
    parts_->log.push_back(std::string(module) + ": " + std::string(text));
  };
  parts_->node = std::make_unique<core::Node>(std::move(options));
  parts_->bus = &parts_->node->join_bus("test");
  parts_->io.on_link_change([this](const std::string& name) { parts_->node->refresh_link(name, parts_->now); });
  parts_->problems = parts_->node->configure(config_text, "test.conf", parts_->now);
  for (const Problem& problem : parts_->problems.list()) {
    if (problem.severity == Severity::error) ADD_FAILURE() << to_string(problem);
  }
  settle();
}

Harness::~Harness() = default;

MacAddress Harness::mac_of(InterfaceId interface) {
  return {{0x02, 0, 0, 0, static_cast<std::uint8_t>(interface >> 8U), static_cast<std::uint8_t>(interface)}};
}

void Harness::inject(InterfaceId interface, Bytes frame) { inject(interface, OffloadFrame{.bytes = std::move(frame)}); }

void Harness::inject(InterfaceId interface, const std::vector<Bytes>& frames) {
  for (const Bytes& frame : frames) parts_->io.inject(parts_->name(interface), frame);
  settle();
}

void Harness::inject(InterfaceId interface, OffloadFrame frame) {
  parts_->io.inject(parts_->name(interface),
                    core::MemoryFrame{std::move(frame.bytes), frame.checksum, frame.segments, frame.segment_size,
                                      frame.checksum_start, frame.checksum_offset});
  settle();
}

std::vector<OffloadFrame> Harness::take_sent_frames(InterfaceId interface) {
  std::vector<OffloadFrame> list;
  for (core::MemoryFrame& frame : parts_->io.take_sent(parts_->name(interface))) {
    list.push_back({std::move(frame.bytes), frame.checksum, frame.segments, frame.segment_size, frame.checksum_start,
                    frame.checksum_offset});
  }
  return list;
}

std::vector<Bytes> Harness::take_sent(InterfaceId interface) {
  std::vector<Bytes> list;
  for (OffloadFrame& frame : take_sent_frames(interface)) list.push_back(std::move(frame.bytes));
  return list;
}

void Harness::advance(Duration duration) {
  const Time end = parts_->now + duration;
  settle();
  for (Time next = parts_->node->poll_at(); next <= end; next = parts_->node->poll_at()) {
    // A deadline that a step leaves where it is must not stop the clock.
    parts_->now = std::max(next, parts_->now + std::chrono::microseconds{1});
    if (parts_->now > end) break;
    parts_->node->step(parts_->now);
  }
  parts_->now = end;
  settle();
}

Time Harness::now() const { return parts_->now; }
Bus& Harness::bus() { return *parts_->bus; }
void Harness::settle() { parts_->settle(); }

std::uint64_t Harness::drops(std::string_view module, std::string_view reason) const {
  const core::MetricsRegistry& metrics = parts_->node->metrics();
  if (metrics.find_drop_reason(module, reason) == nullptr) {
    ADD_FAILURE() << "module " << module << " has no drop reason '" << reason << "'";
  }
  return metrics.drops(module, reason);
}

std::uint64_t Harness::counter(std::string_view module, std::string_view name) const {
  const core::MetricsRegistry& metrics = parts_->node->metrics();
  if (metrics.find_counter(module, name) == nullptr) {
    ADD_FAILURE() << "module " << module << " has no counter '" << name << "'";
  }
  return metrics.counter(module, name);
}

std::vector<std::string> Harness::take_log() { return std::exchange(parts_->log, {}); }

Report Harness::command(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream stream(line);
  for (std::string word; stream >> word;) words.push_back(word);
  auto report = std::make_shared<std::optional<Report>>();
  parts_->node->command(words, parts_->now, [report](Report answer) { *report = std::move(answer); });
  settle();
  if (!*report) ADD_FAILURE() << "'" << line << "' has not been answered";
  return report->value_or(Report{});
}

void Harness::set_link(InterfaceId interface, bool up) {
  parts_->io.set_carrier(parts_->name(interface), up);
  settle();
}

Problems Harness::reload(const std::string& config_text) {
  parts_->add_interfaces(config_text);
  Problems problems = parts_->node->configure(config_text, "test.conf", parts_->now);
  settle();
  return problems;
}

const Problems& Harness::problems() const { return parts_->problems; }
const ForwardingState& Harness::forwarding() const { return parts_->node->forwarding(); }

void Harness::stop() { parts_->node->stop(parts_->now); }

}  // namespace trivet::testkit
