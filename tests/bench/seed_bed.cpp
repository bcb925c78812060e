#include "seed_bed.h"

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "arp/module.h"
#include "hc/module.h"
#include "master/module.h"
#include "ping/module.h"
#include "rt/module.h"
#include "slb/module.h"
#include "trivet/net/checksum.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/topics/neighbors.h"
#include "vrrp/module.h"

namespace trivet::bench {
namespace {

using testkit::ip;

constexpr std::uint8_t vrid = 64;
constexpr MacAddress gateway_mac{{2, 0, 0, 0, 9, 16}};
constexpr std::size_t l3 = sizeof(wire::EthernetHeader);

MacAddress mac_of(std::size_t interface) { return {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(interface)}}; }
constexpr MacAddress inner_host_mac{{2, 0, 0, 0, 9, 77}};
MacAddress target_mac(std::uint32_t target) {
  return {{2, 0, 0, 1, static_cast<std::uint8_t>(target >> 8U), static_cast<std::uint8_t>(target)}};
}

struct Names {
  const char* virt;
  const char* gateway;
  const char* client;  // client 0; behind the gateway
  const char* inner_host;
};
constexpr Names names6{"2001:db8::2:3", "2001:db8::2:10", "2001:db9::", "2001:db8:ffff::77"};
constexpr Names names4{"192.0.2.3", "192.0.2.10", "100.64.0.0", "10.0.1.77"};
const Names& names_of(Family family) { return family == Family::ipv4 ? names4 : names6; }

std::string hex(std::uint32_t number) {
  std::ostringstream text;
  text << std::hex << number;
  return text.str();
}

// Servers, targets and networks of targets are numbered from 1 on. The seed has one server, two targets, one network.
constexpr std::uint32_t seed_targets = 2;

std::string server_address(Family family, std::uint32_t server) {
  if (family == Family::ipv6) return server == 1 ? "2001:db8::2:4" : "2001:db8::5:" + hex(server);
  if (server == 1) return "192.0.2.4";
  return "192.0." + std::to_string(16 + server / 256) + "." + std::to_string(server % 256);
}

// What the addresses of a network begin with.
std::string network_prefix(Family family, std::uint32_t network) {
  if (family == Family::ipv4) return "10." + std::to_string(network - 1) + ".";
  return "2001:db8:" + (network == 1 ? "ffff" : hex(0x1000 + network)) + "::";
}
NetworkId network_number(std::uint32_t network) { return static_cast<NetworkId>(network + 1); }
VlanId vlan_of(std::uint32_t network) { return static_cast<VlanId>(100 + network); }

std::uint32_t home_of(std::uint32_t target, std::uint32_t networks) {
  return target <= seed_targets ? 1 : 1 + (target - seed_targets - 1) % networks;
}
// The number is what the last two bytes have in common with 0x0fff.
std::string target_address(Family family, std::uint32_t target, std::uint32_t networks) {
  const std::string prefix = network_prefix(family, home_of(target, networks));
  if (family == Family::ipv6) return prefix + "1:" + hex(target);
  return prefix + std::to_string(16 + target / 256) + "." + std::to_string(target % 256);
}
std::uint16_t target_number(std::uint8_t high, std::uint8_t low) {
  return static_cast<std::uint16_t>(((high << 8U) | low) & 0xfffU);
}

// The seed's objects with IPv4 addresses.
constexpr const char* seed_in_ipv4 = R"(hostname LB1
modules vrrp,arp,ping,hc,master,slb,rt
set {
  ipforwarding 1
  vrrppreempt 1
  vrrppreemptts 8
}
interface 1 {
  name eth1
}
interface 2 {
  name eth2
  trackval 10
}
interface 3 {
  name eth3
  trackval 10
}
register interfaces 1,2,3
enable interfaces 1,2,3
vrrp {
  vrid 64
  priority 200
  network 1
  tracking enable
}
network 1 {
  addr 192.0.0.0
  mask 255.255.0.0
  real 192.0.2.1
  virt 192.0.2.3
  interfaces 1,3
}
network 2 {
  addr 10.0.0.0
  mask 255.255.0.0
  real 10.0.0.251
  virt 10.0.0.253
  interface 2
}
register networks 1,2
enable networks 1,2
gateway {
  ipaddr 192.0.2.10
  ping 3,10
  trackval 10
}
server 1 {
  ipaddr 192.0.2.4
  port 8080
  protocol tcp
  sessionid src+port
  method session
  targets 1,2
}
register server 1
enable server 1
target 1 {
  ipaddr 10.0.16.1
  port 80
  protocol tcp
  sessionid dst+port
}
target 2 {
  ipaddr 10.0.16.2
  port 80
  protocol tcp
  sessionid dst+port
}
register targets 1,2
enable targets 1,2
)";

// The seed's own file. Nobody answers checks here, so its targets have none.
std::string seed_in_ipv6() {
  std::ifstream file(std::string{TRIVET_SOURCE_DIR} + "/examples/lb1.conf");
  std::string text;
  bool in_target = false;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "target") in_target = true;
    if (first == "}") in_target = false;
    if (in_target && (first == "ping6" || first == "agent6")) continue;
    text += line + "\n";
  }
  return text;
}

class IdleModule final : public Module {
 public:
  void declare(Setup& setup) override { setup.wants(packet_class::all); }
  std::unique_ptr<Worker> make_worker(WorkerContext&) override { return std::make_unique<IdleWorker>(); }

 private:
  class IdleWorker final : public Worker {
   public:
    void process(Batch&) noexcept override {}
  };
};
Module* create_idle() { return new IdleModule; }
void destroy_idle(Module* module) { delete module; }
constexpr std::array<const char*, most_idle_modules> idle_names{
    "idle1", "idle2",  "idle3",  "idle4",  "idle5",  "idle6",  "idle7",  "idle8",
    "idle9", "idle10", "idle11", "idle12", "idle13", "idle14", "idle15", "idle16"};
const std::array<ModuleDescriptor, most_idle_modules> idle_descriptors = [] {
  std::array<ModuleDescriptor, most_idle_modules> descriptors{};
  for (std::size_t i = 0; i < descriptors.size(); ++i) {
    descriptors[i] = {.name = idle_names[i], .version = "1.0", .create = &create_idle, .destroy = &destroy_idle};
  }
  return descriptors;
}();

std::vector<const ModuleDescriptor*> all_modules() {
  std::vector<const ModuleDescriptor*> modules{&vrrp::descriptor, &arp::descriptor,    &ping::descriptor,
                                               &hc::descriptor,   &master::descriptor, &slb::descriptor,
                                               &rt::descriptor};
  for (const ModuleDescriptor& descriptor : idle_descriptors) modules.push_back(&descriptor);
  return modules;
}

// Client number -> address and port, in a frame whose client is number 0.
void set_client(std::vector<std::uint8_t>& frame, Family family, bool is_source, std::uint32_t client) {
  const std::uint32_t host = client >> 4U;
  const auto port = static_cast<std::uint16_t>(1024 + (client & 15U));
  std::size_t l4 = 0;
  if (family == Family::ipv4) {
    auto& header = *reinterpret_cast<wire::Ipv4Header*>(frame.data() + l3);
    Ipv4Address& address = is_source ? header.source : header.destination;
    address = Ipv4Address::from_number(address.number() + host);
    header.checksum = 0;
    header.checksum = internet_checksum({frame.data() + l3, sizeof header});
    l4 = l3 + sizeof header;
  } else {
    auto& header = *reinterpret_cast<wire::Ipv6Header*>(frame.data() + l3);
    Ipv6Address& address = is_source ? header.source : header.destination;
    for (std::size_t i = 0; i < 4; ++i) address.bytes[12 + i] = static_cast<std::uint8_t>(host >> (24 - 8 * i));
    l4 = l3 + sizeof header;
  }
  auto& tcp = *reinterpret_cast<wire::TcpHeader*>(frame.data() + l4);
  (is_source ? tcp.source_port : tcp.destination_port) = port;
}

std::uint8_t& flags_of(std::vector<std::uint8_t>& frame, Family family) {
  const std::size_t l4 = l3 + (family == Family::ipv4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header));
  return reinterpret_cast<wire::TcpHeader*>(frame.data() + l4)->flags;
}

void put_tag(std::vector<std::uint8_t>& frame, VlanId vlan) {
  const std::array<std::uint8_t, 4> tag{0x81, 0x00, static_cast<std::uint8_t>(vlan >> 8U),
                                        static_cast<std::uint8_t>(vlan)};
  frame.insert(frame.begin() + 2 * sizeof(MacAddress), tag.begin(), tag.end());
}

// Ethernet fills up to 60 bytes (and 4 of its own).
std::vector<std::uint8_t> padded(std::vector<std::uint8_t> frame) {
  if (frame.size() < 60) frame.resize(60);
  return frame;
}

}  // namespace

void FrameList::add(std::span<const std::uint8_t> frame) {
  if (length == 0) length = frame.size();
  if (frame.size() != length) throw std::logic_error("frames of a list have one length");
  bytes.insert(bytes.end(), frame.begin(), frame.end());
}

void BenchPort::feed(const FrameList& frames, std::size_t burst, bool forever) {
  frames_ = &frames;
  at_ = 0;
  burst_ = burst;
  forever_ = forever;
}

std::size_t BenchPort::receive(core::PacketPool& pool, std::span<Packet*> out) noexcept {
  if (frames_ == nullptr) return 0;
  const std::size_t size = frames_->size();
  const std::size_t length = frames_->length;
  std::size_t count = 0;
  for (; count < std::min(burst_, out.size()); ++count) {
    if (at_ == size) {
      if (!forever_) break;
      at_ = 0;
    }
    Packet* const packet = pool.acquire(length);
    if (packet == nullptr) break;
    std::memcpy(packet->data, frames_->bytes.data() + at_ * length, length);
    packet->length = static_cast<std::uint32_t>(length);
    out[count] = packet;
    ++at_;
  }
  return count;
}

void BenchPort::transmit(core::PacketPool& pool, std::span<Packet* const> packets) noexcept {
  sent_ += packets.size();
  for (Packet* const packet : packets) {
    if (on_sent) on_sent(packet->frame());
    pool.release(packet);
  }
}

class SeedBed::Backend final : public core::IoBackend {
 public:
  explicit Backend(std::span<BenchPort> ports) : ports_(ports) {}

  Result<std::unique_ptr<core::InterfaceIo>> open(const core::InterfaceSpec& spec, std::size_t) override {
    return std::make_unique<Interface>(ports_[spec.number - 1U]);
  }
  [[nodiscard]] core::LinkInfo link(const std::string& name) override {
    const auto number = static_cast<std::size_t>(name.back() - '0');
    return {.exists = true, .carrier = true, .mac = mac_of(number), .mtu = 1500, .index = 0};
  }
  void on_link_change(std::function<void(const std::string&)>) override {}

 private:
  class Interface final : public core::InterfaceIo {
   public:
    explicit Interface(BenchPort& port) : port_(port) {}
    [[nodiscard]] core::PacketPort& port(std::size_t) override { return port_; }
    void set_mac_filter(const std::vector<MacAddress>&) override {}

   private:
    BenchPort& port_;
  };
  std::span<BenchPort> ports_;
};

SeedBed::SeedBed(const BedKind& kind)
    : kind_(kind),
      backend_(std::make_unique<Backend>(ports_)),
      loader_(std::make_unique<core::ModuleLoader>(all_modules())) {
  build_templates();
  core::NodeOptions options;
  options.io = backend_.get();
  options.loader = loader_.get();
  node_ = std::make_unique<core::Node>(std::move(options));
  const Problems problems = node_->configure(text(), "seed.conf", now_);
  if (problems.has_errors()) {
    problem_ = "the configuration has errors";
    return;
  }
  introduce();
  become_master();
  establish(0, kind.sessions);
}

SeedBed::~SeedBed() = default;

// The seed's text, and behind it what is more: a section that is opened again is edited.
std::string SeedBed::text() const {
  const Family family = kind_.family;
  std::string text = family == Family::ipv4 ? seed_in_ipv4 : seed_in_ipv6();
  for (std::uint32_t i = 0; i < kind_.idle_modules; ++i) {
    text.insert(text.find("slb,rt"), std::string{idle_names.at(i)} + ",");
  }
  for (std::uint32_t network = 1; network <= kind_.networks; ++network) {
    const std::string number = std::to_string(network_number(network));
    const std::string prefix = network_prefix(family, network);
    text += "network " + number + " {\n";
    if (kind_.tagging == Tagging::vlans) text += "  vlan " + std::to_string(vlan_of(network)) + "\n";
    if (network != 1 && family == Family::ipv4) {
      text += "  addr " + prefix + "0.0\n  mask 255.255.0.0\n  real " + prefix + "0.251\n  virt " + prefix + "0.253\n";
    } else if (network != 1) {
      text += "  mask6 48\n  real6 " + prefix + "2:1\n  virt6 " + prefix + "2:3\n";
    }
    text += "  interface 2\n}\nregister network " + number + "\nenable network " + number + "\n";
  }
  const char* const address = family == Family::ipv4 ? "  ipaddr " : "  ipaddr6 ";
  for (std::uint32_t server = 1; server <= kind_.servers; ++server) {
    const std::string number = std::to_string(server);
    text += "server " + number + " {\n" + address + server_address(family, server) +
            "\n  port 8080\n  protocol tcp\n  sessionid src+port\n  method " + kind_.method + "\n  targets 1-" +
            std::to_string(kind_.targets) + "\n}\nregister server " + number + "\nenable server " + number + "\n";
  }
  for (std::uint32_t target = seed_targets + 1; target <= kind_.targets; ++target) {
    const std::string number = std::to_string(target);
    text += "target " + number + " {\n" + address + target_address(family, target, kind_.networks) +
            "\n  port 80\n  protocol tcp\n  sessionid dst+port\n}\nregister target " + number + "\nenable target " +
            number + "\n";
  }
  return text + "set {\n  pinglimit 10000000\n  maxsessions " + std::to_string(kind_.room) + "\n}\n";
}

// All that packets will be sent to.
void SeedBed::introduce() {
  Bus& bus = node_->join_bus("bench");
  const auto know = [&](NetworkId network, std::string_view address, const MacAddress& mac, InterfaceId interface) {
    bus.publish(NeighborEntry{.network = network,
                              .address = ip(address),
                              .mac = mac,
                              .interface = interface,
                              .reachability = NeighborReachability::reachable});
  };
  const Names& names = names_of(kind_.family);
  know(1, names.gateway, gateway_mac, 3);
  know(network_number(1), names.inner_host, inner_host_mac, 2);
  for (std::uint32_t target = 1; target <= kind_.targets; ++target) {
    know(network_number(home_of(target, kind_.networks)), target_address(kind_.family, target, kind_.networks),
         target_mac(target), 2);
  }
}

void SeedBed::become_master() {
  for (int i = 0; i < 300 && !node_->forwarding().is_master(); ++i) {
    now_ += std::chrono::milliseconds{100};
    node_->step(now_);
  }
  node_->step(now_);
  if (!node_->forwarding().is_master()) problem_ = "the node did not become master";
}

void SeedBed::build_templates() {
  const Family family = kind_.family;
  const Names& names = names_of(family);
  const MacAddress router = vrrp_mac(family, vrid);
  const auto segment = [&](const MacAddress& from, const std::string& source, const std::string& destination,
                           std::uint16_t port, std::uint16_t to) -> std::vector<std::uint8_t> {
    using namespace testkit;
    if (family == Family::ipv4) return eth(from, router) / ipv4(source.c_str(), destination.c_str()) / tcp(port, to);
    return eth(from, router) / ipv6(source.c_str(), destination.c_str()) / tcp(port, to);
  };
  question_.resize(1);
  for (std::uint32_t server = 1; server <= kind_.servers; ++server) {
    question_.push_back(padded(segment(gateway_mac, names.client, server_address(family, server), 1024, 8080)));
  }
  answer_.resize(1);
  for (std::uint32_t target = 1; target <= kind_.targets; ++target) {
    answer_.push_back(
        padded(segment(target_mac(target), target_address(family, target, kind_.networks), names.client, 80, 1024)));
  }
}

std::vector<std::uint8_t> SeedBed::from_client(std::uint32_t client, std::uint8_t tcp_flags) const {
  std::vector<std::uint8_t> frame = question_[1 + client % kind_.servers];
  set_client(frame, kind_.family, true, client);
  flags_of(frame, kind_.family) = tcp_flags;
  return frame;
}

std::vector<std::uint8_t> SeedBed::from_target(std::uint32_t client, std::uint8_t tcp_flags) const {
  const std::uint16_t target = target_of_.at(client);
  std::vector<std::uint8_t> frame = answer_.at(target);
  set_client(frame, kind_.family, false, client);
  flags_of(frame, kind_.family) = tcp_flags;
  if (kind_.tagging == Tagging::vlans) put_tag(frame, vlan_of(home_of(target, kind_.networks)));
  return frame;
}

std::vector<std::uint8_t> SeedBed::routed() const {
  using namespace testkit;
  const Names& names = names_of(kind_.family);
  const MacAddress router = vrrp_mac(kind_.family, vrid);
  if (kind_.family == Family::ipv4) {
    return padded(eth(gateway_mac, router) / ipv4(names.client, names.inner_host) / tcp(5000, 22).ack(1));
  }
  return eth(gateway_mac, router) / ipv6(names.client, names.inner_host) / tcp(5000, 22).ack(1);
}

std::vector<std::uint8_t> SeedBed::echo_request() const {
  using namespace testkit;
  const Names& names = names_of(kind_.family);
  const MacAddress router = vrrp_mac(kind_.family, vrid);
  if (kind_.family == Family::ipv4) {
    return padded(eth(gateway_mac, router) / ipv4(names.client, names.virt) / testkit::echo_request(1, 1) /
                  payload_of(18));
  }
  // As long as the others, so that one list can hold both.
  return eth(gateway_mac, router) / ipv6(names.client, names.virt) / testkit::echo_request(1, 1) / payload_of(12);
}

void SeedBed::pass(BenchPort& port, const FrameList& frames) {
  port.feed_once(frames);
  while (!port.is_done()) run_worker();
  port.stop();
}

void SeedBed::establish(std::uint32_t begin, std::uint32_t end) {
  constexpr std::uint32_t share = 4096;
  target_of_.resize(end);
  for (std::uint32_t first = begin; first < end && problem_.empty(); first += share) {
    const std::uint32_t last = std::min(end, first + share);
    FrameList syn;
    FrameList syn_ack;
    FrameList ack;
    std::uint32_t client = first;
    // The destination ends with the number of the target; packets keep their order.
    inside().on_sent = [&](std::span<const std::uint8_t> frame) {
      const std::size_t l3_header = kind_.family == Family::ipv4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header);
      const std::size_t at = l3 + (kind_.tagging == Tagging::vlans ? 4 : 0) + l3_header;
      if (client < last) target_of_[client++] = target_number(frame[at - 2], frame[at - 1]);
    };
    for (std::uint32_t i = first; i < last; ++i) syn.add(from_client(i, wire::TcpHeader::syn));
    pass(access(), syn);
    inside().on_sent = {};
    if (client != last) {
      problem_ = "not every SYN reached a target";
      return;
    }
    for (std::uint32_t i = first; i < last; ++i) {
      syn_ack.add(from_target(i, wire::TcpHeader::syn | wire::TcpHeader::ack));
      ack.add(from_client(i, wire::TcpHeader::ack));
    }
    pass(inside(), syn_ack);
    pass(access(), ack);
  }
  if (problem_.empty() && end > begin && counter("slb", "sessions_created") < end - begin) {
    problem_ = "not every session was begun";
  }
}

std::size_t SeedBed::busy_targets() const {
  return std::set<std::uint16_t>(target_of_.begin(), target_of_.end()).size();
}

bool fits_in_memory(std::uint32_t sessions) {
  const auto free =
      static_cast<std::uint64_t>(::sysconf(_SC_AVPHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return free > std::uint64_t{sessions} * 200 + (std::uint64_t{512} << 20U);
}

SeedBed& seed_bed(const BedKind& kind) {
  static std::unique_ptr<SeedBed> bed;
  if (bed == nullptr || !(bed->kind() == kind)) {
    bed = nullptr;  // before the next one: both may not fit
    bed = std::make_unique<SeedBed>(kind);
  }
  return *bed;
}

}  // namespace trivet::bench
