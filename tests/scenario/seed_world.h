// The seed pair in a virtual network: two nodes with the verbatim files, two targets, a client, a gateway.
//
//      lb1.eth1 ---- crossover ---- lb2.eth1
//      lb1.eth3, lb2.eth3, client, gateway:   access switch   (2001:db8::/48)
//      lb1.eth2, lb2.eth2, t1, t2:            inside switch   (2001:db8:ffff::/48)
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "trivet/testkit/virtual_host.h"
#include "trivet/testkit/virtual_network.h"
#include "trivet/testkit/virtual_node.h"

namespace trivet::scenario {

using testkit::VirtualHost;
using testkit::VirtualNetwork;
using testkit::VirtualNode;

inline constexpr int lb1 = 0;
inline constexpr int lb2 = 1;

class SeedWorld {
 public:
  // `threads`: of every interface of both nodes; 1 = the files as they are.
  explicit SeedWorld(std::uint64_t seed = 1, int threads = 1);

  VirtualNetwork net;
  std::unique_ptr<VirtualNode> nodes[2];
  std::unique_ptr<VirtualHost> client, gateway, t1, t2;
  // Cables of the nodes: eth[node][1..3]. eth[..][1] is the one crossover for both.
  VirtualNetwork::CableId eth[2][4] = {};
  VirtualNetwork::CableId target_cables[2] = {};
  std::size_t access = 0;  // the switches
  std::size_t inside = 0;

  void start_both();
  // Until one node is master, the other backup, and the master's targets are up; then until preemption is no longer
  // held.
  [[nodiscard]] bool settle();
  // -1: none or both.
  [[nodiscard]] int master() const;
  [[nodiscard]] int masters() const;
  [[nodiscard]] bool has_link(int node, int interface) const;

  // Requests through the service address, one after another; the answers ("t1", "t2", "" for none).
  [[nodiscard]] std::vector<std::string> fetch(int count, Duration timeout = std::chrono::milliseconds{900});
  [[nodiscard]] bool ping(VirtualHost& from, const std::string& address);
  // Longest time in which a request every 50 ms got no answer, while `during` runs.
  [[nodiscard]] Duration outage(const std::function<void()>& during);
  // From here on, measures how long two nodes are master at once; the longest such time.
  void watch_roles();
  [[nodiscard]] Duration longest_dual();
  [[nodiscard]] std::string logs() const;

 private:
  Duration dual_{};
};

}  // namespace trivet::scenario
