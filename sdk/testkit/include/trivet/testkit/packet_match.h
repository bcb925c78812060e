// Reading frames in tests: one line about a frame, all its fields, and a comparison that shows both field by field.
//
//     EXPECT_THAT(harness.take_sent(1), ElementsAre(IsFrame(eth(a, b) / ipv4(x, y) / udp(1, 2))));
//     EXPECT_EQ(describe(frame), "02:..:01 > 02:..:02 ipv4 10.0.0.1 > 10.0.0.2 hop limit 64 udp 1 > 2 payload 3");
//
// The dissector reads with its own code, not with that of the product, and never past the end of the frame.
//
// Thread: any; pure.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trivet/testkit/packet_builder.h"

namespace trivet::testkit {

struct FrameField {
  std::string layer;  // "ipv6", "tcp"
  std::string name;   // "hop limit"
  std::string value;
  bool operator==(const FrameField&) const = default;
};

// Every field of the frame in order; checksums are judged ("1a2b ok", "1a2b wrong, 3c4d is right").
[[nodiscard]] std::vector<FrameField> dissect(std::span<const std::uint8_t> frame);

// One line: addresses, kind, what matters of it.
[[nodiscard]] std::string describe(std::span<const std::uint8_t> frame);

// All fields and the bytes in hex, several lines.
[[nodiscard]] std::string show(std::span<const std::uint8_t> frame);

// Empty when the frames are equal; else both, with the fields that differ marked.
[[nodiscard]] std::string difference(const Frame& actual, const Frame& expected);

// "5e 00 01", without line breaks.
[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);

// Equal byte for byte; Ethernet padding up to 60 bytes may be missing or present.
class FrameMatcher {
 public:
  using is_gtest_matcher = void;
  explicit FrameMatcher(Frame expected) : expected_(std::move(expected)) {}
  bool MatchAndExplain(const Frame& actual, std::ostream* stream) const;
  void DescribeTo(std::ostream* stream) const;
  void DescribeNegationTo(std::ostream* stream) const;

 private:
  Frame expected_;
};
[[nodiscard]] inline FrameMatcher IsFrame(Frame expected) { return FrameMatcher(std::move(expected)); }

// The one-line description contains the text: Describes("udp 1 > 2").
class DescriptionMatcher {
 public:
  using is_gtest_matcher = void;
  explicit DescriptionMatcher(std::string part) : part_(std::move(part)) {}
  bool MatchAndExplain(const Frame& actual, std::ostream* stream) const;
  void DescribeTo(std::ostream* stream) const;
  void DescribeNegationTo(std::ostream* stream) const;

 private:
  std::string part_;
};
[[nodiscard]] inline DescriptionMatcher Describes(std::string part) { return DescriptionMatcher(std::move(part)); }

}  // namespace trivet::testkit

// Fails with both frames field by field. Wants <gmock/gmock.h>.
#define EXPECT_FRAME_EQ(actual, expected) EXPECT_THAT((actual), ::trivet::testkit::IsFrame(expected))
