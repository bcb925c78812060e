#include "core/io/ingress_drop.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cerrno>
#include <climits>
#include <utility>

namespace trivet::core {

namespace {

constexpr const char* chain_name = "ingress";
constexpr std::uint32_t chain_sequence = 3;  // the last message that is acknowledged

// Messages of one nf_tables transaction, one behind the other.
class Batch {
 public:
  nlmsghdr* add(std::uint16_t type, std::uint16_t flags, std::uint8_t family, std::uint16_t resource) {
    if (current_ != nullptr) used_ += MNL_ALIGN(current_->nlmsg_len);
    current_ = mnl_nlmsg_put_header(bytes_.data() + used_);
    current_->nlmsg_type = type;
    current_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    current_->nlmsg_seq = ++sequence_;
    auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(current_, sizeof(nfgenmsg)));
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    header->res_id = htons(resource);
    return current_;
  }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const {
    return {bytes_.data(), used_ + MNL_ALIGN(current_->nlmsg_len)};
  }

 private:
  alignas(nlmsghdr) std::array<std::uint8_t, 1024> bytes_{};
  std::size_t used_ = 0;
  std::uint32_t sequence_ = 0;
  nlmsghdr* current_ = nullptr;
};

constexpr std::uint16_t message_type(unsigned kind) {
  return static_cast<std::uint16_t>((unsigned{NFNL_SUBSYS_NFTABLES} << 8U) | kind);
}

Batch make_batch(const std::string& interface, const std::string& table) {
  Batch batch;
  batch.add(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  nlmsghdr* new_table = batch.add(message_type(NFT_MSG_NEWTABLE), NLM_F_CREATE | NLM_F_EXCL, NFPROTO_NETDEV, 0);
  mnl_attr_put_strz(new_table, NFTA_TABLE_NAME, table.c_str());
  mnl_attr_put_u32(new_table, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));

  nlmsghdr* chain = batch.add(message_type(NFT_MSG_NEWCHAIN), NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, NFPROTO_NETDEV, 0);
  mnl_attr_put_strz(chain, NFTA_CHAIN_TABLE, table.c_str());
  mnl_attr_put_strz(chain, NFTA_CHAIN_NAME, chain_name);
  mnl_attr_put_strz(chain, NFTA_CHAIN_TYPE, "filter");
  mnl_attr_put_u32(chain, NFTA_CHAIN_POLICY, htonl(NF_DROP));
  nlattr* hook = mnl_attr_nest_start(chain, NFTA_CHAIN_HOOK);
  mnl_attr_put_u32(chain, NFTA_HOOK_HOOKNUM, htonl(NF_NETDEV_INGRESS));
  mnl_attr_put_u32(chain, NFTA_HOOK_PRIORITY, htonl(static_cast<std::uint32_t>(INT_MIN)));
  mnl_attr_put_strz(chain, NFTA_HOOK_DEV, interface.c_str());
  mnl_attr_nest_end(chain, hook);
  batch.add(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  return batch;
}

IngressDrop::Failure classify(int number) {
  switch (number) {
    case EEXIST:
    case EPERM:  // the table is there and another socket owns it
      return IngressDrop::Failure::taken;
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case ENOENT:
    case EINVAL:
      return IngressDrop::Failure::unsupported;
    default:
      return IngressDrop::Failure::other;
  }
}

}  // namespace

std::expected<IngressDrop, IngressDrop::Refusal> IngressDrop::install(const std::string& interface,
                                                                      int interface_index) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return std::unexpected(Refusal{Failure::unsupported, socket.error().text});
  const Batch batch = make_batch(interface, "trivet-" + interface + "-" + std::to_string(interface_index));
  if (const auto done = socket->request(batch.bytes(), chain_sequence); !done) {
    return std::unexpected(Refusal{classify(socket->last_error()), done.error().text});
  }
  return IngressDrop{std::move(*socket)};
}

}  // namespace trivet::core
