// The daemon's end of the control socket: one command a line in, one report a line out.
//
// A Unix stream socket, readable and writable by its owner only. Connections and lines are bounded, and who exceeds a
// bound is told so; a connection on which nothing has happened for a minute is closed, whoever is waited for. A reply
// that its holder drops is answered with an error. Thread: control (the Asio context that it is given). Wraps Asio.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "trivet/command.h"
#include "trivet/result.h"

namespace boost::asio {
class io_context;
}

namespace trivet::core {

class ControlServer {
 public:
  using Handler = std::function<void(const std::vector<std::string>& words, CommandReply reply)>;

  static constexpr std::size_t max_connections = 32;
  static constexpr std::size_t max_line = 512U << 10U;
  static constexpr std::chrono::milliseconds idle_limit = std::chrono::minutes{1};

  // Replaces a socket file that nobody listens on; refuses one that somebody does, and any other file.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> open(boost::asio::io_context& context,
                                                                   const std::filesystem::path& path, Handler handler,
                                                                   std::chrono::milliseconds idle = idle_limit);
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  ~ControlServer();  // closes all connections and removes the socket file

 private:
  struct Parts;
  explicit ControlServer(std::shared_ptr<Parts> parts);
  std::shared_ptr<Parts> parts_;
};

// The client's end: sends one command and waits for its report. Blocking; gives up after `timeout_seconds`.
[[nodiscard]] Result<Report> call_daemon(const std::filesystem::path& path, const std::vector<std::string>& words,
                                         int timeout_seconds);

}  // namespace trivet::core
