// What the worker punts, drops and lets pass; alone, and among 63 others in a batch.
#include "arp/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>

#include "node_for_tests.h"
#include "trivet/testkit/packet_buffer.h"

namespace trivet::arp {
namespace {

using std::chrono::milliseconds;
using namespace testkit;  // NOLINT: packets read like packets

constexpr DropReasons reasons{{1}, {2}, {3}, {4}, {5}, {6}};
const MacAddress client = mac("02:00:00:00:01:0a");
const MacAddress own1 = mac("02:00:00:00:00:01");

const std::vector<MacAddress> groups{mac("33:33:ff:02:00:01"), mac("33:33:ff:02:00:03"), mac("33:33:00:00:00:01"),
                                     mac("01:00:5e:00:00:01")};

Verdict drop(DropReason reason) { return Verdict::drop(reason); }

class ArpWorkerTest : public testing::TestWithParam<std::size_t> {
 protected:
  // The verdict about the frame. In a full batch every fourth packet is one; the others have verdicts of their own, or
  // are no business of this module, so that none can be mixed up with its neighbour.
  Verdict verdict_of(const testkit::Frame& frame, const ForwardingState& node, InterfaceId interface = 1) {
    ArpWorker worker(reasons);
    testkit::Frame malformed = eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1");
    malformed[21] = 9;
    const testkit::Frame router = eth(client, "33:33:00:00:00:01") / ipv6("fe80::9", "ff02::1").hop_limit(255) /
                                  icmp(134, 0).body(testkit::Frame(8, 0));
    const std::array<testkit::Frame, 4> kinds{frame, malformed, router, frame};
    std::vector<std::unique_ptr<PacketBuffer>> buffers;
    Batch batch;
    batch.reset(Time{}, node);
    std::uint64_t pending = 0;
    for (std::size_t i = 0; i < GetParam(); ++i) {
      buffers.push_back(std::make_unique<PacketBuffer>(kinds.at(i % 4)));
      EXPECT_EQ(buffers.back()->enter(node, interface, groups), "");
      batch.push(buffers.back()->packet());
      if (i % 4 != 3) pending |= std::uint64_t{1} << i;
    }
    batch.set_pending(pending);
    worker.process(batch);
    const std::array<Verdict, 4> verdicts{batch.verdict(0), drop(reasons.arp_malformed), Verdict::next(),
                                          Verdict::next()};
    for (std::size_t i = 0; i < GetParam(); ++i) {
      EXPECT_EQ(batch.verdict(i), verdicts.at(i % 4)) << i;
      EXPECT_EQ(buffers[i]->frame(), kinds.at(i % 4)) << "the worker changes nothing";
    }
    return batch.verdict(0);
  }
  testkit::Frame solicitation(const char* target, std::uint8_t hop_limit = 255) {
    const Ipv6Address group = solicited_node_group(ip6(target));
    return eth(client, multicast_mac(group)) / ipv6("2001:db8::9", group).hop_limit(hop_limit) /
           neighbor_solicitation(target).source_mac(client);
  }
  std::unique_ptr<const ForwardingState> backup = make_node(Role::backup);
  std::unique_ptr<const ForwardingState> master = make_node(Role::master);
};

TEST_P(ArpWorkerTest, QuestionsForUsGoToTheControlThreadOthersAreDropped) {
  const auto ask = [](const char* target) -> testkit::Frame {
    return eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", target);
  };
  EXPECT_EQ(verdict_of(ask("10.0.0.1"), *backup), Verdict::punt());
  EXPECT_EQ(verdict_of(ask("10.0.0.3"), *master), Verdict::punt());
  EXPECT_EQ(verdict_of(ask("10.0.0.3"), *backup), drop(reasons.arp_not_for_us));
  EXPECT_EQ(verdict_of(ask("10.0.0.77"), *master), drop(reasons.arp_not_for_us));
  EXPECT_EQ(verdict_of(ask("10.0.0.1"), *master, 2), drop(reasons.arp_not_for_us)) << "of another network";
}

TEST_P(ArpWorkerTest, AnnouncementsRepliesAndClaimsGoToTheControlThread) {
  EXPECT_EQ(verdict_of(eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.9"), *backup),
            Verdict::punt());
  EXPECT_EQ(verdict_of(eth(client, own1) / arp_reply(client, "10.0.0.9", own1, "10.0.0.1"), *backup), Verdict::punt());
  EXPECT_EQ(verdict_of(eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.1", "10.0.0.77"), *backup),
            Verdict::punt());
}

TEST_P(ArpWorkerTest, MalformedArpIsDropped) {
  testkit::Frame frame = eth(client, MacAddress::broadcast()) / arp_request(client, "10.0.0.9", "10.0.0.1");
  frame[21] = 9;  // the operation
  EXPECT_EQ(verdict_of(frame, *backup), drop(reasons.arp_malformed));
}

TEST_P(ArpWorkerTest, SolicitationsAreJudgedByTarget) {
  EXPECT_EQ(verdict_of(solicitation("2001:db8::2:1"), *backup), Verdict::punt());
  EXPECT_EQ(verdict_of(solicitation("2001:db8::2:3"), *master), Verdict::punt());
  EXPECT_EQ(verdict_of(solicitation("2001:db8::2:3"), *backup), drop(reasons.nd_not_for_us));
  EXPECT_EQ(verdict_of(solicitation("2001:db8::77:2:3"), *master), drop(reasons.nd_not_for_us)) << "same group";
}

TEST_P(ArpWorkerTest, InvalidDiscoveryIsDropped) {
  EXPECT_EQ(verdict_of(solicitation("2001:db8::2:1", 254), *backup), drop(reasons.nd_invalid));
  testkit::Frame broken = solicitation("2001:db8::2:1");
  broken.back() ^= 1;
  EXPECT_EQ(verdict_of(broken, *backup), drop(reasons.nd_invalid)) << "checksum";
  const testkit::Frame from_nobody = eth(client, "33:33:ff:02:00:01") / ipv6("::", "ff02::1:ff02:1").hop_limit(255) /
                                     neighbor_solicitation("2001:db8::2:1").source_mac(client);
  EXPECT_EQ(verdict_of(from_nobody, *backup), drop(reasons.nd_invalid)) << "source option without source";
}

TEST_P(ArpWorkerTest, AdvertisementsForUsArePuntedThoseForOthersPass) {
  const auto tell = [](const char* destination) -> testkit::Frame {
    return eth(client, own1) / ipv6("2001:db8::9", destination).hop_limit(255) /
           neighbor_advertisement("2001:db8::9", {false, true, true}).target_mac(client);
  };
  EXPECT_EQ(verdict_of(tell("2001:db8::2:1"), *backup), Verdict::punt());
  EXPECT_EQ(verdict_of(tell("2001:db8::77"), *backup), Verdict::next());
}

TEST_P(ArpWorkerTest, RouterDiscoveryAndReportsOfOthersPass) {
  EXPECT_EQ(verdict_of(eth(client, "33:33:00:00:00:01") / ipv6("fe80::9", "ff02::1").hop_limit(255) /
                           icmp(134, 0).body(testkit::Frame(8, 0)),
                       *backup),
            Verdict::next());
  EXPECT_EQ(verdict_of(eth(client, "33:33:00:00:00:01") / ipv6("fe80::9", "ff02::1").hop_limit(1) / hop_by_hop() /
                           icmp(131, 0).body(testkit::Frame(16, 0)),
                       *backup),
            Verdict::next());
}

TEST_P(ArpWorkerTest, QueriesNeedHopLimitOneRouterAlertAndALinkLocalSource) {
  const auto query = [](const char* source, std::uint8_t hop_limit) {
    return eth(client, "33:33:00:00:00:01") / ipv6(source, "ff02::1").hop_limit(hop_limit);
  };
  const Icmp body = icmp(130, 0, 0x03e80000).body(testkit::Frame(16, 0));
  EXPECT_EQ(verdict_of(query("fe80::9", 1) / hop_by_hop() / body, *backup), Verdict::punt());
  EXPECT_EQ(verdict_of(query("fe80::9", 1) / body, *backup), drop(reasons.query_invalid));
  EXPECT_EQ(verdict_of(query("fe80::9", 2) / hop_by_hop() / body, *backup), drop(reasons.query_invalid));
  EXPECT_EQ(verdict_of(query("2001:db8::9", 1) / hop_by_hop() / body, *backup), drop(reasons.query_invalid));
}

INSTANTIATE_TEST_SUITE_P(BatchSize, ArpWorkerTest, testing::Values(1, 64));

TEST(PuntLimiter, AdmitsSoManyOfASourceAndAnInterfaceInAWindow) {
  PuntLimiter limiter;
  const Time now{};
  std::size_t admitted = 0;
  for (int i = 0; i < 1000; ++i) {
    admitted += limiter.admit(PuntLimiter::Kind::question, 1, client, now) ? 1U : 0U;
  }
  EXPECT_EQ(admitted, PuntLimiter::per_source);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    MacAddress source = client;
    source.bytes[3] = static_cast<std::uint8_t>(i >> 8U);
    source.bytes[5] = static_cast<std::uint8_t>(i);
    admitted += limiter.admit(PuntLimiter::Kind::question, 1, source, now) ? 1U : 0U;
  }
  EXPECT_EQ(admitted, PuntLimiter::per_interface[0]);
  const MacAddress fresh = mac("02:00:00:00:02:99");
  EXPECT_TRUE(limiter.admit(PuntLimiter::Kind::answer, 1, fresh, now)) << "another kind";
  EXPECT_TRUE(limiter.admit(PuntLimiter::Kind::question, 2, fresh, now)) << "another interface";
  EXPECT_FALSE(limiter.admit(PuntLimiter::Kind::question, 1, fresh, now + milliseconds(99)));
  EXPECT_TRUE(limiter.admit(PuntLimiter::Kind::question, 1, fresh, now + milliseconds(100)));
  EXPECT_FALSE(limiter.admit(PuntLimiter::Kind::question, 257, fresh, now)) << "no such interface";
}

}  // namespace
}  // namespace trivet::arp
