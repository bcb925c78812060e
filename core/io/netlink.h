// Requests to the kernel by netlink, and the little that packet I/O asks for: links, addresses, routes.
//
// Thread: control; calls block for the kernel's answer, which comes at once. Ownership: a socket closes itself.
// Source: RFC 3549; netlink(7), rtnetlink(7).
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trivet/net/address.h"
#include "trivet/result.h"

struct mnl_socket;

namespace trivet::core {

class NetlinkSocket {
 public:
  // `family` as NETLINK_ROUTE; `groups` is the bit mask of groups to listen to.
  [[nodiscard]] static Result<NetlinkSocket> open(int family, std::uint32_t groups = 0);

  // Sends one message, or a batch of them, and waits for the acknowledgement of the message numbered `acknowledged`.
  // The error's text is the system's ("Operation not permitted"); its number is in last_error().
  [[nodiscard]] Result<void> request(std::span<const std::uint8_t> messages, std::uint32_t acknowledged);
  // Sends a dump request and calls `on_message` with each answer.
  [[nodiscard]] Result<void> dump(std::span<const std::uint8_t> request,
                                  const std::function<void(const nlmsghdr&)>& on_message);
  [[nodiscard]] int last_error() const noexcept { return last_error_; }
  [[nodiscard]] int fd() const noexcept;
  void set_non_blocking();
  // One datagram without waiting. Its size; 0: nothing waits; negative: the negated errno (-ENOBUFS: events were lost).
  [[nodiscard]] int receive(std::span<std::uint8_t> buffer);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const noexcept;
  };
  explicit NetlinkSocket(mnl_socket* socket);
  Result<void> read_answers(std::uint32_t sequence, const std::function<void(const nlmsghdr&)>& on_message);

  std::unique_ptr<mnl_socket, Close> socket_;
  std::uint32_t port_ = 0;
  int last_error_ = 0;
};

struct LinkEntry {
  int index = 0;
  std::string name;
  std::uint16_t type = 0;   // ARPHRD_*
  std::uint32_t flags = 0;  // IFF_*
  std::uint8_t operational_state = 0;
  int controller = 0;  // index of the bridge or bond that it belongs to
  MacAddress mac;
  std::uint32_t mtu = 0;
};

// Reads RTM_NEWLINK and RTM_DELLINK; none for other messages and for protocol families other than AF_UNSPEC.
[[nodiscard]] std::optional<LinkEntry> parse_link(const nlmsghdr& message);
[[nodiscard]] Result<std::vector<LinkEntry>> read_links(NetlinkSocket& route);

// A whole message as the kernel dumped it.
using RawMessage = std::vector<std::uint8_t>;
struct AddressEntry {
  IpAddress address;
  std::uint8_t prefix_length = 0;
  RawMessage message;  // RTM_NEWADDR
};
// interface_index 0: of all interfaces.
[[nodiscard]] Result<std::vector<AddressEntry>> read_addresses(NetlinkSocket& route, int interface_index);
// Unicast routes through the interface that somebody set, not those that the kernel made for an address.
[[nodiscard]] Result<std::vector<RawMessage>> read_routes(NetlinkSocket& route, int interface_index);

}  // namespace trivet::core
