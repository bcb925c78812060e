// Which packets the worker takes from the chain, alone and in full batches.
#include "hc/worker.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

#include "hc/probe.h"
#include "hc/wire.h"
#include "trivet/forwarding.h"
#include "trivet/testkit/packet_buffer.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet::hc {
namespace {

using namespace std::chrono_literals;
using namespace testkit;

constexpr std::uint16_t echo_id = 0x4242;
constexpr DropReason flood{77};
constexpr std::uint16_t local_port = 61007;
const char* const host_mac = "02:00:00:00:00:99";
const char* const own_mac = "02:00:00:00:00:01";

std::unique_ptr<ForwardingState> forwarding() {
  ForwardingState::Parts parts;
  InterfaceView interface;
  interface.number = 1;
  interface.mac = mac(own_mac);
  interface.up = true;
  interface.networks = {1};
  parts.interfaces = {interface};
  NetworkView network;
  network.number = 1;
  network.interfaces = {1};
  network.prefix4 = IpPrefix{ip("10.0.0.0"), 24};
  network.prefix6 = IpPrefix{ip("2001:db8::"), 64};
  parts.networks = {network};
  for (const char* address : {"10.0.0.1", "2001:db8::1"}) {
    parts.addresses.push_back({ip(address), AddressScope::own, 1, 0, true});
  }
  parts.addresses.push_back({ip("10.0.0.3"), AddressScope::master, 1, 0, true});
  return std::make_unique<ForwardingState>(std::move(parts));
}

// The worker with everything around it; how many packets share a batch is the parameter.
struct AnswerWorkerTest : ::testing::TestWithParam<std::size_t> {
  AnswerWorkerTest() {
    auto made = std::make_unique<Probed>();
    made->addresses = {ip("10.0.0.9"), ip("2001:db8::9")};
    made->echo_id = echo_id;
    probed = std::make_unique<Snapshot<Probed>>(std::move(made));
    worker = std::make_unique<AnswerWorker>(*probed, flood);
  }

  // Packets of the frame in one batch.
  static std::size_t shares() { return GetParam() == 64 ? 16 : 1; }

  // The verdict for a frame. In a full batch every fourth packet is one; the others are no answers, or no business of
  // this module, so that none can be mixed up with its neighbour.
  Verdict verdict(const Frame& frame) {
    const Frame request = in() / ipv4("10.0.0.9", "10.0.0.1") / echo_request(echo_id, 1) / payload_of(16);
    const Frame foreign = in() / ipv4("10.0.0.8", "10.0.0.1") / tcp(80, local_port).syn().ack(1);
    const std::array<Frame, 4> kinds{frame, request, foreign, frame};
    std::vector<std::unique_ptr<PacketBuffer>> buffers;
    Batch batch;
    batch.reset(now, *state);
    std::uint64_t pending = 0;
    for (std::size_t i = 0; i < GetParam(); ++i) {
      buffers.push_back(std::make_unique<PacketBuffer>(kinds.at(i % 4)));
      EXPECT_EQ(buffers.back()->enter(*state, 1), "");
      batch.push(buffers.back()->packet());
      if (i % 4 != 3) pending |= std::uint64_t{1} << i;
    }
    batch.set_pending(pending);
    worker->process(batch);
    for (std::size_t i = 0; i < GetParam(); ++i) {
      EXPECT_EQ(batch.verdict(i), i % 4 == 0 ? batch.verdict(0) : Verdict::next()) << i;
    }
    return batch.verdict(0);
  }

  static Ethernet in() { return eth(host_mac, own_mac); }

  std::unique_ptr<ForwardingState> state = forwarding();
  std::unique_ptr<Snapshot<Probed>> probed;
  std::unique_ptr<AnswerWorker> worker;
  Time now{1000s};
};

TEST_P(AnswerWorkerTest, TakesAnswersFromProbedAddresses) {
  EXPECT_EQ(verdict(in() / ipv4("10.0.0.9", "10.0.0.1") / echo_reply(echo_id, 1) / payload_of(16)), Verdict::punt());
  EXPECT_EQ(verdict(in() / ipv6("2001:db8::9", "2001:db8::1") / echo_reply(echo_id, 1) / payload_of(16)),
            Verdict::punt());
  EXPECT_EQ(verdict(in() / ipv4("10.0.0.9", "10.0.0.1") / tcp(80, local_port).syn().ack(1)), Verdict::punt());
  EXPECT_EQ(verdict(in() / ipv6("2001:db8::9", "2001:db8::1") / udp(10000, local_port) / payload_of(24)),
            Verdict::punt());
}

TEST_P(AnswerWorkerTest, LeavesEverythingElseToTheNextModule) {
  const auto own = ipv4("10.0.0.9", "10.0.0.1");
  const auto foreign = ipv4("10.0.0.8", "10.0.0.1");
  EXPECT_EQ(verdict(in() / own / echo_reply(echo_id + 1, 1) / payload_of(16)), Verdict::next());
  EXPECT_EQ(verdict(in() / own / echo_request(echo_id, 1) / payload_of(16)), Verdict::next());
  EXPECT_EQ(verdict(in() / foreign / echo_reply(echo_id, 1) / payload_of(16)), Verdict::next());
  EXPECT_EQ(verdict(in() / foreign / tcp(80, local_port).syn().ack(1)), Verdict::next());
  EXPECT_EQ(verdict(in() / own / tcp(80, first_local_port - 1).syn().ack(1)), Verdict::next());
  EXPECT_EQ(verdict(in() / own / udp(10000, last_local_port + 1) / payload_of(24)), Verdict::next());
  EXPECT_EQ(verdict(in() / ipv4("10.0.0.9", "10.0.0.3") / tcp(80, local_port).syn().ack(1)), Verdict::next())
      << "a virtual address is not ours to probe from";
  EXPECT_EQ(verdict(in() / ipv4("10.0.0.9", "192.0.2.1") / tcp(80, local_port).syn().ack(1)), Verdict::next());
  EXPECT_EQ(verdict(in() / ipv4("10.0.0.9", "10.0.0.1").fragment(0, true) / udp(10000, local_port) / payload_of(24)),
            Verdict::next());
}

TEST_P(AnswerWorkerTest, TakesIcmpErrorsOfAnyRouterThatQuoteAProbe) {
  Probe probe;
  probe.source = ip("2001:db8::1");
  probe.destination = ip("2001:db8::9");
  probe.echo_id = echo_id;
  const auto error = [&](const Probe& quoted) {
    return Frame(in() / ipv6("2001:db8:7::1", "2001:db8::1") / icmp(1, 3).body(wire::build_probe(quoted)));
  };
  EXPECT_EQ(verdict(error(probe)), Verdict::punt());
  Probe other = probe;
  other.echo_id = echo_id + 1;
  EXPECT_EQ(verdict(error(other)), Verdict::next());
  other = probe;
  other.destination = ip("2001:db8::8");
  EXPECT_EQ(verdict(error(other)), Verdict::next());
  other = probe;
  other.source = ip("2001:db8::5");
  EXPECT_EQ(verdict(error(other)), Verdict::next());
  other = probe;
  other.type = ProbeType::agent;
  other.local_port = local_port;
  other.remote_port = 10000;
  EXPECT_EQ(verdict(error(other)), Verdict::punt());
  other.local_port = first_local_port - 1;
  EXPECT_EQ(verdict(error(other)), Verdict::next());
}

TEST_P(AnswerWorkerTest, ForgedAnswersCostTheControlThreadABoundedAmount) {
  const Frame frame = in() / ipv4("10.0.0.9", "10.0.0.1") / tcp(80, local_port).syn().ack(1);
  for (std::uint32_t i = 0; i < PuntLimit::burst / shares(); ++i) {
    ASSERT_EQ(verdict(frame), Verdict::punt());
  }
  EXPECT_EQ(verdict(frame), Verdict::drop(flood));
  now += PuntLimit::gap * static_cast<int>(shares());
  EXPECT_EQ(verdict(frame), Verdict::punt());
  EXPECT_EQ(verdict(frame), Verdict::drop(flood));
}

INSTANTIATE_TEST_SUITE_P(BatchSizes, AnswerWorkerTest, ::testing::Values(1, 64));

}  // namespace
}  // namespace trivet::hc
