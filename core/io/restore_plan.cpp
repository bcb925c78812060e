#include "core/io/restore_plan.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <utility>

namespace trivet::core {

namespace {

constexpr std::size_t longest_path = 256;

void set_header(RawMessage& message, std::uint16_t flags) {
  nlmsghdr header{};
  std::memcpy(&header, message.data(), sizeof header);
  header.nlmsg_flags = flags;
  header.nlmsg_seq = 0;
  header.nlmsg_pid = 0;
  std::memcpy(message.data(), &header, sizeof header);
}

bool append(std::array<char, longest_path>& path, std::size_t& used, const char* text, std::size_t length) {
  if (used + length >= path.size()) return false;
  std::memcpy(path.data() + used, text, length);
  used += length;
  path[used] = '\0';
  return true;
}

// Numbers of interfaces mean something else in every network namespace.
std::uint64_t network_namespace() {
  struct stat status {};
  return ::stat("/proc/thread-self/ns/net", &status) == 0 ? status.st_ino : 0;
}

// The answer is not waited for: the kernel works on a message before send() returns.
void send_all(int fd, const std::vector<RawMessage>& messages) {
  for (const RawMessage& message : messages) {
    static_cast<void>(::send(fd, message.data(), message.size(), MSG_DONTWAIT));
  }
}

// `request` names the interface.
void turn_vlan_offload_on(int socket, ifreq request) {
  ethtool_value flags{};
  flags.cmd = ETHTOOL_GFLAGS;
  request.ifr_data = reinterpret_cast<char*>(&flags);
  if (::ioctl(socket, SIOCETHTOOL, &request) != 0 || (flags.data & ETH_FLAG_RXVLAN) != 0) return;
  flags.cmd = ETHTOOL_SFLAGS;
  flags.data |= ETH_FLAG_RXVLAN;
  static_cast<void>(::ioctl(socket, SIOCETHTOOL, &request));
}

// In the forked process: only system calls from here on. `line` ends when the parent does; `lock` is to be held.
[[noreturn]] void watch(int line, int lock, const RestorePlan& plan) {
  // Nothing else of the parent's may stay open here, least of all what the kernel shall clean up when the parent dies.
  // The lock gets the lower number: a process that ends closes it first, and who sees the line end may lock again.
  constexpr int lock_at = 0;
  constexpr int line_at = 1;
  const int free_line = ::fcntl(line, F_DUPFD, 3);
  const int free_lock = ::fcntl(lock, F_DUPFD, 3);
  ::dup2(free_lock, lock_at);
  ::dup2(free_line, line_at);
  static_cast<void>(::syscall(SYS_close_range, unsigned{line_at} + 1, ~0U, 0U));
  ::setsid();
  ::prctl(PR_SET_NAME, "trivet-restore");
  // Ctrl-C and a service manager's SIGTERM go to the whole group; the parent decides.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) ::signal(number, SIG_IGN);
  char word = 0;
  ssize_t size = 0;
  do {
    size = ::read(line_at, &word, 1);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) plan.execute();
  ::_exit(0);
}

// A name that exists once in a network namespace and dies with its last holder.
Result<FileDescriptor> lock_interface(int interface_index) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "trivet/interface/" + std::to_string(interface_index);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  FileDescriptor lock{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (lock.valid() && ::bind(lock.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0) return lock;
  if (errno == EADDRINUSE) return fail("another process has taken it, or is giving it back");
  return fail(std::string{"cannot lock it: "} + std::strerror(errno));
}

}  // namespace

RestorePlan::RestorePlan(int interface_index) : interface_index_(interface_index), namespace_(network_namespace()) {}

void RestorePlan::restore_flags(std::uint32_t flags, std::uint32_t mask) {
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = RTM_NEWLINK;
  message.header.nlmsg_flags = NLM_F_REQUEST;
  message.link.ifi_index = interface_index_;
  message.link.ifi_flags = flags;
  message.link.ifi_change = mask;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&message);
  flags_.emplace_back(bytes, bytes + sizeof message);
}

void RestorePlan::restore_setting(std::string prefix, std::string suffix, std::string value) {
  settings_.push_back({std::move(prefix), std::move(suffix), std::move(value)});
}

void RestorePlan::restore_address(RawMessage dumped) {
  set_header(dumped, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
  addresses_.push_back(std::move(dumped));
}

void RestorePlan::restore_route(RawMessage dumped) {
  set_header(dumped, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE);
  routes_.push_back(std::move(dumped));
}

void RestorePlan::execute() const noexcept {
  if (namespace_ != network_namespace()) return;
  const FileDescriptor netlink{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)};
  if (!netlink.valid()) return;
  ifreq request{};
  request.ifr_ifindex = interface_index_;
  // Gone, perhaps with another of its name in its place, to which nothing of this applies.
  if (::ioctl(netlink.get(), SIOCGIFNAME, &request) != 0) return;

  send_all(netlink.get(), flags_);
  for (const Setting& setting : settings_) write_setting(request.ifr_name, setting);
  if (restores_vlan_offload_) turn_vlan_offload_on(netlink.get(), request);
  send_all(netlink.get(), addresses_);
  send_all(netlink.get(), routes_);
}

void RestorePlan::write_setting(const char* name, const Setting& setting) const noexcept {
  std::array<char, longest_path> path{};
  std::size_t used = 0;
  if (!append(path, used, setting.prefix.data(), setting.prefix.size()) ||
      !append(path, used, name, ::strnlen(name, IFNAMSIZ)) ||
      !append(path, used, setting.suffix.data(), setting.suffix.size())) {
    return;
  }
  const FileDescriptor file{::open(path.data(), O_WRONLY | O_CLOEXEC)};
  if (file.valid()) static_cast<void>(!::write(file.get(), setting.value.data(), setting.value.size()));
}

Result<Watcher> Watcher::start(int interface_index, const RestorePlan& plan) {
  const auto lock = lock_interface(interface_index);
  if (!lock) return std::unexpected(lock.error());
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(std::string{"cannot make a pair of sockets: "} + std::strerror(errno));
  }
  const FileDescriptor far{ends[0]};
  FileDescriptor near{ends[1]};
  const pid_t child = ::fork();
  if (child < 0) return fail(std::string{"cannot start a process: "} + std::strerror(errno));
  if (child == 0) {
    // Once more, so that the watcher is nobody's child: its end disturbs no handler of SIGCHLD here.
    const pid_t grandchild = ::fork();
    if (grandchild == 0) watch(far.get(), lock->get(), plan);
    ::_exit(grandchild < 0 ? 1 : 0);
  }
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(child, &status, 0);
  } while (ended < 0 && errno == EINTR);
  // ECHILD: a handler of this process was faster, and nobody knows the status any more.
  if (ended == child && status != 0) return fail("cannot start the process that restores it");
  return Watcher{std::move(near)};
}

void Watcher::disarm() noexcept {
  if (!line_.valid()) return;
  const char word = 'd';
  if (::send(line_.get(), &word, 1, MSG_NOSIGNAL) == 1) {
    pollfd end{line_.get(), POLLIN, 0};
    constexpr int patience_milliseconds = 1000;
    static_cast<void>(::poll(&end, 1, patience_milliseconds));
  }
  line_.reset();
}

}  // namespace trivet::core
