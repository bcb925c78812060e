// Several workers that run inline: who handles which packet, and that nothing is lost on the way between them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pipeline_team.h"

namespace trivet::core::test {
namespace {

using namespace testkit;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string client(unsigned number) { return "10.0.1." + std::to_string(50 + number); }
Frame question(unsigned number, std::uint16_t port = 1000) {
  return eth(host_mac, interface_mac(1)) / ipv4(ip4(client(number)), "10.0.2.254") / udp(port, 80) /
         payload("question");
}
Frame answer(unsigned number, std::uint16_t port = 1000) {
  return eth(far_mac, interface_mac(2)) / ipv4("10.0.2.50", ip4(client(number))) / udp(80, port) / payload("answer");
}
std::size_t owner(unsigned number, std::size_t workers) {
  return spread(fold(ip(client(number))), static_cast<std::uint32_t>(workers));
}

// How many workers, and how many packets they take at a time.
class PipelineWorkers : public testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {
 protected:
  PipelineWorkers()
      : team_(std::get<0>(GetParam()), {.batch_size = std::get<1>(GetParam()), .pool = Team::default_pool}) {
    for (std::size_t number = 0; number < team_.workers.size(); ++number) {
      team_.scripts[number].decide = [this, number](Packet& packet, Batch&) {
        seen_[packet.is(packet_class::virtual_ip) ? packet.source() : packet.destination()].insert(number);
        order_[number].push_back(packet.is(packet_class::udp) ? packet.udp().source_port.value() : 0);
        return verdict_(packet);
      };
    }
    team_.run();
    team_.know_everybody();
    for (unsigned number = 0; number < 40; ++number) team_.set_neighbor(1, client(number), host_mac, 1);
    team_.run();
  }
  [[nodiscard]] std::size_t count() const { return team_.workers.size(); }
  // Packets to the service go to the target, the rest where it wants to.
  static Verdict to_target(Packet& packet) {
    if (packet.is(packet_class::virtual_ip)) {
      packet.next_hop = ip("10.0.2.50");
      packet.has_next_hop = true;
    }
    return Verdict::forward();
  }

  Team team_;
  std::function<Verdict(Packet&)> verdict_ = to_target;
  std::map<IpAddress, std::set<std::size_t>> seen_;          // workers by client
  std::map<std::size_t, std::vector<std::uint16_t>> order_;  // source ports by worker
};

INSTANTIATE_TEST_SUITE_P(Teams, PipelineWorkers,
                         testing::Combine(testing::Values(2U, 3U, 4U), testing::Values(1U, 64U)),
                         [](const auto& entry) {
                           return "Workers" + std::to_string(std::get<0>(entry.param)) + "Batch" +
                                  std::to_string(std::get<1>(entry.param));
                         });

TEST_P(PipelineWorkers, BothDirectionsOfAClientMeetWhereverTheyCameIn) {
  for (unsigned round = 0; round < 4; ++round) {
    for (unsigned number = 0; number < 40; ++number) {
      team_.inject(1, question(number, static_cast<std::uint16_t>(1000 + round)), (number + round) % count());
      team_.inject(2, answer(number, static_cast<std::uint16_t>(1000 + round)), (number / 2 + round) % count());
    }
  }
  team_.run();
  EXPECT_THAT(seen_, SizeIs(40));
  std::set<std::size_t> used;
  for (unsigned number = 0; number < 40; ++number) {
    EXPECT_THAT(seen_[ip(client(number))], ElementsAre(owner(number, count())));
    used.insert(owner(number, count()));
  }
  EXPECT_EQ(used.size(), count());
  EXPECT_EQ(team_.sent(2).size(), 160U);
  EXPECT_EQ(team_.metrics.drops("core", "worker-queue-full"), 0U);
  team_.expect_whole_pools();
}

TEST_P(PipelineWorkers, AFlowKeepsItsOrder) {
  for (std::uint16_t port = 1; port <= 150; ++port) team_.inject(1, question(port % 7, port));
  team_.run();
  std::map<unsigned, std::uint16_t> last;
  std::size_t seen = 0;
  for (const auto& [worker, ports] : order_) {
    for (const std::uint16_t port : ports) {
      EXPECT_LT(last[port % 7], port);
      last[port % 7] = port;
      ++seen;
    }
  }
  EXPECT_EQ(seen, 150U);
}

TEST_P(PipelineWorkers, ControlFramesStayWithWhoReceivesThem) {
  verdict_ = [](Packet&) { return Verdict::punt(); };
  const Frame arp = eth(host_mac, MacAddress::broadcast()) / arp_request(host_mac, "10.0.1.50", "10.0.1.1");
  const Frame own = eth(host_mac, interface_mac(1)) / ipv4(ip4(client(1)), "10.0.1.1") / udp(7, 8);
  for (int i = 0; i < 4; ++i) team_.inject(1, arp);
  for (int i = 0; i < 4; ++i) team_.inject(1, own);
  team_.run();
  EXPECT_EQ(order_[0].size(), 8U);
  EXPECT_THAT(order_, SizeIs(1));
  EXPECT_THAT(team_.sink.punts, SizeIs(8));
}

TEST_P(PipelineWorkers, WhatWaitsForANeighbourLeavesTheLendersBufferFree) {
  team_.shared.neighbors().erase(2, ip("10.0.2.50"));
  for (unsigned number = 0; number < 20; ++number) team_.inject(1, question(number));
  team_.run();
  EXPECT_THAT(team_.sent(2), IsEmpty());
  std::size_t parked = 0;
  for (auto& worker : team_.workers) {
    parked += worker->parked();
    EXPECT_EQ(worker->pool().available_small(), Team::default_pool.small_count - worker->parked());
  }
  EXPECT_EQ(parked, 20U);
  team_.know_everybody();
  team_.run();
  EXPECT_THAT(team_.sent(2), SizeIs(20));
  team_.expect_whole_pools();
}

TEST_P(PipelineWorkers, AWorkerThatDoesNotKeepUpLosesItsOwnPacketsOnly) {
  // The first one alone runs; what is others' waits, up to what may be lent.
  constexpr unsigned rounds = 12;
  std::map<std::size_t, std::size_t> packets;  // by owner
  for (unsigned number = 0; number < 150; ++number) packets[owner(number, count())] += rounds;
  for (unsigned round = 0; round < rounds; ++round) {
    for (unsigned number = 0; number < 150; ++number) team_.inject(1, question(number));
    while (team_.workers[0]->run_once(team_.now)) {
    }
  }
  EXPECT_EQ(order_[0].size(), packets[0]) << "its own are handled";
  EXPECT_THAT(order_, SizeIs(1));
  std::size_t lost = 0;
  for (std::size_t worker = 1; worker < count(); ++worker) {
    ASSERT_GT(packets[worker], team_.exchange->loan_limit()) << "else the test shows nothing";
    lost += packets[worker] - team_.exchange->loan_limit();
  }
  EXPECT_EQ(team_.drops("worker-queue-full"), lost);
  team_.run();
  EXPECT_EQ(team_.sent(2).size(), rounds * 150 - lost);
  team_.expect_whole_pools();
}

TEST_P(PipelineWorkers, APacketThatWaitedForItsOwnerIsExaminedUnderTheOwnersFacts) {
  bool was_virtual = false;
  verdict_ = [&](Packet& packet) {
    was_virtual = was_virtual || packet.is(packet_class::virtual_ip);
    return Verdict::consumed();
  };
  unsigned number = 0;
  while (owner(number, count()) == 0) ++number;
  team_.inject(1, question(number));
  while (team_.workers[0]->run_once(team_.now)) {
  }
  std::erase_if(team_.parts.addresses, [](const OwnAddress& address) { return address.address == ip("10.0.2.254"); });
  team_.publish();
  team_.run();
  EXPECT_EQ(order_[owner(number, count())].size(), 1U);
  EXPECT_FALSE(was_virtual) << "the address has gone";

  team_.inject(1, question(number));
  // Now nobody knows a far side but the steering: the same owner. The interface goes meanwhile.
  while (team_.workers[0]->run_once(team_.now)) {
  }
  std::erase_if(team_.parts.interfaces, [](const InterfaceView& view) { return view.number == 1; });
  team_.publish();
  team_.run();
  EXPECT_EQ(team_.drops("interface-gone"), 1U);
  team_.expect_whole_pools();
}

// The door has taken the tag out the first time.
TEST_P(PipelineWorkers, APacketWithATagIsExaminedAgainWithIt) {
  std::vector<VlanId> tags;
  std::vector<NetworkId> networks;
  verdict_ = [&](Packet& packet) {
    tags.push_back(packet.vlan);
    networks.push_back(packet.network);
    return Verdict::consumed();
  };
  for (NetworkView& network : team_.parts.networks) {
    if (network.number == 1) network.vlan = 5;
  }
  team_.publish();
  unsigned number = 0;
  while (owner(number, count()) == 0) ++number;
  team_.inject(1, eth(host_mac, interface_mac(1)) / vlan(5) / ipv4(ip4(client(number)), "10.0.2.254") / udp(1000, 80) /
                      payload("question"));
  while (team_.workers[0]->run_once(team_.now)) {
  }
  team_.publish();
  team_.run();
  EXPECT_THAT(tags, ElementsAre(5));
  EXPECT_THAT(networks, ElementsAre(1));
  EXPECT_EQ(order_[owner(number, count())].size(), 1U);
  EXPECT_EQ(team_.drops("untagged"), 0U);
  team_.expect_whole_pools();
}

TEST_P(PipelineWorkers, AnInterfaceThatGoesTakesNoBufferAlong) {
  for (unsigned number = 0; number < 30; ++number) team_.inject(1, question(number), number % count());
  for (auto& worker : team_.workers) worker->run_once(team_.now);
  team_.io[1].reset();
  team_.set_ports();
  team_.run();
  team_.expect_whole_pools();
  EXPECT_EQ(team_.sent(2).size() + team_.drops("no-interface"), 30U);
}

TEST_P(PipelineWorkers, IcmpErrorsFollowTheSessionTheyAreAbout) {
  for (unsigned number = 0; number < 20; ++number) {
    const Frame quoted = ipv4("10.0.2.254", ip4(client(number))) / udp(80, 1000) / payload("x");
    team_.inject(1, eth(host_mac, interface_mac(1)) / ipv4("10.0.1.9", "10.0.2.254") / icmp(3, 3) / payload(quoted));
  }
  team_.run();
  std::map<std::size_t, std::size_t> expected;
  for (unsigned number = 0; number < 20; ++number) ++expected[owner(number, count())];
  for (const auto& [worker, packets] : expected) EXPECT_EQ(order_[worker].size(), packets) << "worker " << worker;
}

TEST_P(PipelineWorkers, SuperFramesAreLentWhole) {
  unsigned number = 0;
  while (owner(number, count()) == 0) ++number;
  MemoryFrame frame;
  frame.bytes =
      eth(host_mac, interface_mac(1)) / ipv4(ip4(client(number)), "10.0.2.254") / tcp(1, 2).ack(1) / payload_of(30'000);
  frame.segments = SegmentType::tcp4;
  frame.segment_size = 1400;
  for (int i = 0; i < 10; ++i) {
    team_.backend.inject("eth1", frame);
    team_.run();
  }
  EXPECT_EQ(team_.sent(2).size(), 10U);
  team_.expect_whole_pools();
}

}  // namespace
}  // namespace trivet::core::test
