#include "core/pipeline/vlan_tag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "core/pipeline/packet_pool.h"
#include "door_fixture.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::core {
namespace {

// A packet of a pool, as packet I/O gives it.
class VlanTag : public testing::Test {
 protected:
  Packet& packet(const Frame& frame) {
    packet_ = pool_.acquire(frame.size());
    std::ranges::copy(frame, packet_->data);
    packet_->length = static_cast<std::uint32_t>(frame.size());
    return *packet_;
  }
  [[nodiscard]] Frame frame() const { return {packet_->data, packet_->data + packet_->length}; }

  PacketPool pool_;
  Packet* packet_ = nullptr;
};

Frame plain() { return eth(peer, node) / testkit::ipv4("10.0.0.9", "10.0.0.1") / testkit::udp(1, 2) / payload("abc"); }
Frame tagged(std::uint16_t control) {
  return eth(peer, node) / vlan(control) / testkit::ipv4("10.0.0.9", "10.0.0.1") / testkit::udp(1, 2) / payload("abc");
}

TEST_F(VlanTag, IsTakenOutAndPutIn) {
  Packet& one = packet(tagged(5));
  ASSERT_TRUE(take_vlan_tag(one));
  EXPECT_EQ(one.vlan, 5);
  EXPECT_FRAME_EQ(frame(), plain());
  ASSERT_TRUE(put_vlan_tag(one, 5));
  EXPECT_EQ(frame(), tagged(5));
  EXPECT_EQ(one.headroom(), PacketPool::headroom);
}

TEST_F(VlanTag, PriorityIsNotKeptAndPriorityAloneIsNoVlan) {
  Packet& one = packet(tagged(0xf005));
  ASSERT_TRUE(take_vlan_tag(one));
  EXPECT_EQ(one.vlan, 5);
  ASSERT_TRUE(put_vlan_tag(one, 6));
  EXPECT_EQ(frame(), tagged(6));

  Packet& alone = packet(tagged(0x6000));
  ASSERT_TRUE(take_vlan_tag(alone));
  EXPECT_EQ(alone.vlan, 0);
  EXPECT_EQ(frame(), plain());
}

TEST_F(VlanTag, TheOtherTypeOfTagIsTakenToo) {
  Frame service = tagged(5);
  service[12] = 0x88;
  service[13] = 0xa8;
  Packet& one = packet(service);
  ASSERT_TRUE(take_vlan_tag(one));
  EXPECT_EQ(one.vlan, 5);
  EXPECT_EQ(frame(), plain());
}

TEST_F(VlanTag, AFrameWithoutOneStays) {
  Packet& one = packet(plain());
  one.vlan = 9;
  ASSERT_TRUE(take_vlan_tag(one));
  EXPECT_EQ(one.vlan, 0);
  EXPECT_EQ(frame(), plain());
  ASSERT_TRUE(put_vlan_tag(one, 0));
  EXPECT_EQ(frame(), plain());
}

TEST_F(VlanTag, AFrameThatEndsWithinItIsRefused) {
  for (std::size_t length = 14; length < 18; ++length) {
    const Frame whole = tagged(5);
    EXPECT_FALSE(take_vlan_tag(packet(Frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)))));
  }
  const Frame whole = tagged(5);
  EXPECT_TRUE(take_vlan_tag(packet(Frame(whole.begin(), whole.begin() + 18))));
}

TEST_F(VlanTag, OffsetsAndPartialChecksumsMoveAlong) {
  Packet& one = packet(tagged(5));
  one.checksum = ChecksumState::partial;
  one.checksum_start = 38;
  one.checksum_offset = 6;
  ASSERT_TRUE(take_vlan_tag(one));
  EXPECT_EQ(one.checksum_start, 34);
  EXPECT_EQ(one.checksum_offset, 6);
  one.l3_offset = 14;
  one.l4_offset = 34;
  one.payload_offset = 42;
  ASSERT_TRUE(put_vlan_tag(one, 7));
  EXPECT_EQ(one.checksum_start, 38);
  EXPECT_EQ(one.checksum_offset, 6);
  EXPECT_EQ(one.l3_offset, 18);
  EXPECT_EQ(one.l4_offset, 38);
  EXPECT_EQ(one.payload_offset, 46);
  EXPECT_EQ(one.fragment_header_offset, 0) << "there is none";
}

TEST_F(VlanTag, WithoutRoomNothingIsPutIn) {
  Packet& one = packet(plain());
  one.data -= PacketPool::headroom - 3;
  EXPECT_FALSE(put_vlan_tag(one, 5));
}

// --- at the door ---

// Interface 1: networks 1 (untagged), 2 (VLAN 5) and 3 (VLAN 6), 2 and 3 with the same addresses. Interface 2: VLAN 6.
ForwardingState::Parts with_vlans() {
  ForwardingState::Parts made = parts();
  made.interfaces[0].networks = {1, 2, 3};
  made.interfaces[1].networks = {3};
  for (NetworkView& network : made.networks) network.interfaces = {1};
  made.networks[1].vlan = 5;
  made.networks[2].vlan = 6;
  made.networks[2].interfaces = {1, 2};
  made.networks[2].prefix4 = made.networks[1].prefix4;
  made.addresses.push_back({.address = ip("10.0.1.1"), .scope = AddressScope::own, .network = 2});
  made.addresses.push_back({.address = ip("10.0.1.1"), .scope = AddressScope::master, .network = 3});
  return made;
}

struct Entered {
  std::string refused;
  NetworkId network = 0;
  VlanId vlan = 0;
  std::uint32_t length = 0;
  std::uint16_t l4 = 0;
};

Entered enter(const Frame& frame, InterfaceId interface = 1) {
  static const ForwardingState state(with_vlans());
  PacketBuffer buffer(frame, 0);
  Entered result{.refused = buffer.enter(state, interface)};
  const Packet& packet = buffer.packet();
  if (result.refused.empty()) result = {"", packet.network, packet.vlan, packet.length, packet.l4_offset};
  return result;
}

Frame from(const char* source, std::uint16_t tag, std::size_t padding = 0) {
  Frame frame = tag == 0 ? Frame{eth(peer, node) / testkit::ipv4(source, "10.0.1.1") / testkit::udp(1, 2)}
                         : Frame{eth(peer, node) / vlan(tag) / testkit::ipv4(source, "10.0.1.1") / testkit::udp(1, 2)};
  frame.resize(frame.size() + padding);
  return frame;
}

TEST(DoorVlan, TheTagDecidesAboutTheNetwork) {
  EXPECT_EQ(enter(from("10.0.0.9", 0)).network, 1);
  EXPECT_EQ(enter(from("10.0.1.9", 0)).network, 1) << "an address of another VLAN's network changes nothing";
  EXPECT_EQ(enter(from("10.0.1.9", 5)).network, 2);
  EXPECT_EQ(enter(from("192.0.2.1", 5)).network, 2);
  EXPECT_EQ(enter(from("10.0.1.9", 6)).network, 3) << "the same addresses";
  EXPECT_EQ(enter(from("10.0.1.9", 6)).vlan, 6);
  EXPECT_EQ(enter(from("10.0.0.9", 0x6000)).network, 1) << "a tag for the priority only";
  EXPECT_EQ(enter(eth(peer, node) / vlan(5) / arp_request(peer, "10.0.1.9", "10.0.1.1")).network, 2);
}

TEST(DoorVlan, OffsetsAreThoseOfTheFrameWithout) {
  const Entered entered = enter(from("10.0.1.9", 5));
  EXPECT_EQ(entered.l4, 34);
  EXPECT_EQ(entered.length, 42U);
  EXPECT_EQ(enter(from("10.0.1.9", 5, 18)).length, 42U) << "padded to 64 bytes";
  EXPECT_EQ(enter(from("10.0.1.9", 5, 14)).length, 42U) << "padded before the tag came in";
}

TEST(DoorVlan, OthersAreRefused) {
  EXPECT_EQ(enter(from("10.0.1.9", 7)).refused, "foreign-vlan");
  EXPECT_EQ(enter(from("10.0.1.9", 5), 2).refused, "not-for-us") << "another MAC";
  const auto to_second = [](std::uint16_t tag) -> Frame {
    return eth(peer, "02:00:00:00:00:02") / vlan(tag) / testkit::ipv4("10.0.1.9", "10.0.1.1") / testkit::udp(1, 2);
  };
  EXPECT_EQ(enter(to_second(5), 2).refused, "foreign-vlan");
  EXPECT_EQ(enter(to_second(6), 2).network, 3);
  EXPECT_EQ(
      enter(eth(peer, "02:00:00:00:00:02") / testkit::ipv4("10.0.1.9", "10.0.1.1") / testkit::udp(1, 2), 2).refused,
      "untagged");
  EXPECT_EQ(
      enter(eth(peer, node) / vlan(5) / vlan(6) / testkit::ipv4("10.0.1.9", "10.0.1.1") / testkit::udp(1, 2)).refused,
      "unknown-ether-type")
      << "two tags";
}

TEST(DoorVlan, AnInterfaceWithoutNetworksTakesUntaggedFramesOnly) {
  ForwardingState::Parts made = parts();
  made.interfaces[0].networks.clear();
  const ForwardingState state(std::move(made));
  PacketBuffer plain_one(plain(), 0);
  EXPECT_EQ(plain_one.enter(state, 1), "");
  PacketBuffer tagged_one(tagged(5), 0);
  EXPECT_EQ(tagged_one.enter(state, 1), "foreign-vlan");
}

TEST(DoorVlan, APartialChecksumWithinTheTagIsRefused) {
  const ForwardingState state(with_vlans());
  constexpr std::array<std::uint16_t, 4> starts{0, 3, 13, 17};
  for (const std::uint16_t start : starts) {
    PacketBuffer buffer(from("10.0.1.9", 5), 0);
    buffer.packet().checksum = ChecksumState::partial;
    buffer.packet().checksum_start = start;
    buffer.packet().checksum_offset = 6;
    EXPECT_EQ(buffer.enter(state, 1), "bad-offload") << start;
  }
  PacketBuffer right(from("10.0.1.9", 5), 0);
  right.packet().checksum = ChecksumState::partial;
  right.packet().checksum_start = 38;
  right.packet().checksum_offset = 6;
  EXPECT_EQ(right.enter(state, 1), "");
  EXPECT_EQ(right.packet().checksum_start, 34);
}

// --- what the node knows of itself ---

TEST(ForwardingVlan, AnAddressIsFoundOnItsOwnLink) {
  const ForwardingState state(with_vlans());
  const auto network_of = [&](InterfaceId interface, VlanId vlan) {
    const OwnAddress* const own = state.find_address(ip("10.0.1.1"), interface, vlan);
    return own == nullptr ? 0 : int{own->network};
  };
  EXPECT_EQ(network_of(1, 5), 2);
  EXPECT_EQ(network_of(1, 6), 3);
  EXPECT_EQ(network_of(2, 6), 3);
  EXPECT_EQ(network_of(1, 0), 0);
  EXPECT_EQ(network_of(2, 5), 0);
  EXPECT_EQ(state.find_address(ip("10.0.1.1"))->network, 2) << "scope own before master";
  EXPECT_EQ(state.find_address(ip("10.0.0.1"), 1, 0)->network, 1);
  EXPECT_EQ(state.find_address(ip("10.0.0.1"), 1, 5), nullptr);
}

TEST(ForwardingVlan, NetworksOfAnInterfaceByTheirTags) {
  const ForwardingState state(with_vlans());
  const InterfaceView& first = *state.interface(1);
  ASSERT_EQ(first.vlans.size(), 3U);
  EXPECT_EQ(first.find_vlan(0)->networks, std::vector<NetworkId>{1});
  EXPECT_EQ(first.find_vlan(6)->networks, std::vector<NetworkId>{3});
  EXPECT_EQ(first.find_vlan(7), nullptr);
  EXPECT_EQ(first.find_vlan(1), nullptr);
}

}  // namespace
}  // namespace trivet::core
