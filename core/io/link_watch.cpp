#include "core/io/link_watch.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

namespace trivet::core {

namespace {

// The flags are the state of the moment. The operational state (RFC 2863) follows later and is believed only where it
// says what flags cannot: that an interface with carrier must not pass frames yet.
bool has_carrier(const LinkEntry& link) {
  constexpr std::uint32_t needed = IFF_UP | IFF_LOWER_UP;
  return (link.flags & needed) == needed && link.operational_state != IF_OPER_DORMANT &&
         link.operational_state != IF_OPER_TESTING;
}

constexpr long look_every_nanoseconds = 100'000'000;

Result<FileDescriptor> start_timer() {
  FileDescriptor timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
  const itimerspec period{{0, look_every_nanoseconds}, {0, look_every_nanoseconds}};
  if (!timer.valid() || ::timerfd_settime(timer.get(), 0, &period, nullptr) != 0) {
    return fail(std::string{"cannot start a timer: "} + std::strerror(errno));
  }
  return timer;
}

Result<FileDescriptor> wait_for_any(int first, int second) {
  FileDescriptor wait{::epoll_create1(EPOLL_CLOEXEC)};
  for (const int fd : {first, second}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (!wait.valid() || ::epoll_ctl(wait.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      return fail(std::string{"cannot wait for link events: "} + std::strerror(errno));
    }
  }
  return wait;
}

LinkInfo info_of(const LinkEntry& link) {
  return {.exists = true,
          .carrier = has_carrier(link),
          .mac = link.mac,
          .mtu = link.mtu,
          .index = static_cast<std::uint32_t>(link.index)};
}

}  // namespace

Result<LinkWatch> LinkWatch::open() {
  auto events = NetlinkSocket::open(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
  if (!events) return std::unexpected(events.error());
  auto requests = NetlinkSocket::open(NETLINK_ROUTE);
  if (!requests) return std::unexpected(requests.error());
  events->set_non_blocking();
  auto timer = start_timer();
  if (!timer) return std::unexpected(timer.error());
  auto wait = wait_for_any(events->fd(), timer->get());
  if (!wait) return std::unexpected(wait.error());
  LinkWatch watch{std::move(*events), std::move(*requests), std::move(*timer), std::move(*wait)};
  watch.read_all();
  return watch;
}

LinkInfo LinkWatch::link(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return {};
  asked_.insert(name);
  const auto entry = query(name);
  return entry ? info_of(*entry) : LinkInfo{};
}

std::optional<LinkEntry> LinkWatch::query(const std::string& name) {
  alignas(nlmsghdr) std::array<std::uint8_t, 128> buffer{};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = RTM_GETLINK;
  // With the acknowledgement behind the answer, an answer and "no such device" end the same way.
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  message->nlmsg_seq = 1;
  mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
  mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
  std::optional<LinkEntry> entry;
  const auto done = requests_.dump({buffer.data(), message->nlmsg_len}, [&](const nlmsghdr& answer) {
    if (auto parsed = parse_link(answer)) entry = std::move(parsed);
  });
  if (!done) return std::nullopt;
  return entry;
}

void LinkWatch::look_at_asked() {
  // A copy: whoever is told may ask for more.
  const std::vector<std::string> names{asked_.begin(), asked_.end()};
  for (const std::string& name : names) {
    if (const auto entry = query(name)) update(*entry);
  }
}

void LinkWatch::process() {
  std::uint64_t periods = 0;
  if (::read(timer_.get(), &periods, sizeof periods) == sizeof periods) look_at_asked();
  alignas(nlmsghdr) std::array<std::uint8_t, 32768> buffer{};
  bool addresses_changed = false;
  while (true) {
    const int size = events_.receive(buffer);
    if (size == -ENOBUFS) {
      addresses_changed = true;
      read_all();
      continue;
    }
    if (size == -EINTR) continue;
    if (size <= 0) break;
    int left = size;
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      const bool is_address = message->nlmsg_type == RTM_NEWADDR || message->nlmsg_type == RTM_DELADDR;
      addresses_changed = addresses_changed || is_address;
      const auto entry = parse_link(*message);
      if (!entry) continue;
      if (message->nlmsg_type == RTM_DELLINK) {
        remove(entry->index);
      } else {
        update(*entry);
      }
    }
  }
  if (!addresses_changed) return;
  const std::vector<std::string> names{asked_.begin(), asked_.end()};
  for (const std::string& name : names) report(name);
}

void LinkWatch::read_all() {
  const auto links = read_links(requests_);
  if (!links) return;
  std::set<int> present;
  for (const LinkEntry& entry : *links) {
    present.insert(entry.index);
    update(entry);
  }
  std::vector<int> gone;
  for (const auto& [index, known] : known_) {
    if (!present.contains(index)) gone.push_back(index);
  }
  for (const int index : gone) remove(index);
}

void LinkWatch::update(const LinkEntry& entry) {
  Known now{entry.name, info_of(entry)};
  Known& known = known_[entry.index];
  if (known == now) return;
  const std::string former = std::exchange(known, std::move(now)).name;
  if (!former.empty() && former != entry.name) report(former);
  report(entry.name);
}

void LinkWatch::remove(int index) {
  const auto found = known_.find(index);
  if (found == known_.end()) return;
  const std::string name = std::move(found->second.name);
  known_.erase(found);
  report(name);
}

void LinkWatch::report(const std::string& name) const {
  if (handler_) handler_(name);
}

}  // namespace trivet::core
