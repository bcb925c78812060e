// How many workers a configuration asks for, and what a reload that asks for others says.
#include "core/app/worker_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/app/node.h"
#include "core/io/memory.h"
#include "test_modules.h"

namespace trivet::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string interface(int number, const std::string& keys) {
  const std::string n = std::to_string(number);
  return "interface " + n + " {\n  name eth" + n + "\n" + keys + "}\nregister interface " + n + "\nenable interface " +
         n + "\n";
}
std::string config(const std::string& first, const std::string& second = "") {
  return "hostname N\nmodules a\n" + interface(1, first) + interface(2, second);
}

TEST(WorkerCount, IsTheMostThatAnInterfaceHas) {
  EXPECT_EQ(configured_workers(config(""), "t.conf"), 1U);
  EXPECT_EQ(configured_workers(config("  threads 3\n", "  threads 2\n"), "t.conf"), 3U);
  EXPECT_EQ(configured_workers(config("", "  threads 64\n"), "t.conf"), 64U);
  EXPECT_EQ(configured_workers("[interface.1]\nname = \"eth1\"\nthreads = 4\n", "t.toml"), 4U);
}

TEST(WorkerCount, OfATextWithErrorsIsAnyNumberThatANodeCanHave) {
  for (const char* const threads : {"0", "-1", "two", "99999999999999999999", "", "1000", "2,3"}) {
    const std::size_t count = configured_workers(config(std::string("  threads ") + threads + "\n"), "t.conf");
    EXPECT_GE(count, 1U) << threads;
    EXPECT_LE(count, 64U) << threads;
  }
  EXPECT_EQ(configured_workers("interface 1 {", "t.conf"), 1U);
}

class WorkersOfNode : public ::testing::Test {
 protected:
  WorkersOfNode() : loader_({&test::module_a, &test::module_b}) {
    test::story().clear();
    for (const char name : {'a', 'b', 'c'}) test::behaviour(name) = {};
    io_.add_interface("eth1", {{2, 0, 0, 0, 0, 1}});
    io_.add_interface("eth2", {{2, 0, 0, 0, 0, 2}});
  }
  void make(std::size_t workers, WorkerMode mode) {
    NodeOptions options;
    options.io = &io_;
    options.loader = &loader_;
    options.workers = workers;
    options.worker_mode = mode;
    options.pool = {.small_count = 256, .large_count = 4};
    node_ = std::make_unique<Node>(std::move(options));
  }
  std::vector<std::string> configure(const std::string& text) {
    std::vector<std::string> list;
    const Problems problems = node_->configure(text, "t.conf", now_);
    for (const Problem& problem : problems.list()) list.push_back(to_string(problem));
    node_->step(now_);
    return list;
  }
  // Time passes, with a step whenever the node wants one, and `run` before each.
  void pass(Duration duration, const std::function<void()>& run) {
    for (const Time end = now_ + duration; now_ < end; now_ = std::min(end, node_->poll_at())) {
      run();
      node_->step(now_);
    }
  }

  MemoryBackend io_;
  ModuleLoader loader_;
  std::unique_ptr<Node> node_;
  Time now_{};
};

TEST_F(WorkersOfNode, AnotherNumberNeedsARestartAndAReloadSaysSo) {
  make(2, WorkerMode::inline_in_step);
  EXPECT_THAT(configure(config("  threads 2\n")), IsEmpty());
  EXPECT_EQ(node_->worker_count(), 2U);
  EXPECT_THAT(configure(config("  threads 2\n", "  threads 2\n")), IsEmpty()) << "still two: how they serve is live";
  EXPECT_THAT(configure(config("  threads 2\n", "  threads 4\n")),
              ElementsAre("t.conf:11:3: warning: threads: the number of workers changes from 2 to 4 when the node is "
                          "started again, not by a reload"));
  EXPECT_EQ(node_->worker_count(), 2U);
  EXPECT_THAT(configure(config("")), testing::SizeIs(1));
  EXPECT_THAT(configure(config("", "  threads 2\n")), IsEmpty());
}

TEST_F(WorkersOfNode, AStuckWorkerEndsTheNode) {
  make(2, WorkerMode::own_threads);
  EXPECT_THAT(configure(config("  threads 2\n")), IsEmpty());
  pass(std::chrono::minutes{1}, [&] {
    for (std::size_t i = 0; i < 2; ++i) node_->worker(i).run_once(now_);
  });
  EXPECT_EQ(node_->fatal(), std::nullopt);
  pass(std::chrono::seconds{1}, [&] { node_->worker(0).run_once(now_); });
  EXPECT_EQ(node_->fatal(), std::nullopt);
  pass(std::chrono::seconds{2}, [&] { node_->worker(0).run_once(now_); });
  EXPECT_EQ(node_->fatal(), "worker 1 is stuck: it has finished no run for more than a second");
}

TEST_F(WorkersOfNode, WorkersThatSleepAreWokenForEachLook) {
  make(2, WorkerMode::own_threads);
  std::array<bool, 2> woken{};
  for (std::size_t i = 0; i < 2; ++i) node_->worker(i).set_wake_worker([&woken, i] { woken[i] = true; });
  configure(config("  threads 2\n"));
  pass(std::chrono::minutes{1}, [&] {
    for (std::size_t i = 0; i < 2; ++i) {
      if (std::exchange(woken[i], false)) node_->worker(i).run_once(now_);
    }
  });
  EXPECT_EQ(node_->fatal(), std::nullopt);
}

}  // namespace
}  // namespace trivet::core
