#include "core/cli/control_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <fstream>
#include <optional>
#include <thread>

#include "core/app/daemon.h"
#include "core/cli/report_json.h"

namespace trivet::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// A client that says what it likes, on the same thread as the server.
class RawClient {
 public:
  RawClient(boost::asio::io_context& context, const std::filesystem::path& path)
      : context_(context), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    is_connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(fd_); }

  [[nodiscard]] bool is_connected() const { return is_connected_; }
  // Sends what the server takes; lets it run when it must read first.
  void send(std::string_view bytes) {
    const auto limit = std::chrono::steady_clock::now() + seconds{10};
    while (!bytes.empty() && std::chrono::steady_clock::now() < limit) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) return;
      context_.poll();
    }
  }
  // One line, or none when the server has closed the connection (or says nothing for ten seconds).
  std::optional<std::string> line() {
    const auto limit = std::chrono::steady_clock::now() + seconds{10};
    while (std::chrono::steady_clock::now() < limit) {
      if (const std::size_t end = received_.find('\n'); end != std::string::npos) {
        std::string text = received_.substr(0, end);
        received_.erase(0, end + 1);
        return text;
      }
      context_.run_for(milliseconds{1});
      char bytes[4096];
      const ssize_t got = ::recv(fd_, static_cast<void*>(bytes), sizeof(bytes), MSG_DONTWAIT);
      if (got > 0) received_.append(static_cast<const char*>(bytes), static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EAGAIN)) {
        is_closed_ = true;
        return std::nullopt;
      }
    }
    return std::nullopt;
  }
  Report report() {
    const auto text = line();
    const auto decoded = decode_report(text.value_or(""));
    return decoded ? *decoded : error_report("no report: " + text.value_or("(closed)"));
  }
  // True when the server closes the connection and says nothing more.
  bool is_closed() { return !line() && is_closed_; }

 private:
  boost::asio::io_context& context_;
  int fd_;
  bool is_connected_ = false;
  bool is_closed_ = false;
  std::string received_;
};

class ControlServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "trivet-control-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = control_socket_path(folder_, 0);
  }
  ~ControlServerTest() override {
    kept_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  // Answers with the words; keeps the reply of "wait", drops that of "drop".
  Result<std::unique_ptr<ControlServer>> open(const std::filesystem::path& path,
                                              milliseconds idle = ControlServer::idle_limit) {
    return ControlServer::open(
        context_, path,
        [this](const std::vector<std::string>& words, CommandReply reply) {
          if (words.front() == "drop") return;
          if (words.front() == "wait") {
            kept_.push_back(std::move(reply));
            return;
          }
          Report report;
          for (const std::string& word : words) report.notes.push_back(word);
          reply(std::move(report));
        },
        idle);
  }
  std::unique_ptr<ControlServer> serve(milliseconds idle = ControlServer::idle_limit) {
    auto server = open(path_, idle);
    if (!server) ADD_FAILURE() << server.error().text;
    return server ? std::move(*server) : nullptr;
  }

  std::vector<std::unique_ptr<RawClient>> take_all_connections() {
    std::vector<std::unique_ptr<RawClient>> clients;
    for (std::size_t i = 0; i < ControlServer::max_connections; ++i) {
      clients.push_back(std::make_unique<RawClient>(context_, path_));
      clients.back()->send(encode_command({"hello"}) + "\n");
      EXPECT_EQ(clients.back()->report().error, "") << i;
    }
    return clients;
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
  boost::asio::io_context context_;
  std::vector<CommandReply> kept_;
};

TEST_F(ControlServerTest, AnswersCommandAfterCommandOnOneConnection) {
  const auto server = serve();
  RawClient client(context_, path_);
  for (const char* word : {"one", "two", "three"}) {
    client.send(encode_command({word, "x y"}) + "\n");
    EXPECT_EQ(client.report().notes, (std::vector<std::string>{word, "x y"}));
  }
}

TEST_F(ControlServerTest, TwoCommandsAtOnceAreAnsweredInTheirOrder) {
  const auto server = serve();
  RawClient client(context_, path_);
  client.send(encode_command({"one"}) + "\n" + encode_command({"two"}) + "\n");
  EXPECT_EQ(client.report().notes.at(0), "one");
  EXPECT_EQ(client.report().notes.at(0), "two");
}

TEST_F(ControlServerTest, GarbageIsAnErrorAndTheConnectionLives) {
  const auto server = serve();
  RawClient client(context_, path_);
  for (const char* garbage : {"\n", "show vrrp\n", "{}\n", "[]\n", "[1]\n", "\xff\xfe\x01\n", "[[[[[[[[\n"}) {
    client.send(garbage);
    EXPECT_THAT(client.report().error, HasSubstr("command")) << garbage;
  }
  client.send(encode_command({"still", "there"}) + "\n");
  EXPECT_EQ(client.report().error, "");
}

TEST_F(ControlServerTest, AnOverlongLineIsRefusedAndTheConnectionClosed) {
  const auto server = serve();
  RawClient client(context_, path_);
  client.send(std::string(ControlServer::max_line + 1000, 'x'));
  EXPECT_EQ(client.report().error, "a command line has at most 512 KiB");
  EXPECT_TRUE(client.is_closed());
  RawClient next(context_, path_);
  next.send(encode_command({"next"}) + "\n");
  EXPECT_EQ(next.report().error, "");
}

TEST_F(ControlServerTest, ConnectionsAreBoundedAndOneThatEndsMakesRoom) {
  const auto server = serve();
  auto clients = take_all_connections();
  RawClient refused(context_, path_);
  EXPECT_EQ(refused.report().error, "the daemon has 32 connections already");
  EXPECT_TRUE(refused.is_closed());
  clients.pop_back();
  context_.poll();
  RawClient taken(context_, path_);
  taken.send(encode_command({"hello"}) + "\n");
  EXPECT_EQ(taken.report().error, "");
}

TEST_F(ControlServerTest, ASilentClientIsClosed) {
  const auto server = serve(milliseconds{20});
  RawClient client(context_, path_);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ControlServerTest, AClientWhoseAnswerNeverComesIsClosedToo) {
  const auto server = serve(milliseconds{20});
  RawClient client(context_, path_);
  client.send(encode_command({"wait"}) + "\n");
  EXPECT_TRUE(client.is_closed());
  ASSERT_EQ(kept_.size(), 1U);
  kept_.front()(Report{});  // too late, and no harm
}

TEST_F(ControlServerTest, AReplyMayComeLaterAndOnceOnly) {
  const auto server = serve();
  RawClient client(context_, path_);
  client.send(encode_command({"wait"}) + "\n");
  while (kept_.empty()) ASSERT_NE(context_.run_one_for(seconds{10}), 0U);
  kept_.front()(error_report("first"));
  kept_.front()(error_report("second"));
  EXPECT_EQ(client.report().error, "first");
  client.send(encode_command({"next"}) + "\n");
  EXPECT_EQ(client.report().notes.at(0), "next");
}

TEST_F(ControlServerTest, ADroppedReplyIsAnsweredWithAnError) {
  const auto server = serve();
  RawClient client(context_, path_);
  client.send(encode_command({"drop"}) + "\n");
  EXPECT_THAT(client.report().error, HasSubstr("has ended without an answer"));
}

TEST_F(ControlServerTest, ASocketThatNobodyListensOnIsReplaced) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.native().copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ::close(fd);
  ASSERT_TRUE(std::filesystem::exists(path_));
  const auto server = serve();
  ASSERT_NE(server, nullptr);
  RawClient client(context_, path_);
  EXPECT_TRUE(client.is_connected());
}

TEST_F(ControlServerTest, ASecondDaemonIsRefusedAndTheFirstGoesOn) {
  const auto server = serve();
  const auto second = open(path_);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().text, HasSubstr("another daemon of this instance runs"));
  RawClient client(context_, path_);
  client.send(encode_command({"hello"}) + "\n");
  EXPECT_EQ(client.report().error, "");
}

TEST_F(ControlServerTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  const auto server = open(path_);
  ASSERT_FALSE(server.has_value());
  EXPECT_THAT(server.error().text, HasSubstr("no socket"));
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(ControlServerTest, TwoInstancesShareARunDirectory) {
  const auto first = serve();
  const auto other_path = control_socket_path(folder_, 3);
  auto second = open(other_path);
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(path_, other_path);
  EXPECT_NE(pid_file_path(folder_, 0), pid_file_path(folder_, 3));
  second->reset();
  EXPECT_FALSE(std::filesystem::exists(other_path));
  EXPECT_TRUE(std::filesystem::exists(path_)) << "the end of one is not the end of the other";
}

TEST_F(ControlServerTest, OnlyTheOwnerMayConnectAndTheEndRemovesTheSocket) {
  auto server = serve();
  struct stat state {};
  ASSERT_EQ(::stat(path_.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777U, 0700U);
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlServerTest, TheClientSaysWhereItHasLookedForADaemon) {
  const auto report = call_daemon(path_, {"help"}, 1);
  ASSERT_FALSE(report.has_value());
  EXPECT_THAT(report.error().text, HasSubstr("no daemon answers at " + path_.string()));
}

// A command larger than what the socket holds cannot be written before the daemon closes: the write fails, and the
// reason is there to be read all the same.
TEST_F(ControlServerTest, TheClientTellsWhyTheDaemonRefusesItEvenWhenItsCommandCouldNotBeSent) {
  const auto server = serve();
  const auto clients = take_all_connections();
  const auto running = boost::asio::make_work_guard(context_);
  std::jthread daemon([this] { context_.run(); });
  const auto report = call_daemon(path_, {std::string(ControlServer::max_line - 100, 'x')}, 10);
  context_.stop();
  daemon.join();
  ASSERT_TRUE(report.has_value()) << report.error().text;
  EXPECT_EQ(report->error, "the daemon has 32 connections already");
}

}  // namespace
}  // namespace trivet::core
