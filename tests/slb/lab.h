// A node with a client's network on interface 1 and a targets' network on interface 2, both families, and frames
// between them: what the module's tests are written in. All neighbours are known from the start.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "slb/module.h"
#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/topics/health.h"
#include "trivet/topics/neighbors.h"

namespace trivet::slb {

using testkit::Bytes;
using testkit::Frame;
using testkit::Harness;
using testkit::Stack;

struct Net {
  const char* name;
  const char* keyword;  // of addresses in the configuration
  const char* vip;
  const char* vip2;
  const char* alice;
  const char* bob;
  const char* t1;
  const char* t2;
};
inline void PrintTo(const Net& net, std::ostream* stream) { *stream << net.name; }
inline constexpr Net net4{"IPv4", "ipaddr", "10.0.0.80", "10.0.0.81", "10.0.0.10", "10.0.0.11", "10.1.0.1", "10.1.0.2"};
inline constexpr Net net6{"IPv6",         "ipaddr6",      "2001:db8::80",  "2001:db8::81",
                          "2001:db8::10", "2001:db8::11", "2001:db8:1::1", "2001:db8:1::2"};

inline const MacAddress alice_mac = testkit::mac("02:aa:00:00:00:10");
inline const MacAddress bob_mac = testkit::mac("02:aa:00:00:00:11");
inline const MacAddress t1_mac = testkit::mac("02:bb:00:00:00:01");
inline const MacAddress t2_mac = testkit::mac("02:bb:00:00:00:02");

inline constexpr const char* base_config = R"(
interface 1 { 
  name eth1
}
interface 2 {
  name eth2
}
register interfaces 1,2
enable interfaces 1,2
network 1 {
  addr 10.0.0.0
  mask 255.255.255.0
  real 10.0.0.1
  mask6 64
  real6 2001:db8::1
  interface 1
}
network 2 {
  addr 10.1.0.0
  mask 255.255.255.0
  real 10.1.0.254
  virt 10.1.0.253
  mask6 64
  real6 2001:db8:1::fe
  interface 2
}
register networks 1,2
enable networks 1,2
)";

// A layer 3 header of the family of `source`.
inline Stack ip_between(const MacAddress& from_mac, const MacAddress& to_mac, std::string_view source,
                        std::string_view destination, std::uint8_t hop_limit = 64) {
  if (source.find(':') == std::string_view::npos) {
    return testkit::eth(from_mac, to_mac) / testkit::ipv4(source, destination).hop_limit(hop_limit);
  }
  return testkit::eth(from_mac, to_mac) / testkit::ipv6(source, destination).hop_limit(hop_limit);
}

class Lab {
 public:
  explicit Lab(const std::string& objects, const std::string& head = "") : node({&descriptor}, text(objects, head)) {
    introduce();
  }
  static std::string text(const std::string& objects, const std::string& head = "") {
    return "hostname A\nmodules slb\n" + head + base_config + objects;
  }
  static std::string server(std::uint32_t number, const Net& net, const char* address, const std::string& keys) {
    const std::string n = std::to_string(number);
    return "server " + n + " {\n  " + net.keyword + " " + address + "\n" + keys + "}\nregister server " + n +
           "\nenable server " + n + "\n";
  }
  static std::string target(std::uint32_t number, const Net& net, const char* address, const std::string& keys,
                            bool enabled = true) {
    const std::string n = std::to_string(number);
    return "target " + n + " {\n  " + net.keyword + " " + address + "\n" + keys + "}\nregister target " + n + "\n" +
           (enabled ? "enable target " + n + "\n" : "");
  }
  // Server 1 on port 8080, targets 1 and 2 on port 80.
  static std::string web(const Net& net, const std::string& server_keys = "  sessionid src+port\n",
                         const std::string& target_keys = "  sessionid dst+port\n") {
    return server(1, net, net.vip, "  port 8080\n  protocol tcp\n  targets 1,2\n" + server_keys) +
           target(1, net, net.t1, "  port 80\n" + target_keys) + target(2, net, net.t2, "  port 80\n" + target_keys);
  }

  void health(TargetId target, Health value, const std::string& reason = "test") {
    node.bus().publish(TargetHealth{.target = target, .health = value, .reason = reason});
    node.settle();
  }
  [[nodiscard]] std::vector<Frame> to_targets() { return node.take_sent(2); }
  [[nodiscard]] std::vector<Frame> to_clients() { return node.take_sent(1); }
  [[nodiscard]] static MacAddress client_side() { return Harness::mac_of(1); }
  [[nodiscard]] static MacAddress target_side() { return Harness::mac_of(2); }

  // A frame of Alice to a service, and what a target must see of it.
  template <class L>
  [[nodiscard]] static Frame from_alice(const Net& net, const char* service, const L& layer) {
    return ip_between(alice_mac, client_side(), net.alice, service) / layer / testkit::payload("question");
  }
  template <class L>
  [[nodiscard]] static Frame at_target(const Net& net, const char* target, const MacAddress& mac, const L& layer) {
    return ip_between(target_side(), mac, net.alice, target, 63) / layer / testkit::payload("question");
  }
  template <class L>
  [[nodiscard]] static Frame from_target(const Net& net, const char* target, const MacAddress& mac, const L& layer) {
    return ip_between(mac, target_side(), target, net.alice) / layer / testkit::payload("answer");
  }
  template <class L>
  [[nodiscard]] static Frame at_alice(const Net& net, const char* service, const L& layer) {
    return ip_between(client_side(), alice_mac, service, net.alice, 63) / layer / testkit::payload("answer");
  }
  // Sends a SYN of Alice and says which target got it: 1, 2, or 0 for none.
  [[nodiscard]] int open(const Net& net, std::uint16_t port, const char* service = nullptr) {
    node.inject(1, from_alice(net, service == nullptr ? net.vip : service, testkit::tcp(port, 8080).syn()));
    const std::vector<Frame> sent = to_targets();
    if (sent.size() != 1) return 0;
    if (sent[0] == at_target(net, net.t1, t1_mac, testkit::tcp(port, 80).syn())) return 1;
    if (sent[0] == at_target(net, net.t2, t2_mac, testkit::tcp(port, 80).syn())) return 2;
    ADD_FAILURE() << "a frame for nobody";
    return 0;
  }

  Harness node;

 private:
  void introduce() {
    for (const Net& net : {net4, net6}) {
      know(1, net.alice, alice_mac, 1);
      know(1, net.bob, bob_mac, 1);
      know(2, net.t1, t1_mac, 2);
      know(2, net.t2, t2_mac, 2);
    }
    node.settle();
  }
  void know(NetworkId network, const char* address, const MacAddress& mac, InterfaceId interface) {
    node.bus().publish(NeighborEntry{.network = network,
                                     .address = testkit::ip(address),
                                     .mac = mac,
                                     .interface = interface,
                                     .reachability = NeighborReachability::reachable});
  }
};

// The value of a column in the row of a table that has `number` in its first column.
inline Cell cell(const Report& report, std::uint64_t number, const std::string& column) {
  const Table& table = report.tables.at(0);
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    if (table.columns[c].key != column) continue;
    for (const auto& row : table.rows) {
      if (row.at(0) == Cell{number}) return row.at(c);
    }
  }
  ADD_FAILURE() << "no column " << column << " for " << number;
  return {};
}

}  // namespace trivet::slb
