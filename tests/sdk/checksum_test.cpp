#include "trivet/net/checksum.h"

#include <gtest/gtest.h>

#include <vector>

#include "trivet/net/ones_complement.h"
#include "trivet/random.h"
#include "trivet/testkit/packet_builder.h"

namespace trivet {
namespace {

using testkit::bytes;
using testkit::ip;

// RFC 1071, word by word: what the fast one is measured against.
std::uint16_t plain_folded(std::span<const std::uint8_t> data) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < data.size(); ++i) sum += i % 2 == 0 ? data[i] * 256U : data[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

TEST(Checksum, IsTheOneOfTheExampleInRfc1071) {
  ChecksumSum sum;
  sum.add(bytes("0001 f203 f4f5 f6f7"));
  EXPECT_EQ(sum.folded(), 0xddf2);
  EXPECT_EQ(sum.finish(), 0x220d);
}

TEST(Checksum, AgreesWithThePlainSumAtEveryLengthAndAlignment) {
  Random random(1);
  std::vector<std::uint8_t> data(200);
  for (auto& byte : data) byte = static_cast<std::uint8_t>(random());
  for (std::size_t begin = 0; begin < 16; ++begin) {
    for (std::size_t size = 0; size + begin <= data.size(); ++size) {
      const auto part = std::span(data).subspan(begin, size);
      ChecksumSum sum;
      sum.add(part);
      ASSERT_EQ(sum.folded(), plain_folded(part)) << begin << ' ' << size;
      ASSERT_EQ(internet_checksum(part), static_cast<std::uint16_t>(~plain_folded(part)));
    }
  }
}

TEST(Checksum, DoesNotOverflowOnTheLargestSuperFrameOfOnes) {
  const std::vector<std::uint8_t> ones(65535, 0xff);
  EXPECT_EQ(internet_checksum(ones), static_cast<std::uint16_t>(~plain_folded(ones)));
  const std::vector<std::uint8_t> zeros(65536);
  EXPECT_EQ(internet_checksum(zeros), 0xffff);
}

TEST(Checksum, PseudoHeadersOfBothFamiliesCountAddressesProtocolAndLength) {
  ChecksumSum v4;
  v4.add_pseudo_header(ip("192.0.2.1"), ip("198.51.100.2"), 6, 20);
  EXPECT_EQ(v4.folded(), plain_folded(bytes("c0000201 c6336402 00060014")));
  ChecksumSum v6;
  v6.add_pseudo_header(ip("2001:db8::1"), ip("2001:db8::2"), 17, 70000);
  EXPECT_EQ(v6.folded(), plain_folded(bytes("20010db8000000000000000000000001 20010db8000000000000000000000002"
                                            "00011170 00000011")));
}

TEST(ChecksumDelta, UpdatesAFieldToWhatSummingAgainYields) {
  Random random(2);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::uint8_t> data(24);
    // Many words at the ends of the range, where one's complement has two zeros.
    for (auto& byte : data)
      byte = random.below(3) == 0 ? static_cast<std::uint8_t>(random()) : (random.below(2) == 0 ? 0 : 0xff);
    data[0] = 0x45;  // a real sum is never 0: some word is not
    const std::uint16_t before = internet_checksum(data);
    auto changed = data;
    for (std::size_t i = 4; i < 12; ++i)
      changed[i] = random.below(2) == 0 ? static_cast<std::uint8_t>(random()) : changed[i];
    const auto delta = ChecksumDelta::of(std::span(data).subspan(4, 8), std::span(changed).subspan(4, 8));
    ASSERT_EQ(update_checksum(before, delta), internet_checksum(changed));
    ASSERT_EQ(update_partial_checksum(static_cast<std::uint16_t>(~before), delta),
              static_cast<std::uint16_t>(~internet_checksum(changed)));
  }
}

TEST(ChecksumDelta, OfNoChangeChangesNoField) {
  const auto delta = ChecksumDelta::of(bytes("0102 ffff"), bytes("0102 ffff"));
  EXPECT_EQ(delta.value, 0);
  for (const std::uint16_t field : std::initializer_list<std::uint16_t>{0x0000, 0x0001, 0x1234, 0xfffe, 0xffff}) {
    EXPECT_EQ(update_checksum(field, delta), field);
  }
}

TEST(ChecksumDelta, TheExampleOfRfc1624GivesZeroAndNotItsNegative) {
  // Section 4: HC = 0xdd2f, m = 0x5555, m' = 0x3285; equation 3 yields 0x0000.
  EXPECT_EQ(update_checksum(0xdd2f, ChecksumDelta::of(0x5555, 0x3285)), 0x0000);
}

TEST(ChecksumDelta, SumsOfDeltasAreTheDeltaOfBothChanges) {
  const auto address = ChecksumDelta::of(bytes("c0000201"), bytes("0a000001"));
  const auto port = ChecksumDelta::of(80, 8080);
  const auto both = ChecksumDelta::of(bytes("c00002010050"), bytes("0a0000011f90"));
  EXPECT_EQ(update_checksum(0x1234, address + port), update_checksum(0x1234, both));
}

TEST(OnesComplement, TheFoldOfFewWordsIsTheFoldOfAnySum) {
  Random random(3);
  for (std::uint32_t sum = 0; sum < 0x40000; ++sum)
    ASSERT_EQ(ones_complement::fold_few(sum), ones_complement::fold(sum));
  for (int i = 0; i < 1'000'000; ++i) {
    const auto sum = static_cast<std::uint32_t>(random());
    ASSERT_EQ(ones_complement::fold_few(sum), ones_complement::fold(sum)) << sum;
  }
  for (const std::uint32_t sum : {0xffff0000U, 0xfffeffffU, 0xffff0001U, 0xffffffffU, 0x0001ffffU, 0x80008000U}) {
    ASSERT_EQ(ones_complement::fold_few(sum), ones_complement::fold(sum)) << sum;
  }
}

}  // namespace
}  // namespace trivet
