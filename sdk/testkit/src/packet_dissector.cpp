#include "packet_dissector.h"

#include <algorithm>
#include <array>
#include <utility>

namespace trivet::testkit {

namespace {

// One's complement sum, the plain way: an independent check of the product's fast one.
std::uint32_t plain_sum(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8U : bytes[i];
  return sum;
}

std::uint32_t fold(std::uint64_t sum) {
  while (sum > 0xffffU) sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<std::uint32_t>(sum);
}

std::string hex16(std::uint32_t value) {
  const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
  const std::string text = hex(bytes);
  return text.substr(0, 2) + text.substr(3);
}

std::string tcp_flags(unsigned flags) {
  constexpr std::array<std::pair<unsigned, const char*>, 8> names{{{0x02, "syn"},
                                                                   {0x01, "fin"},
                                                                   {0x04, "rst"},
                                                                   {0x08, "psh"},
                                                                   {0x10, "ack"},
                                                                   {0x20, "urg"},
                                                                   {0x40, "ece"},
                                                                   {0x80, "cwr"}}};
  std::string text;
  for (const auto& [bit, name] : names) {
    if ((flags & bit) == 0) continue;
    if (!text.empty()) text += ' ';
    text += name;
  }
  return text.empty() ? "none" : text;
}

std::string icmp_name(bool is_v4, unsigned type) {
  struct Name {
    bool v4;
    unsigned type;
    const char* text;
  };
  static constexpr std::array<Name, 20> names{{{true, 0, "echo reply"},
                                               {true, 3, "unreachable"},
                                               {true, 5, "redirect"},
                                               {true, 8, "echo request"},
                                               {true, 11, "time exceeded"},
                                               {true, 12, "parameter problem"},
                                               {false, 1, "unreachable"},
                                               {false, 2, "too big"},
                                               {false, 3, "time exceeded"},
                                               {false, 4, "parameter problem"},
                                               {false, 128, "echo request"},
                                               {false, 129, "echo reply"},
                                               {false, 130, "listener query"},
                                               {false, 131, "listener report"},
                                               {false, 132, "listener done"},
                                               {false, 133, "router solicitation"},
                                               {false, 134, "router advertisement"},
                                               {false, 135, "neighbor solicitation"},
                                               {false, 136, "neighbor advertisement"},
                                               {false, 143, "listener report v2"}}};
  for (const Name& name : names) {
    if (name.v4 == is_v4 && name.type == type) return name.text;
  }
  return "type " + std::to_string(type);
}

}  // namespace

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    if (!text.empty()) text += ' ';
    text += digits[byte >> 4U];
    text += digits[byte & 0xfU];
  }
  return text;
}

std::uint32_t Dissector::number(std::size_t size) {
  std::uint32_t value = 0;
  for (const std::uint8_t byte : take_bytes(size)) value = (value << 8U) | byte;
  return value;
}

std::span<const std::uint8_t> Dissector::take_bytes(std::size_t size) {
  size = std::min(size, end_ - at_);
  const auto bytes = frame_.subspan(at_, size);
  at_ += size;
  return bytes;
}

std::string Dissector::mac_text() {
  MacAddress address;
  std::ranges::copy(take_bytes(6), address.bytes.begin());
  return to_string(address);
}

std::string Dissector::ip_text(bool is_v4) {
  if (is_v4) {
    Ipv4Address address;
    std::ranges::copy(take_bytes(4), address.bytes.begin());
    return to_string(address);
  }
  Ipv6Address address;
  std::ranges::copy(take_bytes(16), address.bytes.begin());
  return to_string(address);
}

void Dissector::checksum(const std::string& layer, std::size_t begin, std::size_t at, bool with_pseudo_header,
                         unsigned protocol) {
  const auto field = static_cast<std::uint32_t>((frame_[at] << 8U) | frame_[at + 1]);
  const std::size_t size = end_ - begin;
  std::uint64_t sum = plain_sum(frame_.subspan(begin, size)) + std::uint64_t{0xffffU ^ field};
  std::uint64_t pseudo = 0;
  if (with_pseudo_header) {
    pseudo = std::uint64_t{plain_sum(source_.bytes())} + plain_sum(destination_.bytes()) + protocol + size;
    sum += pseudo;
  }
  // `sum` counts the field and its complement: together nothing.
  const std::uint32_t right = 0xffffU ^ fold(sum);
  std::string text = hex16(field);
  const bool is_udp = layer == "udp";
  if (is_fragment_) {
    text += " of a fragment";
  } else if (is_udp && field == 0) {
    text += " none";
  } else if (field == right || (is_udp && right == 0 && field == 0xffffU)) {
    text += " ok";
  } else if (with_pseudo_header && field == fold(pseudo)) {
    text += " partial";
  } else {
    text += " wrong, " + hex16(right) + " is right";
  }
  add(layer, "checksum", text);
}

void Dissector::ethernet() {
  end_ = frame_.size();
  if (!has(14)) return truncated("eth");
  add("eth", "destination", mac_text());
  add("eth", "source", mac_text());
  unsigned type = number(2);
  while (type == 0x8100 && has(4)) {
    add("vlan", "id", std::to_string(number(2) & 0xfffU));
    type = number(2);
  }
  add("eth", "type", hex16(type));
  network_layer(type);
  if (at_ < frame_.size()) {
    end_ = frame_.size();
    add("eth", "padding", hex(take_bytes(end_ - at_)));
  }
}

void Dissector::network_layer(unsigned type) {
  if (type == 0x0800) return ipv4();
  if (type == 0x86dd) return ipv6();
  if (type == 0x0806) return arp();
  rest("payload");
}

void Dissector::rest(const std::string& layer) {
  if (at_ < end_) add(layer, "bytes", hex(take_bytes(end_ - at_)));
}

void Dissector::arp() {
  if (!has(28)) return truncated("arp");
  add_hex("arp", "kind", 6);
  const unsigned operation = number(2);
  add("arp", "operation", operation == 1 ? "request" : operation == 2 ? "reply" : std::to_string(operation));
  add("arp", "sender mac", mac_text());
  add("arp", "sender", ip_text(true));
  add("arp", "target mac", mac_text());
  add("arp", "target", ip_text(true));
}

void Dissector::ipv4() {
  const std::size_t begin = at_;
  if (!has(20)) return truncated("ipv4");
  const std::size_t header = std::size_t{frame_[at_] & 0xfU} * 4;
  add_hex("ipv4", "version and length", 1);
  add_number("ipv4", "traffic class", 1);
  const std::size_t total = number(2);
  add("ipv4", "total length", std::to_string(total));
  add_number("ipv4", "id", 2);
  const unsigned flags = number(2);
  add("ipv4", "flags", std::string((flags & 0x4000U) != 0 ? "df" : "-") + ((flags & 0x2000U) != 0 ? " mf" : ""));
  add("ipv4", "fragment offset", std::to_string((flags & 0x1fffU) * 8));
  add_number("ipv4", "hop limit", 1);
  const unsigned protocol = number(1);
  add("ipv4", "protocol", std::to_string(protocol));
  if (header < 20 || begin + header > frame_.size()) return truncated("ipv4");
  end_ = begin + header;
  checksum("ipv4", begin, at_, false, 0);
  at_ += 2;
  is_v4_ = true;
  source_ = Ipv4Address{{frame_[at_], frame_[at_ + 1], frame_[at_ + 2], frame_[at_ + 3]}};
  add("ipv4", "source", ip_text(true));
  destination_ = Ipv4Address{{frame_[at_], frame_[at_ + 1], frame_[at_ + 2], frame_[at_ + 3]}};
  add("ipv4", "destination", ip_text(true));
  if (header > 20) add_hex("ipv4", "options", header - 20);
  end_ = std::clamp(begin + total, at_, frame_.size());
  is_fragment_ = (flags & 0x3fffU) != 0;
  if ((flags & 0x1fffU) != 0) return rest("fragment");
  transport(protocol, is_fragment_);
}

void Dissector::ipv6() {
  if (!has(40)) return truncated("ipv6");
  const std::uint32_t word = number(4);
  add("ipv6", "version", std::to_string(word >> 28U));
  add("ipv6", "traffic class", std::to_string((word >> 20U) & 0xffU));
  add("ipv6", "flow label", std::to_string(word & 0xfffffU));
  const std::size_t length = number(2);
  add("ipv6", "payload length", std::to_string(length));
  unsigned protocol = number(1);
  add("ipv6", "next header", std::to_string(protocol));
  add_number("ipv6", "hop limit", 1);
  is_v4_ = false;
  Ipv6Address address;
  std::ranges::copy(frame_.subspan(at_, 16), address.bytes.begin());
  source_ = address;
  std::ranges::copy(frame_.subspan(at_ + 16, 16), address.bytes.begin());
  destination_ = address;
  add("ipv6", "source", ip_text(false));
  add("ipv6", "destination", ip_text(false));
  end_ = std::min(at_ + length, frame_.size());
  bool is_later_fragment = false;
  while (!is_later_fragment && has(8) && (protocol == 0 || protocol == 43 || protocol == 44 || protocol == 60)) {
    ipv6_extension(protocol, is_later_fragment);
  }
  if (is_later_fragment) return rest("fragment");
  transport(protocol, is_fragment_);
}

void Dissector::ipv6_extension(unsigned& protocol, bool& is_later_fragment) {
  const bool is_fragment_header = protocol == 44;
  const std::string layer = is_fragment_header ? "fragment" : "extension " + std::to_string(protocol);
  const std::size_t size = is_fragment_header ? 8 : (std::size_t{frame_[at_ + 1]} + 1) * 8;
  protocol = number(1);
  add(layer, "next header", std::to_string(protocol));
  if (!is_fragment_header) {
    add_hex(layer, "bytes", size - 1);
    return;
  }
  at_ += 1;
  const unsigned offset = number(2);
  add(layer, "fragment offset", std::to_string(offset & 0xfff8U));
  add(layer, "flags", (offset & 1U) != 0 ? "mf" : "-");
  add_number(layer, "id", 4);
  is_later_fragment = (offset & 0xfff8U) != 0;
  is_fragment_ = (offset & 0xfff9U) != 0;
}

void Dissector::transport(unsigned protocol, bool is_fragment) {
  is_fragment_ = is_fragment;
  if (protocol == 6) return tcp();
  if (protocol == 17) return udp();
  if (protocol == (is_v4_ ? 1U : 58U)) return icmp();
  if (protocol == 112) return rest("vrrp");
  if (protocol == 2) return rest("igmp");
  rest("payload");
}

void Dissector::tcp() {
  const std::size_t begin = at_;
  if (!has(20)) return truncated("tcp");
  add_number("tcp", "source port", 2);
  add_number("tcp", "destination port", 2);
  add_number("tcp", "sequence", 4);
  add_number("tcp", "acknowledgement", 4);
  const std::size_t header = std::size_t{number(1) >> 4U} * 4;
  add("tcp", "header length", std::to_string(header));
  add("tcp", "flags", tcp_flags(number(1)));
  add_number("tcp", "window", 2);
  checksum("tcp", begin, at_, true, 6);
  at_ += 2;
  add_number("tcp", "urgent", 2);
  if (header > 20) add_hex("tcp", "options", header - 20);
  rest("payload");
}

void Dissector::udp() {
  const std::size_t begin = at_;
  if (!has(8)) return truncated("udp");
  add_number("udp", "source port", 2);
  add_number("udp", "destination port", 2);
  add_number("udp", "length", 2);
  checksum("udp", begin, at_, true, 17);
  at_ += 2;
  rest("payload");
}

void Dissector::icmp() {
  const std::string layer = is_v4_ ? "icmp" : "icmpv6";
  const std::size_t begin = at_;
  if (!has(8)) return truncated(layer);
  const unsigned type = number(1);
  add(layer, "type", icmp_name(is_v4_, type));
  add_number(layer, "code", 1);
  checksum(layer, begin, at_, !is_v4_, 58);
  at_ += 2;
  icmp_body(type);
}

void Dissector::icmp_body(unsigned type) {
  const bool is_echo = is_v4_ ? type == 0 || type == 8 : type == 128 || type == 129;
  const std::string layer = is_v4_ ? "icmp" : "icmpv6";
  if (is_echo) {
    add_number(layer, "id", 2);
    add_number(layer, "sequence", 2);
  } else if (!is_v4_ && (type == 135 || type == 136) && has(20)) {
    const unsigned flags = number(4) >> 29U;
    if (type == 136) {
      add(layer, "flags",
          std::string((flags & 4U) != 0 ? "router " : "") + ((flags & 2U) != 0 ? "solicited " : "") +
              ((flags & 1U) != 0 ? "override" : ""));
    }
    add(layer, "target", ip_text(false));
    nd_options();
  } else {
    add_hex(layer, "rest", 4);
  }
  rest("payload");
}

void Dissector::nd_options() {
  while (has(8) && frame_[at_ + 1] != 0) {
    const unsigned type = number(1);
    const std::size_t size = std::size_t{number(1)} * 8;
    if ((type == 1 || type == 2) && size == 8) {
      add("icmpv6", type == 1 ? "source mac" : "target mac", mac_text());
    } else {
      add_hex("icmpv6", "option " + std::to_string(type), size - 2);
    }
  }
}

}  // namespace trivet::testkit
