// Memory of a session, measured: (resident memory with so many sessions - resident memory with none) / sessions, for
// IPv4 and IPv6, in tables that have room for just these. Ends with status 1 above what is promised.
//
// Usage: session_memory [SESSIONS]      default 10,000,000, which needs 1.2 GB for a moment
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "slb/directory.h"
#include "slb/engine.h"
#include "trivet/wire/headers.h"

namespace trivet::slb {
namespace {

constexpr double promised4 = 54;
constexpr double promised6 = 80;

std::uint64_t resident_bytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long pages = 0;
  if (std::fscanf(file, "%*u %llu", &pages) != 1) pages = 0;  // NOLINT(cert-err34-c): a format of the kernel's
  std::fclose(file);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Config one_server() {
  ServerConfig server;
  server.number = 1;
  server.address4 = parse_ipv4("10.0.0.80");
  server.address6 = parse_ipv6("2001:db8::80");
  server.port = 80;
  server.protocol = wire::ip_protocol::tcp;
  server.session_id = SessionId::connection;
  server.targets = {1};
  server.state = LifeCycle::enabled;
  TargetConfig target;
  target.number = 1;
  target.address4 = parse_ipv4("10.1.0.1");
  target.address6 = parse_ipv6("2001:db8:1::1");
  target.port = 80;
  target.state = LifeCycle::enabled;
  Config config;
  config.servers = {server};
  config.targets = {target};
  return config;
}

template <class Address>
Address client(std::uint32_t number) {
  if constexpr (std::is_same_v<Address, Ipv4Address>) {
    return Ipv4Address::from_number(0x64000000U + number);
  } else {
    Ipv6Address address = *parse_ipv6("2001:db8:2::");
    std::memcpy(address.bytes.data() + 12, &number, sizeof number);
    return address;
  }
}

// Bytes a session; 0 when not every session was begun.
template <class Address>
double measure(std::uint32_t sessions) {
  constexpr bool is_v4 = std::is_same_v<Address, Ipv4Address>;
  Registry registry;
  registry.configure(one_server());
  const std::unique_ptr<const Directory> directory = registry.build();
  Engine engine({.sessions4 = is_v4 ? sessions : 16, .sessions6 = is_v4 ? 16 : sessions}, 1,
                std::make_shared<Traffic>());
  engine.use(*directory);
  const std::uint64_t before = resident_bytes();
  for (std::uint32_t i = 0; i < sessions; ++i) {
    Lookup<Address> lookup{.facts = {.source = client<Address>(i >> 4U),
                                     .destination = directory->bindings[0].template server_address<Address>(),
                                     .source_port = static_cast<std::uint16_t>(1024 + (i & 15U)),
                                     .destination_port = 80,
                                     .protocol = wire::ip_protocol::tcp,
                                     .tcp_flags = wire::TcpHeader::syn,
                                     .has_ports = true}};
    engine.classify(lookup);
    if (engine.decide(lookup, 1000).outcome != Outcome::to_target) return 0;
  }
  return static_cast<double>(resident_bytes() - before) / sessions;
}

template <class Address>
bool judge(const char* family, std::uint32_t sessions, double promised) {
  const double bytes = measure<Address>(sessions);
  std::printf("%s: %.1f bytes a session at %u sessions (at most %.0f)\n", family, bytes, sessions, promised);
  return bytes > 0 && bytes <= promised;
}

}  // namespace
}  // namespace trivet::slb

int main(int count, char** arguments) {
  using namespace trivet;
  const unsigned long sessions = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 10'000'000;
  if (sessions < 1 || sessions > 100'000'000) {
    std::fputs("usage: session_memory [SESSIONS]\n", stderr);
    return 2;
  }
  const auto number = static_cast<std::uint32_t>(sessions);
  const bool four = slb::judge<Ipv4Address>("IPv4", number, slb::promised4);
  const bool six = slb::judge<Ipv6Address>("IPv6", number, slb::promised6);
  return four && six ? 0 : 1;
}
