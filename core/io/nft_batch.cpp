#include "core/io/nft_batch.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <climits>

namespace trivet::core {

namespace {

constexpr std::size_t room_for_message = 53248;

}  // namespace

NftBatch::NftBatch() { static_cast<void>(begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)); }

nlmsghdr* NftBatch::add(unsigned kind, std::uint16_t flags, Acknowledge acknowledge) {
  const auto type = static_cast<std::uint16_t>((unsigned{NFNL_SUBSYS_NFTABLES} << 8U) | kind);
  const unsigned all = flags | (acknowledge == Acknowledge::yes ? unsigned{NLM_F_ACK} : 0U);
  return begin(type, static_cast<std::uint16_t>(all), NFPROTO_NETDEV, 0);
}

nlmsghdr* NftBatch::begin(std::uint16_t type, std::uint16_t flags, std::uint8_t family, std::uint16_t resource) {
  if (sequence_ != 0) current_ += MNL_ALIGN(reinterpret_cast<const nlmsghdr*>(bytes_.data() + current_)->nlmsg_len);
  bytes_.resize(current_ + room_for_message);
  nlmsghdr* message = mnl_nlmsg_put_header(bytes_.data() + current_);
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = ++sequence_;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = family;
  header->version = NFNETLINK_V0;
  header->res_id = htons(resource);
  return message;
}

std::span<const std::uint8_t> NftBatch::finish() {
  const nlmsghdr* end = begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  return {bytes_.data(), current_ + MNL_ALIGN(end->nlmsg_len)};
}

std::string ingress_table_name(const std::string& interface, int interface_index) {
  return "trivet-" + interface + "-" + std::to_string(interface_index);
}

void add_ingress_table(NftBatch& batch, const std::string& interface, const std::string& table, std::uint32_t policy) {
  nlmsghdr* new_table = batch.add(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
  mnl_attr_put_strz(new_table, NFTA_TABLE_NAME, table.c_str());
  mnl_attr_put_u32(new_table, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));

  nlmsghdr* chain = batch.add(NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, NftBatch::Acknowledge::yes);
  mnl_attr_put_strz(chain, NFTA_CHAIN_TABLE, table.c_str());
  mnl_attr_put_strz(chain, NFTA_CHAIN_NAME, ingress_chain_name);
  mnl_attr_put_strz(chain, NFTA_CHAIN_TYPE, "filter");
  mnl_attr_put_u32(chain, NFTA_CHAIN_POLICY, htonl(policy));
  nlattr* hook = mnl_attr_nest_start(chain, NFTA_CHAIN_HOOK);
  mnl_attr_put_u32(chain, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
  mnl_attr_put_u32(chain, NFTA_HOOK_PRIORITY, htonl(static_cast<std::uint32_t>(INT_MIN)));
  mnl_attr_put_strz(chain, NFTA_HOOK_DEV, interface.c_str());
  mnl_attr_nest_end(chain, hook);
}

}  // namespace trivet::core
