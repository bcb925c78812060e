#include "core/log/log_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

namespace trivet::core {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class LogSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    LogOptions options;
    options.file = file_;
    options.burst = 3;
    options.clock = [this] { return now_; };
    auto opened = LogSink::open(options);
    ASSERT_TRUE(opened.has_value());
    sink_ = std::move(*opened);
  }
  ~LogSinkTest() override {
    sink_.reset();
    std::filesystem::remove(file_);
  }
  void repeat(const std::string& text, int times, LogKind kind = LogKind::message) {
    for (int i = 0; i < times; ++i) sink_->write(LogLevel::warning, kind, "core", text);
  }
  // Lines written since the last call, without their time.
  std::vector<std::string> take_lines() {
    std::vector<std::string> lines;
    std::ifstream stream(file_);
    std::string line;
    for (std::size_t number = 0; std::getline(stream, line); ++number) {
      if (number >= taken_) lines.push_back(line.substr(line.find(' ') + 1));
    }
    taken_ += lines.size();
    return lines;
  }

  std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("trivet-log-test-" + std::to_string(::getpid()) + ".log");
  std::chrono::steady_clock::time_point now_{};
  std::unique_ptr<LogSink> sink_;
  std::size_t taken_ = 0;
};

TEST_F(LogSinkTest, OfEqualMessagesTheFirstAreWrittenAndTheRestIsCounted) {
  repeat("table full", 10);
  EXPECT_THAT(take_lines(),
              ElementsAre("warning core   table full", "warning core   table full", "warning core   table full"));
  now_ += LogSink::window - seconds{1};
  sink_->summarize();
  EXPECT_THAT(take_lines(), IsEmpty());
  now_ += seconds{1};
  sink_->summarize();
  EXPECT_THAT(take_lines(), ElementsAre("warning core   (left out 7 times: table full)"));
  sink_->summarize();
  EXPECT_THAT(take_lines(), IsEmpty()) << "told once";
}

TEST_F(LogSinkTest, AnyLaterLineBringsTheCountEvenIfTheTextNeverReturns) {
  repeat("table full", 5);
  static_cast<void>(take_lines());
  now_ += LogSink::window;
  sink_->write(LogLevel::info, "vrrp", "something else");
  EXPECT_THAT(take_lines(),
              ElementsAre("warning core   (left out 2 times: table full)", "info    vrrp   something else"));
}

TEST_F(LogSinkTest, ANewMinuteBeginsWithLinesAgain) {
  repeat("table full", 4);
  now_ += LogSink::window;
  static_cast<void>(take_lines());
  repeat("table full", 4);
  EXPECT_EQ(take_lines().size(), 1U + 3U);
}

TEST_F(LogSinkTest, ChangesAreNeverLeftOut) {
  for (int i = 0; i < 50; ++i) {
    repeat("interface 1 (eth1) down: no carrier", 1, LogKind::change);
    repeat("interface 1 (eth1) up", 1, LogKind::change);
  }
  EXPECT_EQ(take_lines().size(), 100U);
}

TEST_F(LogSinkTest, ManyTextsAreBoundedAndNoCountIsForgotten) {
  repeat("table full", 5);
  for (std::size_t i = 0; i < LogSink::remembered_texts; ++i) repeat("text " + std::to_string(i), 1);
  EXPECT_THAT(take_lines(), Contains("warning core   (left out 2 times: table full)"));
}

TEST_F(LogSinkTest, TheEndOfTheLogTellsWhatIsStillCounted) {
  repeat("table full", 5);
  static_cast<void>(take_lines());
  sink_.reset();
  EXPECT_THAT(take_lines(), ElementsAre("warning core   (left out 2 times: table full)"));
}

TEST_F(LogSinkTest, LinesBelowTheLevelAreNotWritten) {
  sink_->write(LogLevel::debug, LogKind::change, "core", "quiet");
  EXPECT_THAT(take_lines(), Not(Contains("debug   core   quiet")));
}

TEST_F(LogSinkTest, AFileThatWasMovedAwayIsMadeAnewWhenAsked) {
  const std::filesystem::path moved = file_.string() + ".1";
  repeat("before", 1);
  std::filesystem::rename(file_, moved);
  repeat("between", 1);
  ASSERT_TRUE(sink_->reopen().has_value());
  repeat("after", 1);
  EXPECT_THAT(take_lines(), ElementsAre("warning core   after"));
  std::ifstream old(moved);
  const std::string text{std::istreambuf_iterator<char>(old), {}};
  EXPECT_NE(text.find("before"), std::string::npos);
  EXPECT_NE(text.find("between"), std::string::npos);
  EXPECT_EQ(text.find("after"), std::string::npos);
  std::filesystem::remove(moved);
}

TEST_F(LogSinkTest, AFileThatCannotBeMadeAnewLeavesTheOldOneInUse) {
  const std::filesystem::path moved = file_.string() + ".1";
  std::filesystem::rename(file_, moved);
  std::filesystem::create_directory(file_);
  const auto reopened = sink_->reopen();
  ASSERT_FALSE(reopened.has_value());
  EXPECT_EQ(reopened.error().text.find("the log cannot be opened again: "), 0U);
  repeat("still", 1);
  std::filesystem::remove(file_);
  std::filesystem::rename(moved, file_);
  EXPECT_THAT(take_lines(), ElementsAre("warning core   still"));
}

TEST(LogSink, AFileThatCannotBeMadeIsAnError) {
  LogOptions options;
  options.file = "/proc/self/no/such/file.log";
  const auto opened = LogSink::open(options);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().text.find("the log cannot be opened: "), 0U);
}

}  // namespace
}  // namespace trivet::core
