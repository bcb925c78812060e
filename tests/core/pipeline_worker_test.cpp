#include <gtest/gtest.h>

#include "pipeline_lab.h"

namespace trivet::core::test {
namespace {

using namespace testkit;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Frame numbered(std::uint16_t port) {
  return eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50") / udp(port, 2) / payload("x");
}

// --- batches ---

TEST(WorkerBatches, SixtyFourFramesAreOneBatchAndTheSixtyFifthIsTheNext) {
  Lab lab;
  lab.know_everybody();
  for (std::uint16_t i = 0; i < 65; ++i) lab.inject(1, numbered(i));
  lab.run();
  EXPECT_THAT(lab.script.batches, ElementsAre(64, 1));
  EXPECT_THAT(lab.sent(2), SizeIs(65));
}

// One mixed load, as it leaves on each interface, and what was counted.
struct Trace {
  std::vector<std::vector<Frame>> sent;
  std::vector<Frame> punted;
  std::vector<std::uint64_t> drops;
  std::vector<std::uint64_t> decisions;
  bool operator==(const Trace&) const = default;
};

Trace run_mixed_load(std::size_t batch_size) {
  Lab lab({.batch_size = batch_size});
  lab.know_everybody();
  lab.script.decide = [](Packet& packet, Batch&) {
    if (!packet.is(packet_class::udp)) return Verdict::next();
    switch (packet.udp().source_port.value() % 6) {
      case 0:
        return Verdict::drop({});
      case 1:
        return Verdict::punt();
      case 2:
        return Verdict::consumed();
      default:
        return Verdict::forward();
    }
  };
  for (std::uint16_t i = 0; i < 200; ++i) {
    Frame frame = numbered(i);
    if (i % 17 == 0) frame[22] = 1;     // hop limit 1, header checksum wrong: stays at the door
    if (i % 19 == 0) frame.resize(20);  // cut
    if (i % 23 == 0) frame = eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50").hop_limit(1) / udp(9, 9);
    if (i % 29 == 0) frame = eth(host_mac, interface_mac(1)) / ipv6("2001:db8:1::50", "2001:db8:2::50") / tcp(1, 2);
    lab.inject(1, frame);
  }
  lab.run();
  Trace trace;
  for (InterfaceId number = 1; number <= 3; ++number) trace.sent.push_back(lab.sent(number));
  for (const Punt& punt : lab.sink.punts) trace.punted.push_back(punt.frame);
  for (const MetricInfo& reason : lab.metrics.drop_reasons())
    trace.drops.push_back(lab.metrics.read(DropReason{reason.id}));
  for (const auto& count : lab.worker.module_counts(Lab::module).decisions) trace.decisions.push_back(count);
  return trace;
}

TEST(WorkerBatches, OneAndSixtyFourPacketsABatchGiveTheSameResult) {
  const Trace one = run_mixed_load(1);
  EXPECT_GT(one.sent[1].size(), 50U);
  EXPECT_GT(one.punted.size(), 10U);
  EXPECT_EQ(one.decisions.size(), ModuleCounts::kinds);
  EXPECT_TRUE(one == run_mixed_load(64));
  EXPECT_TRUE(one == run_mixed_load(7));
}

TEST(WorkerBatches, EveryFrameIsSentCountedOrPuntedAndNoBufferIsLost) {
  Lab lab({.pool = {.small_count = 16, .large_count = 1}});
  lab.know_everybody();
  for (int round = 0; round < 20; ++round) {
    for (std::uint16_t i = 0; i < 16; ++i) lab.inject(1, numbered(i));
    lab.run();
    EXPECT_THAT(lab.sent(2), SizeIs(16));
  }
}

TEST(WorkerBatches, PortsHaveTheirTurnsInFairOrder) {
  Lab lab({.batch_size = 1});
  lab.know_everybody();
  std::vector<InterfaceId> order;
  lab.script.decide = [&](Packet& packet, Batch&) {
    order.push_back(packet.in_interface);
    return Verdict::consumed();
  };
  const auto frame = [](InterfaceId number) {
    return Frame(eth(host_mac, interface_mac(number)) / ipv4("10.0.9.9", "192.0.2.1") / udp(1, 2));
  };
  for (int i = 0; i < 3; ++i) {
    for (InterfaceId number = 1; number <= 3; ++number) lab.inject(number, frame(number));
  }
  lab.run();
  ASSERT_THAT(order, SizeIs(9));
  for (std::size_t round = 0; round < 9; round += 3) {
    const std::vector<InterfaceId> turn(order.begin() + static_cast<std::ptrdiff_t>(round),
                                        order.begin() + static_cast<std::ptrdiff_t>(round) + 3);
    EXPECT_THAT(turn, testing::UnorderedElementsAre(1, 2, 3));
  }
  EXPECT_NE(order[0], order[3]);
}

// --- chain ---

TEST(WorkerChain, AModuleSeesOnlyWhatItAskedForAndWhatIsUndecided) {
  Lab lab;
  ScriptedWorker udp_only;
  udp_only.decide = [](Packet& packet, Batch&) {
    return packet.udp().source_port.value() == 1 ? Verdict::consumed() : Verdict::next();
  };
  ScriptedWorker last;
  last.decide = [](Packet&, Batch&) { return Verdict::next(); };
  ScriptedWorker arp_only;
  lab.worker.set_chain({{1, packet_class::udp, &udp_only, PuntUrgency::normal},
                        {2, packet_class::arp, &arp_only, PuntUrgency::normal},
                        {3, packet_class::all, &last, PuntUrgency::normal}});
  lab.run();
  lab.inject(1, numbered(1));
  lab.inject(1, numbered(2));
  lab.inject(1, eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50") / tcp(1, 2));
  lab.run();
  EXPECT_THAT(udp_only.batches, ElementsAre(2));
  EXPECT_THAT(arp_only.batches, IsEmpty());
  EXPECT_THAT(last.batches, ElementsAre(2));
  EXPECT_EQ(lab.drops("end-of-chain"), 2U);
  const ModuleCounts& counts = lab.worker.module_counts(1);
  EXPECT_EQ(counts.batches, 1U);
  EXPECT_EQ(counts.packets, 2U);
  EXPECT_EQ(counts.decisions[static_cast<std::size_t>(Verdict::Kind::next)], 1U);
  EXPECT_EQ(counts.decisions[static_cast<std::size_t>(Verdict::Kind::consumed)], 1U);
}

TEST(WorkerChain, VerdictsOnPacketsOfOthersAreIgnored) {
  Lab lab;
  lab.know_everybody();
  ScriptedWorker first;
  first.whole = [](Batch& batch) {
    for (const std::size_t i : batch.pending()) batch.decide(i, Verdict::forward());
  };
  ScriptedWorker second;  // asks for TCP, meddles with everything
  second.whole = [](Batch& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) batch.decide(i, Verdict::drop({}));
  };
  lab.worker.set_chain(
      {{1, packet_class::udp, &first, PuntUrgency::normal}, {2, packet_class::tcp, &second, PuntUrgency::normal}});
  lab.run();
  lab.inject(1, numbered(1));
  lab.inject(1, eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50") / tcp(1, 2));
  lab.inject(1, eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50") / echo_request(1, 1));
  lab.run();
  EXPECT_THAT(lab.sent(2), SizeIs(1));
  EXPECT_EQ(lab.drops("unspecified"), 1U);   // TCP
  EXPECT_EQ(lab.drops("end-of-chain"), 1U);  // echo request: nobody asked for it
}

TEST(WorkerChain, VerdictsThatMakeNoSenseAreDroppedAndCounted) {
  Lab lab;
  lab.know_everybody();
  const Frame arp = eth(host_mac, MacAddress::broadcast()) / arp_request(host_mac, "10.0.1.50", "10.0.1.1");
  const auto inject_with = [&](const Frame& frame, std::function<Verdict(Packet&, Batch&)> decide) {
    lab.script.decide = std::move(decide);
    lab.inject_and_run(1, frame);
  };
  inject_with(arp, [](Packet&, Batch&) { return Verdict::forward(); });    // no IP packet
  inject_with(arp, [](Packet&, Batch&) { return Verdict::originate(); });  // nor here
  EXPECT_EQ(lab.drops("invalid-verdict"), 2U);
  inject_with(numbered(1), [](Packet& packet, Batch&) {  // lengths that reach beyond the buffer
    packet.length = packet.capacity;
    return Verdict::forward();
  });
  inject_with(numbered(1), [](Packet& packet, Batch&) {
    packet.l3_offset = 60000;
    return Verdict::forward();
  });
  inject_with(numbered(1), [](Packet& packet, Batch&) {
    packet.ipv4().version_and_length = 0x4f;
    packet.length = 40;
    return Verdict::originate();
  });
  EXPECT_EQ(lab.drops("invalid-verdict"), 5U);
  inject_with(numbered(1), [](Packet&, Batch&) { return Verdict::transmit(); });  // no interface set
  inject_with(numbered(1), [](Packet& packet, Batch&) {
    packet.out_interface = 65535;
    return Verdict::transmit();
  });
  EXPECT_EQ(lab.drops("no-interface"), 2U);
  inject_with(numbered(1), [](Packet&, Batch&) { return Verdict::drop({60000}); });  // no such reason
  EXPECT_EQ(lab.drops("unspecified"), 1U);
  for (InterfaceId number = 1; number <= 3; ++number) EXPECT_THAT(lab.sent(number), IsEmpty());
}

TEST(WorkerChain, TheDoorsRefusalsAreCountedUnderItsReasons) {
  Lab lab;
  lab.inject_and_run(1, Frame(13));
  lab.inject_and_run(1, eth(host_mac, "02:00:00:00:00:99") / ipv4("10.0.1.50", "10.0.2.50") / udp(1, 2));
  EXPECT_EQ(lab.drops("truncated"), 1U);
  EXPECT_EQ(lab.drops("not-for-us"), 1U);
  EXPECT_THAT(lab.script.batches, IsEmpty());
}

// --- punts, messages, buffers ---

TEST(WorkerPunt, TheModuleGetsACopyWithMetadataUrgentOnesFirst) {
  Lab lab;
  ScriptedWorker urgent;
  urgent.decide = [](Packet&, Batch&) { return Verdict::punt(); };
  lab.script.decide = urgent.decide;
  lab.worker.set_chain({{3, packet_class::tcp, &urgent, PuntUrgency::urgent},
                        {Lab::module, packet_class::all, &lab.script, PuntUrgency::normal}});
  lab.run();
  const Frame normal_frame = numbered(1);
  const Frame urgent_frame = eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50") / tcp(1, 2);
  lab.inject(1, normal_frame);
  lab.inject(1, urgent_frame);
  lab.run();
  ASSERT_THAT(lab.sink.punts, SizeIs(2));
  EXPECT_EQ(lab.sink.punts[0].module, 3);
  EXPECT_EQ(lab.sink.punts[0].frame, urgent_frame);
  EXPECT_EQ(lab.sink.punts[0].in_interface, 1);
  EXPECT_EQ(lab.sink.punts[1].module, Lab::module);
  EXPECT_EQ(lab.sink.punts[1].frame, normal_frame);
}

TEST(WorkerPunt, AFullQueueAndAnOverlongPacketAreCounted) {
  Lab lab({.rings = {.punt_urgent = 4, .punt_normal = 4}});
  lab.script.decide = [](Packet&, Batch&) { return Verdict::punt(); };
  for (std::uint16_t i = 0; i < 6; ++i) lab.inject(1, numbered(i));
  lab.run();
  EXPECT_THAT(lab.sink.punts, SizeIs(4));
  EXPECT_EQ(lab.drops("punt-queue-full"), 2U);
  lab.backend.inject(
      "eth1", MemoryFrame{.bytes = eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50").dont_fragment() /
                                   tcp(1, 2) / payload_of(12000),
                          .checksum = ChecksumState::verified,
                          .segments = SegmentType::tcp4,
                          .segment_size = 1460});
  lab.run();
  EXPECT_EQ(lab.drops("punt-too-long"), 1U);
}

TEST(WorkerContextTest, MessagesArriveInOrderAndAFullRingSaysSo) {
  Lab lab({.rings = {.messages = 4}});
  std::vector<bool> posted;
  lab.script.decide = [&](Packet&, Batch&) {
    for (std::uint32_t i = 0; i < 6; ++i) posted.push_back(lab.context->post({.kind = i, .size = 0, .data = {}}));
    return Verdict::consumed();
  };
  lab.inject_and_run(1, numbered(1));
  EXPECT_THAT(posted, ElementsAre(true, true, true, true, false, false));
  ASSERT_THAT(lab.sink.messages, SizeIs(4));
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(lab.sink.messages[i].first, Lab::module);
    EXPECT_EQ(lab.sink.messages[i].second.kind, i);
  }
}

TEST(WorkerContextTest, AnAcquiredPacketIsSentByHandOver) {
  Lab lab;
  const Frame answer = eth(interface_mac(1), host_mac) / ipv4("10.0.1.1", "10.0.1.50") / udp(3, 4) / payload("y");
  lab.script.decide = [&](Packet&, Batch&) {
    Packet* const packet = lab.context->acquire();
    std::copy(answer.begin(), answer.end(), packet->data);
    packet->length = static_cast<std::uint32_t>(answer.size());
    packet->out_interface = 1;
    lab.context->hand_over(packet, Verdict::transmit());
    return Verdict::consumed();
  };
  lab.inject_and_run(1, numbered(1));
  EXPECT_THAT(lab.sent(1), ElementsAre(IsFrame(answer)));
}

TEST(WorkerContextTest, WhatIsForgottenIsTakenBack) {
  Lab lab({.pool = {.small_count = 80, .large_count = 1}});
  lab.script.decide = [&](Packet&, Batch&) {
    std::size_t count = 0;
    while (lab.context->acquire() != nullptr) ++count;
    EXPECT_EQ(count, 64U);
    return Verdict::consumed();
  };
  for (int i = 0; i < 3; ++i) lab.inject_and_run(1, numbered(1));
  EXPECT_EQ(lab.drops("not-handed-over"), 3U * 64U);
}

TEST(WorkerContextTest, AHandOverOfAnotherKindIsInvalid) {
  Lab lab;
  lab.script.decide = [&](Packet&, Batch&) {
    lab.context->hand_over(lab.context->acquire(), Verdict::punt());
    lab.context->hand_over(lab.context->acquire(), Verdict::next());
    lab.context->hand_over(lab.context->acquire(), Verdict::drop({}));
    return Verdict::consumed();
  };
  lab.inject_and_run(1, numbered(1));
  EXPECT_EQ(lab.drops("invalid-verdict"), 2U);
  EXPECT_EQ(lab.drops("unspecified"), 1U);
  EXPECT_THAT(lab.sink.punts, IsEmpty());
}

TEST(WorkerContextTest, CountersAreSummedByName) {
  Lab lab;
  const Counter counter = lab.metrics.add_counter("test", "seen", "packets seen").value();
  lab.script.decide = [&](Packet&, Batch&) {
    lab.context->counters().add(counter, 2);
    return Verdict::consumed();
  };
  lab.metrics.add_thread().counters.add(counter, 5);
  lab.inject_and_run(1, numbered(1));
  EXPECT_EQ(lab.metrics.counter("test", "seen"), 7U);
  EXPECT_EQ(lab.context->number(), 0U);
}

// --- time, tasks, changes while running ---

TEST(WorkerTime, ModulesTickAtLeastEveryHundredMilliseconds) {
  Lab lab;
  const auto ms = [](int n) { return Time{} + std::chrono::milliseconds{n}; };
  EXPECT_THAT(lab.script.ticks, ElementsAre(ms(0)));
  EXPECT_EQ(lab.worker.poll_at(), ms(100));
  lab.advance(std::chrono::milliseconds{99});
  EXPECT_THAT(lab.script.ticks, SizeIs(1));
  lab.advance(std::chrono::milliseconds{1});
  lab.advance(std::chrono::milliseconds{250});
  EXPECT_THAT(lab.script.ticks, ElementsAre(ms(0), ms(100), ms(350)));
}

TEST(WorkerTasks, RunInOrderThenReportDone) {
  Lab lab;
  std::vector<std::string> log;
  lab.worker.run_task([&] { log.emplace_back("a"); },
                      [&] {
                        log.emplace_back("a done");
                        lab.worker.run_task([&] { log.emplace_back("c"); }, [&] { log.emplace_back("c done"); });
                      });
  lab.worker.run_task([&] { log.emplace_back("b"); });
  EXPECT_EQ(lab.worker.tasks_pending(), 2U);
  EXPECT_THAT(log, IsEmpty());
  lab.run();
  EXPECT_THAT(log, ElementsAre("a", "b", "a done", "c", "c done"));
  EXPECT_EQ(lab.worker.tasks_pending(), 0U);
}

TEST(WorkerTasks, MoreThanTheRingHoldsWaitAndAllRun) {
  Lab lab({.rings = {.tasks = 4}});
  std::vector<int> order;
  for (int i = 0; i < 50; ++i) lab.worker.run_task([&order, i] { order.push_back(i); });
  lab.run();
  ASSERT_THAT(order, SizeIs(50));
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(WorkerTasks, TheFormerChainAndPortsAreFreeWhenDoneIsCalled) {
  Lab lab;
  bool is_chain_replaced = false;
  bool are_ports_replaced = false;
  const std::uint64_t version = lab.worker.ports_version();
  lab.worker.set_chain({}, [&] { is_chain_replaced = true; });
  lab.worker.set_ports({{2, &lab.io[1]->port(0)}}, [&] { are_ports_replaced = true; });
  lab.inject(1, numbered(1));
  lab.inject(2, eth(far_mac, interface_mac(2)) / ipv4("10.0.2.50", "10.0.1.50") / udp(1, 2));
  lab.worker.run_once(lab.now);
  EXPECT_FALSE(is_chain_replaced);
  lab.run();
  EXPECT_TRUE(is_chain_replaced);
  EXPECT_TRUE(are_ports_replaced);
  EXPECT_NE(lab.worker.ports_version(), version);
  EXPECT_EQ(lab.drops("end-of-chain"), 1U);
  EXPECT_THAT(lab.script.batches, IsEmpty());
  // A frame for a port that is gone.
  ASSERT_TRUE(lab.worker.transmit(1, Frame(60)));
  lab.run();
  EXPECT_EQ(lab.drops("no-interface"), 1U);
}

TEST(WorkerRings, FramesOfTheControlThreadGoBeforeData) {
  Lab lab;
  lab.know_everybody();
  const Frame advert =
      eth(interface_mac(2), "01:00:5e:00:00:12") / ipv4("10.0.2.1", "224.0.0.18") / vrrp(bytes("21 40"));
  for (std::uint16_t i = 0; i < 5; ++i) lab.inject(1, numbered(i));
  ASSERT_TRUE(lab.worker.transmit(2, advert));
  lab.run();
  const std::vector<Frame> sent = lab.sent(2);
  ASSERT_THAT(sent, SizeIs(6));
  EXPECT_FRAME_EQ(sent[0], advert);
}

TEST(WorkerRings, AFullFrameRingRefuses) {
  Lab lab({.rings = {.frames = 4}});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(lab.worker.transmit(2, Frame(60)));
  EXPECT_FALSE(lab.worker.transmit(2, Frame(60)));
  lab.run();
  EXPECT_TRUE(lab.worker.transmit(2, Frame(60)));
}

TEST(WorkerRings, HooksAreCalledOnceUntilTheOtherSideHasLooked) {
  int worker_calls = 0;
  int control_calls = 0;
  MetricsRegistry metrics;
  SharedState shared(metrics, 1);
  ForwardingWorker worker({}, shared);
  worker.set_wake_worker([&] { ++worker_calls; });
  worker.set_wake_control([&] { ++control_calls; });
  RecordingSink sink;
  worker.run_task([] {});
  worker.run_task([] {});
  EXPECT_TRUE(worker.transmit(1, Frame(60)));
  EXPECT_EQ(worker_calls, 1);
  EXPECT_TRUE(worker.run_once(Time{}));
  EXPECT_EQ(control_calls, 1);
  worker.neighbors_changed();
  EXPECT_EQ(worker_calls, 2);
  EXPECT_EQ(worker.drain(sink), 2U);
  EXPECT_FALSE(worker.run_once(Time{}));
  EXPECT_EQ(control_calls, 1);
}

TEST(WorkerSnapshots, ABatchSeesTheLastPublishedState) {
  Lab lab;
  lab.know_everybody();
  std::vector<bool> masters;
  lab.script.decide = [&](Packet&, Batch& batch) {
    masters.push_back(batch.forwarding().is_master());
    return Verdict::consumed();
  };
  lab.inject_and_run(1, numbered(1));
  lab.parts.role.role = Role::backup;
  lab.publish();
  lab.inject_and_run(1, numbered(1));
  EXPECT_THAT(masters, ElementsAre(true, false));
  EXPECT_EQ(lab.shared.epochs().collect(), 0U);
}

}  // namespace
}  // namespace trivet::core::test
