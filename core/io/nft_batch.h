// Messages of one nf_tables transaction, one behind the other: the kernel does all of it or nothing.
//
// Thread: control. Source: the kernel's linux/netfilter/nf_tables.h; libmnl puts the attributes.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace trivet::core {

class NftBatch {
 public:
  enum class Acknowledge { no, yes };

  NftBatch();
  // Begins the next message, of the netdev family; attributes are put into what is returned until the next call, 48 KiB
  // of them at most. `kind` as NFT_MSG_NEWTABLE, `flags` besides NLM_F_REQUEST.
  [[nodiscard]] nlmsghdr* add(unsigned kind, std::uint16_t flags, Acknowledge acknowledge = Acknowledge::no);
  // Number of the message begun last, for NetlinkSocket::request().
  [[nodiscard]] std::uint32_t sequence() const noexcept { return sequence_; }
  // Ends the batch: nothing is added afterwards. Valid as long as this object.
  [[nodiscard]] std::span<const std::uint8_t> finish();

 private:
  nlmsghdr* begin(std::uint16_t type, std::uint16_t flags, std::uint8_t family, std::uint16_t resource);

  std::vector<std::uint8_t> bytes_;
  std::size_t current_ = 0;  // where the last message begins
  std::uint32_t sequence_ = 0;
};

// One name for each interface, whoever makes the table: two cannot have it.
[[nodiscard]] std::string ingress_table_name(const std::string& interface, int interface_index);
inline constexpr const char* ingress_chain_name = "ingress";
// A table of that name, which belongs to the socket that sends the batch, with the chain at the interface's ingress,
// in front of all others. `policy` as NF_DROP. The chain's message is acknowledged.
void add_ingress_table(NftBatch& batch, const std::string& interface, const std::string& table, std::uint32_t policy);

}  // namespace trivet::core
