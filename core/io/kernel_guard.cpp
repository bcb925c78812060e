#include "core/io/kernel_guard.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/io/ethtool.h"
#include "core/io/netlink.h"

namespace trivet::core {

namespace {

// A file of the interface below /proc, and what it must say while the interface is taken.
struct Setting {
  const char* prefix;
  const char* suffix;
  const char* value;
};
constexpr std::array<Setting, 3> quiet_settings = {{
    {"/proc/sys/net/ipv6/conf/", "/disable_ipv6", "1"},
    {"/proc/sys/net/ipv4/conf/", "/arp_ignore", "8"},
    {"/proc/sys/net/ipv4/conf/", "/forwarding", "0"},
}};

constexpr std::uint32_t request_sequence = 1;

std::string path_of(const Setting& setting, const std::string& name) { return setting.prefix + name + setting.suffix; }

std::optional<std::string> read_setting(const std::string& path) {
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  std::array<char, 32> text{};
  const ssize_t size = file.valid() ? ::read(file.get(), text.data(), text.size()) : -1;
  if (size < 0) return std::nullopt;
  return std::string{text.data(), static_cast<std::size_t>(size)};
}

Result<void> write_setting(const std::string& path, std::string_view value) {
  const FileDescriptor file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
  if (!file.valid() || ::write(file.get(), value.data(), value.size()) < 0) {
    return fail("cannot write " + path + ": " + std::strerror(errno));
  }
  return {};
}

Result<void> set_flags(NetlinkSocket& route, int interface_index, std::uint32_t flags, std::uint32_t mask) {
  alignas(nlmsghdr) std::array<std::uint8_t, 64> buffer{};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = RTM_NEWLINK;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  message->nlmsg_seq = request_sequence;
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  link->ifi_index = interface_index;
  link->ifi_flags = flags;
  link->ifi_change = mask;
  return route.request({buffer.data(), message->nlmsg_len}, request_sequence);
}

Result<void> remove_address(NetlinkSocket& route, const AddressEntry& entry) {
  RawMessage message = entry.message;
  nlmsghdr header{};
  std::memcpy(&header, message.data(), sizeof header);
  header.nlmsg_type = RTM_DELADDR;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  header.nlmsg_seq = request_sequence;
  header.nlmsg_pid = 0;
  std::memcpy(message.data(), &header, sizeof header);
  auto done = route.request(message, request_sequence);
  // A secondary address leaves with its primary one.
  if (!done && route.last_error() == EADDRNOTAVAIL) return {};
  return done;
}

// Addresses that somebody may be using to reach this system.
std::string addresses_in_use(const std::vector<AddressEntry>& addresses) {
  std::string text;
  for (const AddressEntry& entry : addresses) {
    if (entry.address.is_v6() && entry.address.v6().is_link_local()) continue;
    if (!text.empty()) text += ", ";
    text += to_string(entry.address) + '/' + std::to_string(entry.prefix_length);
  }
  return text;
}

Result<LinkEntry> find_interface(NetlinkSocket& route, const std::string& name) {
  auto links = read_links(route);
  if (!links) return std::unexpected(links.error());
  for (LinkEntry& link : *links) {
    if (link.name != name) continue;
    if (link.type != ARPHRD_ETHER) return fail("interface " + name + " is not an Ethernet interface");
    if (link.controller != 0) {
      return fail("interface " + name + " belongs to a bridge or bond: take it out of there first");
    }
    return std::move(link);
  }
  return fail("there is no interface " + name);
}

Result<RestorePlan> make_plan(NetlinkSocket& route, const LinkEntry& link, const std::vector<AddressEntry>& present,
                              KernelAddresses addresses) {
  RestorePlan plan{link.index};
  // AF_XDP changes that later, on a shared interface, too.
  if (vlan_tags(link.name) == VlanTags::taken_off) plan.restore_vlan_offload();
  // Nothing to undo: it stays up, since by then the system may rely on it.
  if (addresses == KernelAddresses::keep) return plan;
  plan.restore_flags(link.flags, IFF_UP | IFF_NOARP);
  for (const Setting& setting : quiet_settings) {
    if (auto value = read_setting(path_of(setting, link.name))) {
      plan.restore_setting(setting.prefix, setting.suffix, std::move(*value));
    }
  }
  auto routes = read_routes(route, link.index);
  if (!routes) return std::unexpected(routes.error());
  for (const AddressEntry& entry : present) plan.restore_address(entry.message);
  for (RawMessage& message : *routes) plan.restore_route(std::move(message));
  return plan;
}

Result<void> silence(NetlinkSocket& route, const LinkEntry& link, const std::vector<AddressEntry>& addresses) {
  for (const Setting& setting : quiet_settings) {
    const std::string path = path_of(setting, link.name);
    // Not there: the kernel has no such protocol.
    if (!read_setting(path)) continue;
    if (auto done = write_setting(path, setting.value); !done) return done;
  }
  for (const AddressEntry& entry : addresses) {
    if (entry.address.is_v6()) continue;  // gone with IPv6
    if (auto done = remove_address(route, entry); !done) {
      return fail("cannot remove the address " + to_string(entry.address) + ": " + done.error().text);
    }
  }
  return {};
}

std::string reason_of(const IngressDrop::Refusal& refusal) {
  return refusal.kind == IngressDrop::Failure::taken ? "another process has taken it" : refusal.text;
}

}  // namespace

Result<std::unique_ptr<KernelGuard>> KernelGuard::take(const std::string& name, KernelAddresses addresses,
                                                       const std::function<void(const std::string&)>& warn) {
  auto route = NetlinkSocket::open(NETLINK_ROUTE);
  if (!route) return std::unexpected(route.error());
  const auto link = find_interface(*route, name);
  if (!link) return std::unexpected(link.error());
  const auto present = read_addresses(*route, link->index);
  if (!present) return std::unexpected(present.error());
  const std::string in_use = addresses_in_use(*present);
  if (!in_use.empty() && addresses == KernelAddresses::refuse) {
    return fail(
        "interface " + name + " carries " + in_use +
        " of this system, which would become unreachable: remove that, set passthrough enable, or start with --take");
  }
  auto plan = make_plan(*route, *link, *present, addresses);
  if (!plan) return std::unexpected(plan.error());
  auto watcher = Watcher::start(link->index, *plan);
  if (!watcher) return fail("cannot take interface " + name + ": " + watcher.error().text);
  // From here on the guard's destructor undoes whatever has been done.
  std::unique_ptr<KernelGuard> guard{new KernelGuard{link->index, std::move(*plan), std::move(*watcher)}};

  if (addresses == KernelAddresses::keep) {
    auto share = IngressShare::install(name, link->index);
    if (!share) return fail("cannot share interface " + name + ": " + reason_of(share.error()));
    guard->share_ = std::move(*share);
    if (auto done = set_flags(*route, link->index, IFF_UP, IFF_UP); !done) {
      return fail("cannot bring interface " + name + " up: " + done.error().text);
    }
    return guard;
  }
  if (auto done = silence(*route, *link, *present); !done) {
    return fail("cannot take interface " + name + ": " + done.error().text);
  }
  auto drop = IngressDrop::install(name, link->index);
  if (drop) {
    guard->drop_ = std::move(*drop);
  } else if (drop.error().kind == IngressDrop::Failure::unsupported) {
    warn("interface " + name + ": the kernel cannot be made to drop what it receives (" + drop.error().text +
         "); it hears the frames of the node");
  } else {
    return fail("cannot take interface " + name + ": " + reason_of(drop.error()));
  }
  if (auto done = set_flags(*route, link->index, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP); !done) {
    return fail("cannot bring interface " + name + " up: " + done.error().text);
  }
  return guard;
}

Result<void> KernelGuard::share(const Claims& claims, const std::vector<IpAddress>& system) {
  return share_ ? share_->update(claims, system) : Result<void>{};
}

KernelGuard::~KernelGuard() {
  plan_.execute();
  watcher_.disarm();
}

}  // namespace trivet::core
