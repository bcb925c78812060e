#include "lan.h"

#include <algorithm>

namespace trivet::vrrp {
namespace {

constexpr Duration probe_interval = std::chrono::seconds(3);
constexpr Duration probe_timeout = std::chrono::seconds(10);
constexpr Duration probe_round_trip = std::chrono::milliseconds(1);

}  // namespace

Config pair_config() {
  Config config;
  config.has_section = true;
  config.vrid = 64;
  config.priority = 200;
  config.network = 1;
  config.tracking = true;
  config.preempt = true;
  config.hold = std::chrono::seconds(8);
  config.tracked_links = {{2, "eth2", 10}, {3, "eth3", 10}};
  config.gateway_penalty = 10;
  return config;
}

Time at(double seconds) { return Time{} + from_seconds(seconds); }

Lan::Lan(std::size_t nodes, const Config& config) : nodes_(nodes) {
  for (std::size_t i = 0; i < nodes; ++i) {
    nodes_[i].config = config;
    nodes_[i].attachment = {Ipv4Address::from_number(0x0a000001U + static_cast<std::uint32_t>(i)), {1, 3}, {}};
  }
}

void Lan::start(std::size_t node) {
  Node& self = nodes_[node];
  ++self.life;
  self.engine = std::make_unique<Engine>(static_cast<std::uint16_t>(1000 * (node + 1) + 100 * self.life));
  self.gateway = Health::undecided;
  self.last_answer = {};
  self.checking_since = now_;
  carry_out(node, self.engine->configure(self.config, now_));
  carry_out(node, self.engine->attach(self.attachment, now_));
  carry_out(node, self.engine->set_gateway(Health::undecided, {}, now_));
  carry_out(node, self.engine->set_target("1", self.targets, now_));
  for (const auto& [interface, up] : self.links) carry_out(node, self.engine->set_link(interface, up, now_));
  probe_gateway(node, true);
}

void Lan::stop(std::size_t node) {
  carry_out(node, nodes_[node].engine->stop(now_));
  crash(node);
}

void Lan::crash(std::size_t node) {
  nodes_[node].engine.reset();
  ++nodes_[node].life;
}

void Lan::set_link(std::size_t node, InterfaceId interface, bool up) {
  nodes_[node].links[interface] = up;
  if (alive(node)) carry_out(node, engine(node).set_link(interface, up, now_));
}

void Lan::set_gateway(std::size_t node, bool answers) { nodes_[node].gateway_answers = answers; }

void Lan::set_targets(std::size_t node, Health health) {
  nodes_[node].targets = health;
  if (alive(node)) carry_out(node, engine(node).set_target("1", health, now_));
}

void Lan::configure(std::size_t node, const Config& config) {
  nodes_[node].config = config;
  if (!alive(node)) return;
  carry_out(node, engine(node).configure(config, now_));
  carry_out(node, engine(node).attach(nodes_[node].attachment, now_));
}

void Lan::run_until(Time end) {
  for (;;) {
    Time next = events_.empty() ? never : events_.begin()->first;
    std::size_t who = nodes_.size();
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!alive(i) || engine(i).poll_at() >= next) continue;
      next = engine(i).poll_at();
      who = i;
    }
    if (next > end) break;
    now_ = std::max(now_, next);
    if (who < nodes_.size()) {
      carry_out(who, engine(who).on_time(now_));
    } else {
      const auto event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    }
    if (observer) observer();
  }
  now_ = end;
}

Role Lan::role(std::size_t node) const { return alive(node) ? nodes_[node].engine->role() : Role::init; }

std::vector<std::size_t> Lan::masters() const {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (role(i) == Role::master) found.push_back(i);
  }
  return found;
}

int Lan::master() const {
  const std::vector<std::size_t> found = masters();
  return found.size() == 1 ? static_cast<int>(found.front()) : -1;
}

std::uint64_t Lan::count(std::size_t node, Tally tally) const {
  const auto found = nodes_[node].counts.find(tally);
  return found == nodes_[node].counts.end() ? 0 : found->second;
}

void Lan::carry_out(std::size_t node, const Actions& actions) {
  for (const Action& action : actions) {
    if (const auto* send = std::get_if<SendAdvert>(&action)) deliver(node, *send);
    if (const auto* change = std::get_if<ChangeRole>(&action)) {
      changes_.push_back({now_, node, change->to, change->reason});
    }
    if (std::holds_alternative<AskGateway>(action)) probe_gateway(node, false);
    if (const auto* count = std::get_if<Count>(&action)) ++nodes_[node].counts[count->tally];
    if (const auto* notice = std::get_if<Notice>(&action)) nodes_[node].notices.push_back(notice->text);
  }
}

void Lan::deliver(std::size_t from, const SendAdvert& action) {
  for (const InterfaceId interface : action.interfaces) {
    for (std::size_t to = 0; to < nodes_.size(); ++to) {
      if (to == from || !nodes_[from].links[interface] || (loses && loses(from, to, interface))) continue;
      events_.emplace(now_ + delay, [this, to, interface, action] {
        if (!alive(to) || !nodes_[to].links[interface]) return;
        carry_out(to, engine(to).receive({interface, action.source, action.id, action.advert}, now_));
      });
    }
  }
}

void Lan::probe_gateway(std::size_t node, bool periodic) {
  const std::uint64_t life = nodes_[node].life;
  const auto later = [this, node, life](Duration wait, auto what) {
    events_.emplace(now_ + wait, [this, node, life, what] {
      if (nodes_[node].life == life) what();
    });
  };
  if (nodes_[node].gateway_answers) {
    later(probe_round_trip, [this, node] {
      if (!nodes_[node].gateway_answers) return;
      nodes_[node].last_answer = now_;
      nodes_[node].gateway = Health::up;
      carry_out(node, engine(node).set_gateway(Health::up, now_, now_));
      const std::uint64_t same_life = nodes_[node].life;
      events_.emplace(now_ + probe_timeout, [this, node, same_life] {
        if (nodes_[node].life == same_life) judge_gateway(node);
      });
    });
  }
  if (!periodic) return;
  later(probe_timeout, [this, node] { judge_gateway(node); });
  later(probe_interval, [this, node] { probe_gateway(node, true); });
}

void Lan::judge_gateway(std::size_t node) {
  Node& self = nodes_[node];
  if (self.gateway == Health::down || now_ - std::max(self.last_answer, self.checking_since) < probe_timeout) return;
  self.gateway = Health::down;
  carry_out(node, self.engine->set_gateway(Health::down, self.last_answer, now_));
}

}  // namespace trivet::vrrp
