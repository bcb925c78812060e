#include "ping/module.h"

namespace trivet::ping {

namespace {

struct ConfigPlan final : Plan {
  std::unique_ptr<const Config> config;
};

}  // namespace

void PingModule::declare(Setup& setup) {
  for (KeySpec& key : config_keys()) setup.add_key(std::move(key));
  setup.wants(packet_class::icmp | packet_class::icmpv6 | packet_class::fragment);

  counters_.answers = setup.counter("answers", "echo requests answered");
  counters_.reassembled = setup.counter("reassembled", "fragmented ICMP packets put together");
  counters_.reassembly_timeouts =
      setup.counter("reassembly_timeouts", "fragmented ICMP packets given up because fragments were missing");

  reasons_.bad_source = setup.drop_reason("bad-source", "echo request from an address that is no other host's");
  reasons_.not_unicast = setup.drop_reason("not-unicast", "echo request in a broadcast or multicast frame");
  reasons_.bad_checksum = setup.drop_reason("bad-checksum", "echo request with a wrong ICMP checksum");
  reasons_.rate_limited = setup.drop_reason("rate-limited", "more echo requests than set pinglimit allows");
  reasons_.fragment_invalid =
      setup.drop_reason("fragment-invalid", "ICMP fragment of an impossible length, or of no echo request");
  reasons_.fragment_overlap =
      setup.drop_reason("fragment-overlap", "ICMP fragment of a packet whose fragments contradict each other");
  reasons_.no_buffer = setup.drop_reason("no-buffer", "echo answer in fragments for which no packet buffer was free");
}

void PingModule::start(Host& host, Time) { host_ = &host; }

std::unique_ptr<Plan> PingModule::check(const ConfigView& config, Problems&) {
  auto plan = std::make_unique<ConfigPlan>();
  plan->config = std::make_unique<const Config>(parse_config(config.settings()));
  return plan;
}

void PingModule::apply(std::unique_ptr<Plan> plan, Time) {
  config_.publish(*host_, std::move(static_cast<ConfigPlan&>(*plan).config));
}

std::unique_ptr<Worker> PingModule::make_worker(WorkerContext& context) {
  return std::make_unique<PingWorker>(context, config_, host_->worker_count(), reasons_, counters_);
}

}  // namespace trivet::ping
