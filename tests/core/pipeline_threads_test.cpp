// The parts that two threads share, with two real threads: run under ThreadSanitizer.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "core/pipeline/spsc_ring.h"
#include "pipeline_lab.h"

namespace trivet::core::test {
namespace {

using namespace testkit;

TEST(Threads, ARingKeepsOrderAndContents) {
  struct Item {
    std::uint64_t number = 0;
    std::array<std::uint64_t, 7> copies{};
  };
  constexpr std::uint64_t total = 200'000;
  SpscRing<Item> ring(64);
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < total;) {
      Item* const slot = ring.begin_push();
      if (slot == nullptr) {
        std::this_thread::yield();
        continue;
      }
      slot->number = i;
      slot->copies.fill(i);
      ring.commit_push();
      ++i;
    }
  });
  bool is_right = true;
  for (std::uint64_t expected = 0; expected < total;) {
    const Item* const slot = ring.front();
    if (slot == nullptr) {
      std::this_thread::yield();
      continue;
    }
    is_right = is_right && slot->number == expected && slot->copies[0] == expected && slot->copies[6] == expected;
    ring.pop();
    ++expected;
  }
  writer.join();
  EXPECT_TRUE(is_right);
}

TEST(Threads, ANeighbourIsNeverReadHalfWritten) {
  NeighborTable table(64);
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> wrong{0};
  std::thread reader([&] {
    std::uint8_t number = 0;
    while (!is_over.load(std::memory_order_relaxed)) {
      number = static_cast<std::uint8_t>((number + 1) % 32);
      const auto found = table.find(1, Ipv4Address{{10, 0, 0, number}});
      if (found.state != NeighborTable::State::usable) continue;
      hits.fetch_add(1, std::memory_order_relaxed);
      // Every byte of an entry says the same: the version, and who it is.
      const std::uint8_t version = found.mac.bytes[1];
      const bool is_whole =
          found.mac == MacAddress{{2, version, version, version, version, number}} && found.interface == version;
      if (!is_whole) wrong.fetch_add(1, std::memory_order_relaxed);
      if (found.needs_confirmation && table.claim_used(found)) table.unclaim_used(found);
    }
  });
  Random random(1);
  for (int step = 0; step < 100'000 || hits.load(std::memory_order_relaxed) < 1000; ++step) {
    const auto number = static_cast<std::uint8_t>(random.below(32));
    const Ipv4Address address{{10, 0, 0, number}};
    const auto version = static_cast<std::uint8_t>(random());
    if (random.below(4) == 0) {
      table.erase(1, address);
    } else {
      static_cast<void>(
          table.update({1, address, MacAddress{{2, version, version, version, version, number}}, version,
                        random.below(2) == 0 ? NeighborReachability::stale : NeighborReachability::reachable}));
    }
  }
  is_over = true;
  reader.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(Threads, WhatAWorkerReadsInARunIsNotFreed) {
  struct Value {
    explicit Value(std::uint64_t n) : number(n), same(n) {}
    ~Value() { number = 0; }
    std::uint64_t number;
    std::uint64_t same;
  };
  Epochs epochs(1);
  auto first = std::make_shared<Value>(1);
  std::atomic<const Value*> current{first.get()};
  std::shared_ptr<const Value> owner = std::move(first);
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<bool> is_right{true};
  std::thread worker([&] {
    while (!is_over.load(std::memory_order_relaxed)) {
      epochs.enter(0);
      const Value* const value = current.load(std::memory_order_acquire);
      for (int i = 0; i < 10; ++i) {
        if (value->number == 0 || value->number != value->same) is_right = false;
      }
      epochs.leave(0);
      reads.fetch_add(1, std::memory_order_relaxed);
    }
  });
  std::uint64_t number = 1;
  std::size_t most_waiting = 0;
  while (number < 20'000 || reads.load(std::memory_order_relaxed) < 1000) {
    auto next = std::make_shared<Value>(++number);
    current.store(next.get(), std::memory_order_release);
    epochs.retire(std::exchange(owner, std::move(next)));
    most_waiting = std::max(most_waiting, epochs.collect());
  }
  is_over = true;
  worker.join();
  EXPECT_TRUE(is_right);
  EXPECT_EQ(epochs.collect(), 0U);
  EXPECT_LT(most_waiting, number);
}

// A whole worker on a thread of its own, while the control thread publishes, asks, answers and reconfigures.
TEST(Threads, AWorkerForwardsWhileTheControlThreadWorks) {
  Lab lab;
  lab.set_neighbor(1, "10.0.1.50", host_mac, 1);
  lab.script.decide = [](Packet& packet, Batch&) {
    return packet.is(packet_class::udp) && packet.udp().source_port.value() % 8 == 0 ? Verdict::punt()
                                                                                     : Verdict::forward();
  };
  std::atomic<bool> is_over{false};
  std::atomic<int> woken{0};
  lab.worker.set_wake_control([&] { woken.fetch_add(1, std::memory_order_relaxed); });
  std::thread thread([&] {
    Time now{};
    while (!is_over.load(std::memory_order_acquire)) {
      if (!lab.worker.run_once(now)) std::this_thread::yield();
      now += std::chrono::microseconds{10};
    }
  });
  // 4,000 frames in, an eighth of them punted; the neighbour comes and goes, state and chain are replaced meanwhile.
  constexpr std::size_t frames = 4000;
  std::size_t tasks = 0;
  std::size_t tasks_done = 0;
  std::size_t injected = 0;
  std::size_t received = 0;
  const auto accounted = [&] {
    std::size_t count = received + lab.sink.punts.size();
    for (const char* const reason : {"park-full", "neighbor-unresolved", "punt-queue-full"}) count += lab.drops(reason);
    return count;
  };
  while (accounted() < frames || tasks_done < tasks) {
    for (int i = 0; i < 32 && injected < frames && injected < accounted() + 256; ++i, ++injected) {
      lab.inject(1, eth(host_mac, interface_mac(1)) / ipv4("10.0.1.50", "10.0.2.50") /
                        udp(static_cast<std::uint16_t>(injected), 2) / payload("x"));
    }
    lab.worker.drain(lab.sink);
    received += lab.sent(2).size();
    lab.set_neighbor(2, "10.0.2.50", far_mac, 2,
                     injected % 3 == 0 ? NeighborReachability::stale : NeighborReachability::reachable);
    lab.publish();
    lab.shared.epochs().collect();
    if (lab.worker.tasks_pending() < 4 && tasks < 200) {
      ++tasks;
      lab.worker.set_chain({{Lab::module, packet_class::all, &lab.script, PuntUrgency::urgent}}, [&] { ++tasks_done; });
    }
    if (injected < frames && injected % 5 == 0) {
      lab.shared.neighbors().erase(2, ip("10.0.2.50"));
      lab.worker.neighbors_changed();
    }
    static_cast<void>(lab.worker.parked());
    std::this_thread::yield();
  }
  is_over.store(true, std::memory_order_release);
  thread.join();
  EXPECT_EQ(lab.sink.punts.size() + lab.drops("punt-queue-full"), frames / 8);
  EXPECT_GT(received, 0U);
  EXPECT_GT(woken.load(), 0);
  EXPECT_EQ(tasks_done, tasks);
}

}  // namespace
}  // namespace trivet::core::test
