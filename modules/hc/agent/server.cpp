#include "hc/agent/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hc/agent/responder.h"
#include "hc/agent/script.h"
#include "trivet/result.h"

namespace trivet::hc::agent {
namespace {

constexpr int burst = 64;  // datagrams between two looks at the script and at signals
constexpr double load_scale = 100;

// Written by the signal handler, the only way into the loop from there.
int signal_pipe = -1;

void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  static_cast<void>(!write(signal_pipe, &byte, 1));
  errno = saved;
}

Time monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Time(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) {
      close(number_);
    }
  }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

// For people: standard error, or syslog once there is none.
void complain(const Options& options, const std::string& text) {
  if (options.in_background) {
    syslog(LOG_WARNING, "%s", text.c_str());
  } else {
    std::fprintf(stderr, "bngagent: %s\n", text.c_str());
  }
}

std::string system_error(const std::string& what) { return what + ": " + std::strerror(errno); }

Result<Descriptor> open_socket(const Options& options) {
  const int family = options.use_ipv6 ? AF_INET6 : AF_INET;
  Descriptor socket(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const std::string name = options.use_ipv6 ? "IPv6" : "IPv4";
  if (socket.get() < 0) {
    return fail(system_error("no UDP socket over " + name));
  }
  const int on = 1;
  sockaddr_storage address{};
  socklen_t length = 0;
  int result = 0;
  if (options.use_ipv6) {
    result |= setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    result |= setsockopt(socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
    auto* any = reinterpret_cast<sockaddr_in6*>(&address);
    any->sin6_family = AF_INET6;
    any->sin6_port = htons(options.port);
    length = sizeof(sockaddr_in6);
  } else {
    result |= setsockopt(socket.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    auto* any = reinterpret_cast<sockaddr_in*>(&address);
    any->sin_family = AF_INET;
    any->sin_port = htons(options.port);
    length = sizeof(sockaddr_in);
  }
  if (result != 0) {
    return fail(system_error("cannot set up the socket"));
  }
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    const bool is_used = errno == EADDRINUSE;
    std::string text = system_error("cannot listen on UDP port " + std::to_string(options.port) + " over " + name);
    return fail(is_used ? text + "; is another bngagent running?" : text);
  }
  return socket;
}

std::uint16_t local_port(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return 0;
  }
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

// The address that a request was sent to (RFC 3542 section 6; ip(7)).
void read_local_address(msghdr& message, Peer& peer) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(header), sizeof(info));
      std::memcpy(peer.local.data(), &info.ipi6_addr, 16);
      peer.interface = IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr) ? info.ipi6_ifindex : 0;
      peer.has_local = true;
    } else if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(header), sizeof(info));
      std::memcpy(peer.local.data(), &info.ipi_spec_dst, 4);
      peer.has_local = true;
    }
  }
}

template <class Info>
void add_control(msghdr& message, std::span<unsigned char> control, int level, int type, const Info& info) {
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(sizeof(Info));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof(Info));
  std::memcpy(CMSG_DATA(header), &info, sizeof(Info));
}

// Best effort: who gets no answer asks again.
void send_reply(int socket, const Reply& reply) {
  alignas(cmsghdr) std::array<unsigned char, 128> control{};
  iovec data{const_cast<std::uint8_t*>(reply.bytes.data()), reply.bytes.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_storage*>(&reply.to.remote);
  message.msg_namelen = reply.to.remote_length;
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (reply.to.has_local && reply.to.remote.ss_family == AF_INET6) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, reply.to.local.data(), 16);
    info.ipi6_ifindex = reply.to.interface;
    add_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  } else if (reply.to.has_local) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, reply.to.local.data(), 4);
    add_control(message, control, IPPROTO_IP, IP_PKTINFO, info);
  }
  static_cast<void>(sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
}

std::optional<std::int64_t> load_value() {
  double load = 0;
  if (getloadavg(&load, 1) != 1) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(std::llround(load * load_scale));
}

class Server {
 public:
  Server(const Options& options, Descriptor socket, Descriptor signals)
      : options_(options), socket_(std::move(socket)), signals_(std::move(signals)) {
    if (!options.script.empty()) {
      script_.emplace(options.script, options.script_timeout);
    }
  }

  int run();

 private:
  void greet() const;
  [[nodiscard]] bool detach() const;
  void wait();
  [[nodiscard]] int wait_milliseconds(Time now) const;
  void read_signals();
  void fetch_value(Time now);
  void take_outcome(const Script::Outcome& outcome, Time now);
  void receive(Time now);
  void send_all();

  const Options& options_;
  Descriptor socket_;
  Descriptor signals_;
  std::optional<Script> script_;
  Responder responder_;
  std::vector<Reply> replies_;
  std::string script_problem_;
  int end_signal_ = 0;
};

int Server::wait_milliseconds(Time now) const {
  Time next = script_ ? script_->deadline() : never;
  if (script_ && !script_->is_busy()) {
    next = std::min(next, responder_.value_wanted_at());
  }
  if (next == never) {
    return -1;
  }
  // Rounded up: waking too early would turn the last millisecond into a busy loop.
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, Duration::zero()));
  return static_cast<int>(std::min<std::int64_t>(left.count(), 60000));
}

void Server::wait() {
  std::array<pollfd, 3> waits{{{socket_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {-1, POLLIN, 0}}};
  waits[2].fd = script_ ? script_->descriptor() : -1;
  static_cast<void>(poll(waits.data(), waits.size(), wait_milliseconds(monotonic_now())));
}

void Server::read_signals() {
  unsigned char number = 0;
  while (read(signals_.get(), &number, 1) == 1) {
    if (number != SIGCHLD) {
      end_signal_ = number;
    }
  }
}

void Server::take_outcome(const Script::Outcome& outcome, Time now) {
  const std::string problem = outcome ? std::string() : outcome.error();
  if (problem != script_problem_) {
    complain(options_, options_.script + ' ' +
                           (problem.empty() ? "gives values again" : problem + "; answering without a value"));
    script_problem_ = problem;
  }
  responder_.on_value(outcome ? std::optional<std::int64_t>(*outcome) : std::nullopt, now, replies_);
}

void Server::fetch_value(Time now) {
  if (!script_) {
    if (responder_.value_wanted_at() <= now) {
      responder_.value_started(now);
      responder_.on_value(load_value(), now, replies_);
    }
    return;
  }
  if (const auto outcome = script_->poll(now)) {
    take_outcome(*outcome, now);
  }
  if (!script_->is_busy() && responder_.value_wanted_at() <= now) {
    responder_.value_started(now);
    if (const auto outcome = script_->start(now)) {
      take_outcome(*outcome, now);
    }
  }
}

void Server::receive(Time now) {
  for (int i = 0; i < burst; ++i) {
    std::array<std::uint8_t, agent_wire::message_size + 1> bytes{};  // one more shows what is too long
    alignas(cmsghdr) std::array<unsigned char, 128> control{};
    iovec data{bytes.data(), bytes.size()};
    Peer peer;
    msghdr message{};
    message.msg_name = &peer.remote;
    message.msg_namelen = sizeof(peer.remote);
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = recvmsg(socket_.get(), &message, MSG_DONTWAIT);
    if (size < 0) {
      return;
    }
    peer.remote_length = message.msg_namelen;
    read_local_address(message, peer);
    responder_.on_datagram(peer, std::span(bytes).first(static_cast<std::size_t>(size)), now, replies_);
  }
}

void Server::send_all() {
  for (const Reply& reply : replies_) {
    send_reply(socket_.get(), reply);
  }
  replies_.clear();
}

void Server::greet() const {
  std::printf("bngagent: listening on UDP port %u over %s, value: %s\n",
              static_cast<unsigned>(local_port(socket_.get())), options_.use_ipv6 ? "IPv6" : "IPv4",
              options_.script.empty() ? "load average x 100" : options_.script.c_str());
  std::fflush(stdout);
}

// After this only the new process goes on. It has no terminal, no folder and no way back to one: setsid() makes it the
// leader of a session, the second fork takes that away again.
bool Server::detach() const {
  const auto fork_and_leave = [] {
    const pid_t pid = fork();
    if (pid > 0) _exit(0);
    return pid == 0;
  };
  if (!fork_and_leave()) return false;
  setsid();
  if (!fork_and_leave()) return false;
  static_cast<void>(!chdir("/"));
  const int null = open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null, standard);
  if (null > STDERR_FILENO) close(null);
  openlog("bngagent", LOG_PID, LOG_DAEMON);
  return true;
}

int Server::run() {
  greet();
  if (options_.in_background && !detach()) {
    std::fprintf(stderr, "bngagent: %s\n", system_error("cannot go into the background").c_str());
    return 1;
  }
  while (end_signal_ == 0) {
    fetch_value(monotonic_now());  // first: the load that goes out is the load of now
    receive(monotonic_now());
    fetch_value(monotonic_now());
    send_all();
    wait();
    read_signals();
  }
  const Statistics& counts = responder_.statistics();
  std::printf("bngagent: ended by %s; %llu requests answered, %llu invalid ones ignored, %llu over the limit\n",
              end_signal_ == SIGINT ? "SIGINT" : "SIGTERM", static_cast<unsigned long long>(counts.answered),
              static_cast<unsigned long long>(counts.ignored), static_cast<unsigned long long>(counts.limited));
  return 0;
}

Result<Descriptor> catch_signals() {
  std::array<int, 2> ends{-1, -1};
  if (pipe(ends.data()) != 0) {
    return fail(system_error("no pipe"));
  }
  for (const int end : ends) {
    fcntl(end, F_SETFD, FD_CLOEXEC);
    fcntl(end, F_SETFL, O_NONBLOCK);
  }
  signal_pipe = ends[1];
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGTERM, SIGINT, SIGCHLD}) {
    sigaction(number, &action, nullptr);
  }
  return Descriptor(ends[0]);
}

}  // namespace

int serve(const Options& options) {
  auto socket = open_socket(options);
  if (!socket) {
    std::fprintf(stderr, "bngagent: %s\n", socket.error().text.c_str());
    return 1;
  }
  auto signals = catch_signals();
  if (!signals) {
    std::fprintf(stderr, "bngagent: %s\n", signals.error().text.c_str());
    return 1;
  }
  return Server(options, std::move(*socket), std::move(*signals)).run();
}

}  // namespace trivet::hc::agent
