// The module in a whole node; each test with one frame a batch and, where it counts, with 64.
#include "ping/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "trivet/net/checksum.h"
#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/testkit/packet_match.h"
#include "trivet/topics/addresses.h"
#include "trivet/topics/neighbors.h"
#include "trivet/topics/role.h"

namespace trivet::ping {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace testkit;  // NOLINT: packets read like packets

const char* const config_text = R"(hostname A
modules ping
interface 1 {
  name eth1
}
register interface 1
enable interface 1
network 1 {
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  virt 10.0.0.3
  mask6 48
  real6 2001:db8::2:1
  virt6 2001:db8::2:3
  interface 1
}
register network 1
enable network 1
)";

const MacAddress client = mac("02:00:00:00:01:0a");
const MacAddress own = mac("02:00:00:00:00:01");
const MacAddress virtual4 = mac("00:00:5e:00:01:40");

class PingTest : public testing::Test {
 protected:
  PingTest() : node({&descriptor}, config_text) {
    for (const char* address : {"10.0.0.9", "2001:db8::9", "fe80::9"}) {
      node.bus().publish(NeighborEntry{1, ip(address), client, 1, NeighborReachability::reachable});
    }
    node.bus().publish_list<OwnAddress>(
        {{ip("10.0.0.4"), AddressScope::master, 1, 0, true}, {ip("10.0.0.5"), AddressScope::master, 1, 0, false}});
    become(Role::master);
  }
  void become(Role role) {
    node.bus().publish(RoleState{role, 64, true, "test", node.now()});
    node.settle();
  }
  // What comes back for the frame; the same for 64 of them at once.
  std::vector<testkit::Frame> answers(const testkit::Frame& frame) {
    node.inject(1, frame);
    std::vector<testkit::Frame> one = node.take_sent(1);
    node.inject(1, std::vector<testkit::Bytes>(64, frame));
    const auto many = node.take_sent(1);
    EXPECT_EQ(many.size(), one.size() * 64);
    for (const auto& each : many) {
      if (one.size() == 1) {
        EXPECT_EQ(each, one[0]);
      }
    }
    return one;
  }
  testkit::Frame request4(const char* source, const char* destination, std::size_t size = 56) {
    return eth(client, own) / ipv4(source, destination).id(7) / echo_request(1, 2) / payload_of(size);
  }
  testkit::Frame request6(const char* source, const char* destination, std::size_t size = 56) {
    return eth(client, own) / ipv6(source, destination) / echo_request(1, 2) / payload_of(size);
  }
  Harness node;
};

TEST_F(PingTest, AnswersIpv4WithSidesSwapped) {
  EXPECT_THAT(
      answers(request4("10.0.0.9", "10.0.0.1")),
      ElementsAre(IsFrame(eth(own, client) / ipv4("10.0.0.1", "10.0.0.9").id(7) / echo_reply(1, 2) / payload_of(56))));
}

TEST_F(PingTest, AnswersIpv6WithSidesSwapped) {
  EXPECT_THAT(answers(request6("2001:db8::9", "2001:db8::2:1")),
              ElementsAre(IsFrame(eth(own, client) / ipv6("2001:db8::2:1", "2001:db8::9") / echo_reply(1, 2) /
                                  payload_of(56))));
}

TEST_F(PingTest, AnswersAsBytes) {
  EXPECT_THAT(answers(bytes("02 00 00 00 00 01 02 00 00 00 01 0a 08 00 "
                            "45 00 00 24 00 07 00 00 40 01 66 c9 "
                            "0a 00 00 09 0a 00 00 01 "
                            "08 00 d5 b2 12 34 00 05 01 02 03 04 05 06 07 08 ")),
              ElementsAre(bytes("02 00 00 00 01 0a 02 00 00 00 00 01 08 00 "
                                "45 00 00 24 00 07 00 00 40 01 66 c9 "
                                "0a 00 00 01 0a 00 00 09 "
                                "00 00 dd b2 12 34 00 05 01 02 03 04 05 06 07 08 ")));
  EXPECT_THAT(answers(bytes("02 00 00 00 00 01 02 00 00 00 01 0a 86 dd "
                            "60 00 00 00 00 10 3a 40 "
                            "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 09 "
                            "20 01 0d b8 00 00 00 00 00 00 00 00 00 02 00 01 "
                            "80 00 01 ea 12 34 00 05 01 02 03 04 05 06 07 08 ")),
              ElementsAre(bytes("02 00 00 00 01 0a 02 00 00 00 00 01 86 dd "
                                "60 00 00 00 00 10 3a 40 "
                                "20 01 0d b8 00 00 00 00 00 00 00 00 00 02 00 01 "
                                "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 09 "
                                "81 00 00 ea 12 34 00 05 01 02 03 04 05 06 07 08 ")));
}

TEST_F(PingTest, AnswersEverySizeUpToTheMtu) {
  for (const std::size_t size : {0, 1, 7, 8, 555, 1471, 1472}) {
    node.inject(1, request4("10.0.0.9", "10.0.0.1", size));
    EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(eth(own, client) / ipv4("10.0.0.1", "10.0.0.9").id(7) /
                                                       echo_reply(1, 2) / payload_of(size))));
  }
  for (const std::size_t size : {0, 1, 1451, 1452}) {
    node.inject(1, request6("2001:db8::9", "2001:db8::2:1", size));
    EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(eth(own, client) / ipv6("2001:db8::2:1", "2001:db8::9") /
                                                       echo_reply(1, 2) / payload_of(size))));
  }
}

TEST_F(PingTest, AnswersAreFreshPacketsWhateverTheRequestsHopLimit) {
  node.inject(1, eth(client, own) / ipv6("2001:db8::9", "2001:db8::2:1").hop_limit(1) / echo_request(1, 2));
  EXPECT_THAT(node.take_sent(1), ElementsAre(Describes("hop limit 64")));
}

TEST_F(PingTest, LinkLocalAddressesAreAnswered) {
  EXPECT_THAT(
      answers(request6("fe80::9", "fe80::ff:fe00:1")),
      ElementsAre(IsFrame(eth(own, client) / ipv6("fe80::ff:fe00:1", "fe80::9") / echo_reply(1, 2) / payload_of(56))));
}

TEST_F(PingTest, VirtualAddressesAreAnsweredByTheMasterWithTheVirtualMac) {
  for (const char* address : {"10.0.0.3", "10.0.0.4"}) {
    node.inject(1, request4("10.0.0.9", address));
    EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(eth(virtual4, client) / ipv4(address, "10.0.0.9").id(7) /
                                                       echo_reply(1, 2) / payload_of(56))));
  }
  become(Role::backup);
  node.inject(1, request4("10.0.0.9", "10.0.0.3"));
  node.inject(1, request6("2001:db8::9", "2001:db8::2:3"));
  EXPECT_THAT(node.take_sent(1), IsEmpty());
  node.inject(1, request4("10.0.0.9", "10.0.0.1"));
  EXPECT_THAT(node.take_sent(1), SizeIs(1)) << "a backup answers for itself";
}

TEST_F(PingTest, AServerThatTakesEveryProtocolIsLeftToTheModulesBehind) {
  node.inject(1, request4("10.0.0.9", "10.0.0.5"));
  EXPECT_THAT(node.take_sent(1), IsEmpty());
  EXPECT_EQ(node.drops("core", "end-of-chain"), 1U);
}

TEST_F(PingTest, OtherAddressesAndOtherMessagesPass) {
  node.inject(1, request4("10.0.0.9", "10.0.0.77"));
  node.inject(1, eth(client, own) / ipv4("10.0.0.9", "10.0.0.1") / echo_reply(1, 2));
  node.inject(1, eth(client, own) / ipv4("10.0.0.9", "10.0.0.1") / icmp(8, 1, 0));
  node.inject(1, eth(client, own) / ipv4("10.0.0.9", "10.0.0.1") / udp(1, 2) / payload("x"));
  EXPECT_THAT(node.take_sent(1), IsEmpty());
  EXPECT_EQ(node.drops("core", "end-of-chain"), 4U);
}

TEST_F(PingTest, GroupsAndBroadcastsAreNeverAnswered) {
  node.inject(1, eth(client, MacAddress::broadcast()) / ipv4("10.0.0.9", "255.255.255.255") / echo_request(1, 2));
  node.inject(1, eth(client, MacAddress::broadcast()) / ipv4("10.0.0.9", "10.255.255.255") / echo_request(1, 2));
  node.inject(1, eth(client, MacAddress::broadcast()) / ipv4("10.0.0.9", "10.0.0.1") / echo_request(1, 2));
  node.inject(1, eth(client, "33:33:00:00:00:01") / ipv6("fe80::9", "ff02::1") / echo_request(1, 2));
  EXPECT_THAT(node.take_sent(1), IsEmpty());
}

TEST_F(PingTest, SourcesThatAreNoOtherHostAreDropped) {
  const std::uint64_t before = node.drops("ping", "bad-source");
  node.inject(1, request4("10.0.0.1", "10.0.0.1"));
  node.inject(1, request4("10.0.0.3", "10.0.0.1"));
  EXPECT_EQ(node.drops("ping", "bad-source"), before + 2);
  node.inject(1, request4("0.0.0.0", "10.0.0.1"));
  node.inject(1, request4("255.255.255.255", "10.0.0.1"));
  node.inject(1, request4("224.0.0.1", "10.0.0.1"));
  node.inject(1, request6("::", "2001:db8::2:1"));
  node.inject(1, request6("ff02::1", "2001:db8::2:1"));
  EXPECT_THAT(node.take_sent(1), IsEmpty());
}

TEST_F(PingTest, WrongChecksumsAreDropped) {
  node.inject(1, eth(client, own) / ipv4("10.0.0.9", "10.0.0.1") / echo_request(1, 2).checksum(1));
  node.inject(1, eth(client, own) / ipv6("2001:db8::9", "2001:db8::2:1") / echo_request(1, 2).checksum(1));
  EXPECT_EQ(node.drops("ping", "bad-checksum"), 2U);
  EXPECT_THAT(node.take_sent(1), IsEmpty());
}

TEST_F(PingTest, Ipv4OptionsAreBlankedAndIpv6ExtensionHeadersTakenOut) {
  node.inject(1, eth(client, own) / ipv4("10.0.0.9", "10.0.0.1").options(bytes("07 07 04 00 00 00 00 00")) /
                     echo_request(1, 2) / payload("x"));
  EXPECT_THAT(node.take_sent(1),
              ElementsAre(IsFrame(eth(own, client) / ipv4("10.0.0.1", "10.0.0.9").options(testkit::Frame(8, 0)) /
                                  echo_reply(1, 2) / payload("x"))));
  node.inject(1, eth(client, own) / ipv6("2001:db8::9", "2001:db8::2:1") / destination_options() / echo_request(1, 2) /
                     payload("x"));
  EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(eth(own, client) / ipv6("2001:db8::2:1", "2001:db8::9") /
                                                     echo_reply(1, 2) / payload("x"))));
}

TEST_F(PingTest, APartialChecksumIsCompleted) {
  for (const bool is_ipv4 : {true, false}) {
    OffloadFrame request;
    const testkit::Frame expected =
        is_ipv4
            ? testkit::Frame(eth(own, client) / ipv4("10.0.0.1", "10.0.0.9").id(7) / echo_reply(1, 2) / payload_of(56))
            : testkit::Frame(eth(own, client) / ipv6("2001:db8::2:1", "2001:db8::9") / echo_reply(1, 2) /
                             payload_of(56));
    request.bytes = is_ipv4 ? request4("10.0.0.9", "10.0.0.1") : request6("2001:db8::9", "2001:db8::2:1");
    request.checksum = ChecksumState::partial;
    request.checksum_start = is_ipv4 ? 34 : 54;
    request.checksum_offset = 2;
    request.bytes[request.checksum_start + 2U] = 0x12;
    node.inject(1, request);
    const auto sent = node.take_sent_frames(1);
    ASSERT_THAT(sent, SizeIs(1));
    EXPECT_FRAME_EQ(sent[0].bytes, expected);
    EXPECT_NE(sent[0].checksum, ChecksumState::partial);
  }
}

// Puts the answer's fragments together as a host does and returns the whole ICMP message.
testkit::Frame joined(const std::vector<testkit::Frame>& frames, Family family, std::size_t mtu) {
  const std::size_t headers = family == Family::ipv4 ? 34 : 62;
  testkit::Frame message;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const testkit::Frame& frame = frames[i];
    EXPECT_LE(frame.size(), mtu + 14);
    const std::size_t field = family == Family::ipv4 ? 20 : 56;
    const unsigned word = (unsigned{frame[field]} << 8U) | frame[field + 1];
    const std::size_t offset = family == Family::ipv4 ? (word & 0x1fffU) * 8 : word & 0xfff8U;
    const bool more = family == Family::ipv4 ? (word & 0x2000U) != 0 : (word & 1U) != 0;
    EXPECT_EQ(offset, message.size());
    EXPECT_EQ(more, i + 1 < frames.size());
    message.insert(message.end(), frame.begin() + static_cast<std::ptrdiff_t>(headers), frame.end());
  }
  return message;
}

TEST_F(PingTest, FragmentedRequestsAreAnsweredInFragmentsOfTheMtu) {
  for (const std::size_t size : {1473, 1600, 4000, 20000, 65507}) {
    const testkit::Frame request = request4("10.0.0.9", "10.0.0.1", size);
    auto pieces = fragments(request, 1480, 99);
    std::ranges::reverse(pieces);
    node.inject(1, pieces);
    const testkit::Frame message = joined(node.take_sent(1), Family::ipv4, 1500);
    const testkit::Frame expected =
        eth(own, client) / ipv4("10.0.0.1", "10.0.0.9") / echo_reply(1, 2) / payload_of(size);
    ASSERT_EQ(message, testkit::Frame(expected.begin() + 34, expected.end())) << size;
  }
}

TEST_F(PingTest, FragmentedIpv6RequestsAreAnsweredInFragmentsOfTheMtu) {
  for (const std::size_t size : {1453, 1600, 4000, 20000, 65487}) {
    node.inject(1, fragments(request6("2001:db8::9", "2001:db8::2:1", size), 1448, 99));
    const testkit::Frame message = joined(node.take_sent(1), Family::ipv6, 1500);
    const testkit::Frame expected =
        eth(own, client) / ipv6("2001:db8::2:1", "2001:db8::9") / echo_reply(1, 2) / payload_of(size);
    ASSERT_EQ(message, testkit::Frame(expected.begin() + 54, expected.end())) << size;
  }
}

TEST_F(PingTest, FragmentsOfAnAnswerAsBytes) {
  node.inject(1, fragments(request6("2001:db8::9", "2001:db8::2:1", 1453), 1448, 99));
  const auto sent = node.take_sent(1);
  ASSERT_THAT(sent, SizeIs(2));
  const auto headers = [&](std::size_t number) {
    return testkit::Frame(sent[number].begin(), sent[number].begin() + 58);
  };
  const std::string addresses = "20010db8000000000000000000020001 20010db8000000000000000000000009";
  EXPECT_EQ(headers(0), bytes("02000000010a 020000000001 86dd 60000000 05b0 2c 40" + addresses + "3a 00 0001"));
  EXPECT_EQ(headers(1), bytes("02000000010a 020000000001 86dd 60000000 0015 2c 40" + addresses + "3a 00 05a8"));
  const auto identification = [&](std::size_t number) {
    return testkit::Frame(sent[number].begin() + 58, sent[number].begin() + 62);
  };
  EXPECT_EQ(identification(0), identification(1));
  EXPECT_EQ(sent[0].size(), 14U + 1496U);
  EXPECT_EQ(sent[1].size(), 14U + 61U);
}

TEST_F(PingTest, SmallFragmentsAreAnsweredInOnePacket) {
  node.inject(1, fragments(request6("2001:db8::9", "2001:db8::2:1", 100), 8, 99));
  EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(eth(own, client) / ipv6("2001:db8::2:1", "2001:db8::9") /
                                                     echo_reply(1, 2) / payload_of(100))));
  EXPECT_EQ(node.counter("ping", "reassembled"), 1U);
}

TEST_F(PingTest, AnAtomicFragmentIsAWholeRequest) {
  node.inject(1, eth(client, own) / ipv6("2001:db8::9", "2001:db8::2:1") / fragment_header(0, false, 5) /
                     echo_request(1, 2) / payload("x"));
  EXPECT_THAT(node.take_sent(1), ElementsAre(IsFrame(eth(own, client) / ipv6("2001:db8::2:1", "2001:db8::9") /
                                                     echo_reply(1, 2) / payload("x"))));
}

TEST_F(PingTest, FragmentsAreCheckedLikeWholeRequests) {
  auto pieces = fragments(request4("10.0.0.9", "10.0.0.1", 3000), 1480, 99);
  pieces[1].back() ^= 1;
  node.inject(1, pieces);
  EXPECT_EQ(node.drops("ping", "bad-checksum"), 1U);
  become(Role::backup);
  node.inject(1, fragments(request4("10.0.0.9", "10.0.0.3", 3000), 1480, 99));
  EXPECT_THAT(node.take_sent(1), IsEmpty());
  EXPECT_EQ(node.counter("ping", "reassembled"), 1U);
}

TEST_F(PingTest, MissingFragmentsAreGivenUpAndCounted) {
  auto pieces = fragments(request4("10.0.0.9", "10.0.0.1", 3000), 1480, 99);
  node.inject(1, pieces[0]);
  node.advance(seconds(31));
  EXPECT_EQ(node.counter("ping", "reassembly_timeouts"), 1U);
  node.inject(1, pieces[1]);
  node.inject(1, pieces[2]);
  EXPECT_THAT(node.take_sent(1), IsEmpty());
}

TEST_F(PingTest, OverlappingFragmentsVoidThePacket) {
  auto pieces = fragments(request4("10.0.0.9", "10.0.0.1", 3000), 1480, 99);
  const auto others = fragments(request4("10.0.0.9", "10.0.0.1", 3000), 1464, 99);
  node.inject(1, pieces[0]);
  node.inject(1, others[1]);
  node.inject(1, pieces[1]);
  node.inject(1, pieces[2]);
  EXPECT_THAT(node.take_sent(1), IsEmpty());
  EXPECT_EQ(node.drops("ping", "fragment-overlap"), 3U);
}

TEST_F(PingTest, RequestsThatAreCutShortAnywhereAreNeverAnswered) {
  const testkit::Frame fragment = fragments(request6("2001:db8::9", "2001:db8::2:1", 100), 64, 99)[0];
  for (const testkit::Frame& whole :
       {request4("10.0.0.9", "10.0.0.1"), request6("2001:db8::9", "2001:db8::2:1"), fragment}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      node.inject(1, testkit::Frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      ASSERT_THAT(node.take_sent(1), IsEmpty()) << size;
    }
  }
}

TEST_F(PingTest, AnswersAreLimitedAsConfigured) {
  std::string text = config_text;
  text += "set pinglimit 20\n";
  ASSERT_FALSE(node.reload(text).has_errors());
  node.advance(seconds(10));
  (void)node.take_sent(1);
  for (int i = 0; i < 50; ++i) node.inject(1, request4("10.0.0.9", "10.0.0.1"));
  const std::size_t burst = node.take_sent(1).size();
  EXPECT_LE(burst, 2U);
  EXPECT_GE(burst, 1U);
  EXPECT_EQ(node.drops("ping", "rate-limited"), 50 - burst);
  for (int i = 0; i < 100; ++i) {
    node.advance(std::chrono::milliseconds(10));
    node.inject(1, request4("10.0.0.9", "10.0.0.1"));
  }
  EXPECT_THAT(node.take_sent(1).size(), testing::AllOf(testing::Ge(19U), testing::Le(21U)));
}

}  // namespace
}  // namespace trivet::ping
