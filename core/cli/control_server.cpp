#include "core/cli/control_server.h"

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <istream>
#include <optional>
#include <set>
#include <utility>

#include "core/cli/report_json.h"

namespace trivet::core {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;

namespace {
// Without descriptors for a new connection the next try waits; the connection does, too.
constexpr auto accept_pause = std::chrono::seconds{1};
}  // namespace

struct ControlServer::Parts : std::enable_shared_from_this<Parts> {
  class Once;
  struct Connection : std::enable_shared_from_this<Connection> {
    Connection(Protocol::socket accepted, const std::shared_ptr<Parts>& server)
        : socket(std::move(accepted)), idle(socket.get_executor()), buffer(ControlServer::max_line), parts(server) {}

    void read() {
      const auto server = parts.lock();
      if (!server) return;
      idle.expires_after(server->idle);
      idle.async_wait([self = weak_from_this()](const boost::system::error_code& error) {
        if (const auto connection = self.lock(); !error && connection) connection->close();
      });
      asio::async_read_until(socket, buffer, '\n',
                             [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                               if (error == asio::error::not_found) {
                                 self->refuse("a command line has at most 512 KiB");
                               } else if (error) {
                                 self->close();
                               } else {
                                 self->answer();
                               }
                             });
    }
    void answer() {
      std::istream stream(&buffer);
      std::string line;
      std::getline(stream, line);
      const auto words = decode_command(line);
      const auto server = parts.lock();
      if (!words || !server) {
        write(error_report(words ? "the daemon is stopping" : words.error().text));
        return;
      }
      server->handler(*words, [once = std::make_unique<Once>(weak_from_this())](const Report& report) mutable {
        if (once != nullptr) once->write(report);
        once.reset();
      });
    }
    // The last words of a connection.
    void refuse(const std::string& why) {
      is_last = true;
      write(error_report(why));
    }
    void write(const Report& report) {
      output = encode_report(report) + '\n';
      asio::async_write(socket, asio::buffer(output),
                        [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                          if (error || self->is_last) {
                            self->close();
                          } else {
                            self->read();
                          }
                        });
    }
    void close() {
      boost::system::error_code ignored;
      idle.cancel();
      static_cast<void>(socket.close(ignored));
      if (const auto server = parts.lock()) server->connections.erase(shared_from_this());
    }

    Protocol::socket socket;
    asio::steady_timer idle;
    asio::streambuf buffer;
    std::string output;
    bool is_last = false;  // closed when `output` has been written
    std::weak_ptr<Parts> parts;
  };

  // The one answer to a command; without one, say so when everybody has dropped the reply.
  class Once {
   public:
    explicit Once(std::weak_ptr<Connection> asked) : connection_(std::move(asked)) {}
    Once(const Once&) = delete;
    Once& operator=(const Once&) = delete;
    ~Once() { write(error_report("the command has ended without an answer: see the log")); }
    void write(const Report& report) {
      if (const auto connection = std::exchange(connection_, {}).lock()) connection->write(report);
    }

   private:
    std::weak_ptr<Connection> connection_;
  };

  Parts(asio::io_context& context, std::filesystem::path file, Handler given, std::chrono::milliseconds idle_time)
      : acceptor(context), pause(context), path(std::move(file)), handler(std::move(given)), idle(idle_time) {}

  void accept() {
    acceptor.async_accept([self = weak_from_this()](const boost::system::error_code& error, Protocol::socket socket) {
      const auto parts = self.lock();
      if (!parts || error == asio::error::operation_aborted) return;
      if (error) {
        parts->accept_later();
        return;
      }
      const auto connection = std::make_shared<Connection>(std::move(socket), parts);
      if (parts->connections.size() < max_connections) {
        parts->connections.insert(connection);
        connection->read();
      } else {
        connection->refuse("the daemon has " + std::to_string(max_connections) + " connections already");
      }
      parts->accept();
    });
  }
  void accept_later() {
    pause.expires_after(accept_pause);
    pause.async_wait([self = weak_from_this()](const boost::system::error_code& error) {
      if (const auto parts = self.lock(); parts && !error) parts->accept();
    });
  }

  Protocol::acceptor acceptor;
  asio::steady_timer pause;
  std::filesystem::path path;
  Handler handler;
  std::chrono::milliseconds idle;
  std::set<std::shared_ptr<Connection>> connections;
};

Result<std::unique_ptr<ControlServer>> ControlServer::open(asio::io_context& context, const std::filesystem::path& path,
                                                           Handler handler, std::chrono::milliseconds idle) {
  auto parts = std::make_shared<Parts>(context, path, std::move(handler), idle);
  try {
    const auto status = std::filesystem::symlink_status(path);
    if (std::filesystem::exists(status) && !std::filesystem::is_socket(status))
      return fail(path.string() + " is there and no socket: remove it, or use another --run-dir");
    const Protocol::endpoint endpoint(path.string());
    Protocol::socket probe(context);
    boost::system::error_code error;
    static_cast<void>(probe.connect(endpoint, error));
    if (!error)
      return fail(path.string() + " is in use: another daemon of this instance runs (use --instance or --run-dir)");
    std::filesystem::remove(path);
    parts->acceptor.open(endpoint.protocol());
    const ::mode_t before = ::umask(0077);
    static_cast<void>(parts->acceptor.bind(endpoint, error));
    ::umask(before);
    if (error) return fail(path.string() + ": cannot be made: " + error.message());
    parts->acceptor.listen();
  } catch (const std::exception& error) {
    return fail(path.string() + ": cannot be made: " + error.what());
  }
  parts->accept();
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(parts)));
}

ControlServer::ControlServer(std::shared_ptr<Parts> parts) : parts_(std::move(parts)) {}

ControlServer::~ControlServer() {
  boost::system::error_code ignored;
  static_cast<void>(parts_->acceptor.close(ignored));
  parts_->pause.cancel();
  const auto connections = parts_->connections;
  for (const auto& connection : connections) connection->close();
  std::error_code error;
  std::filesystem::remove(parts_->path, error);
}

Result<Report> call_daemon(const std::filesystem::path& path, const std::vector<std::string>& words,
                           int timeout_seconds) {
  try {
    asio::io_context context;
    Protocol::socket socket(context);
    boost::system::error_code error;
    static_cast<void>(socket.connect(Protocol::endpoint(path.string()), error));
    if (error) {
      return fail("no daemon answers at " + path.string() + " (" + error.message() +
                  "): start trivetd, or name its folder with --run-dir and its number with --instance");
    }
    const std::string request = encode_command(words) + '\n';
    std::string answer;
    std::optional<boost::system::error_code> result;
    asio::async_write(socket, asio::buffer(request), [&](const boost::system::error_code&, std::size_t) {
      // After a failed write, too: a daemon that refuses says why before it closes.
      asio::async_read_until(socket, asio::dynamic_buffer(answer), '\n',
                             [&](const boost::system::error_code& code, std::size_t) { result = code; });
    });
    context.run_for(std::chrono::seconds(timeout_seconds));
    if (!result) return fail("the daemon has not answered within " + std::to_string(timeout_seconds) + " s");
    if (*result) return fail("the connection to the daemon broke: " + result->message());
    return decode_report(answer);
  } catch (const std::exception& error) {
    return fail(std::string("the daemon cannot be asked: ") + error.what());
  }
}

}  // namespace trivet::core
