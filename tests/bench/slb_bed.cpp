#include "slb_bed.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace trivet::bench {
namespace {

const Ipv4Address service4 = *parse_ipv4("10.0.0.80");
const Ipv4Address other4 = *parse_ipv4("10.0.0.99");
const Ipv6Address service6 = *parse_ipv6("2001:db8::80");
const Ipv6Address other6 = *parse_ipv6("2001:db8::99");
const Ipv6Address clients6 = *parse_ipv6("2001:db8:2::");

constexpr Counter to_targets_counter{1};
constexpr Counter sessions_created_counter{3};

// Cells of their own, so that they can be read.
slb::Handles handles() {
  slb::Handles handles;
  handles.to_targets = to_targets_counter;
  handles.to_clients = Counter{2};
  handles.sessions_created = sessions_created_counter;
  handles.sessions_expired = Counter{4};
  handles.sessions_removed = Counter{5};
  handles.sessions_replaced = Counter{6};
  handles.sessions_evicted = Counter{7};
  for (std::size_t i = 0; i < handles.drops.size(); ++i) handles.drops[i].id = static_cast<std::uint16_t>(i);
  return handles;
}

std::unique_ptr<const slb::Directory> two_targets() {
  slb::ServerConfig server;
  server.number = 1;
  server.address4 = service4;
  server.address6 = service6;
  server.port = 8080;
  server.protocol = wire::ip_protocol::tcp;
  server.session_id = slb::SessionId::connection;
  server.targets = {1, 2};
  server.session_timeout = std::chrono::seconds(100000);
  server.state = LifeCycle::enabled;
  slb::TargetConfig first;
  first.number = 1;
  first.address4 = parse_ipv4("10.1.0.1");
  first.address6 = parse_ipv6("2001:db8:1::1");
  first.port = 80;
  first.state = LifeCycle::enabled;
  slb::TargetConfig second = first;
  second.number = 2;
  second.address4 = parse_ipv4("10.1.0.2");
  second.address6 = parse_ipv6("2001:db8:1::2");
  slb::Config config;
  config.servers = {server};
  config.targets = {first, second};
  slb::Registry registry;
  registry.configure(config);
  return registry.build();
}

}  // namespace

SlbBed::SlbBed(Family family, std::uint32_t established, std::uint32_t room)
    : family_(family),
      classes_(packet_class::all | packet_class::tcp |
               (family == Family::ipv4 ? packet_class::ipv4 : packet_class::ipv6)),
      established_(established),
      directory_(two_targets()),
      state_(ForwardingState::Parts{}),
      worker_(context_, directory_, handles()) {
  for (std::size_t i = 0; i < packets_.size(); ++i) {
    Packet& packet = packets_[i];
    packet.buffer = packet.data = buffers_[i].data();
    packet.capacity = static_cast<std::uint32_t>(buffers_[i].size());
    packet.l3_offset = sizeof(wire::EthernetHeader);
    packet.protocol = wire::ip_protocol::tcp;
    const bool is_v4 = family == Family::ipv4;
    const std::size_t l3 = is_v4 ? sizeof(wire::Ipv4Header) : sizeof(wire::Ipv6Header);
    packet.l4_offset = static_cast<std::uint16_t>(packet.l3_offset + l3);
    packet.payload_offset = static_cast<std::uint16_t>(packet.l4_offset + sizeof(wire::TcpHeader));
    packet.length = packet.payload_offset;
  }
  const slb::Engine::Sizes sizes{.sessions4 = room, .sessions6 = room};
  worker_.install(std::make_unique<slb::Engine>(sizes, 1, std::make_shared<slb::Traffic>()));
  for (std::uint32_t client = 0; client < established; client += Batch::capacity) {
    for (std::uint32_t i = 0; i < Batch::capacity; ++i) {
      set(i, std::min(client + i, established - 1), true, wire::TcpHeader::syn);
    }
    run();
    // What has come out are the SYNs as the targets get them.
    for (Packet& packet : packets_) answer(packet);
    run();
    for (std::uint32_t i = 0; i < Batch::capacity; ++i) {
      set(i, std::min(client + i, established - 1), true, wire::TcpHeader::ack);
    }
    run();
  }
}

void SlbBed::answer(Packet& packet) const {
  if (family_ == Family::ipv4) {
    std::swap(packet.ipv4().source, packet.ipv4().destination);
  } else {
    std::swap(packet.ipv6().source, packet.ipv6().destination);
  }
  packet.classes = classes_;
  wire::TcpHeader& tcp = packet.tcp();
  std::swap(tcp.source_port, tcp.destination_port);
  tcp.flags = wire::TcpHeader::syn | wire::TcpHeader::ack;
}

void SlbBed::set(std::size_t at, std::uint32_t client, bool to_service, std::uint8_t tcp_flags) {
  Packet& packet = packets_[at];
  if (family_ == Family::ipv4) {
    packet.ipv4() = wire::Ipv4Header{};
    packet.ipv4().source = Ipv4Address::from_number(0xac100000U + (client >> 4U));
    packet.ipv4().destination = to_service ? service4 : other4;
  } else {
    packet.ipv6() = wire::Ipv6Header{};
    packet.ipv6().source = clients6;
    const std::uint32_t host = client >> 4U;
    std::memcpy(packet.ipv6().source.bytes.data() + 12, &host, sizeof host);
    packet.ipv6().destination = to_service ? service6 : other6;
  }
  packet.classes = to_service ? classes_ | packet_class::virtual_ip : classes_;
  packet.tcp() = wire::TcpHeader{};
  packet.tcp().source_port = static_cast<std::uint16_t>(1024 + (client & 15U));
  packet.tcp().destination_port = 8080;
  packet.tcp().flags = tcp_flags;
}

void SlbBed::set_all(SlbPacket kind) {
  for (std::size_t i = 0; i < Batch::capacity; ++i) {
    const auto client = static_cast<std::uint32_t>(random_.below(established_));
    set(i, kind == SlbPacket::miss ? client + established_ : client, kind != SlbPacket::pass, wire::TcpHeader::ack);
  }
}

void SlbBed::run() {
  batch_.reset(Time{} + std::chrono::seconds(1), state_);
  for (Packet& packet : packets_) batch_.push(packet);
  batch_.set_pending(~std::uint64_t{0});
  worker_.process(batch_);
}

bool SlbBed::is_right(SlbPacket kind) const {
  Verdict wanted = Verdict::next();
  if (kind == SlbPacket::hit) wanted = Verdict::forward();
  if (kind == SlbPacket::miss) wanted = Verdict::drop({static_cast<std::uint16_t>(slb::Refusal::no_session)});
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    if (batch_.verdict(i) != wanted) return false;
  }
  return true;
}

std::uint64_t SlbBed::to_targets() const { return context_.counters().read(to_targets_counter); }

std::uint64_t SlbBed::sessions_created() const { return context_.counters().read(sessions_created_counter); }

}  // namespace trivet::bench
