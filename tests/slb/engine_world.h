// A registry and an engine with small tables, and packets as facts: what the engine's tests are written in.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "slb/directory.h"
#include "slb/engine.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {

template <class Address>
Address address_of(std::string_view text) {
  if constexpr (std::is_same_v<Address, Ipv4Address>) {
    return parse_ipv4(text).value();
  } else {
    return parse_ipv6(text).value();
  }
}

namespace flag {
inline constexpr std::uint8_t syn = wire::TcpHeader::syn;
inline constexpr std::uint8_t ack = wire::TcpHeader::ack;
inline constexpr std::uint8_t syn_ack = wire::TcpHeader::syn | wire::TcpHeader::ack;
inline constexpr std::uint8_t fin = wire::TcpHeader::fin | wire::TcpHeader::ack;
inline constexpr std::uint8_t rst = wire::TcpHeader::rst;
}  // namespace flag

template <class Address>
Facts<Address> tcp_facts(std::string_view source, std::uint16_t source_port, std::string_view destination,
                         std::uint16_t destination_port, std::uint8_t flags) {
  return {.source = address_of<Address>(source),
          .destination = address_of<Address>(destination),
          .source_port = source_port,
          .destination_port = destination_port,
          .protocol = wire::ip_protocol::tcp,
          .tcp_flags = flags,
          .has_ports = true,
          .bytes = 60};
}
template <class Address>
Facts<Address> udp_facts(std::string_view source, std::uint16_t source_port, std::string_view destination,
                         std::uint16_t destination_port) {
  Facts<Address> facts = tcp_facts<Address>(source, source_port, destination, destination_port, 0);
  facts.protocol = wire::ip_protocol::udp;
  return facts;
}
template <class Address>
Facts<Address> other_facts(std::string_view source, std::string_view destination, std::uint8_t protocol,
                           Icmp icmp = Icmp::none) {
  Facts<Address> facts = tcp_facts<Address>(source, 0, destination, 0, 0);
  facts.protocol = protocol;
  facts.has_ports = false;
  facts.icmp = icmp;
  return facts;
}

inline ServerConfig server_config(ServerId number, std::string_view address, std::uint16_t port, std::uint8_t protocol,
                                  std::vector<TargetId> targets, SessionId session_id = SessionId::connection,
                                  Method method = Method::rr) {
  ServerConfig server;
  server.number = number;
  server.address4 = parse_ipv4(address);
  server.address6 = parse_ipv6(address);
  server.port = port;
  server.protocol = protocol;
  server.targets = std::move(targets);
  server.session_id = session_id;
  server.method = method;
  server.session_timeout = std::chrono::seconds(600);
  server.state = LifeCycle::enabled;
  return server;
}
inline TargetConfig target_config(TargetId number, std::string_view address, std::uint16_t port) {
  TargetConfig target;
  target.number = number;
  target.address4 = parse_ipv4(address);
  target.address6 = parse_ipv6(address);
  target.port = port;
  target.state = LifeCycle::enabled;
  return target;
}

struct World {
  explicit World(Config initial, Engine::Sizes sizes = {.sessions4 = 1000, .sessions6 = 1000})
      : config(std::move(initial)), engine(std::make_unique<Engine>(sizes, 1, traffic)) {
    configure();
  }
  void configure() {
    registry.configure(config);
    publish();
  }
  void publish() {
    directory = registry.build();
    engine->use(*directory);
  }
  void health(TargetId target, Health value) {
    if (registry.set_health(target, value)) publish();
  }
  void advance(Duration duration) { now += static_cast<std::uint32_t>(duration / std::chrono::milliseconds(1)); }
  template <class Address>
  Action<Address> send(const Facts<Address>& facts) {
    Lookup<Address> lookup{.facts = facts};
    engine->classify(lookup);
    engine->match(lookup);
    return engine->decide(lookup, now);
  }
  std::uint64_t target_sessions(TargetId target) const { return traffic->targets[target].sessions.load(); }
  std::uint64_t server_sessions(ServerId server) const { return traffic->servers[server].sessions.load(); }

  Config config;
  Registry registry;
  std::shared_ptr<Traffic> traffic = std::make_shared<Traffic>();
  std::unique_ptr<const Directory> directory;
  std::unique_ptr<Engine> engine;
  std::uint32_t now = 1000;
};

template <class Address>
std::string text_of(const Action<Address>& action) {
  switch (action.outcome) {
    case Outcome::pass:
      return "pass";
    case Outcome::drop:
      return "drop " + std::to_string(static_cast<int>(action.refusal));
    case Outcome::to_target:
      return "target " + to_string(*action.address) + " " + std::to_string(action.port);
    case Outcome::to_target_dsr:
      return "dsr " + to_string(*action.address);
    case Outcome::to_client:
      return "client " + to_string(*action.address) + " " + std::to_string(action.port);
  }
  return "?";
}
inline std::string drop_text(Refusal refusal) { return "drop " + std::to_string(static_cast<int>(refusal)); }

// Every story runs over both families: the names stand for addresses of the family.
struct Ipv4Net {
  using Address = Ipv4Address;
  static constexpr const char* vip = "10.0.0.80";
  static constexpr const char* vip2 = "10.0.0.81";
  static constexpr const char* t1 = "192.168.1.1";
  static constexpr const char* t2 = "192.168.1.2";
  static constexpr const char* alice = "172.16.0.1";
  static constexpr const char* bob = "172.16.0.2";
};
struct Ipv6Net {
  using Address = Ipv6Address;
  static constexpr const char* vip = "2001:db8::80";
  static constexpr const char* vip2 = "2001:db8::81";
  static constexpr const char* t1 = "2001:db8:1::1";
  static constexpr const char* t2 = "2001:db8:1::2";
  static constexpr const char* alice = "2001:db8:2::1";
  static constexpr const char* bob = "2001:db8:2::2";
};

template <class Net>
class EngineTest : public testing::Test {
 protected:
  using NetAddress = typename Net::Address;

  static Config config(SessionId session_id = SessionId::connection, Method method = Method::rr,
                       std::uint8_t protocol = wire::ip_protocol::tcp, std::uint16_t port = 8080) {
    Config config;
    config.servers = {server_config(1, Net::vip, port, protocol, {1, 2}, session_id, method)};
    config.targets = {target_config(1, Net::t1, 80), target_config(2, Net::t2, 80)};
    return config;
  }
  static auto to_vip(std::string_view client, std::uint16_t port, std::uint8_t flags, std::uint16_t to = 8080) {
    return tcp_facts<NetAddress>(client, port, Net::vip, to, flags);
  }
  static auto from(std::string_view target, std::string_view client, std::uint16_t port, std::uint8_t flags) {
    return tcp_facts<NetAddress>(target, 80, client, port, flags);
  }
  static std::string target(std::string_view address, std::uint16_t port = 80) {
    return "target " + std::string{address} + " " + std::to_string(port);
  }
  static std::string reply(std::uint16_t port = 8080) {
    return "client " + std::string{Net::vip} + " " + std::to_string(port);
  }
};

using Families = testing::Types<Ipv4Net, Ipv6Net>;

}  // namespace trivet::slb
