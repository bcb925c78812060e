#include "hc/module.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "hc/path.h"
#include "hc/wire.h"
#include "trivet/forwarding.h"
#include "trivet/topics/health.h"
#include "trivet/topics/topology.h"

namespace trivet::hc {
namespace {

struct HcPlan : Plan {
  Config config;
  std::unique_ptr<Probed> probed;
};

std::unique_ptr<Probed> probed_addresses(const Config& config) {
  auto probed = std::make_unique<Probed>();
  for (const SubjectConfig& subject : config.subjects) {
    for (const CheckConfig& check : subject.checks) {
      if (const auto address = subject.address_for(check.kind)) {
        probed->addresses.insert(*address);
      }
    }
  }
  return probed;
}

Cell text_of(const std::optional<IpAddress>& address) {
  return address ? Cell(to_string(*address)) : Cell(std::monostate{});
}

// Seconds before now; nothing for "never".
Cell age(Time at, Time now) { return at == Time{} ? Cell(std::monostate{}) : Cell(to_seconds(now - at)); }

Cell milliseconds(const std::optional<Duration>& duration) {
  return duration ? Cell(static_cast<double>(duration->count()) / 1e6) : Cell(std::monostate{});
}

}  // namespace

void HcModule::declare(Setup& setup) {
  for (KeySpec& key : declare_keys()) {
    setup.add_key(std::move(key));
  }
  setup.wants(packet_class::own);
  setup.must_stand_before("master", "behind that gate a backup would not get the answers to its probes");
  counters_.probes[static_cast<std::size_t>(ProbeType::echo)] =
      setup.counter("echo_probes_sent", "echo requests sent to targets and gateway");
  counters_.probes[static_cast<std::size_t>(ProbeType::tcp)] =
      setup.counter("tcp_probes_sent", "TCP SYN sent to targets, repetitions included");
  counters_.probes[static_cast<std::size_t>(ProbeType::agent)] =
      setup.counter("agent_probes_sent", "requests sent to agents");
  counters_.successes = setup.counter("answers", "answers that count as success");
  counters_.failures = setup.counter("failures", "refused, unreachable, or an agent without a value");
  counters_.bad_checksum = setup.counter("invalid_checksum", "answers with a wrong checksum");
  counters_.malformed = setup.counter("invalid_format", "answers that are cut short or not of the expected form");
  counters_.wrong_nonce = setup.counter("invalid_nonce", "answers whose nonce or acknowledgement number is not ours");
  counters_.stray = setup.counter("stray_answers", "answers that no probe waits for: late, duplicate, not asked for");
  flood_ = setup.drop_reason("answer-flood", "more packets that look like answers than the control thread shall see");
  setup.publishes<TargetHealth>();
  setup.publishes<GatewayHealth>();
  setup.subscribes<GatewayCheckRequest>();
  setup.subscribes<TopologyChanged>();
  setup.command({"show gateway", "", "Addresses and health of the gateway, and its checks."},
                [this](const std::vector<std::string>&, Time now, CommandReply reply) { reply(show_gateway(now)); });
  setup.command({"show checks", "[TARGET]", "Every check with its state, last answer, and next probe."},
                [this](const std::vector<std::string>& arguments, Time now, CommandReply reply) {
                  reply(show_checks(arguments, now));
                });
}

void HcModule::start(Host& host, Time now) {
  host_ = &host;
  now_ = now;
  engine_.emplace(static_cast<std::uint16_t>(host.random()()));
  // Deliveries of the bus carry no time; poll_at() asks for a call that does.
  host.bus().subscribe<TopologyChanged>([this](const TopologyChanged&) { paths_changed_ = true; });
  host.bus().subscribe<GatewayCheckRequest>([this](const GatewayCheckRequest&) { gateway_requested_ = true; });
}

std::unique_ptr<Plan> HcModule::check(const ConfigView& view, Problems& problems) {
  const std::size_t before = problems.list().size();
  auto plan = std::make_unique<HcPlan>();
  plan->config = read_config(view, problems);
  plan->probed = probed_addresses(plan->config);
  for (std::size_t i = before; i < problems.list().size(); ++i) {
    if (problems.list()[i].severity == Severity::error) {
      return nullptr;
    }
  }
  return plan;
}

void HcModule::apply(std::unique_ptr<Plan> plan, Time now) {
  auto& prepared = static_cast<HcPlan&>(*plan);
  now_ = now;
  config_ = std::move(prepared.config);
  prepared.probed->echo_id = engine_->echo_id();
  probed_.publish(*host_, std::move(prepared.probed));
  engine_->configure(
      config_, [this](const IpAddress& to) { return path_to(to); }, now, host_->random(), actions_);
  carry_out(now);
}

std::unique_ptr<Worker> HcModule::make_worker(WorkerContext& context) {
  static_cast<void>(context);
  return std::make_unique<AnswerWorker>(probed_, flood_);
}

Path HcModule::path_to(const IpAddress& destination) const { return find_path(host_->forwarding(), destination); }

Time HcModule::poll_at() const {
  if (!engine_) {
    return never;
  }
  return paths_changed_ || gateway_requested_ ? now_ : engine_->poll_at();
}

void HcModule::on_time(Time now) {
  now_ = now;
  if (std::exchange(paths_changed_, false)) {
    engine_->update_paths([this](const IpAddress& to) { return path_to(to); }, now, host_->random(), actions_);
  }
  if (std::exchange(gateway_requested_, false)) {
    engine_->probe_gateway(now, host_->random(), actions_);
  }
  engine_->on_time(now, host_->random(), actions_);
  carry_out(now);
}

void HcModule::on_punt(const Packet& packet, Time now) {
  now_ = now;
  count(judge(packet, now));
  carry_out(now);
}

AnswerResult HcModule::judge(const Packet& packet, Time now) {
  if (!l4_checksum_ok(packet)) {
    return AnswerResult::bad_checksum;
  }
  const IpAddress source = packet.source();
  const IpAddress destination = packet.destination();
  const auto l4 = packet.l4_bytes();
  if (packet.is(packet_class::tcp)) {
    const auto answer = wire::parse_segment(source, destination, l4);
    return answer ? engine_->on_segment(*answer, now, actions_) : AnswerResult::malformed;
  }
  if (packet.is(packet_class::udp)) {
    const auto answer = wire::parse_agent_answer(source, destination, l4);
    return answer ? engine_->on_agent(*answer, now, actions_) : AnswerResult::malformed;
  }
  if (const auto error = wire::parse_icmp_error(source.family(), l4)) {
    return engine_->on_error(*error, now, actions_);
  }
  const auto answer = wire::parse_echo_reply(source, destination, l4);
  return answer ? engine_->on_echo(*answer, now, actions_) : AnswerResult::malformed;
}

void HcModule::count(AnswerResult result) {
  switch (result) {
    case AnswerResult::success:
      host_->count(counters_.successes);
      break;
    case AnswerResult::failed:
      host_->count(counters_.failures);
      break;
    case AnswerResult::bad_checksum:
      host_->count(counters_.bad_checksum);
      break;
    case AnswerResult::malformed:
      host_->count(counters_.malformed);
      break;
    case AnswerResult::wrong_nonce:
      host_->count(counters_.wrong_nonce);
      break;
    case AnswerResult::stray:
      host_->count(counters_.stray);
      break;
  }
}

// Sends, publishes and logs what the engine has decided.
void HcModule::carry_out(Time now) {
  now_ = now;
  for (const Probe& probe : actions_.probes) {
    host_->count(counters_.probes[static_cast<std::size_t>(probe.type)]);
    host_->send(wire::build_probe(probe));
  }
  for (const Segment& segment : actions_.segments) {
    host_->send(wire::build_segment(segment));
  }
  for (const SubjectChange& change : actions_.changes) {
    announce(change);
  }
  for (const SubjectId subject : actions_.removed) {
    host_->bus().erase<TargetHealth>(std::to_string(subject));
  }
  actions_.clear();
}

void HcModule::announce(const SubjectChange& change) {
  const SubjectState& state = *engine_->state(change.subject);
  if (change.subject == gateway_subject) {
    host_->bus().publish(GatewayHealth{state.health, state.reason, state.since, state.last_answer, state.is_blocked});
  } else {
    host_->bus().publish(TargetHealth{static_cast<TargetId>(change.subject), state.health, state.reason,
                                      state.agent_value, state.since, state.is_blocked});
  }
  if (change.is_new || change.former == state.health) {
    return;
  }
  const std::string line = subject_label(change.subject) + ' ' + std::string(to_string(change.former)) + " -> " +
                           std::string(to_string(state.health)) + ": " + state.reason;
  host_->log().change(state.health == Health::up ? LogLevel::info : LogLevel::warning, line);
}

// "target 1 (192.0.2.1, 2001:db8::1)"
std::string HcModule::subject_label(SubjectId id) const {
  std::string label = subject_name(id);
  for (const SubjectConfig& subject : config_.subjects) {
    if (subject.id == id && (subject.address4 || subject.address6)) {
      label += " (";
      label += subject.address4 ? to_string(*subject.address4) : std::string();
      label += subject.address4 && subject.address6 ? ", " : "";
      label += subject.address6 ? to_string(*subject.address6) : std::string();
      label += ')';
    }
  }
  return label;
}

Report HcModule::show_gateway(Time now) const {
  const SubjectState* state = engine_->state(gateway_subject);
  if (state == nullptr) {
    return error_report("there is no configuration yet");
  }
  const SubjectConfig& config = config_.subjects.front();
  Report report;
  report.fields = {
      {"ipaddr", "IPv4 address", text_of(config.address_for(CheckKind::ping)), ""},
      {"ipaddr6", "IPv6 address", text_of(config.address_for(CheckKind::ping6)), ""},
      {"health", "Health", std::string(to_string(state->health)), ""},
      {"reason", "Reason", state->reason, ""},
      {"held_for", "In this state for", to_seconds(now - state->since), "s"},
      {"last_answer_age", "Last answer", age(state->last_answer, now), "s ago"},
  };
  Table table{"checks",
              "Checks",
              {{"check", "Check"},
               {"address", "Address"},
               {"state", "State"},
               {"last_answer_age", "Answered s ago"},
               {"rtt_ms", "RTT ms"},
               {"reason", "Reason"}},
              {}};
  for (const CheckStatus& check : engine_->status(gateway_subject)) {
    table.rows.push_back({label(check.config), text_of(check.address), std::string(to_string(check.health)),
                          age(check.last_answer, now), milliseconds(check.round_trip), check.reason});
  }
  report.tables.push_back(std::move(table));
  return report;
}

Report HcModule::show_checks(const std::vector<std::string>& arguments, Time now) const {
  std::optional<SubjectId> only;
  if (!arguments.empty()) {
    SubjectId number = 0;
    const std::string& word = arguments.front();
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size() || number == gateway_subject || arguments.size() > 1) {
      return error_report(
          "'show checks' takes the number of one target, or nothing; see 'show gateway' for the gateway");
    }
    if (engine_->state(number) == nullptr) {
      return error_report("there is no registered target " + word);
    }
    only = number;
  }
  Table table{"checks",
              "",
              {{"subject", "Subject"},
               {"check", "Check"},
               {"address", "Address"},
               {"state", "State"},
               {"last_answer_age", "Answered s ago"},
               {"rtt_ms", "RTT ms"},
               {"value", "Value"},
               {"next_in", "Next in s"},
               {"reason", "Reason"}},
              {}};
  for (const CheckStatus& check : engine_->status(only)) {
    std::vector<Cell>& row = table.rows.emplace_back(table.columns.size());
    row[0] = subject_name(check.subject);
    row[1] = label(check.config);
    row[2] = text_of(check.address);
    row[3] = std::string(to_string(check.health));
    row[4] = age(check.last_answer, now);
    row[5] = milliseconds(check.round_trip);
    if (check.value >= 0) row[6] = check.value;
    if (check.next_probe != never) row[7] = to_seconds(std::max(check.next_probe - now, Duration{}));
    row[8] = check.reason;
  }
  Report report;
  report.tables.push_back(std::move(table));
  return report;
}

Module* create_module() { return new HcModule; }
void destroy_module(Module* module) { delete module; }

}  // namespace trivet::hc
