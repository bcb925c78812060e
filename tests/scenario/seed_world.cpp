#include "seed_world.h"

#include <fstream>
#include <iterator>

#include "arp/module.h"
#include "hc/agent_wire.h"
#include "hc/module.h"
#include "master/module.h"
#include "ping/module.h"
#include "rt/module.h"
#include "slb/module.h"
#include "vrrp/module.h"

namespace trivet::scenario {

namespace {

std::vector<const ModuleDescriptor*> all_modules() {
  return {&vrrp::descriptor,   &arp::descriptor, &ping::descriptor, &hc::descriptor,
          &master::descriptor, &slb::descriptor, &rt::descriptor};
}

std::string file(const std::string& name) {
  std::ifstream stream(std::string(TRIVET_SOURCE_DIR) + "/examples/" + name);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Reopening a section edits it.
std::string with_threads(std::string text, int threads) {
  if (threads == 1) return text;
  for (const char* const number : {"1", "2", "3"}) {
    text += std::string("interface ") + number + " threads " + std::to_string(threads) + "\n";
  }
  return text;
}

MacAddress host_mac(std::uint8_t number) { return {{2, 0, 0, 0xaa, 0, number}}; }

testkit::Bytes agent_answer(const testkit::Bytes& request) {
  const auto parsed = hc::agent_wire::parse_request(request);
  if (!parsed) return {};
  const auto bytes = hc::agent_wire::encode(hc::agent_wire::Answer{parsed->nonce, 42});
  return {bytes.begin(), bytes.end()};
}

constexpr Duration step = std::chrono::milliseconds{50};

}  // namespace

SeedWorld::SeedWorld(std::uint64_t seed, int threads)
    : net(seed), access(net.add_switch("access")), inside(net.add_switch("inside")) {
  const Ipv6Address inside_gateway = *parse_ipv6("2001:db8:ffff::2:3");
  const Ipv6Address access_gateway = *parse_ipv6("2001:db8::2:3");
  nodes[lb1] = std::make_unique<VirtualNode>(net, "lb1", all_modules(), with_threads(file("lb1.conf"), threads),
                                             std::uint8_t{1});
  nodes[lb2] = std::make_unique<VirtualNode>(net, "lb2", all_modules(), with_threads(file("lb2.conf"), threads),
                                             std::uint8_t{2});
  client =
      std::make_unique<VirtualHost>(net, "client", host_mac(1), *parse_ipv6("2001:db8::1:100"), 48, access_gateway);
  gateway = std::make_unique<VirtualHost>(net, "gateway", host_mac(2), *parse_ipv6("2001:db8::2:10"), 48);
  t1 = std::make_unique<VirtualHost>(net, "t1", host_mac(3), *parse_ipv6("2001:db8:ffff::1:1"), 48, inside_gateway);
  t2 = std::make_unique<VirtualHost>(net, "t2", host_mac(4), *parse_ipv6("2001:db8:ffff::1:2"), 48, inside_gateway);
  t1->serve_page(80, "t1");
  t2->serve_page(80, "t2");
  t1->serve_udp(10000, agent_answer);
  t2->serve_udp(10000, agent_answer);

  for (const int node : {lb1, lb2}) {
    eth[node][2] = net.plug(inside, nodes[node]->port("eth2"));
    eth[node][3] = net.plug(access, nodes[node]->port("eth3"));
  }
  eth[lb1][1] = eth[lb2][1] = net.connect(nodes[lb1]->port("eth1"), nodes[lb2]->port("eth1"));
  net.plug(access, client->port());
  net.plug(access, gateway->port());
  target_cables[0] = net.plug(inside, t1->port());
  target_cables[1] = net.plug(inside, t2->port());
}

void SeedWorld::start_both() {
  nodes[lb1]->start();
  nodes[lb2]->start();
}

int SeedWorld::masters() const {
  return (nodes[lb1]->role() == Role::master ? 1 : 0) + (nodes[lb2]->role() == Role::master ? 1 : 0);
}

int SeedWorld::master() const {
  if (masters() != 1) return -1;
  return nodes[lb1]->role() == Role::master ? lb1 : lb2;
}

bool SeedWorld::has_link(int node, int interface) const { return !net.is_cut(eth[node][interface]); }

bool SeedWorld::settle() {
  net.run_for(std::chrono::seconds{22});  // 3.2 s election, 10 s check timeouts, 8 s vrrppreemptts
  return masters() == 1;
}

std::vector<std::string> SeedWorld::fetch(int count, Duration timeout) {
  std::vector<std::string> answers;
  for (int i = 0; i < count; ++i) {
    bool ended = false;
    std::string text;
    client->fetch(*parse_ipv6("2001:db8::2:4"), 8080, timeout, [&](std::optional<std::string> page) {
      text = page.value_or("");
      ended = true;
    });
    static_cast<void>(net.run_until([&] { return ended; }, timeout + step));
    answers.push_back(text);
  }
  return answers;
}

bool SeedWorld::ping(VirtualHost& from, const std::string& address) {
  bool ended = false;
  bool answered = false;
  from.ping(*parse_ipv6(address), std::chrono::seconds{2}, [&](bool good) {
    answered = good;
    ended = true;
  });
  static_cast<void>(net.run_until([&] { return ended; }, std::chrono::seconds{3}));
  return answered;
}

Duration SeedWorld::outage(const std::function<void()>& during) {
  struct State {
    Time last{};
    Duration longest{};
    bool ended = false;
  };
  const auto state = std::make_shared<State>();
  state->last = net.now();
  // Each request stands for itself: asked once, given up after 45 ms, so that no repeat hides or stretches the gap.
  const auto ask = std::make_shared<std::function<void()>>();
  *ask = [this, state, weak = std::weak_ptr(ask)] {
    if (state->ended) return;
    client->fetch(*parse_ipv6("2001:db8::2:4"), 8080, std::chrono::milliseconds{45},
                  [this, state](const std::optional<std::string>& page) {
                    if (!page || state->ended) return;
                    state->longest = std::max(state->longest, net.now() - state->last);
                    state->last = net.now();
                  });
    if (const auto again = weak.lock()) net.after(step, *again);
  };
  (*ask)();
  during();
  state->ended = true;
  net.run_for(step * 2);
  return std::max(state->longest, net.now() - step * 2 - state->last);
}

void SeedWorld::watch_roles() {
  dual_ = {};
  const auto since = std::make_shared<Time>(never);
  net.on_frame([this, since](Time now, VirtualNetwork::CableId, const std::string&, const testkit::Bytes&) {
    if (masters() < 2) {
      *since = never;
    } else if (*since == never) {
      *since = now;
    } else {
      dual_ = std::max(dual_, now - *since);
    }
  });
}

Duration SeedWorld::longest_dual() { return std::exchange(dual_, Duration{}); }

std::string SeedWorld::logs() const {
  std::string text;
  for (const auto& node : nodes) {
    for (const std::string& line : node->log()) text += line + '\n';
  }
  return text;
}

}  // namespace trivet::scenario
