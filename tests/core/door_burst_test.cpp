// The door has a straight way for the frames of a burst that are as most are. Here every burst is examined once more
// frame by frame, without that way, and both must come to the same end.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/pipeline/door.h"
#include "door_fixture.h"
#include "trivet/net/checksum.h"
#include "trivet/random.h"
#include "trivet/testkit/packet_match.h"

namespace trivet::core {
namespace {

constexpr std::size_t l3 = sizeof(wire::EthernetHeader);
constexpr MacAddress joined{{0x33, 0x33, 0xff, 0, 0, 3}};

// One of several things, each as often.
template <class Things>
auto any_of(const Things& things, Random& random) {
  return *(std::begin(things) + static_cast<std::ptrdiff_t>(random.below(std::size(things))));
}
bool one_in(std::uint64_t many, Random& random) { return random.below(many) == 0; }

MacAddress mac_of(InterfaceId interface) {
  return {{static_cast<std::uint8_t>(interface == 6 ? 3 : 2), 0, 0, 0, 0, static_cast<std::uint8_t>(interface)}};
}

// Interface 1: two networks without a tag. 2: one. 3: none. 4: one with a tag. 5: one with a tag, one without.
// 6: one, and a group for a MAC. 7 is not registered.
ForwardingState::Parts crossing() {
  ForwardingState::Parts made = parts();
  for (InterfaceId number = 3; number <= 6; ++number) {
    made.interfaces.push_back(
        {.number = number, .name = "eth" + std::to_string(number), .mac = mac_of(number), .up = true, .networks = {}});
  }
  made.interfaces[3].networks = {4};
  made.interfaces[4].networks = {4, 5};
  made.interfaces[5].networks = {6};
  made.networks.resize(6);
  for (NetworkId number = 4; number <= 6; ++number) made.networks[number - 1U].number = number;
  made.networks[3].vlan = 5;
  return made;
}

std::vector<std::unique_ptr<ForwardingState>> states() {
  std::vector<std::unique_ptr<ForwardingState>> all;
  all.push_back(std::make_unique<ForwardingState>(crossing()));
  ForwardingState::Parts backup = crossing();
  backup.role.role = Role::backup;
  all.push_back(std::make_unique<ForwardingState>(std::move(backup)));
  ForwardingState::Parts real_mac = crossing();
  real_mac.role.virtual_mac = false;
  all.push_back(std::make_unique<ForwardingState>(std::move(real_mac)));
  ForwardingState::Parts no_router = crossing();
  no_router.role.vrid = 0;
  all.push_back(std::make_unique<ForwardingState>(std::move(no_router)));
  return all;
}

std::vector<Frame> kinds() {
  const auto four = [] { return testkit::ipv4("10.0.0.9", "192.0.2.1"); };
  const auto six = [] { return testkit::ipv6("2001:db8::9", "2001:db8:1::1"); };
  const auto in = [] { return eth(peer, node); };
  std::vector<Frame> all{
      in() / four() / testkit::tcp(1, 2),
      in() / four() / testkit::tcp(1, 2).mss(1460) / payload("abc"),
      in() / four() / testkit::tcp(1, 2).ack() / payload_of(3000),
      in() / four() / testkit::udp(1, 2),
      in() / four() / testkit::udp(1, 2) / payload_of(100),
      in() / six() / testkit::tcp(1, 2),
      in() / six() / testkit::tcp(1, 2).mss(1460) / payload("abc"),
      in() / six() / testkit::tcp(1, 2).ack() / payload_of(3000),
      in() / six() / testkit::udp(1, 2),
      in() / six() / testkit::udp(1, 2) / payload_of(100),
      in() / vlan(5) / four() / testkit::udp(1, 2),
      in() / vlan(5) / six() / testkit::tcp(1, 2),
      in() / vlan(0) / four() / testkit::tcp(1, 2),
      in() / four().options(bytes("94040000")) / testkit::udp(1, 2),
      in() / four().options(bytes("44050000")) / testkit::udp(1, 2),
      in() / four().options(bytes("83070401020304 00")) / testkit::udp(1, 2),
      in() / four().fragment(8, false).protocol_number(6) / payload_of(16),
      in() / four() / echo_request(1, 2),
      in() / four() / testkit::igmp(Frame(8)),
      in() / four() / testkit::vrrp(Frame(8)),
      in() / four() / ip_payload(47, Frame(12)),
      in() / six() / hop_by_hop() / testkit::udp(1, 2),
      in() / six() / destination_options() / hop_by_hop() / testkit::udp(1, 2),
      in() / six() / routing(0, 1) / testkit::udp(1, 2),
      in() / six() / fragment_header(0, false, 9) / testkit::udp(1, 2),
      in() / six() / neighbor_solicitation("2001:db8::1"),
      in() / six() / testkit::vrrp(Frame(8)),
      in() / six() / ip_payload(59, {}),
      in() / arp_request(peer, "10.0.0.9", "10.0.0.1"),
      in() / payload_of(60),
      in() / four().fragment(0, true) / testkit::tcp(1, 2).data_offset(0x80) / payload_of(4),
      in() / four() / testkit::tcp(1, 2).data_offset(0x40),
      in() / six() / testkit::udp(1, 2).length(7),
  };
  for (const Stack& whole :
       {in() / four() / testkit::udp(1, 2) / payload_of(60), in() / four() / testkit::tcp(1, 2) / payload_of(60),
        in() / six() / testkit::udp(1, 2) / payload_of(60), in() / six() / testkit::tcp(1, 2) / payload_of(60)}) {
    for (Frame& piece : fragments(whole, 32, 7)) all.push_back(std::move(piece));
  }
  return all;
}

void put(Frame& frame, std::size_t at, std::span<const std::uint8_t> part) {
  if (at + part.size() <= frame.size()) std::memcpy(frame.data() + at, part.data(), part.size());
}

// Puts other addresses into a frame without a tag. 10.0.0.1 and a00:1::, 2001:db8::1 and ::3 have bytes in common.
void readdress(Frame& frame, Random& random) {
  static const Ipv4Address four[] = {ip4("10.0.0.1"),        ip4("10.0.0.1"),  ip4("10.0.0.3"),
                                     ip4("10.0.1.9"),        ip4("0.0.0.0"),   ip4("0.0.0.1"),
                                     ip4("127.0.0.1"),       ip4("128.0.0.1"), ip4("240.0.0.1"),
                                     ip4("223.255.255.255"), ip4("224.0.0.1"), ip4("255.255.255.255")};
  static const Ipv6Address six[] = {ip6("2001:db8::1"), ip6("2001:db8::1"), ip6("2001:db8::3"), ip6("2001:db8::3"),
                                    ip6("2001:db8::7"), ip6("a00:1::"),     ip6("a00:1::"),     ip6("fe80::1"),
                                    ip6("fe80::2"),     ip6("::"),          ip6("::1"),         ip6("::2"),
                                    ip6("::10.0.0.1"),  ip6("ff02::1"),     ip6("ff00::"),      ip6("0:0:0:1::")};
  for (const std::size_t which : {0U, 1U}) {
    if (one_in(2, random)) continue;
    if (frame[12] == 8) put(frame, l3 + 12 + 4 * which, any_of(four, random).bytes);
    if (frame[12] != 8) put(frame, l3 + 8 + 16 * which, any_of(six, random).bytes);
  }
}

// Makes the IP packet of a frame without a tag a bit shorter or longer than it is.
void change_length(Frame& frame, Random& random) {
  const std::size_t at = l3 + (frame[12] == 8 ? 2 : 4);
  Be16 length;
  if (frame.size() < at + sizeof length) return;
  std::memcpy(&length, frame.data() + at, sizeof length);
  length = static_cast<std::uint16_t>(length + 4 - random.below(30));
  std::memcpy(frame.data() + at, &length, sizeof length);
}

void repair_sum(Frame& frame) {
  if (frame.size() < l3 + 20 || frame[12] != 8 || frame[13] != 0) return;
  const std::size_t length = std::size_t{frame[l3] & 0x0fU} * 4;
  if (length < 20 || frame.size() < l3 + length) return;
  frame[l3 + 10] = frame[l3 + 11] = 0;
  const Be16 sum = internet_checksum({frame.data() + l3, length});
  std::memcpy(frame.data() + l3 + 10, &sum, sizeof sum);
}

Frame any_frame(const std::vector<Frame>& kinds, InterfaceId interface, Random& random) {
  static const MacAddress macs[] = {vrrp_mac(Family::ipv4, 64),
                                    vrrp_mac(Family::ipv6, 64),
                                    vrrp_mac(Family::ipv4, 64),
                                    vrrp_mac(Family::ipv6, 64),
                                    node,
                                    mac_of(2),
                                    mac_of(6),
                                    peer,
                                    joined,
                                    MacAddress::broadcast(),
                                    mac("01:00:5e:00:00:01")};
  Frame frame = any_of(kinds, random);
  put(frame, 0, mac_of(interface).bytes);
  if (one_in(4, random)) put(frame, 0, any_of(macs, random).bytes);
  if (one_in(50, random)) frame[6] |= 1U;
  if (one_in(2, random)) readdress(frame, random);
  if (one_in(4, random)) {
    // Type, version, lengths, flags, protocol, and where lengths of TCP and UDP are: these change more often than
    // others.
    static constexpr std::size_t places[] = {12, 13, 14, 14, 16, 17, 18, 19, 20, 20, 21, 23, 38, 39, 46, 58, 59, 66};
    for (std::uint64_t change = random.below(3); change-- > 0;) {
      std::size_t at = random.below(frame.size());
      if (one_in(2, random)) at = std::min(any_of(places, random), frame.size() - 1);
      frame[at] = static_cast<std::uint8_t>(one_in(2, random) ? random() : frame[at] ^ (1U << random.below(8)));
    }
  }
  if (one_in(8, random)) change_length(frame, random);
  if (!one_in(8, random)) repair_sum(frame);
  if (one_in(4, random)) frame.resize(frame.size() + random.below(20), 0xaa);
  if (one_in(16, random)) frame.resize(random.below(frame.size() + 1));
  if (one_in(16, random)) frame.resize(frame.size() - std::min<std::size_t>(frame.size(), random.below(6)));
  return frame;
}

// All that the door sets is something else before.
void set_fields(Packet& packet, Random& random) {
  packet.classes = packet_class::arp | packet_class::fragment;
  packet.network = 77;
  packet.vlan = 78;
  packet.l3_offset = 79;
  packet.l4_offset = 80;
  packet.payload_offset = 81;
  packet.fragment_header_offset = 82;
  packet.ether_type = 83;
  packet.protocol = 84;
  packet.checksum = one_in(2, random) ? ChecksumState::unverified : ChecksumState::verified;
  if (one_in(4, random)) {
    const std::array<std::size_t, 6> places{13, 14, 34, 54, 54, packet.length};
    packet.checksum = ChecksumState::partial;
    packet.checksum_start = static_cast<std::uint16_t>(any_of(places, random) - random.below(3));
    packet.checksum_offset = static_cast<std::uint16_t>(one_in(8, random) ? random() : random.below(20));
  }
  if (one_in(4, random)) {
    packet.segments = static_cast<SegmentType>(random.below(4));
    packet.segment_size = static_cast<std::uint16_t>(random.below(4) * 700);
  }
}

auto fields(const Packet& packet) {
  return std::array<std::size_t, 16>{packet.headroom(),     packet.length,
                                     packet.classes.bits(), packet.in_interface,
                                     packet.network,        packet.vlan,
                                     packet.l3_offset,      packet.l4_offset,
                                     packet.payload_offset, packet.fragment_header_offset,
                                     packet.ether_type,     packet.protocol,
                                     packet.checksum_start, packet.checksum_offset,
                                     packet.segment_size,   packet.out_interface};
}

class DoorBurst : public testing::Test {
 protected:
  // A burst and the same once more, of any frames or of two kinds alone; interfaces change now and then.
  void make(std::size_t size) {
    static const InterfaceId interfaces[] = {0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 6, 7};
    burst_.clear();
    single_.clear();
    InterfaceId interface = any_of(interfaces, random_);
    const std::vector<Frame> two{any_of(kinds_, random_), any_of(kinds_, random_)};
    const std::vector<Frame>& kinds = one_in(2, random_) ? two : kinds_;
    for (std::size_t i = 0; i < size; ++i) {
      if (one_in(16, random_)) interface = any_of(interfaces, random_);
      const Frame frame = any_frame(kinds, interface, random_);
      burst_.push_back(std::make_unique<PacketBuffer>(frame, 0));
      single_.push_back(std::make_unique<PacketBuffer>(frame, 0));
      burst_.back()->packet().in_interface = single_.back()->packet().in_interface = interface;
      Random same = random_;
      set_fields(burst_.back()->packet(), random_);
      set_fields(single_.back()->packet(), same);
    }
  }

  void compare(const ForwardingState& state, const DoorFilter& filter) {
    std::vector<Packet*> packets;
    for (const auto& buffer : burst_) packets.push_back(&buffer->packet());
    std::vector<DoorDrop> results(packets.size());
    const bool all = examine(packets, state, filter, results);
    EXPECT_EQ(all, std::ranges::count(results, DoorDrop::none) == std::ssize(results));
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const Frame frame = single_[i]->frame();
      const DoorDrop wanted = examine(single_[i]->packet(), state, filter);
      met_.insert(wanted);
      ASSERT_EQ(results[i], wanted) << describe(frame) << '\n' << hex(frame);
      // What is refused has gone the same way both times.
      ASSERT_EQ(fields(*packets[i]), fields(single_[i]->packet())) << describe(frame) << '\n' << hex(frame);
      ASSERT_EQ(burst_[i]->frame(), single_[i]->frame());
      const bool has_flow = packets[i]->is(packet_class::tcp | packet_class::udp);
      if (wanted == DoorDrop::none && has_flow) ++flows_;
    }
  }

  Random random_{11};
  const std::vector<Frame> kinds_ = kinds();
  std::vector<std::unique_ptr<PacketBuffer>> burst_;
  std::vector<std::unique_ptr<PacketBuffer>> single_;
  std::set<DoorDrop> met_;
  std::size_t flows_ = 0;
};

TEST_F(DoorBurst, ComesToTheSameEndAsItsFramesOneByOne) {
  DoorFilter filter;
  for (InterfaceId interface = 1; interface <= 5; interface += 2) filter.add(interface, joined);
  const auto all_states = states();
  constexpr std::size_t rounds = 1500;
  for (std::size_t round = 0; round < rounds && !HasFatalFailure(); ++round) {
    make(one_in(4, random_) ? random_.below(6) : 64);
    compare(*all_states[round % all_states.size()], filter);
  }
  // Not in vain: many were let in, and every reason to refuse was met.
  EXPECT_GT(flows_, rounds * 5);
  for (std::size_t i = 0; i < door_drops.size(); ++i) {
    EXPECT_TRUE(met_.contains(static_cast<DoorDrop>(i))) << door_drops[i].name;
  }
}

// The sum of an IPv4 header goes by words of 8 bytes: here its carries go round at every place.
TEST(Door, KnowsARightHeaderSumFromAWrongOne) {
  Random random(3);
  const Ipv4Address addresses[] = {ip4("223.255.255.255"), ip4("10.0.255.255"), ip4("1.0.0.0"), ip4("10.0.0.1")};
  const std::uint16_t ids[] = {0, 0x1f00, 0x2000, 0xffff, 0x00ff, 0xff00};
  for (const Ipv4Address& source : addresses) {
    for (const Ipv4Address& destination : addresses) {
      for (int i = 0; i < 500; ++i) {
        Frame frame = eth(peer, node) /
                      testkit::ipv4(source, destination)
                          .id(one_in(2, random) ? any_of(ids, random) : static_cast<std::uint16_t>(random()))
                          .hop_limit(static_cast<std::uint8_t>(random())) /
                      testkit::udp(1, 2);
        ASSERT_EQ(refused(frame), "") << hex(frame);
        frame[l3 + random.below(20)] ^= static_cast<std::uint8_t>(1U << random.below(8));
        ASSERT_NE(refused(frame), "") << hex(frame);
      }
    }
  }
}

}  // namespace
}  // namespace trivet::core
