#include "core/app/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/memory.h"
#include "core/net/interface_manager.h"
#include "test_modules.h"
#include "trivet/topics/links.h"

namespace trivet::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* network = R"(
interface 1 {
  name eth1
}
register interface 1
enable interface 1
network 1 {
  addr 10.0.0.0
  mask 255.0.0.0
  real 10.0.0.1
  interface 1
}
register network 1
enable network 1
)";

std::string config(const std::string& modules, const std::string& rest = "") {
  return "hostname N\nmodules " + modules + "\n" + rest + network;
}

class NodeTest : public ::testing::Test {
 protected:
  NodeTest() : loader_({&test::module_a, &test::module_b, &test::module_c}) {
    test::story().clear();
    for (const char name : {'a', 'b', 'c'}) test::behaviour(name) = {};
    io_.add_interface("eth1", {{2, 0, 0, 0, 0, 1}});
    NodeOptions options;
    options.io = &io_;
    options.loader = &loader_;
    options.pool = {.small_count = 256, .large_count = 4};
    options.log = [this](LogLevel, LogKind, std::string_view module, std::string_view text) {
      log_.push_back(std::string(module) + ": " + std::string(text));
    };
    node_ = std::make_unique<Node>(std::move(options));
    io_.on_link_change([this](const std::string& name) { node_->refresh_link(name, now_); });
  }
  ~NodeTest() override { node_.reset(); }

  std::vector<std::string> configure(const std::string& text) {
    std::vector<std::string> list;
    const Problems problems = node_->configure(text, "t.conf", now_);
    for (const Problem& problem : problems.list()) list.push_back(to_string(problem));
    node_->step(now_);
    return list;
  }
  // A broadcast ARP request: it passes the door and meets every module.
  void inject() {
    std::vector<std::uint8_t> frame(60);
    std::fill_n(frame.begin(), 6, std::uint8_t{0xff});
    frame[6] = 2;
    frame[11] = 9;
    const std::uint8_t arp[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    std::copy(std::begin(arp), std::end(arp), frame.begin() + 12);
    io_.inject("eth1", frame);
    node_->step(now_);
  }
  Report command(const std::vector<std::string>& words) {
    Report result;
    node_->command(words, now_, [&](Report report) { result = std::move(report); });
    return result;
  }
  std::vector<std::string> take_story() { return std::exchange(test::story(), {}); }

  MemoryBackend io_;
  ModuleLoader loader_;
  std::vector<std::string> log_;
  Time now_{};
  std::unique_ptr<Node> node_;
};

TEST_F(NodeTest, StartsTheModulesOfTheLineInItsOrder) {
  EXPECT_THAT(configure(config("b,a")), IsEmpty());
  EXPECT_THAT(take_story(), ElementsAre("b start", "a start", "b apply 1", "a apply 1"));
}

TEST_F(NodeTest, AnInterfaceLetsInTagsAsSoonAsANetworkHasOne) {
  configure(config("a"));
  EXPECT_FALSE(io_.lets_in_tags("eth1"));
  std::string tagged = config("a");
  tagged.replace(tagged.find("real 10"), 0, "vlan 5\n  ");
  configure(tagged);
  EXPECT_TRUE(io_.lets_in_tags("eth1"));
}

TEST_F(NodeTest, PacketsMeetTheModulesInTheOrderOfTheLine) {
  test::behaviour('b').verdict = Verdict::Kind::drop;
  configure(config("b,a"));
  inject();
  EXPECT_EQ(node_->metrics().counter("b", "seen"), 1U);
  EXPECT_EQ(node_->metrics().counter("a", "seen"), 0U) << "b has decided";
  EXPECT_EQ(node_->metrics().drops("b", "unwanted"), 1U);

  EXPECT_THAT(configure(config("a,b")), IsEmpty());
  inject();
  EXPECT_EQ(node_->metrics().counter("a", "seen"), 1U) << "the changed line counts without a restart";
  EXPECT_EQ(node_->metrics().counter("b", "seen"), 2U);
}

TEST_F(NodeTest, AnErrorChangesNothingThatRuns) {
  configure(config("a", "set alevel 3\n"));
  take_story();
  const auto problems = configure(config("a,b", "set alevel 12\n"));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr("t.conf:3:"));
  EXPECT_THAT(problems[0], HasSubstr("12"));
  EXPECT_THAT(take_story(), IsEmpty()) << "neither started nor applied";
  EXPECT_EQ(std::get<std::int64_t>(command({"show", "a"}).fields.at(0).value), 3);
}

TEST_F(NodeTest, AModuleThatRefusesTheConfigurationStopsTheWholeReload) {
  configure(config("a,b"));
  take_story();
  test::behaviour('b').refuse_check = true;
  EXPECT_THAT(configure(config("a,b", "set alevel 5\n")), Contains(HasSubstr("the test refuses")));
  EXPECT_THAT(take_story(), IsEmpty());
}

TEST_F(NodeTest, AReloadKeepsModulesThatStayAndStopsThoseThatLeave) {
  configure(config("a,b"));
  take_story();
  EXPECT_THAT(configure(config("a", "set alevel 4\n")), IsEmpty());
  EXPECT_THAT(take_story(), ElementsAre("b stop", "a apply 4", "b gone"));
  inject();
  EXPECT_EQ(node_->metrics().counter("b", "seen"), 0U);
  EXPECT_THAT(configure(config("a,b", "set alevel 4\n")), IsEmpty());
  EXPECT_THAT(take_story(), ElementsAre("b start", "a apply 4", "b apply 1"));
  inject();
  EXPECT_EQ(node_->metrics().counter("b", "seen"), 1U);
}

TEST_F(NodeTest, KeysOfAnInstalledButUnloadedModuleAreAWarning) {
  const auto problems = configure(config("a", "set blevel 4\n"));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr("warning"));
  EXPECT_THAT(problems[0], HasSubstr("blevel"));
  EXPECT_THAT(configure(config("a", "set zlevel 4\n")), Contains(HasSubstr("error")));
}

TEST_F(NodeTest, AnUnknownModuleIsAnErrorAtItsPlaceOnTheLine) {
  const auto problems = configure(config("a,nat"));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr("t.conf:2:11: error: there is no module 'nat'"));
}

TEST_F(NodeTest, AConstraintRefusesTheLineAndNeverReordersIt) {
  test::behaviour('a').before = "b";
  const auto problems = configure(config("b,a"));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr("module 'a' must stand before 'b' on the modules line: the test says so"));
  EXPECT_THAT(configure(config("a,b")), IsEmpty());
}

TEST_F(NodeTest, ModulesThatThrowAreErrorsOfTheConfiguration) {
  test::behaviour('a').throw_in_create = true;
  EXPECT_THAT(configure(config("a")), Contains(HasSubstr("module 'a' failed while it was created: cannot live")));
  test::behaviour('a') = {};
  test::behaviour('a').throw_in_check = true;
  EXPECT_THAT(configure(config("a")),
              Contains(HasSubstr("module 'a' failed while it checked the configuration: cannot check")));
}

TEST_F(NodeTest, AModuleThatThrowsAtRunTimeIsTakenOffTheChain) {
  test::behaviour('a').timer = std::chrono::seconds{1};
  test::behaviour('a').throw_on_time = true;
  configure(config("a,b"));
  now_ += std::chrono::seconds{1};
  node_->step(now_);
  EXPECT_THAT(log_, Contains(HasSubstr("module 'a' failed in on_time(): out of time")));
  EXPECT_FALSE(node_->fatal().has_value());
  inject();
  EXPECT_EQ(node_->metrics().counter("a", "seen"), 0U);
  EXPECT_EQ(node_->metrics().counter("b", "seen"), 1U);
  EXPECT_THAT(command({"show", "a"}).error, HasSubstr("has failed"));
}

TEST_F(NodeTest, AnEssentialModuleThatFailsEndsTheNode) {
  test::behaviour('c').timer = std::chrono::seconds{1};
  test::behaviour('c').throw_on_time = true;
  configure(config("c"));
  now_ += std::chrono::seconds{1};
  node_->step(now_);
  ASSERT_TRUE(node_->fatal().has_value());
  EXPECT_THAT(*node_->fatal(), HasSubstr("module 'c' failed in on_time(): out of time"));
}

TEST_F(NodeTest, AModuleThatFailsInApplyIsTakenOffTheChainAndAnEssentialOneEndsTheNode) {
  test::behaviour('a').throw_in_apply = true;
  EXPECT_THAT(configure(config("a,b")), IsEmpty());
  EXPECT_THAT(log_, Contains(HasSubstr("module 'a' failed in apply(): cannot apply")));
  EXPECT_FALSE(node_->fatal().has_value());
  inject();
  EXPECT_EQ(node_->metrics().counter("a", "seen"), 0U);
  EXPECT_EQ(node_->metrics().counter("b", "seen"), 1U);
  test::behaviour('c').throw_in_apply = true;
  configure(config("a,b,c"));
  ASSERT_TRUE(node_->fatal().has_value());
  EXPECT_THAT(*node_->fatal(), HasSubstr("module 'c' failed in apply(): cannot apply"));
}

// Whatever fails half way, outside of any module: neither the old nor the new configuration runs.
TEST_F(NodeTest, AConfigurationThatCanBeAppliedInPartOnlyEndsTheNode) {
  class NoMemory final : public IoBackend {
   public:
    explicit NoMemory(IoBackend& real) : real_(real) {}
    Result<std::unique_ptr<InterfaceIo>> open(const InterfaceSpec& spec, std::size_t workers) override {
      if (spec.number == 2) throw std::bad_alloc();
      return real_.open(spec, workers);
    }
    [[nodiscard]] LinkInfo link(const std::string& name) override { return real_.link(name); }
    void on_link_change(std::function<void(const std::string&)> handler) override {
      real_.on_link_change(std::move(handler));
    }

   private:
    IoBackend& real_;
  };
  io_.add_interface("eth2", {{2, 0, 0, 0, 0, 2}});
  NoMemory io(io_);
  NodeOptions options;
  options.io = &io;
  options.loader = &loader_;
  options.pool = {.small_count = 256, .large_count = 4};
  node_.reset();
  node_ = std::make_unique<Node>(std::move(options));
  EXPECT_THAT(configure(config("a")), IsEmpty());
  EXPECT_THAT(configure(config("b", "interface 2 {\n name eth2\n}\nregister interface 2\nenable interface 2\n")),
              Contains(HasSubstr("the configuration could be applied in part only: std::bad_alloc")));
  EXPECT_THAT(node_->fatal().value_or(""), HasSubstr("in part only"));
  node_->stop(now_);
  node_.reset();
}

TEST_F(NodeTest, TimersRunAtTheirTimeAndPollAtSaysWhen) {
  test::behaviour('a').timer = std::chrono::milliseconds{250};
  configure(config("a"));
  take_story();
  EXPECT_LE(node_->poll_at(), now_ + std::chrono::milliseconds{250});
  now_ += std::chrono::milliseconds{249};
  node_->step(now_);
  EXPECT_THAT(take_story(), IsEmpty());
  now_ += std::chrono::milliseconds{1};
  node_->step(now_);
  EXPECT_THAT(take_story(), ElementsAre("a time 250"));
}

TEST_F(NodeTest, PuntedPacketsReachTheModuleOnTheControlThread) {
  test::behaviour('a').verdict = Verdict::Kind::punt;
  configure(config("a"));
  take_story();
  inject();
  EXPECT_THAT(take_story(), Contains(HasSubstr("a punt")));
}

TEST_F(NodeTest, WithoutAWriterOfTheRoleTheNodeIsMaster) {
  configure(config("a"));
  EXPECT_TRUE(node_->forwarding().is_master());
}

TEST_F(NodeTest, ALinkThatGoesDownIsInTheSnapshotAtOnce) {
  configure(config("a"));
  ASSERT_NE(node_->forwarding().interface(1), nullptr);
  EXPECT_TRUE(node_->forwarding().interface(1)->up);
  io_.set_carrier("eth1", false);
  EXPECT_FALSE(node_->forwarding().interface(1)->up);
  node_->step(now_);
  const LinkState* const link = node_->join_bus("test").last<LinkState>("1");
  ASSERT_NE(link, nullptr);
  EXPECT_FALSE(link->up);
  EXPECT_EQ(link->reason, "no carrier");
  EXPECT_THAT(log_, Contains("core: interface 1 (eth1) up: carrier"));
  EXPECT_THAT(log_, Contains("core: interface 1 (eth1) down: no carrier"));
}

TEST_F(NodeTest, AMissingInterfaceIsAStateAndIsTakenWhenItAppears) {
  std::string text = config("a");
  text.replace(text.find("eth1"), 4, "eth7");
  EXPECT_THAT(configure(text), IsEmpty());
  const LinkState* link = node_->join_bus("test").last<LinkState>("1");
  ASSERT_NE(link, nullptr);
  EXPECT_EQ(link->reason, "no such interface");
  io_.add_interface("eth7", {{2, 0, 0, 0, 0, 7}});
  EXPECT_LE(node_->poll_at(), now_ + InterfaceManager::retry_interval);
  now_ += InterfaceManager::retry_interval;
  node_->step(now_);
  EXPECT_TRUE(io_.is_taken("eth7"));
  EXPECT_TRUE(node_->forwarding().interface(1)->up);
}

TEST_F(NodeTest, AnInterfaceThatChangesItsNameIsGivenBack) {
  configure(config("a"));
  EXPECT_TRUE(io_.is_taken("eth1"));
  io_.add_interface("eth2", {{2, 0, 0, 0, 0, 2}});
  std::string text = config("a");
  text.replace(text.find("eth1"), 4, "eth2");
  EXPECT_THAT(configure(text), IsEmpty());
  EXPECT_TRUE(io_.is_taken("eth2"));
  EXPECT_FALSE(io_.is_taken("eth1"));
}

// A worker still holds what a reload has closed: it is taken again as soon as it is given back, not a second later.
TEST_F(NodeTest, AnInterfaceWhoseAccessChangesIsTakenAgainAtOnce) {
  configure(config("a"));
  std::string text = config("a");
  text.replace(text.find("name eth1"), 9, "name eth1\n access raw");
  EXPECT_THAT(configure(text), IsEmpty());
  EXPECT_TRUE(io_.is_taken("eth1"));
  ASSERT_NE(node_->forwarding().interface(1), nullptr);
  EXPECT_TRUE(node_->forwarding().interface(1)->up);
  inject();
  EXPECT_EQ(node_->metrics().counter("a", "seen"), 1U);
}

TEST_F(NodeTest, TwoInterfacesThatChangePlacesAreTakenAtOnce) {
  io_.add_interface("eth2", {{2, 0, 0, 0, 0, 2}});
  const auto text = [](const std::string& first, const std::string& second) {
    std::string whole = config("a", "interface 2 name " + second + "\nregister interface 2\nenable interface 2\n");
    whole.replace(whole.find("eth1", whole.find("interface 1")), 4, first);
    return whole;
  };
  EXPECT_THAT(configure(text("eth1", "eth2")), IsEmpty());
  EXPECT_TRUE(node_->forwarding().interface(2)->up);
  EXPECT_THAT(configure(text("eth2", "eth1")), IsEmpty());
  EXPECT_EQ(node_->forwarding().interface(1)->name, "eth2");
  EXPECT_TRUE(node_->forwarding().interface(1)->up);
  EXPECT_TRUE(node_->forwarding().interface(2)->up);
}

TEST_F(NodeTest, AnInterfaceThatMovesToAnotherNumberIsTakenAtOnce) {
  configure(config("a"));
  std::string text = config("a");
  for (std::size_t at = text.find("nterface 1"); at != std::string::npos; at = text.find("nterface 1", at))
    text[at + 9] = '7';
  EXPECT_THAT(configure(text), IsEmpty());
  ASSERT_NE(node_->forwarding().interface(7), nullptr);
  EXPECT_TRUE(node_->forwarding().interface(7)->up);
}

TEST_F(NodeTest, CommandsAreFoundByTheirWordsAndUnknownOnesNameNeighbours) {
  configure(config("a"));
  EXPECT_EQ(std::get<std::uint64_t>(command({"show", "a", "x", "y"}).fields.at(1).value), 2U);
  EXPECT_THAT(command({"show", "nonsense"}).error, HasSubstr("show interfaces"));
  EXPECT_THAT(command({"frobnicate"}).error, HasSubstr("'help' lists all"));
  EXPECT_EQ(command({"show", "drops", "now"}).error, "'show drops' takes no arguments, not 'now'");
}

TEST_F(NodeTest, ArgumentsOfACommandThatIsDeclaredWithoutAreRefused) {
  configure(config("a,b"));
  EXPECT_EQ(command({"show", "a", "x"}).error, "");
  EXPECT_EQ(command({"show", "b"}).error, "");
  EXPECT_EQ(command({"show", "b", "7"}).error, "'show b' takes no arguments, not '7'");
}

TEST_F(NodeTest, CommandsAreToldTheTimeAtWhichTheyAreGiven) {
  configure(config("a"));
  now_ += std::chrono::hours{1};
  EXPECT_EQ(std::get<double>(command({"show", "a"}).fields.at(2).value), 3600.0);
}

TEST_F(NodeTest, ACommandThatThrowsIsAnswered) {
  configure(config("a,b"));
  test::behaviour('a').throw_in_command = true;
  EXPECT_THAT(command({"show", "a"}).error, HasSubstr("module 'a' failed"));
  EXPECT_THAT(command({"show", "a"}).error, HasSubstr("has failed"));
  EXPECT_THAT(command({"show", "b"}).error, IsEmpty());
}

// Modules that declare nothing, as many as a node can run.
class PlainModule final : public Module {
 public:
  void declare(Setup&) override {}
};

TEST_F(NodeTest, ANodeWithManyModulesCanReload) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < max_modules; ++i) names.push_back("m" + std::to_string(i));
  std::vector<ModuleDescriptor> descriptors(max_modules);
  std::vector<const ModuleDescriptor*> linked;
  std::string line;
  for (std::size_t i = 0; i < max_modules; ++i) {
    descriptors[i].name = names[i].c_str();
    descriptors[i].version = "1.0";
    descriptors[i].create = []() -> Module* { return new PlainModule; };
    descriptors[i].destroy = [](Module* module) { delete module; };
    linked.push_back(&descriptors[i]);
    line += (i == 0 ? "" : ",") + names[i];
  }
  linked.push_back(&test::module_a);
  ModuleLoader loader(linked, {});
  NodeOptions options;
  options.io = &io_;
  options.loader = &loader;
  options.pool = {.small_count = 256, .large_count = 4};
  node_ = std::make_unique<Node>(std::move(options));
  EXPECT_THAT(configure(config(line)), IsEmpty());
  EXPECT_THAT(configure(config(line)), IsEmpty());
  EXPECT_THAT(configure(config("a," + line)), ElementsAre("t.conf: error: too many modules: a node runs at most 64"));
  node_.reset();
}

TEST_F(NodeTest, CheckFindsTheSameErrorsAndTouchesNothing) {
  EXPECT_TRUE(node_->check(config("a,nat"), "t.conf").has_errors());
  EXPECT_FALSE(node_->check(config("a"), "t.conf").has_errors());
  EXPECT_THAT(test::story(), Not(Contains(HasSubstr("start"))));
  EXPECT_FALSE(io_.is_taken("eth1"));
}

TEST_F(NodeTest, StopReachesEveryModuleOnce) {
  configure(config("a,b"));
  take_story();
  node_->stop(now_);
  node_->stop(now_);
  EXPECT_THAT(take_story(), ElementsAre("a stop", "b stop"));
}

TEST_F(NodeTest, AfterStopNoModuleIsCalledAgain) {
  test::behaviour('a').timer = std::chrono::milliseconds{100};
  test::behaviour('a').verdict = Verdict::Kind::punt;
  configure(config("a,b"));
  LinkState waiting;  // on the bus when the node stops
  waiting.interface = 7;
  node_->join_bus("test").publish(waiting);
  node_->stop(now_);
  take_story();
  EXPECT_EQ(node_->poll_at(), never);
  for (int i = 0; i < 50; ++i) {
    now_ += std::chrono::milliseconds{100};
    inject();
  }
  io_.set_carrier("eth1", false);
  node_->step(now_);
  EXPECT_THAT(take_story(), IsEmpty());
}

TEST_F(NodeTest, AfterStopTasksOfTheWorkersStillFinish) {
  configure(config("a"));
  node_->stop(now_);
  bool done = false;
  node_->worker(0).run_task([] {}, [&done] { done = true; });
  node_->step(now_);
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace trivet::core
