// Which worker a packet belongs to: by the far side's address, whatever the packet is, in both directions alike.
#include "core/pipeline/steering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "door_fixture.h"

namespace trivet::core {
namespace {

// A node whose virtual address is a service, with one target behind it. The client is far away.
struct Side {
  const char* name;
  const char* client;
  const char* service;
  const char* target;
  const char* router;
};
constexpr Side side4{"IPv4", "192.0.2.77", "10.0.0.3", "10.0.1.50", "10.0.0.9"};
constexpr Side side6{"IPv6", "2001:db8:ff::77", "2001:db8::3", "2001:db8::50", "2001:db8::9"};

class TestSteering final : public Steering {
 public:
  std::set<IpAddress> services;
  std::set<IpAddress> targets;
  mutable std::size_t calls = 0;

  void find_far_sides(std::span<const AddressPair> pairs, std::span<FarSide> sides) const noexcept override {
    ++calls;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (services.contains(pairs[i].destination)) {
        sides[i] = FarSide::source;
      } else if (targets.contains(pairs[i].source) || services.contains(pairs[i].source)) {
        sides[i] = FarSide::destination;
      }
    }
  }
};

class SteeringOf : public testing::TestWithParam<Side> {
 protected:
  static constexpr std::uint32_t workers = 61;  // so many that two addresses hardly meet by chance
  static constexpr std::uint32_t self = 1000;

  SteeringOf() {
    for (const Side& side : {side4, side6}) {
      steering_.services.insert(ip(side.service));
      steering_.targets.insert(ip(side.target));
    }
  }
  static const Side& side() { return GetParam(); }
  static bool is_v4() { return std::string_view{side().name} == "IPv4"; }
  static Stack between(const char* source, const char* destination) {
    if (is_v4()) return eth(peer, node) / ipv4(source, destination);
    return eth(peer, node) / ipv6(source, destination);
  }
  static Frame packet_between(const char* source, const char* destination, std::size_t payload_bytes = 16) {
    Stack stack;
    if (is_v4()) {
      stack.push(ipv4(source, destination));
    } else {
      stack.push(ipv6(source, destination));
    }
    return stack / udp(1234, 80) / payload_of(payload_bytes);
  }
  static Icmp error() { return is_v4() ? icmp(3, 3) : icmp(1, 4); }

  std::uint32_t owner(const Frame& frame) {
    PacketBuffer buffer(frame, 0);
    EXPECT_EQ(buffer.enter(master(), 1), "");
    Packet* const packet = &buffer.packet();
    std::uint32_t found = 0;
    const Steering* const modules[] = {&steering_};
    steerer_.find_owners({&packet, 1}, modules, self, workers, {&found, 1});
    return found;
  }
  [[nodiscard]] static std::uint32_t by(const char* address) { return spread(fold(ip(address)), workers); }

  TestSteering steering_;
  Steerer steerer_;
};

INSTANTIATE_TEST_SUITE_P(Families, SteeringOf, testing::Values(side4, side6),
                         [](const auto& entry) { return std::string{entry.param.name}; });

TEST_P(SteeringOf, BothDirectionsOfASessionAreTheClients) {
  const std::uint32_t client = by(side().client);
  EXPECT_NE(client, by(side().target)) << "else the test shows nothing";
  EXPECT_EQ(owner(between(side().client, side().service) / tcp(4000, 80).syn()), client);
  EXPECT_EQ(owner(between(side().target, side().client) / tcp(80, 4000).syn().ack(1)), client);
  EXPECT_EQ(owner(between(side().client, side().service) / udp(4000, 53) / payload("x")), client);
  EXPECT_EQ(owner(between(side().target, side().client) / udp(53, 4000) / payload("x")), client);
  EXPECT_EQ(owner(between(side().service, side().client) / tcp(80, 4000).ack(1)), client) << "direct return";
}

TEST_P(SteeringOf, PortsDoNotCount) {
  std::set<std::uint32_t> owners;
  for (std::uint16_t port = 1; port < 200; ++port) {
    owners.insert(owner(between(side().client, side().service) / tcp(port, 80).syn()));
    owners.insert(owner(between(side().client, side().service) / udp(port, port)));
  }
  EXPECT_THAT(owners, testing::ElementsAre(by(side().client)));
}

TEST_P(SteeringOf, EchoAndOtherProtocolsGoByTheirAddresses) {
  EXPECT_EQ(owner(between(side().client, side().service) / echo_request(1, 1)), by(side().client));
  EXPECT_EQ(owner(between(side().target, side().client) / echo_reply(1, 1)), by(side().client));
  EXPECT_EQ(owner(between(side().client, side().service) / ip_payload(47, Frame(20))), by(side().client));
}

TEST_P(SteeringOf, AllFragmentsGoWithTheirFlow) {
  for (const bool is_reply : {false, true}) {
    const Stack ip_layer = is_reply ? between(side().target, side().client) : between(side().client, side().service);
    const std::vector<Frame> pieces = fragments(Stack(ip_layer) / udp(53, 4000) / payload_of(100), 24, 7);
    ASSERT_GT(pieces.size(), 3U);
    for (const Frame& piece : pieces) EXPECT_EQ(owner(piece), by(side().client));
  }
  for (const Frame& piece :
       fragments(between(side().client, side().service) / echo_request(1, 1) / payload_of(99), 24, 8)) {
    EXPECT_EQ(owner(piece), by(side().client));
  }
}

TEST_P(SteeringOf, AnIcmpErrorGoesByThePacketThatItQuotes) {
  // About the answer that a client got: the quoted packet is from the service to the client.
  EXPECT_EQ(
      owner(between(side().router, side().service) / error() / payload(packet_between(side().service, side().client))),
      by(side().client));
  // About the question as a target got it: the quoted packet is translated.
  EXPECT_EQ(
      owner(between(side().target, side().client) / error() / payload(packet_between(side().client, side().target))),
      by(side().client));
  EXPECT_EQ(
      owner(between(side().router, side().client) / error() / payload(packet_between(side().client, side().target))),
      by(side().client));
  // With direct return the question is quoted as it was sent.
  EXPECT_EQ(
      owner(between(side().router, side().client) / error() / payload(packet_between(side().client, side().service))),
      by(side().client));
}

TEST_P(SteeringOf, AnErrorThatQuotesTooLittleGoesByItsOwnAddresses) {
  const Frame quoted = packet_between(side().service, side().client);
  const std::size_t header = is_v4() ? 20 : 40;
  for (std::size_t length = 0; length <= quoted.size(); ++length) {
    const Frame part(quoted.begin(), quoted.begin() + static_cast<std::ptrdiff_t>(length));
    const std::uint32_t found = owner(between(side().router, side().service) / error() / payload(part));
    EXPECT_EQ(found, by(length >= header ? side().client : side().router)) << length << " bytes quoted";
  }
}

TEST_P(SteeringOf, AQuotedHeaderOfTheWrongVersionCountsAsNone) {
  Frame quoted = packet_between(side().service, side().client);
  for (const unsigned version : {0U, 4U, 5U, 6U, 15U}) {
    if (version == (is_v4() ? 4U : 6U)) continue;
    quoted[0] = static_cast<std::uint8_t>((version << 4U) | (quoted[0] & 0x0fU));
    EXPECT_EQ(owner(between(side().router, side().service) / error() / payload(quoted)), by(side().router));
  }
}

TEST_P(SteeringOf, FragmentsOfAnErrorMeet) {
  const Frame whole =
      between(side().router, side().service) / error() / payload(packet_between(side().service, side().client, 80));
  for (const Frame& piece : fragments(whole, 24, 3)) EXPECT_EQ(owner(piece), by(side().router));
}

TEST_P(SteeringOf, EveryTypeOfErrorIsLookedInto) {
  const std::vector<int> types = is_v4() ? std::vector{3, 4, 5, 11, 12} : std::vector{1, 2, 3, 4, 100, 127};
  for (int type = 0; type < 256; ++type) {
    const Frame frame = between(side().router, side().service) / icmp(static_cast<std::uint8_t>(type), 0) /
                        payload(packet_between(side().service, side().client));
    PacketBuffer buffer(frame, 0);
    if (!buffer.enter(master(), 1).empty()) continue;
    const auto pair = steering_addresses(buffer.packet());
    if (!pair) continue;  // neighbour discovery, group membership
    EXPECT_EQ(pair->source == ip(side().client),
              std::ranges::find(types, type) != types.end() || (!is_v4() && type < 128))
        << "type " << type;
  }
}

TEST_P(SteeringOf, WhatNobodyKnowsGoesByBothAddressesInEitherOrder) {
  const char* const host = is_v4() ? "203.0.113.5" : "2001:db8:5::5";
  const std::uint32_t there = owner(between(side().client, host) / udp(1, 2));
  EXPECT_EQ(owner(between(host, side().client) / udp(2, 1)), there);
  EXPECT_EQ(there, spread(fold(ip(host)) ^ fold(ip(side().client)), workers));
  EXPECT_EQ(owner(between(side().router, side().client) / error() / payload(packet_between(side().client, host))),
            there);
}

TEST_P(SteeringOf, WhatEndsHereStaysWhereItCameIn) {
  const char* const own = is_v4() ? "10.0.0.1" : "2001:db8::1";
  EXPECT_EQ(owner(between(side().target, own) / tcp(80, 4000).ack(1)), self);
  EXPECT_EQ(owner(between(side().client, own) / echo_request(1, 1)), self);
  EXPECT_EQ(owner(between(side().router, own) / error() / payload(packet_between(own, side().target))), self);
  if (is_v4()) {
    EXPECT_EQ(owner(eth(peer, MacAddress::broadcast()) / arp_request(peer, "10.0.0.9", "10.0.0.3")), self);
    EXPECT_EQ(owner(eth(peer, mac("01:00:5e:00:00:01")) / ipv4("10.0.0.9", "224.0.0.1") / udp(1, 2)), self);
    EXPECT_EQ(owner(between(side().router, side().service) / vrrp(Frame(8))), self);
  } else {
    EXPECT_EQ(owner(eth(peer, node) / ipv6("2001:db8::9", side().service).hop_limit(255) /
                    neighbor_solicitation("2001:db8::3").source_mac(peer)),
              self);
    EXPECT_EQ(owner(eth(peer, mac("33:33:00:00:00:01")) / ipv6("fe80::9", "ff02::1") / udp(1, 2)), self);
  }
  EXPECT_EQ(steering_.calls, 0U);
}

TEST(Steering, OneQuestionForABatchAndTheFirstModuleThatKnows) {
  TestSteering first;
  TestSteering second;
  first.services.insert(ip("10.0.0.3"));
  second.services = {ip("10.0.0.3"), ip("192.0.2.9")};
  second.targets = {ip("192.0.2.1")};
  const Frame frames[] = {eth(peer, node) / ipv4("192.0.2.1", "10.0.0.3") / udp(1, 2),
                          eth(peer, node) / ipv4("192.0.2.1", "192.0.2.9") / udp(1, 2),
                          eth(peer, node) / ipv4("192.0.2.1", "192.0.2.2") / udp(1, 2),
                          eth(peer, node) / ipv4("192.0.2.3", "192.0.2.4") / udp(1, 2)};
  std::vector<std::unique_ptr<PacketBuffer>> buffers;
  std::vector<Packet*> packets;
  for (const Frame& frame : frames) {
    packets.push_back(&buffers.emplace_back(std::make_unique<PacketBuffer>(frame))->packet());
    ASSERT_EQ(buffers.back()->enter(master(), 1), "");
  }
  const Steering* const modules[] = {&first, &second};
  std::array<std::uint32_t, 4> owners{};
  Steerer steerer;
  steerer.find_owners(packets, modules, 0, 64, owners);
  EXPECT_EQ(first.calls, 1U);
  EXPECT_EQ(second.calls, 1U);
  const auto by = [](const char* address) { return spread(fold(ip(address)), 64); };
  EXPECT_EQ(owners[0], by("192.0.2.1"));
  EXPECT_EQ(owners[1], by("192.0.2.1"));
  EXPECT_EQ(owners[2], by("192.0.2.2"));
  EXPECT_EQ(owners[3], spread(fold(ip("192.0.2.3")) ^ fold(ip("192.0.2.4")), 64));
}

TEST(Steering, ClientsSpreadEvenly) {
  for (const std::uint32_t workers : {2U, 3U, 4U, 16U}) {
    std::map<std::uint32_t, int> counts;
    for (std::uint32_t host = 0; host < 16'000; ++host) {
      ++counts[spread(fold(Ipv4Address::from_number(0x0a000000U + host)), workers)];
    }
    EXPECT_EQ(counts.size(), workers);
    for (const auto& [worker, count] : counts) {
      EXPECT_NEAR(count, 16'000.0 / workers, 16'000.0 / workers / 10) << "worker " << worker << " of " << workers;
    }
  }
}

}  // namespace
}  // namespace trivet::core
