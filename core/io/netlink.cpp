#include "core/io/netlink.h"

#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace trivet::core {

namespace {

constexpr std::size_t answer_bytes = 32768;  // what the kernel fills at most for a dump
constexpr std::uint32_t dump_sequence = 1;

std::unexpected<Error> system_failure(int number) { return fail(std::strerror(number)); }

template <class Header>
RawMessage dump_request(std::uint16_t type) {
  std::array<std::uint8_t, 128> buffer{};
  nlmsghdr* message = mnl_nlmsg_put_header(buffer.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message->nlmsg_seq = dump_sequence;
  mnl_nlmsg_put_extra_header(message, sizeof(Header));
  return {buffer.data(), buffer.data() + message->nlmsg_len};
}

// Calls `visit` with each attribute behind the message's fixed header of `header_bytes`.
template <class Visit>
void for_each_attribute(const nlmsghdr& message, std::size_t header_bytes, Visit visit) {
  // Not libmnl's tail, which is rounded up beyond a message of odd length.
  const auto* end = reinterpret_cast<const std::uint8_t*>(&message) + message.nlmsg_len;
  const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, header_bytes));
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const std::uint8_t*>(attribute)))) {
    visit(attribute);
    attribute = mnl_attr_next(attribute);
  }
}

RawMessage copy_of(const nlmsghdr& message) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&message);
  return {bytes, bytes + message.nlmsg_len};
}

std::optional<IpAddress> parse_address(std::uint8_t family, const nlattr* attribute) {
  const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  if (family == AF_INET && mnl_attr_get_payload_len(attribute) == 4) {
    Ipv4Address address;
    std::copy_n(bytes, 4, address.bytes.begin());
    return address;
  }
  if (family == AF_INET6 && mnl_attr_get_payload_len(attribute) == 16) {
    Ipv6Address address;
    std::copy_n(bytes, 16, address.bytes.begin());
    return address;
  }
  return std::nullopt;
}

void read_link_attribute(const nlattr* attribute, LinkEntry& link) {
  const std::size_t length = mnl_attr_get_payload_len(attribute);
  switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
      link.name.assign(mnl_attr_get_str(attribute), strnlen(mnl_attr_get_str(attribute), length));
      break;
    case IFLA_MTU:
      if (length == sizeof(std::uint32_t)) link.mtu = mnl_attr_get_u32(attribute);
      break;
    case IFLA_ADDRESS:
      if (length == link.mac.bytes.size()) std::memcpy(link.mac.bytes.data(), mnl_attr_get_payload(attribute), length);
      break;
    case IFLA_OPERSTATE:
      if (length == 1) link.operational_state = mnl_attr_get_u8(attribute);
      break;
    case IFLA_MASTER:
      if (length == sizeof(std::uint32_t)) link.controller = static_cast<int>(mnl_attr_get_u32(attribute));
      break;
    default:
      break;
  }
}

}  // namespace

void NetlinkSocket::Close::operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }

NetlinkSocket::NetlinkSocket(mnl_socket* socket) : socket_(socket), port_(mnl_socket_get_portid(socket)) {}

Result<NetlinkSocket> NetlinkSocket::open(int family, std::uint32_t groups) {
  mnl_socket* socket = mnl_socket_open2(family, SOCK_CLOEXEC);
  if (socket == nullptr) return fail(std::string{"cannot open a netlink socket: "} + std::strerror(errno));
  if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) != 0) {
    const int number = errno;
    mnl_socket_close(socket);
    return fail(std::string{"cannot bind a netlink socket: "} + std::strerror(number));
  }
  return NetlinkSocket{socket};
}

int NetlinkSocket::fd() const noexcept { return mnl_socket_get_fd(socket_.get()); }

void NetlinkSocket::set_non_blocking() {
  const int flags = ::fcntl(fd(), F_GETFL);
  static_cast<void>(::fcntl(fd(), F_SETFL, flags | O_NONBLOCK));
}

int NetlinkSocket::receive(std::span<std::uint8_t> buffer) {
  const ssize_t size = ::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size >= 0) return static_cast<int>(size);
  return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
}

Result<void> NetlinkSocket::request(std::span<const std::uint8_t> messages, std::uint32_t acknowledged) {
  if (mnl_socket_sendto(socket_.get(), messages.data(), messages.size()) < 0) {
    last_error_ = errno;
    return system_failure(last_error_);
  }
  return read_answers(acknowledged, {});
}

Result<void> NetlinkSocket::dump(std::span<const std::uint8_t> request,
                                 const std::function<void(const nlmsghdr&)>& on_message) {
  if (mnl_socket_sendto(socket_.get(), request.data(), request.size()) < 0) {
    last_error_ = errno;
    return system_failure(last_error_);
  }
  return read_answers(dump_sequence, on_message);
}

// Ends with the acknowledgement of `sequence`, with the end of a dump, or with the first error of any message.
Result<void> NetlinkSocket::read_answers(std::uint32_t sequence,
                                         const std::function<void(const nlmsghdr&)>& on_message) {
  std::vector<std::uint8_t> buffer(answer_bytes);
  while (true) {
    const ssize_t received = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (received < 0 && errno == EINTR) continue;
    if (received < 0) {
      last_error_ = errno;
      return system_failure(last_error_);
    }
    int left = static_cast<int>(received);
    const auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_pid != port_) continue;
      if (message->nlmsg_type == NLMSG_DONE) return {};
      if (message->nlmsg_type == NLMSG_ERROR) {
        const auto* answer = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
        last_error_ = -answer->error;
        if (last_error_ != 0) return system_failure(last_error_);
        if (message->nlmsg_seq == sequence) return {};
      } else if (on_message) {
        on_message(*message);
      }
    }
  }
}

std::optional<LinkEntry> parse_link(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWLINK && message.nlmsg_type != RTM_DELLINK) return std::nullopt;
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(ifinfomsg)) return std::nullopt;
  const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  // A bridge reports ports that leave it with RTM_DELLINK of its own family; the interface itself stays.
  if (header->ifi_family != AF_UNSPEC) return std::nullopt;
  LinkEntry link;
  link.index = header->ifi_index;
  link.type = header->ifi_type;
  link.flags = header->ifi_flags;
  for_each_attribute(message, sizeof(ifinfomsg),
                     [&](const nlattr* attribute) { read_link_attribute(attribute, link); });
  return link;
}

Result<std::vector<LinkEntry>> read_links(NetlinkSocket& route) {
  std::vector<LinkEntry> links;
  const auto done = route.dump(dump_request<ifinfomsg>(RTM_GETLINK), [&](const nlmsghdr& message) {
    if (auto link = parse_link(message)) links.push_back(std::move(*link));
  });
  if (!done) return fail("cannot read the interfaces of the system: " + done.error().text);
  return links;
}

Result<std::vector<AddressEntry>> read_addresses(NetlinkSocket& route, int interface_index) {
  std::vector<AddressEntry> addresses;
  const auto done = route.dump(dump_request<ifaddrmsg>(RTM_GETADDR), [&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(&message) < sizeof(ifaddrmsg)) return;
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
    if (interface_index != 0 && static_cast<int>(header->ifa_index) != interface_index) return;
    AddressEntry entry{{}, header->ifa_prefixlen, copy_of(message)};
    for_each_attribute(message, sizeof(ifaddrmsg), [&](const nlattr* attribute) {
      // Where both are there (IPv4, point to point), IFA_LOCAL is the interface's own.
      const std::uint16_t type = mnl_attr_get_type(attribute);
      if (type != IFA_LOCAL && (type != IFA_ADDRESS || !entry.address.is_unspecified())) return;
      if (const auto address = parse_address(header->ifa_family, attribute)) entry.address = *address;
    });
    addresses.push_back(std::move(entry));
  });
  if (!done) return fail("cannot read the addresses of the system: " + done.error().text);
  return addresses;
}

Result<std::vector<RawMessage>> read_routes(NetlinkSocket& route, int interface_index) {
  std::vector<RawMessage> routes;
  const auto done = route.dump(dump_request<rtmsg>(RTM_GETROUTE), [&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(&message) < sizeof(rtmsg)) return;
    const auto* header = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
    if (header->rtm_type != RTN_UNICAST || header->rtm_protocol == RTPROT_KERNEL || header->rtm_protocol == RTPROT_RA ||
        (header->rtm_flags & RTM_F_CLONED) != 0) {
      return;
    }
    bool through_interface = false;
    for_each_attribute(message, sizeof(rtmsg), [&](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) != RTA_OIF || mnl_attr_get_payload_len(attribute) != sizeof(std::uint32_t))
        return;
      through_interface = static_cast<int>(mnl_attr_get_u32(attribute)) == interface_index;
    });
    if (through_interface) routes.push_back(copy_of(message));
  });
  if (!done) return fail("cannot read the routes of the system: " + done.error().text);
  return routes;
}

}  // namespace trivet::core
