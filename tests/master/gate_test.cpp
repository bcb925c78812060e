// The gate in a node: what a module behind it sees, by role.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "master/module.h"
#include "trivet/module.h"
#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/topics/role.h"

namespace trivet::master {
namespace {

using testkit::Frame;
using testkit::Harness;

// Counts and consumes what it sees.
class Witness final : public Module {
 public:
  void declare(Setup& setup) override {
    setup.wants(packet_class::all);
    seen_ = setup.counter("seen", "packets seen");
  }
  std::unique_ptr<Worker> make_worker(WorkerContext& context) override {
    class Eye final : public PacketWorker<Eye> {
     public:
      Eye(CounterCells& cells, Counter seen) : cells_(cells), seen_(seen) {}
      Verdict on_packet(const Packet&, const Batch&) noexcept {
        cells_.add(seen_);
        return Verdict::consumed();
      }

     private:
      CounterCells& cells_;
      Counter seen_;
    };
    return std::make_unique<Eye>(context.counters(), seen_);
  }

 private:
  Counter seen_;
};

constexpr ModuleDescriptor witness{.name = "witness",
                                   .version = "1",
                                   .create = []() -> Module* { return new Witness; },
                                   .destroy = [](Module* module) { delete module; }};

class Gate : public testing::Test {
 protected:
  Gate()
      : node_({&descriptor, &witness},
              "hostname A\nmodules master,witness\ninterface 1 {\n  name eth1\n}\nregister interface 1\n"
              "enable interface 1\nnetwork 1 {\n  addr 10.0.0.0\n  mask 255.0.0.0\n  real 10.0.0.1\n  interface 1\n}\n"
              "register network 1\nenable network 1\n") {}

  void become(Role role) {
    RoleState state;
    state.role = role;
    node_.bus().publish(state);
    node_.settle();
  }
  [[nodiscard]] static Frame packet() {
    return testkit::eth("02:00:00:00:00:99", Harness::mac_of(1)) / testkit::ipv4("10.0.0.9", "10.0.0.1") /
           testkit::udp(1000, 2000) / testkit::payload("x");
  }
  [[nodiscard]] static Frame arp() {
    return testkit::eth("02:00:00:00:00:99", "ff:ff:ff:ff:ff:ff") /
           testkit::arp_request("02:00:00:00:00:99", "10.0.0.9", "10.0.0.1");
  }
  [[nodiscard]] std::uint64_t seen() const { return node_.counter("witness", "seen"); }
  [[nodiscard]] std::uint64_t dropped() const { return node_.drops("master", "not-master"); }

  Harness node_;
};

TEST_F(Gate, IsOpenWithoutAWriterOfTheRole) {
  node_.inject(1, packet());
  EXPECT_EQ(seen(), 1U);
  EXPECT_EQ(dropped(), 0U);
}

TEST_F(Gate, DropsEverythingInInitAndBackupAndNothingAsMaster) {
  std::uint64_t expected_seen = 0;
  std::uint64_t expected_dropped = 0;
  for (const Role role : {Role::init, Role::master, Role::backup, Role::master}) {
    become(role);
    for (const std::size_t size : {1U, 64U}) {
      node_.inject(1, std::vector<Frame>(size, packet()));
      node_.inject(1, arp());
      (role == Role::master ? expected_seen : expected_dropped) += size + 1;
      EXPECT_EQ(seen(), expected_seen) << to_string(role);
      EXPECT_EQ(dropped(), expected_dropped) << to_string(role);
    }
  }
}

}  // namespace
}  // namespace trivet::master
