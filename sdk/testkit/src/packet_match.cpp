#include "trivet/testkit/packet_match.h"

#include <algorithm>
#include <ostream>

#include "packet_dissector.h"

namespace trivet::testkit {

namespace {

constexpr std::size_t shortest_frame = 60;

const FrameField* find(const std::vector<FrameField>& fields, std::string_view layer, std::string_view name) {
  for (const FrameField& field : fields) {
    if (field.layer == layer && field.name == name) return &field;
  }
  return nullptr;
}

std::string value(const std::vector<FrameField>& fields, std::string_view layer, std::string_view name) {
  const FrameField* field = find(fields, layer, name);
  return field == nullptr ? "?" : field->value;
}

// Appends " name value" for each field that is there.
void append(std::string& text, const std::vector<FrameField>& fields, std::string_view layer,
            std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (const FrameField* field = find(fields, layer, name)) {
      text += ' ';
      text += name;
      text += ' ';
      text += field->value;
    }
  }
}

void describe_payload(std::string& text, const std::vector<FrameField>& fields) {
  for (const FrameField& field : fields) {
    if (field.name != "bytes" || field.layer.starts_with("extension")) continue;
    text += ' ' + field.layer + ' ' + std::to_string((field.value.size() + 1) / 3);
  }
  for (const FrameField& field : fields) {
    if (field.name == "truncated") text += " truncated " + field.layer;
    if (field.name == "checksum" && field.value.find("wrong") != std::string::npos) {
      text += " bad " + field.layer + " checksum";
    }
  }
}

void describe_arp(std::string& text, const std::vector<FrameField>& fields) {
  text += " arp " + value(fields, "arp", "operation");
  text += " sender " + value(fields, "arp", "sender mac") + ' ' + value(fields, "arp", "sender");
  text += " target " + value(fields, "arp", "target mac") + ' ' + value(fields, "arp", "target");
}

void describe_ports(std::string& text, const std::vector<FrameField>& fields, const std::string& layer) {
  text += ' ' + layer + ' ' + value(fields, layer, "source port") + " > " + value(fields, layer, "destination port");
  if (layer == "tcp") append(text, fields, layer, {"flags", "sequence", "acknowledgement"});
}

void describe_ip(std::string& text, const std::vector<FrameField>& fields, const std::string& layer) {
  text += ' ' + layer + ' ' + value(fields, layer, "source") + " > " + value(fields, layer, "destination");
  append(text, fields, layer, {"hop limit"});
  const std::string offset =
      layer == "ipv4" ? value(fields, "ipv4", "fragment offset") : value(fields, "fragment", "fragment offset");
  const std::string flags = layer == "ipv4" ? value(fields, "ipv4", "flags") : value(fields, "fragment", "flags");
  const bool more = flags.find("mf") != std::string::npos;
  if ((offset != "0" && offset != "?") || more) text += " fragment at " + offset + (more ? " more" : " last");
  for (const char* transport : {"tcp", "udp"}) {
    if (find(fields, transport, "source port") != nullptr) describe_ports(text, fields, transport);
  }
  for (const char* icmp : {"icmp", "icmpv6"}) {
    if (find(fields, icmp, "type") == nullptr) continue;
    text += std::string(" ") + icmp + ' ' + value(fields, icmp, "type");
    append(text, fields, icmp, {"id", "sequence", "target", "flags", "source mac", "target mac"});
    if (value(fields, icmp, "code") != "0") append(text, fields, icmp, {"code"});
  }
}

std::string lines(const std::vector<FrameField>& fields, const std::vector<FrameField>* other) {
  std::string text;
  for (const FrameField& field : fields) {
    const bool differs = other != nullptr && std::ranges::find(*other, field) == other->end();
    text += differs ? "  * " : "    ";
    text += field.layer + ' ' + field.name + ": " + field.value + '\n';
  }
  return text;
}

// Without Ethernet padding: what is behind a frame of at most 60 bytes and zero.
std::span<const std::uint8_t> unpadded(std::span<const std::uint8_t> frame, std::size_t wanted) {
  if (frame.size() != shortest_frame || wanted >= frame.size()) return frame;
  const auto padding = frame.subspan(wanted);
  const bool is_zero = std::ranges::all_of(padding, [](std::uint8_t byte) { return byte == 0; });
  return is_zero ? frame.first(wanted) : frame;
}

}  // namespace

std::vector<FrameField> dissect(std::span<const std::uint8_t> frame) { return Dissector(frame).take(); }

std::string describe(std::span<const std::uint8_t> frame) {
  const auto fields = dissect(frame);
  std::string text = value(fields, "eth", "source") + " > " + value(fields, "eth", "destination");
  if (const FrameField* tag = find(fields, "vlan", "id")) text += " vlan " + tag->value;
  if (find(fields, "arp", "operation") != nullptr) {
    describe_arp(text, fields);
  } else if (find(fields, "ipv4", "destination") != nullptr) {
    describe_ip(text, fields, "ipv4");
  } else if (find(fields, "ipv6", "destination") != nullptr) {
    describe_ip(text, fields, "ipv6");
  } else {
    text += " type " + value(fields, "eth", "type");
  }
  describe_payload(text, fields);
  return text;
}

std::string show(std::span<const std::uint8_t> frame) {
  return lines(dissect(frame), nullptr) + "    " + hex(frame) + '\n';
}

std::string difference(const Frame& actual_frame, const Frame& expected_frame) {
  const auto actual = unpadded(actual_frame, expected_frame.size());
  const auto expected = unpadded(expected_frame, actual_frame.size());
  if (std::ranges::equal(actual, expected)) return {};
  const auto actual_fields = dissect(actual);
  const auto expected_fields = dissect(expected);
  return "actual: " + describe(actual) + '\n' + lines(actual_fields, &expected_fields) + "    " + hex(actual) +
         "\nexpected: " + describe(expected) + '\n' + lines(expected_fields, &actual_fields) + "    " + hex(expected) +
         '\n';
}

bool FrameMatcher::MatchAndExplain(const Frame& actual, std::ostream* stream) const {
  const std::string text = difference(actual, expected_);
  if (stream != nullptr && !text.empty()) *stream << '\n' << text;
  return text.empty();
}

void FrameMatcher::DescribeTo(std::ostream* stream) const { *stream << "is the frame " << describe(expected_); }

void FrameMatcher::DescribeNegationTo(std::ostream* stream) const {
  *stream << "is not the frame " << describe(expected_);
}

bool DescriptionMatcher::MatchAndExplain(const Frame& actual, std::ostream* stream) const {
  const std::string text = describe(actual);
  if (stream != nullptr) *stream << "which is " << text;
  return text.find(part_) != std::string::npos;
}

void DescriptionMatcher::DescribeTo(std::ostream* stream) const { *stream << "is described with \"" << part_ << '"'; }

void DescriptionMatcher::DescribeNegationTo(std::ostream* stream) const {
  *stream << "is not described with \"" << part_ << '"';
}

}  // namespace trivet::testkit
