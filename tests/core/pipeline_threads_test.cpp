// The parts that two threads share, with two real threads: run under ThreadSanitizer.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/pipeline/spsc_ring.h"
#include "pipeline_lab.h"
#include "pipeline_team.h"

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

TEST(Threads, ARingInBatchesKeepsOrderAndContents) {
  constexpr std::uint64_t total = 200'000;
  SpscRing<std::uint64_t> ring(64);
  std::thread writer([&] {
    Random random(1);
    for (std::uint64_t i = 0; i < total;) {
      for (std::uint64_t batch = random.below(40); batch > 0 && i < total && ring.stage(i); --batch) ++i;
      if (!ring.publish()) std::this_thread::yield();
    }
  });
  bool is_right = true;
  std::array<std::uint64_t, 48> out{};
  for (std::uint64_t expected = 0; expected < total;) {
    const std::size_t count = ring.take(out);
    if (count == 0) std::this_thread::yield();
    for (std::size_t i = 0; i < count; ++i) is_right = is_right && out[i] == expected++;
  }
  writer.join();
  EXPECT_TRUE(is_right);
}

// Workers on threads that sleep as in the daemon: until somebody calls their hook. Nobody does so for packets of
// others but the exchange, so a lost wake leaves packets behind.
class TeamThreads {
 public:
  explicit TeamThreads(Team& team) : team_(team), signals_(team.workers.size()) {
    for (std::size_t i = 0; i < signals_.size(); ++i) {
      team.workers[i]->set_wake_worker([this, i] { signal(i); });
    }
    for (std::size_t i = 0; i < signals_.size(); ++i) threads_.emplace_back([this, i] { run(i); });
  }
  TeamThreads(const TeamThreads&) = delete;
  TeamThreads& operator=(const TeamThreads&) = delete;
  ~TeamThreads() { stop(); }
  void stop() {
    is_over_ = true;
    for (std::size_t i = 0; i < signals_.size(); ++i) signal(i);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void signal(std::size_t number) {
    signals_[number].fetch_add(1);
    signals_[number].notify_one();
  }
  [[nodiscard]] std::uint64_t sleeps() const { return sleeps_; }

 private:
  void run(std::size_t number) {
    Time now{};
    std::uint64_t seen = 0;
    while (!is_over_) {
      now += std::chrono::microseconds{10};
      if (team_.workers[number]->run_once(now)) continue;
      ++sleeps_;
      signals_[number].wait(seen);
      seen = signals_[number];
    }
  }

  Team& team_;
  std::vector<std::atomic<std::uint64_t>> signals_;
  std::vector<std::thread> threads_;
  std::atomic<bool> is_over_{false};
  std::atomic<std::uint64_t> sleeps_{0};
};

class TeamOnThreads : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Threads, TeamOnThreads, testing::Values(2U, 3U, 4U));

// Frames come in everywhere and belong everywhere, while the control thread publishes, reloads, asks and answers.
TEST_P(TeamOnThreads, PacketsCrossWhileTheControlThreadWorks) {
  constexpr std::uint32_t clients = 97;
  constexpr std::size_t frames = 6000;
  Team team(GetParam());
  const auto name = [](std::uint32_t number) { return "10.0.1." + std::to_string(2 + number); };
  struct Seen {
    std::array<std::atomic<std::uint64_t>, clients> by_client{};
  };
  std::vector<Seen> seen(GetParam());
  for (std::size_t number = 0; number < seen.size(); ++number) {
    team.scripts[number].decide = [&, number](Packet& packet, Batch&) {
      const IpAddress far = packet.source() == ip("10.0.2.50") ? packet.destination() : packet.source();
      seen[number].by_client.at(far.v4().bytes[3] - 2U).fetch_add(1, std::memory_order_relaxed);
      if (packet.is(packet_class::udp) && packet.udp().source_port.value() % 16 == 0) return Verdict::punt();
      if (packet.source() == far) {
        packet.next_hop = ip("10.0.2.50");
        packet.has_next_hop = true;
      }
      return Verdict::forward();
    };
  }
  for (std::uint32_t number = 0; number < clients; ++number) team.set_neighbor(1, name(number), host_mac, 1);
  TeamThreads threads(team);
  std::size_t injected = 0;
  std::size_t received = 0;
  std::size_t chains = 0;
  std::size_t chains_done = 0;
  Random random(GetParam());
  const auto accounted = [&] {
    std::size_t count = received + team.sink.punts.size();
    for (const char* const reason :
         {"park-full", "neighbor-unresolved", "punt-queue-full", "worker-queue-full", "no-buffer"}) {
      count += team.drops(reason);
    }
    return count;
  };
  while (accounted() < frames || chains_done < chains) {
    for (int i = 0; i < 32 && injected < frames && injected < accounted() + 192; ++i, ++injected) {
      const auto number = static_cast<std::uint32_t>(random.below(clients));
      const auto port = static_cast<std::uint16_t>(injected);
      const std::size_t at = random.below(GetParam());
      if (injected % 2 == 0) {
        team.inject(
            1, eth(host_mac, interface_mac(1)) / ipv4(ip4(name(number)), "10.0.2.254") / udp(port, 80) / payload("x"),
            at);
      } else {
        team.inject(
            2, eth(far_mac, interface_mac(2)) / ipv4("10.0.2.50", ip4(name(number))) / udp(80, port) / payload("y"),
            at);
      }
      threads.signal(at);
    }
    for (auto& worker : team.workers) worker->drain(team.sink);
    received += team.sent(1).size() + team.sent(2).size();
    if (injected < frames && injected % 5 == 0) {
      team.shared.neighbors().erase(2, ip("10.0.2.50"));
      for (auto& worker : team.workers) worker->neighbors_changed();
    } else {
      team.set_neighbor(2, "10.0.2.50", far_mac, 2);
    }
    team.publish();
    team.shared.epochs().collect();
    if (team.workers[0]->tasks_pending() < 4 && chains < 100 * GetParam()) {
      chains += GetParam();
      team.set_chains([&] { ++chains_done; });
    }
    std::this_thread::yield();
  }
  threads.stop();
  EXPECT_GT(received, 0U);
  EXPECT_EQ(chains_done, chains);
  EXPECT_GT(threads.sleeps(), 0U);
  for (std::uint32_t number = 0; number < clients; ++number) {
    const std::size_t owner = spread(fold(ip(name(number))), static_cast<std::uint32_t>(GetParam()));
    for (std::size_t worker = 0; worker < seen.size(); ++worker) {
      if (worker == owner) continue;
      EXPECT_EQ(seen[worker].by_client[number], 0U) << name(number) << " at worker " << worker;
    }
  }
  team.now = Time{} + std::chrono::hours{1};
  team.expect_whole_pools();
}

// One packet at a time, so that everybody sleeps in between: each must arrive by the wake alone.
TEST_P(TeamOnThreads, AWorkerThatSleepsIsWokenForEachPacketThatIsItsOwn) {
  Team team(GetParam());
  std::atomic<std::size_t> handled{0};
  for (ScriptedWorker& script : team.scripts) {
    script.decide = [&](Packet&, Batch&) {
      handled.fetch_add(1);
      return Verdict::consumed();
    };
  }
  TeamThreads threads(team);
  for (std::size_t i = 1; i <= 2000; ++i) {
    team.inject(1, eth(host_mac, interface_mac(1)) / ipv4(ip4("10.0.1." + std::to_string(2 + i % 200)), "10.0.2.254") /
                       udp(1, 2));
    threads.signal(0);
    while (handled < i) std::this_thread::yield();
    for (auto& worker : team.workers) worker->drain(team.sink);
  }
  threads.stop();
  team.expect_whole_pools();
}

}  // namespace
}  // namespace trivet::core::test
