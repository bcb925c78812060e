// The whole module in a node: configuration text and frames in; frames, topics, counters, reports and log lines out.
#include "hc/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hc/agent_wire.h"
#include "trivet/testkit/harness.h"
#include "trivet/testkit/packet_builder.h"
#include "trivet/topics/health.h"
#include "trivet/topics/neighbors.h"
#include "trivet/topics/role.h"
#include "trivet/wire/headers.h"

namespace trivet::hc {
namespace {

using namespace std::chrono_literals;
using namespace testkit;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using trivet::wire::TcpHeader;

const std::string head = R"(hostname LB1
modules hc
interface 1 {
  name eth1
}
interface 2 {
  name eth2
}
register interfaces 1,2
enable interfaces 1,2
network 1 {
  addr 10.0.0.0
  mask 255.255.255.0
  real 10.0.0.1
  mask6 48
  real6 2001:db8::2:1
  interface 1
}
network 2 {
  mask6 48
  real6 2001:db8:ffff::2:1
  interface 2
}
register networks 1,2
enable networks 1,2
)";
const std::string gateway_section = "gateway {\n  ipaddr6 2001:db8::2:10\n  ping6 3,10\n}\n";

std::string target(int number, const std::string& body) {
  const std::string index = std::to_string(number);
  return "target " + index + " {\n" + body + "}\nregister target " + index + "\nenable target " + index + "\n";
}
const std::string seed_target =
    target(1, "ipaddr6 2001:db8:ffff::1:1\nport 80\nprotocol tcp\nping6 3,10\nagent6 10000,3,10\n");

const MacAddress far_mac = mac("02:00:00:00:00:99");

// A frame that hc has sent, read with the tests' own eyes.
struct SentProbe {
  InterfaceId interface = 0;
  Bytes frame;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  Bytes l4;

  [[nodiscard]] std::uint16_t number16(std::size_t at) const {
    return static_cast<std::uint16_t>((l4.at(at) << 8U) | l4.at(at + 1));
  }
  [[nodiscard]] std::uint32_t number32(std::size_t at) const {
    return (std::uint32_t{number16(at)} << 16U) | number16(at + 2);
  }
  [[nodiscard]] bool is_echo() const { return protocol == 1 || protocol == 58; }
};

SentProbe read_probe(InterfaceId interface, Bytes frame) {
  SentProbe probe;
  probe.interface = interface;
  const bool is_v4 = frame.at(12) == 0x08;
  if (is_v4) {
    probe.protocol = frame.at(23);
    Ipv4Address address;
    std::copy_n(frame.begin() + 26, 4, address.bytes.begin());
    probe.source = address;
    std::copy_n(frame.begin() + 30, 4, address.bytes.begin());
    probe.destination = address;
  } else {
    probe.protocol = frame.at(20);
    Ipv6Address address;
    std::copy_n(frame.begin() + 22, 16, address.bytes.begin());
    probe.source = address;
    std::copy_n(frame.begin() + 38, 16, address.bytes.begin());
    probe.destination = address;
  }
  probe.l4.assign(frame.begin() + (is_v4 ? 34 : 54), frame.end());
  probe.frame = std::move(frame);
  return probe;
}

// A node with hc alone, and around it hosts that answer or not.
class Lab {
 public:
  explicit Lab(const std::string& text) : node({&descriptor}, text) {
    node.bus().subscribe<TargetHealth>([this](const TargetHealth& health) { targets[health.target] = health; });
    node.bus().on_erase<TargetHealth>([this](const std::string& key) { erased.push_back(key); });
    node.bus().subscribe<GatewayHealth>([this](const GatewayHealth& health) { gateway = health; });
    for (const char* address : {"10.0.0.9", "10.0.0.254", "2001:db8::2:10"}) {
      neighbor(1, address);
    }
    for (const char* address : {"2001:db8:ffff::1:1", "2001:db8:ffff::1:2"}) {
      neighbor(2, address);
    }
    node.settle();
  }

  void neighbor(NetworkId network, const char* address) {
    node.bus().publish(NeighborEntry{network, ip(address), far_mac, network, NeighborReachability::reachable});
  }

  // Time passes in small steps; every probe is seen by `host`, and answered 10 ms later at most.
  void run(Duration duration) {
    const Time end = node.now() + duration;
    while (node.now() < end) {
      node.advance(std::min<Duration>(10ms, end - node.now()));
      for (const InterfaceId interface : {InterfaceId{1}, InterfaceId{2}}) {
        for (Bytes& frame : node.take_sent(interface)) {
          sent.push_back(read_probe(interface, std::move(frame)));
          if (host) {
            host(sent.back());
          }
        }
      }
    }
  }

  // IP layer of an answer.
  template <class L>
  Frame from_host(const SentProbe& probe, const L& inner) const {
    const Ethernet outer = eth(far_mac, Harness::mac_of(probe.interface));
    if (probe.source.is_v4()) {
      return outer / ipv4(probe.destination.v4(), probe.source.v4()) / inner;
    }
    return outer / ipv6(probe.destination.v6(), probe.source.v6()) / inner;
  }
  template <class L>
  Frame from_host(const SentProbe& probe, const L& layer, Bytes body) const {
    const Ethernet outer = eth(far_mac, Harness::mac_of(probe.interface));
    if (probe.source.is_v4()) {
      return outer / ipv4(probe.destination.v4(), probe.source.v4()) / layer / payload(std::move(body));
    }
    return outer / ipv6(probe.destination.v6(), probe.source.v6()) / layer / payload(std::move(body));
  }
  Frame good_answer(const SentProbe& probe) const {
    if (probe.is_echo()) {
      return from_host(probe, echo_reply(probe.number16(4), probe.number16(6)),
                       Bytes(probe.l4.begin() + 8, probe.l4.end()));
    }
    if (probe.protocol == trivet::wire::ip_protocol::tcp) {
      return from_host(probe, tcp(probe.number16(2), probe.number16(0)).syn().ack(probe.number32(4) + 1).seq(5000));
    }
    Bytes body(probe.l4.begin() + 8, probe.l4.end());
    body[5] = 2;  // an answer, docs/agent-protocol.md
    body[23] = agent_value;
    return from_host(probe, udp(probe.number16(2), probe.number16(0)), body);
  }
  void answer(const SentProbe& probe) { node.inject(probe.interface, good_answer(probe)); }
  void answer_everything() {
    host = [this](const SentProbe& probe) {
      const bool is_reset = probe.protocol == 6 && (probe.l4.at(13) & TcpHeader::syn) == 0;
      if (!is_reset) {
        answer(probe);
      }
    };
  }
  const SentProbe& first(std::uint8_t protocol) const {
    const auto found =
        std::find_if(sent.begin(), sent.end(), [&](const SentProbe& probe) { return probe.protocol == protocol; });
    EXPECT_NE(found, sent.end());
    static const SentProbe none{};
    return found == sent.end() ? none : *found;
  }
  std::uint64_t counter(const char* name) const { return node.counter("hc", name); }

  Harness node;
  std::vector<SentProbe> sent;
  std::function<void(const SentProbe&)> host;
  std::uint8_t agent_value = 42;
  std::map<TargetId, TargetHealth> targets;
  std::vector<std::string> erased;
  std::optional<GatewayHealth> gateway;
};

TEST(HcModule, ProbesLeaveFromTheRealAddressWithTheInterfacesOwnMac) {
  Lab lab(head + gateway_section + seed_target);
  lab.run(3s);
  ASSERT_GE(lab.sent.size(), 3U);
  for (const SentProbe& probe : lab.sent) {
    EXPECT_EQ(Bytes(probe.frame.begin(), probe.frame.begin() + 6), Bytes(far_mac.bytes.begin(), far_mac.bytes.end()));
    const MacAddress own = Harness::mac_of(probe.interface);
    EXPECT_EQ(Bytes(probe.frame.begin() + 6, probe.frame.begin() + 12), Bytes(own.bytes.begin(), own.bytes.end()));
    EXPECT_EQ(probe.source, ip(probe.interface == 1 ? "2001:db8::2:1" : "2001:db8:ffff::2:1"));
    EXPECT_EQ(probe.destination, ip(probe.interface == 1 ? "2001:db8::2:10" : "2001:db8:ffff::1:1"));
  }
  EXPECT_EQ(lab.counter("echo_probes_sent") + lab.counter("agent_probes_sent"), lab.sent.size());
}

TEST(HcModule, AnsweredTargetGoesUpWithItsAgentValue) {
  Lab lab(head + gateway_section + seed_target);
  EXPECT_EQ(lab.targets[1].health, Health::undecided);
  lab.answer_everything();
  lab.run(4s);
  EXPECT_EQ(lab.targets[1].health, Health::up);
  EXPECT_EQ(lab.targets[1].agent_value, 42);
  ASSERT_TRUE(lab.gateway);
  EXPECT_EQ(lab.gateway->health, Health::up);
  EXPECT_GT(lab.gateway->last_answer, Time{});
  EXPECT_THAT(lab.node.take_log(),
              Contains(HasSubstr("target 1 (2001:db8:ffff::1:1) undecided -> up: all checks good")));
  lab.agent_value = 50;
  lab.run(4s);
  EXPECT_EQ(lab.targets[1].agent_value, 50);
  EXPECT_THAT(lab.node.take_log(), Not(Contains(HasSubstr("target 1"))));
}

TEST(HcModule, EachChangeOfTheGatewaysHealthIsOneLineWithItsReason) {
  Lab lab(head + gateway_section);
  lab.answer_everything();
  lab.run(4s);
  EXPECT_THAT(lab.node.take_log(), Contains(HasSubstr("gateway (2001:db8::2:10) undecided -> up: all checks good")));
  lab.host = nullptr;
  lab.run(30s);
  const auto lines = lab.node.take_log();
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("gateway (2001:db8::2:10) up -> down: "), HasSubstr("no answer for"))));
  EXPECT_EQ(std::ranges::count_if(lines, [](const std::string& line) { return line.contains("gateway ("); }), 1);
}

TEST(HcModule, SilentTargetGoesDownWithTheReason) {
  Lab lab(head + seed_target);
  lab.answer_everything();
  lab.run(4s);
  lab.host = nullptr;
  static_cast<void>(lab.node.take_log());
  lab.run(14s);
  EXPECT_EQ(lab.targets[1].health, Health::down);
  EXPECT_THAT(lab.targets[1].reason, HasSubstr("no answer for 10 s"));
  EXPECT_EQ(lab.targets[1].agent_value, -1);
  EXPECT_THAT(lab.node.take_log(), Contains(HasSubstr("target 1 (2001:db8:ffff::1:1) up -> down: ")));
}

TEST(HcModule, WithoutChecksEverythingIsUp) {
  Lab lab(head + target(1, "ipaddr6 2001:db8:ffff::1:1\n"));
  EXPECT_EQ(lab.targets[1].health, Health::up);
  EXPECT_EQ(lab.targets[1].reason, "no checks");
  ASSERT_TRUE(lab.gateway);
  EXPECT_EQ(lab.gateway->health, Health::up);
  lab.run(10s);
  EXPECT_THAT(lab.sent, IsEmpty());
}

TEST(HcModule, BackupProbesAsWell) {
  Lab lab(head + seed_target);
  lab.node.bus().publish(RoleState{Role::backup, 64, true, "test", Time{}});
  lab.node.settle();
  lab.answer_everything();
  lab.run(4s);
  EXPECT_EQ(lab.targets[1].health, Health::up);
}

TEST(HcModule, MasterProbesFromRealNotFromVirtualAddressesOrMac) {
  Lab lab(head + seed_target);
  lab.node.bus().publish(RoleState{Role::master, 64, true, "test", Time{}});
  lab.node.settle();
  lab.run(3s);
  const MacAddress own = Harness::mac_of(2);
  ASSERT_FALSE(lab.sent.empty());
  EXPECT_EQ(Bytes(lab.sent[0].frame.begin() + 6, lab.sent[0].frame.begin() + 12),
            Bytes(own.bytes.begin(), own.bytes.end()));
}

TEST(HcModule, LossOfTheOwnLinkMakesUndecidedAndItsReturnStartsAgain) {
  Lab lab(head + gateway_section + seed_target);
  lab.answer_everything();
  lab.run(4s);
  lab.node.set_link(2, false);
  lab.run(20s);
  EXPECT_EQ(lab.targets[1].health, Health::undecided);
  EXPECT_EQ(lab.targets[1].reason, "ping6: own link down (network 2)");
  EXPECT_EQ(lab.gateway->health, Health::up) << "on another link";
  lab.node.set_link(2, true);
  lab.neighbor(2, "2001:db8:ffff::1:1");
  lab.run(1500ms);
  EXPECT_EQ(lab.targets[1].health, Health::up);
}

TEST(HcModule, GatewayCheckRequestIsServedAtOnce) {
  Lab lab(head + "gateway {\n  ipaddr6 2001:db8::2:10\n  ping6 600,2000\n}\n");
  lab.answer_everything();
  lab.run(600s);
  ASSERT_EQ(lab.gateway->health, Health::up);
  lab.sent.clear();
  const Time asked = lab.node.now();
  lab.node.bus().publish(GatewayCheckRequest{});
  lab.node.settle();
  lab.run(20ms);
  EXPECT_EQ(lab.sent.size(), 1U);
  EXPECT_GE(lab.gateway->last_answer, asked);
}

TEST(HcModule, TcpOpenAcknowledgesAndResets) {
  Lab lab(head + target(1, "ipaddr 10.0.0.9\ntcpopen 80,3,10\n"));
  lab.answer_everything();
  lab.run(3s);
  EXPECT_EQ(lab.targets[1].health, Health::up);
  ASSERT_GE(lab.sent.size(), 3U);
  EXPECT_EQ(lab.sent[0].l4.at(13), TcpHeader::syn);
  EXPECT_EQ(lab.sent[1].l4.at(13), TcpHeader::ack);
  EXPECT_EQ(lab.sent[2].l4.at(13), TcpHeader::rst | TcpHeader::ack);
  EXPECT_EQ(lab.sent[1].number32(4), lab.sent[0].number32(4) + 1);
  EXPECT_EQ(lab.sent[1].number32(8), 5001U);
}

TEST(HcModule, RefusedConnectionIsSaidSo) {
  Lab lab(head + target(1, "ipaddr 10.0.0.9\ntcpopen 80,1,2\n"));
  lab.host = [&](const SentProbe& probe) {
    lab.node.inject(1, lab.from_host(probe, tcp(80, probe.number16(0)).rst().ack(probe.number32(4) + 1)));
  };
  lab.run(4s);
  EXPECT_EQ(lab.targets[1].health, Health::down);
  EXPECT_EQ(lab.targets[1].reason, "tcpopen 80: refused, no success for 2 s");
  EXPECT_GE(lab.counter("failures"), 3U);
}

TEST(HcModule, IcmpErrorOfARouterGivesTheReason) {
  Lab lab(head + target(1, "ipaddr 10.0.0.9\nagent 10000,1,2\n"));
  lab.host = [&](const SentProbe& probe) {
    lab.node.inject(1, eth(far_mac, Harness::mac_of(1)) / ipv4("10.0.0.9", "10.0.0.1") /
                           icmp(3, 3).body(Bytes(probe.frame.begin() + 14, probe.frame.end())));
  };
  lab.run(4s);
  EXPECT_EQ(lab.targets[1].health, Health::down);
  EXPECT_EQ(lab.targets[1].reason, "agent 10000: port unreachable, no success for 2 s");
}

TEST(HcModule, WrongAnswersAreCountedByTheirFault) {
  Lab lab(head + target(1, "ipaddr6 2001:db8:ffff::1:1\nping6 3,10\nagent6 10000,3,10\n"));
  lab.run(3s);
  const SentProbe echo = lab.first(58);
  const SentProbe agent = lab.first(17);
  ASSERT_FALSE(echo.l4.empty());
  ASSERT_FALSE(agent.l4.empty());
  Frame wrong_checksum = lab.good_answer(agent);
  wrong_checksum.back() ^= 1;
  lab.node.inject(2, wrong_checksum);
  EXPECT_EQ(lab.counter("invalid_checksum"), 1U);
  SentProbe other_nonce = agent;
  other_nonce.l4[16] ^= 1;
  lab.node.inject(2, lab.good_answer(other_nonce));
  EXPECT_EQ(lab.counter("invalid_nonce"), 1U);
  SentProbe cut = agent;
  cut.l4.resize(8 + 23);
  lab.node.inject(2, lab.from_host(cut, udp(10000, cut.number16(0)), Bytes(cut.l4.begin() + 8, cut.l4.end())));
  EXPECT_EQ(lab.counter("invalid_format"), 1U);
  lab.answer(echo);
  lab.answer(echo);
  EXPECT_EQ(lab.counter("answers"), 1U);
  EXPECT_EQ(lab.counter("stray_answers"), 1U);
  EXPECT_EQ(lab.targets[1].health, Health::undecided);
  lab.answer(agent);
  EXPECT_EQ(lab.targets[1].health, Health::up);
}

TEST(HcModule, AnswerWithAPartialChecksumOfAnOffloadingHostCounts) {
  Lab lab(head + target(1, "ipaddr 10.0.0.9\ntcpopen 80,3,10\n"));
  lab.run(3s);
  const SentProbe syn = lab.first(6);
  ASSERT_FALSE(syn.l4.empty());
  OffloadFrame frame;
  frame.bytes =
      lab.from_host(syn, tcp(80, syn.number16(0)).syn().ack(syn.number32(4) + 1).seq(5000).partial_checksum());
  frame.checksum = ChecksumState::partial;
  frame.checksum_start = 34;
  frame.checksum_offset = 16;
  lab.node.inject(1, frame);
  EXPECT_EQ(lab.targets[1].health, Health::up);
}

TEST(HcModule, AnswersFromElsewhereGoOnInTheChain) {
  Lab lab(head + target(1, "ipaddr 10.0.0.9\nping 3,10\n"));
  lab.run(3s);
  lab.node.inject(1, eth(far_mac, Harness::mac_of(1)) / ipv4("10.0.0.8", "10.0.0.1") / echo_reply(1, 1) / payload("x"));
  EXPECT_EQ(lab.counter("stray_answers"), 0U);
  EXPECT_EQ(lab.node.drops("core", "end-of-chain"), 1U);
}

TEST(HcModule, ReloadKeepsStateAndTakesBackRemovedTargets) {
  const std::string second = target(2, "ipaddr6 2001:db8:ffff::1:2\nping6 3,10\n");
  Lab lab(head + seed_target + second);
  lab.answer_everything();
  lab.run(4s);
  ASSERT_EQ(lab.targets[2].health, Health::up);
  const Time since = lab.targets[1].since;
  EXPECT_FALSE(lab.node.reload(head + seed_target).has_errors());
  lab.run(1s);
  EXPECT_EQ(lab.erased, std::vector<std::string>{"2"});
  EXPECT_EQ(lab.targets[1].health, Health::up);
  EXPECT_EQ(lab.targets[1].since, since);
  lab.sent.clear();
  lab.run(10s);
  for (const SentProbe& probe : lab.sent) {
    EXPECT_EQ(probe.destination, ip("2001:db8:ffff::1:1"));
  }
}

TEST(HcModule, NetworkWithoutRealAddressIsTheReason) {
  Lab lab(head + target(1, "ipaddr 192.0.2.9\nping 3,10\n"));
  EXPECT_EQ(lab.targets[1].health, Health::undecided);
  EXPECT_EQ(lab.targets[1].reason, "ping: no route to 192.0.2.9");
}

std::string text_of(const Cell& cell) {
  return std::holds_alternative<std::string>(cell) ? std::get<std::string>(cell) : std::string();
}

TEST(HcModule, ShowGatewaySaysHealthReasonAndChecks) {
  Lab lab(head + gateway_section);
  lab.answer_everything();
  lab.run(4s);
  const Report report = lab.node.command("show gateway");
  EXPECT_EQ(report.error, "");
  std::map<std::string, std::string> fields;
  for (const Field& field : report.fields) {
    fields[field.key] = text_of(field.value);
  }
  EXPECT_EQ(fields["ipaddr6"], "2001:db8::2:10");
  EXPECT_EQ(fields["health"], "up");
  EXPECT_EQ(fields["reason"], "all checks good");
  ASSERT_EQ(report.tables.size(), 1U);
  ASSERT_EQ(report.tables[0].rows.size(), 1U);
  EXPECT_EQ(text_of(report.tables[0].rows[0][0]), "ping6");
}

TEST(HcModule, ReportsSayTheTimeOfTheCommandEvenIfTheModuleHadNothingToDo) {
  Lab lab(head + "gateway {\n  ipaddr6 2001:db8::2:10\n}\n");
  lab.node.advance(1h);
  const Report report = lab.node.command("show gateway");
  const auto field = std::ranges::find(report.fields, "held_for", &Field::key);
  ASSERT_NE(field, report.fields.end());
  EXPECT_EQ(std::get<double>(field->value), 3600.0);
}

TEST(HcModule, ShowChecksListsAllOrThoseOfOneTarget) {
  Lab lab(head + gateway_section + seed_target + target(2, "ipaddr6 2001:db8:ffff::1:2\nping6 3,10\n"));
  lab.answer_everything();
  lab.run(4s);
  const Report all = lab.node.command("show checks");
  ASSERT_EQ(all.tables.size(), 1U);
  EXPECT_EQ(all.tables[0].rows.size(), 4U);
  for (const auto& row : all.tables[0].rows) {
    ASSERT_EQ(row.size(), all.tables[0].columns.size());
    EXPECT_EQ(text_of(row[3]), "up");
    EXPECT_TRUE(std::holds_alternative<double>(row[5])) << "round trip";
  }
  const Report one = lab.node.command("show checks 1");
  ASSERT_EQ(one.tables.size(), 1U);
  EXPECT_EQ(one.tables[0].rows.size(), 2U);
  EXPECT_EQ(std::get<std::int64_t>(one.tables[0].rows[1][6]), 42);
  EXPECT_EQ(lab.node.command("show checks 9").error, "there is no registered target 9");
  EXPECT_THAT(lab.node.command("show checks x").error, HasSubstr("takes the number of one target"));
}

TEST(HcModule, ConfigurationMistakesAreSaidWithTheirPlace) {
  Lab lab(head);
  const Problems range = lab.node.reload(head + target(1, "ipaddr 10.0.0.9\nping 0,10\n"));
  EXPECT_TRUE(range.has_errors());
  const Problems early = lab.node.reload(head + target(1, "ipaddr 10.0.0.9\nping 3,2\n"));
  EXPECT_FALSE(early.has_errors());
  std::vector<std::string> said;
  for (const Problem& problem : early.list()) {
    said.push_back(problem.text);
  }
  EXPECT_THAT(said, Contains(HasSubstr("target 1: ping: the timeout is shorter than the interval")));
}

// Asked through the declaration: the constraint holds whatever the master module is.
struct Constraints final : Setup {
  void open_section(SectionSpec) override {}
  void add_key(KeySpec) override {}
  void wants(PacketClass) override {}
  void punt_urgency(PuntUrgency) override {}
  Counter counter(std::string, std::string) override { return {}; }
  DropReason drop_reason(std::string, std::string) override { return {}; }
  void command(CommandSpec, CommandHandler) override {}
  void must_stand_before(std::string module, std::string) override { before.push_back(std::move(module)); }
  void must_stand_after(std::string, std::string) override {}
  std::vector<std::string> before;

 private:
  void topic(TopicId, TopicUse) override {}
  void steering(const Steering&) override {}
};

TEST(HcModule, StandsBeforeTheGateSoThatABackupHearsItsAnswers) {
  HcModule module;
  Constraints constraints;
  module.declare(constraints);
  EXPECT_EQ(constraints.before, std::vector<std::string>{"master"});
}

}  // namespace
}  // namespace trivet::hc
