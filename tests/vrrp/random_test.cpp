// Two nodes, a random life: links, gateways, targets, stops, crashes and single lost advertisements. Whatever happens:
// never two masters for longer than one interval while they hear each other, and never none for longer than
// Master_Down while one could be.
#include "trivet/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <vector>

#include "lan.h"

namespace trivet::vrrp {
namespace {

using namespace std::chrono_literals;

class RandomLife {
 public:
  explicit RandomLife(std::uint64_t seed) : random_(seed), lan_(2, random_config()) {}

  void live(int events) {
    lan_.observer = [this] { watch(); };
    lan_.loses = [this](std::size_t from, std::size_t, InterfaceId) { return lose(from); };
    lan_.start(0);
    if (random_.below(2) == 0) lan_.run(random_.unit() * 6);
    lan_.start(1);
    for (int i = 0; i < events; ++i) {
      disturb();
      watch();
      lan_.run(random_.below(4) == 0 ? random_.unit() * 20 : random_.unit() * 2);
      watch();
    }
  }

 private:
  static constexpr Duration slack = 1ms;

  Config random_config() {
    Config config = pair_config();
    config.preempt = random_.below(4) != 0;
    config.hold = std::chrono::seconds(random_.below(2) * 8);
    return config;
  }

  // Now and then one advertisement is lost on all interfaces; the next one arrives.
  bool lose(std::size_t from) {
    if (lan_.now() == loss_at_.at(from)) return losing_.at(from);
    loss_at_.at(from) = lan_.now();
    losing_.at(from) = !losing_.at(from) && random_.below(20) == 0;
    return losing_.at(from);
  }

  void disturb() {
    const std::size_t node = random_.below(2);
    switch (random_.below(8)) {
      case 0:
        if (lan_.alive(node)) lan_.stop(node);
        break;
      case 1:
        if (lan_.alive(node)) lan_.crash(node);
        break;
      case 2:
        lan_.set_gateway(node, random_.below(2) == 0);
        break;
      case 3:
        lan_.set_targets(node, random_.below(3) == 0 ? Health::undecided : Health::up);
        break;
      case 4:
        if (!lan_.alive(node)) lan_.start(node);
        break;
      default:
        toggle_link(node);
        break;
    }
  }

  // Interface 1 is a cable between the two: without link at one end there is none at the other.
  void toggle_link(std::size_t node) {
    const auto interface = static_cast<InterfaceId>(1 + random_.below(3));
    const bool up = !lan_.link(node, interface);
    lan_.set_link(node, interface, up);
    if (interface == 1) lan_.set_link(1 - node, interface, up);
  }

  bool hear_each_other() {
    if (!lan_.alive(0) || !lan_.alive(1)) return false;
    return std::ranges::any_of(std::vector<InterfaceId>{1, 3}, [this](InterfaceId interface) {
      return lan_.link(0, interface) && lan_.link(1, interface);
    });
  }

  // Since when `holds`; now when it does not.
  Time track(Time& since, bool holds) { return since = holds ? std::min(since, lan_.now()) : never; }

  void watch() {
    // One of two advertisements in a row may be lost, so twice the interval.
    const Time two = track(two_since_, lan_.masters().size() == 2 && hear_each_other());
    if (two != never) {
      EXPECT_LE(lan_.now() - two, 2s + slack) << "two masters";
    }
    for (std::size_t node = 0; node < 2; ++node) {
      const bool could_be = lan_.alive(node) && lan_.role(node) != Role::init && lan_.masters().empty();
      const Time none = track(none_since_.at(node), could_be);
      if (none != never) {
        EXPECT_LE(lan_.now() - none, 4s + slack) << "no master";
      }
    }
  }

  Random random_;
  Lan lan_;
  Time two_since_ = never;
  std::array<Time, 2> none_since_{never, never};
  std::array<Time, 2> loss_at_{never, never};
  std::array<bool, 2> losing_{};
};

TEST(RandomLife, NeverTwoMastersForLongAndNeverNoneForLong) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    RandomLife(seed).live(150);
    if (testing::Test::HasFailure()) {
      FAIL() << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace trivet::vrrp
