// A host with IPv6 on a virtual network: answers neighbour discovery and pings, serves UDP and a one-line TCP page, and
// asks for such pages. As much of a kernel as the tests of a balancer need, and no more.
//
// Its TCP sends one segment a side: SYN, SYN-ACK, request, answer with FIN. Lost segments are sent again as a kernel
// would (1 s, doubled). Thread: one. Owner: the test; the network outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/packet.h"
#include "trivet/testkit/virtual_network.h"
#include "trivet/wire/ip.h"

namespace trivet::testkit {

class VirtualHost {
 public:
  VirtualHost(VirtualNetwork& network, std::string name, MacAddress mac, Ipv6Address address,
              std::uint8_t prefix_length, std::optional<Ipv6Address> gateway = std::nullopt);
  VirtualHost(const VirtualHost&) = delete;
  VirtualHost& operator=(const VirtualHost&) = delete;
  ~VirtualHost();

  [[nodiscard]] VirtualNetwork::PortId port() const { return port_; }
  [[nodiscard]] const std::string& name() const { return name_; }

  // A silent host hears and says nothing.
  void set_silent(bool silent) { silent_ = silent; }
  // Answers TCP connections to `port` with one line of text.
  void serve_page(std::uint16_t port, std::string text);
  // Answers UDP datagrams to `port`; empty = no answer.
  void serve_udp(std::uint16_t port, std::function<Bytes(const Bytes& request)> handler);
  [[nodiscard]] std::uint64_t pages_served() const { return pages_served_; }

  // Asks for the page; `done` gets its text, or none after `timeout`.
  void fetch(const Ipv6Address& server, std::uint16_t port, Duration timeout,
             std::function<void(std::optional<std::string>)> done);
  // Sends one echo request; `done` gets whether it was answered in time.
  void ping(const Ipv6Address& destination, Duration timeout, std::function<void(bool)> done);
  // Who the host thinks has an address.
  [[nodiscard]] std::optional<MacAddress> neighbor(const Ipv6Address& address) const;

 private:
  struct Door;
  struct Neighbor {
    std::optional<MacAddress> mac;
    std::vector<Bytes> waiting;  // IP packets
    int tries = 0;
  };
  struct Client {
    Ipv6Address server;
    std::uint16_t server_port = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledgement = 0;
    bool is_established = false;
    std::function<void(std::optional<std::string>)> done;
  };

  void receive(const Bytes& frame);
  void on_nd(const Packet& packet);
  void on_echo(const Packet& packet);
  void on_tcp(const Packet& packet);
  void on_tcp_as_server(const Packet& packet, const std::string& page);
  void on_tcp_as_client(const Packet& packet, std::uint16_t port, Client& client);
  void on_udp(const Packet& packet);
  void send_packet(Bytes packet);
  void transmit(const MacAddress& to, const Bytes& packet);
  void solicit(const Ipv6Address& address);
  [[nodiscard]] wire::TcpValues segment(std::uint16_t port, const Client& client) const;
  void send_segment(std::uint16_t port, Duration repeat);
  void finish(std::uint16_t port, std::optional<std::string> text);

  VirtualNetwork& network_;
  std::string name_;
  MacAddress mac_;
  Ipv6Address address_;
  Ipv6Address link_local_;
  std::uint8_t prefix_length_;
  std::optional<Ipv6Address> gateway_;
  std::unique_ptr<Door> door_;
  VirtualNetwork::PortId port_;
  bool silent_ = false;
  std::map<Ipv6Address, Neighbor> neighbors_;
  std::map<std::uint16_t, std::string> pages_;
  std::map<std::uint16_t, std::function<Bytes(const Bytes&)>> udp_;
  std::map<std::uint16_t, Client> clients_;                   // by own port
  std::map<std::uint16_t, std::function<void(bool)>> pings_;  // by sequence
  std::uint16_t next_port_ = 20000;
  std::uint16_t next_ping_ = 1;
  std::uint64_t pages_served_ = 0;
};

}  // namespace trivet::testkit
