#include "core/io/link_watch.h"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>
#include <set>
#include <utility>
#include <vector>

namespace trivet::core {

namespace {

// RFC 2863: an interface without a notion of its own operational state says "unknown" and passes frames.
bool has_carrier(const LinkEntry& link) {
  constexpr std::uint32_t needed = IFF_UP | IFF_LOWER_UP;
  return (link.flags & needed) == needed &&
         (link.operational_state == IF_OPER_UP || link.operational_state == IF_OPER_UNKNOWN);
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
  auto events = NetlinkSocket::open(NETLINK_ROUTE, RTMGRP_LINK);
  if (!events) return std::unexpected(events.error());
  auto requests = NetlinkSocket::open(NETLINK_ROUTE);
  if (!requests) return std::unexpected(requests.error());
  events->set_non_blocking();
  LinkWatch watch{std::move(*events), std::move(*requests)};
  watch.read_all();
  return watch;
}

LinkInfo LinkWatch::link(const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ) return {};
  alignas(nlmsghdr) std::array<std::uint8_t, 128> buffer{};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = RTM_GETLINK;
  // With the acknowledgement behind the answer, an answer and "no such device" end the same way.
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  message->nlmsg_seq = 1;
  mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
  mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
  LinkInfo info;
  static_cast<void>(requests_.dump({buffer.data(), message->nlmsg_len}, [&](const nlmsghdr& answer) {
    if (const auto entry = parse_link(answer)) info = info_of(*entry);
  }));
  return info;
}

void LinkWatch::process() {
  alignas(nlmsghdr) std::array<std::uint8_t, 32768> buffer{};
  while (true) {
    const int size = events_.receive(buffer);
    if (size == -ENOBUFS) {
      read_all();
      continue;
    }
    if (size == -EINTR) continue;
    if (size <= 0) return;
    int left = size;
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      const auto entry = parse_link(*message);
      if (!entry) continue;
      if (message->nlmsg_type == RTM_DELLINK) {
        remove(entry->index);
      } else {
        update(*entry);
      }
    }
  }
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
