#include "trivet/net/address.h"

#include <gtest/gtest.h>

#include <unordered_set>

#include "trivet/net/hash.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet {
namespace {

using testkit::ip;
using testkit::ip4;
using testkit::ip6;
using testkit::mac;

struct TextCase {
  const char* text;
  const char* normal;  // null = not an address
};

TEST(Ipv6Text, IsReadInEveryFormAndWrittenInTheFormOfRfc5952) {
  const TextCase cases[] = {
      {"2001:db8::2:3", "2001:db8::2:3"},
      {"2001:DB8:FFFF::2:3", "2001:db8:ffff::2:3"},
      {"2001:0db8:0000:0000:0000:0000:0002:0003", "2001:db8::2:3"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // one group is not shortened
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // the longest run
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // the first of equal runs
      {"1:0:0:2:0:0:0:0", "1:0:0:2::"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"::ffff:c000:201", "::ffff:192.0.2.1"},
      {"::1.2.3.4", "::102:304"},  // compatible addresses are history: plain
      {"::ffff:0:0:1", "::ffff:0:0:1"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"fe80::1%eth0", nullptr},
      {"1:2:3:4:5:6:7", nullptr},
      {"1:2:3:4:5:6:7:8:9", nullptr},
      {"1::2::3", nullptr},
      {"12345::", nullptr},
      {"g::", nullptr},
      {"", nullptr},
      {" ::1", nullptr},
      {"1.2.3.4", nullptr},
      {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", nullptr},
  };
  for (const TextCase& test : cases) {
    const auto address = parse_ipv6(test.text);
    ASSERT_EQ(address.has_value(), test.normal != nullptr) << test.text;
    if (address) {
      EXPECT_EQ(to_string(*address), test.normal) << test.text;
    }
  }
  EXPECT_FALSE(parse_ipv6(std::string_view("::1\0", 4)));
}

TEST(Ipv4Text, IsFourDecimalPartsWithoutLeadingZeros) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "10.0.0.1", "192.0.2.33"}) {
    ASSERT_TRUE(parse_ipv4(text)) << text;
    EXPECT_EQ(to_string(*parse_ipv4(text)), text);
  }
  for (const char* text : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.4 ", " 1.2.3.4", "1.2..4",
                           "1.2.3.", "+1.2.3.4", "0x1.2.3.4", "1.2.3.1000", "a.b.c.d"}) {
    EXPECT_FALSE(parse_ipv4(text)) << text;
  }
}

TEST(MacText, TakesColonsOrHyphensButNoMixture) {
  EXPECT_EQ(to_string(*parse_mac("00:00:5E:00:01:40")), "00:00:5e:00:01:40");
  EXPECT_EQ(to_string(*parse_mac("00-00-5e-00-01-fF")), "00:00:5e:00:01:ff");
  for (const char* text : {"", "00:00:5e:00:01", "00:00:5e:00:01:4", "00:00:5e:00:01:40:", "00-00:5e:00:01:40",
                           "0g:00:5e:00:01:40", "000:0:5e:00:01:40", "00:00:5e:00:01-40"}) {
    EXPECT_FALSE(parse_mac(text)) << text;
  }
}

TEST(Masks, HaveALengthUnlessTheyHaveHoles) {
  EXPECT_EQ(mask_length(ip4("255.255.255.0")), 24);
  EXPECT_EQ(mask_length(ip4("0.0.0.0")), 0);
  EXPECT_EQ(mask_length(ip4("255.255.255.255")), 32);
  EXPECT_EQ(mask_length(ip4("128.0.0.0")), 1);
  EXPECT_FALSE(mask_length(ip4("255.0.255.0")));
  EXPECT_FALSE(mask_length(ip4("0.0.0.255")));
}

TEST(Prefixes, ContainExactlyWhatSharesTheirBits) {
  struct Case {
    const char* address;
    std::uint8_t length;
    const char* other;
    bool contains;
  };
  const Case cases[] = {
      {"10.0.0.1", 8, "10.255.255.255", true},
      {"10.0.0.1", 8, "11.0.0.0", false},
      {"10.0.0.0", 32, "10.0.0.0", true},
      {"10.0.0.0", 32, "10.0.0.1", false},
      {"10.0.0.0", 31, "10.0.0.1", true},
      {"0.0.0.0", 0, "255.255.255.255", true},
      {"192.168.129.0", 17, "192.168.128.9", true},
      {"192.168.129.0", 17, "192.168.127.9", false},
      {"2001:db8::", 32, "2001:db8:ffff::1", true},
      {"2001:db8::", 48, "2001:db8:1::", false},
      {"2001:db8::", 47, "2001:db8:1::", true},
      {"2001:db8::1", 128, "2001:db8::1", true},
      {"2001:db8::1", 128, "2001:db8::2", false},
      {"::", 0, "ffff::", true},
      {"::", 0, "1.2.3.4", false},
      {"0.0.0.0", 0, "::", false},
  };
  for (const Case& test : cases) {
    EXPECT_EQ((IpPrefix{ip(test.address), test.length}.contains(ip(test.other))), test.contains)
        << test.address << '/' << int{test.length} << ' ' << test.other;
  }
  EXPECT_EQ(to_string(IpPrefix{ip("192.168.129.77"), 17}.masked()), "192.168.128.0/17");
  EXPECT_EQ(to_string(IpPrefix{ip("2001:db8:ffff::1"), 33}.masked()), "2001:db8:8000::/33");
  EXPECT_EQ(to_string(IpPrefix{ip("2001:db8::1"), 128}.masked()), "2001:db8::1/128");
  EXPECT_EQ(to_string(IpPrefix{ip("1.2.3.4"), 0}.masked()), "0.0.0.0/0");
}

TEST(SpecialAddresses, AreMadeAsTheirRfcsSay) {
  EXPECT_EQ(multicast_mac(ip("224.0.0.18")), mac("01:00:5e:00:00:12"));
  EXPECT_EQ(multicast_mac(ip("239.255.255.255")), mac("01:00:5e:7f:ff:ff"));
  EXPECT_EQ(multicast_mac(ip("ff02::1:ff02:3")), mac("33:33:ff:02:00:03"));
  EXPECT_EQ(to_string(solicited_node_group(ip6("2001:db8::a1b2:c3d4"))), "ff02::1:ffb2:c3d4");
  EXPECT_EQ(to_string(link_local_address(mac("02:11:22:33:44:55"))), "fe80::11:22ff:fe33:4455");
  EXPECT_EQ(vrrp_mac(Family::ipv4, 64), mac("00:00:5e:00:01:40"));
  EXPECT_EQ(vrrp_mac(Family::ipv6, 64), mac("00:00:5e:00:02:40"));
}

TEST(Hashes, TellFamiliesSeedsAndAddressesApart) {
  EXPECT_NE(hash_address(ip("1.2.3.4")), hash_address(ip("102:304::")));
  EXPECT_NE(hash_address(ip("0.0.0.0")), hash_address(ip("::")));
  EXPECT_NE(hash_address(ip("1.2.3.4"), 1), hash_address(ip("1.2.3.4"), 2));
  EXPECT_EQ(hash_address(ip("1.2.3.4"), 7), hash_address(ip4("1.2.3.4"), 7));
  std::unordered_set<std::uint64_t> low_bits;
  for (std::uint32_t i = 0; i < 4096; ++i)
    low_bits.insert(hash_address(Ipv4Address::from_number(0x0a000000U + i)) & 0xffffU);
  EXPECT_GT(low_bits.size(), 3800U);  // neighbours spread
}

TEST(Hashes, AreStableAcrossBuildsBecausePeersShareThem) {
  // Values of XXH3 itself: a changed library would split a pair of nodes.
  const std::array<std::uint8_t, 0> none{};
  EXPECT_EQ(hash_bytes(none), 0x2d06800538d394c2ULL);
}

}  // namespace
}  // namespace trivet
