// The dissector behind packet_match.h: walks a frame and collects fields. Private to the testkit.
//
// Thread: values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trivet/testkit/packet_match.h"

namespace trivet::testkit {

class Dissector {
 public:
  explicit Dissector(std::span<const std::uint8_t> frame) : frame_(frame) { ethernet(); }
  [[nodiscard]] std::vector<FrameField> take() { return std::move(fields_); }

 private:
  void ethernet();
  void network_layer(unsigned type);
  void arp();
  void ipv4();
  void ipv6();
  void ipv6_extension(unsigned& protocol, bool& is_later_fragment);
  void transport(unsigned protocol, bool is_fragment);
  void tcp();
  void udp();
  void icmp();
  void icmp_body(unsigned type);
  void nd_options();
  void rest(const std::string& layer);
  // Checks the sum over the bytes from `begin` to the end; `at`: the field.
  void checksum(const std::string& layer, std::size_t begin, std::size_t at, bool with_pseudo_header,
                unsigned protocol);

  [[nodiscard]] bool has(std::size_t size) const { return at_ + size <= end_; }
  // Reads and moves on; the caller has asked has().
  std::uint32_t number(std::size_t size);
  std::span<const std::uint8_t> take_bytes(std::size_t size);
  std::string mac_text();
  std::string ip_text(bool is_v4);
  void add(const std::string& layer, std::string name, std::string value) {
    fields_.push_back({layer, std::move(name), std::move(value)});
  }
  void add_number(const std::string& layer, std::string name, std::size_t size) {
    add(layer, std::move(name), std::to_string(number(size)));
  }
  void add_hex(const std::string& layer, std::string name, std::size_t size) {
    add(layer, std::move(name), hex(take_bytes(size)));
  }
  void truncated(const std::string& layer) { add(layer, "truncated", hex(take_bytes(end_ - at_))); }

  std::span<const std::uint8_t> frame_;
  std::vector<FrameField> fields_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  bool is_v4_ = false;
  bool is_fragment_ = false;
  IpAddress source_;
  IpAddress destination_;
};

}  // namespace trivet::testkit
