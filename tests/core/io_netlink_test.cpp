// What the kernel says about interfaces: whole, cut at every length, and with every length field wrong.
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <string>
#include <vector>

#include "core/io/netlink.h"

namespace trivet::core {
namespace {

using Bytes = std::vector<std::uint8_t>;

void append(Bytes& bytes, const void* data, std::size_t size) {
  const auto* const first = static_cast<const std::uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

void add_attribute(Bytes& message, std::uint16_t type, const Bytes& value) {
  const rtattr header{static_cast<std::uint16_t>(RTA_LENGTH(value.size())), type};
  append(message, &header, sizeof header);
  append(message, value.data(), value.size());
  message.resize(NLMSG_ALIGN(message.size()));
}

void set_length(Bytes& message) {
  const auto length = static_cast<std::uint32_t>(message.size());
  std::memcpy(message.data(), &length, sizeof length);
}

Bytes link_message(std::uint16_t type = RTM_NEWLINK, std::uint8_t family = AF_UNSPEC) {
  Bytes message;
  nlmsghdr header{};
  header.nlmsg_type = type;
  append(message, &header, sizeof header);
  ifinfomsg info{};
  info.ifi_family = family;
  info.ifi_type = 1;
  info.ifi_index = 7;
  info.ifi_flags = IFF_UP;
  append(message, &info, sizeof info);
  add_attribute(message, IFLA_IFNAME, {'e', 't', 'h', '1', 0});
  add_attribute(message, IFLA_MTU, {0xdc, 5, 0, 0});
  add_attribute(message, IFLA_ADDRESS, {2, 0, 0, 0, 0, 9});
  add_attribute(message, IFLA_OPERSTATE, {6});
  add_attribute(message, IFLA_MASTER, {3, 0, 0, 0});
  set_length(message);
  return message;
}

// From a buffer that ends with the message, so that a read behind it is seen by the address sanitizer.
std::optional<LinkEntry> parse(const Bytes& message) {
  const auto exact = std::make_unique<std::uint8_t[]>(message.size());
  std::memcpy(exact.get(), message.data(), message.size());
  return parse_link(*reinterpret_cast<const nlmsghdr*>(exact.get()));
}

TEST(Netlink, ALinkIsReadWithAllThatConcernsUs) {
  const auto link = parse(link_message());
  ASSERT_TRUE(link.has_value());
  EXPECT_EQ(link->index, 7);
  EXPECT_EQ(link->name, "eth1");
  EXPECT_EQ(link->type, 1);
  EXPECT_EQ(link->flags, std::uint32_t{IFF_UP});
  EXPECT_EQ(link->mtu, 1500U);
  EXPECT_EQ(link->mac, (MacAddress{{2, 0, 0, 0, 0, 9}}));
  EXPECT_EQ(link->operational_state, 6);
  EXPECT_EQ(link->controller, 3);
}

TEST(Netlink, OtherMessagesAndOtherFamiliesAreNoLinks) {
  EXPECT_FALSE(parse(link_message(RTM_NEWADDR)).has_value());
  EXPECT_FALSE(parse(link_message(RTM_DELLINK, AF_BRIDGE)).has_value());
  EXPECT_TRUE(parse(link_message(RTM_DELLINK)).has_value());
}

TEST(Netlink, CutAtEveryLengthItIsReadAsFarAsItGoes) {
  const Bytes whole = link_message();
  for (std::size_t length = sizeof(nlmsghdr); length < whole.size(); ++length) {
    Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    set_length(part);
    const auto link = parse(part);
    ASSERT_EQ(link.has_value(), length >= sizeof(nlmsghdr) + sizeof(ifinfomsg)) << length;
    if (link) {
      EXPECT_EQ(link->index, 7) << length;
      EXPECT_EQ(link->controller, 0) << "the last attribute is cut: " << length;
    }
  }
}

TEST(Netlink, AWrongLengthOfAnyAttributeReadsNothingBehindTheMessage) {
  const Bytes whole = link_message();
  for (std::size_t at = sizeof(nlmsghdr) + sizeof(ifinfomsg); at < whole.size();) {
    rtattr header{};
    std::memcpy(&header, &whole[at], sizeof header);
    for (std::uint16_t wrong = 0; wrong < 300; ++wrong) {
      Bytes message = whole;
      std::memcpy(&message[at], &wrong, sizeof wrong);
      const auto link = parse(message);
      ASSERT_TRUE(link.has_value()) << at << ' ' << wrong;
      EXPECT_LE(link->name.size(), whole.size());
    }
    at += NLMSG_ALIGN(header.rta_len);
  }
}

}  // namespace
}  // namespace trivet::core
