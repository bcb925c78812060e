#include "core/io/ingress_share.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <utility>

#include "core/io/nft_batch.h"

namespace trivet::core {

namespace {

// The names of the sets of one family, and where their addresses stand behind the start of layer 3.
struct FamilyPlan {
  Family family = Family::ipv4;
  std::uint16_t ether_type = 0;
  std::uint32_t source_at = 0;
  std::uint32_t destination_at = 0;
  std::uint32_t length = 0;
  const char* own = nullptr;
  const char* sources = nullptr;
  const char* system = nullptr;
  std::uint32_t key_type = 0;  // as nft lists it
};
constexpr std::array<FamilyPlan, 2> families = {{
    {Family::ipv4, ETH_P_IP, 12, 16, 4, "own4", "sources4", "system4", 7},
    {Family::ipv6, ETH_P_IPV6, 8, 24, 16, "own6", "sources6", "system6", 8},
}};
constexpr std::uint32_t arp_target_at = 24;
constexpr const char* routed_kinds = "routed";  // kinds of frames that are this node's to route: none, or PACKET_HOST
constexpr std::uint32_t kind_key_type = 31;
constexpr std::uint32_t kind_length = 1;
constexpr std::size_t elements_in_message = 1024;
constexpr int send_buffer_bytes = 8 << 20;

using Bytes = std::vector<std::uint8_t>;

void add_set(NftBatch& batch, const std::string& table, const char* name, std::uint32_t key_type,
             std::uint32_t length) {
  nlmsghdr* message = batch.add(NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL);
  mnl_attr_put_strz(message, NFTA_SET_TABLE, table.c_str());
  mnl_attr_put_strz(message, NFTA_SET_NAME, name);
  mnl_attr_put_u32(message, NFTA_SET_ID, htonl(batch.sequence()));
  mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(key_type));
  mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(length));
}

// What a rule asks, in order; where all holds, the frame is dropped.
class Rule {
 public:
  Rule(NftBatch& batch, const std::string& table)
      : message_(batch.add(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NftBatch::Acknowledge::yes)) {
    mnl_attr_put_strz(message_, NFTA_RULE_TABLE, table.c_str());
    mnl_attr_put_strz(message_, NFTA_RULE_CHAIN, ingress_chain_name);
    expressions_ = mnl_attr_nest_start(message_, NFTA_RULE_EXPRESSIONS);
  }

  Rule& protocol(std::uint16_t ether_type) {
    const std::uint16_t value = htons(ether_type);
    return load_meta(NFT_META_PROTOCOL).equals({reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  Rule& kind(std::uint8_t packet_type) { return load_meta(NFT_META_PKTTYPE).equals({&packet_type, 1}); }
  Rule& kind_in(const char* set) { return load_meta(NFT_META_PKTTYPE).is_in(set, 0); }
  Rule& bytes_in(std::uint32_t at, std::uint32_t length, const char* set) { return load(at, length).is_in(set, 0); }
  Rule& bytes_not_in(std::uint32_t at, std::uint32_t length, const char* set) {
    return load(at, length).is_in(set, NFT_LOOKUP_F_INV);
  }
  void drop() {
    const Expression expression{message_, "immediate"};
    mnl_attr_put_u32(message_, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
    nlattr* data = mnl_attr_nest_start(message_, NFTA_IMMEDIATE_DATA);
    nlattr* verdict = mnl_attr_nest_start(message_, NFTA_DATA_VERDICT);
    mnl_attr_put_u32(message_, NFTA_VERDICT_CODE, htonl(NF_DROP));
    mnl_attr_nest_end(message_, verdict);
    mnl_attr_nest_end(message_, data);
    expression.end();
    mnl_attr_nest_end(message_, expressions_);
  }

 private:
  // One expression; its attributes are put between construction and end().
  struct Expression {
    Expression(nlmsghdr* to, const char* name) : message(to), element(mnl_attr_nest_start(to, NFTA_LIST_ELEM)) {
      mnl_attr_put_strz(to, NFTA_EXPR_NAME, name);
      data = mnl_attr_nest_start(to, NFTA_EXPR_DATA);
    }
    void end() const {
      mnl_attr_nest_end(message, data);
      mnl_attr_nest_end(message, element);
    }
    nlmsghdr* message;
    nlattr* element;
    nlattr* data;
  };

  Rule& load_meta(std::uint32_t key) {
    const Expression expression{message_, "meta"};
    mnl_attr_put_u32(message_, NFTA_META_KEY, htonl(key));
    mnl_attr_put_u32(message_, NFTA_META_DREG, htonl(NFT_REG_1));
    expression.end();
    return *this;
  }
  Rule& load(std::uint32_t at, std::uint32_t length) {
    const Expression expression{message_, "payload"};
    mnl_attr_put_u32(message_, NFTA_PAYLOAD_DREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message_, NFTA_PAYLOAD_BASE, htonl(NFT_PAYLOAD_NETWORK_HEADER));
    mnl_attr_put_u32(message_, NFTA_PAYLOAD_OFFSET, htonl(at));
    mnl_attr_put_u32(message_, NFTA_PAYLOAD_LEN, htonl(length));
    expression.end();
    return *this;
  }
  Rule& equals(std::span<const std::uint8_t> value) {
    const Expression expression{message_, "cmp"};
    mnl_attr_put_u32(message_, NFTA_CMP_SREG, htonl(NFT_REG_1));
    mnl_attr_put_u32(message_, NFTA_CMP_OP, htonl(NFT_CMP_EQ));
    nlattr* data = mnl_attr_nest_start(message_, NFTA_CMP_DATA);
    mnl_attr_put(message_, NFTA_DATA_VALUE, value.size(), value.data());
    mnl_attr_nest_end(message_, data);
    expression.end();
    return *this;
  }
  Rule& is_in(const char* set, std::uint32_t flags) {
    const Expression expression{message_, "lookup"};
    mnl_attr_put_strz(message_, NFTA_LOOKUP_SET, set);
    mnl_attr_put_u32(message_, NFTA_LOOKUP_SREG, htonl(NFT_REG_1));
    if (flags != 0) mnl_attr_put_u32(message_, NFTA_LOOKUP_FLAGS, htonl(flags));
    expression.end();
    return *this;
  }

  nlmsghdr* message_;
  nlattr* expressions_ = nullptr;
};

void add_rules(NftBatch& batch, const std::string& table, const FamilyPlan& plan) {
  Rule{batch, table}.protocol(plan.ether_type).bytes_in(plan.destination_at, plan.length, plan.own).drop();
  Rule{batch, table}
      .protocol(plan.ether_type)
      .kind(PACKET_HOST)
      .bytes_in(plan.source_at, plan.length, plan.sources)
      .bytes_not_in(plan.destination_at, plan.length, plan.system)
      .drop();
  Rule{batch, table}
      .protocol(plan.ether_type)
      .kind_in(routed_kinds)
      .bytes_not_in(plan.destination_at, plan.length, plan.system)
      .drop();
}

Bytes key_of(const IpAddress& address) {
  return {address.bytes().begin(), address.bytes().begin() + (address.is_v4() ? 4 : 16)};
}

// The addresses of a family, each once.
std::vector<Bytes> keys_of(const std::vector<IpAddress>& addresses, Family family) {
  std::set<IpAddress> unique;
  for (const IpAddress& address : addresses) {
    if (address.family() == family) unique.insert(address);
  }
  std::vector<Bytes> keys;
  keys.reserve(unique.size());
  for (const IpAddress& address : unique) keys.push_back(key_of(address));
  return keys;
}

void replace_elements(NftBatch& batch, const std::string& table, const char* set, std::span<const Bytes> keys) {
  nlmsghdr* flush = batch.add(NFT_MSG_DELSETELEM, 0, NftBatch::Acknowledge::yes);
  mnl_attr_put_strz(flush, NFTA_SET_ELEM_LIST_TABLE, table.c_str());
  mnl_attr_put_strz(flush, NFTA_SET_ELEM_LIST_SET, set);
  while (!keys.empty()) {
    const std::span<const Bytes> part = keys.first(std::min(keys.size(), elements_in_message));
    keys = keys.subspan(part.size());
    nlmsghdr* message = batch.add(NFT_MSG_NEWSETELEM, NLM_F_CREATE, NftBatch::Acknowledge::yes);
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table.c_str());
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
    nlattr* list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (const Bytes& bytes : part) {
      nlattr* element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
      nlattr* key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
      mnl_attr_put(message, NFTA_DATA_VALUE, bytes.size(), bytes.data());
      mnl_attr_nest_end(message, key);
      mnl_attr_nest_end(message, element);
    }
    mnl_attr_nest_end(message, list);
  }
}

}  // namespace

std::expected<IngressShare, IngressDrop::Refusal> IngressShare::install(const std::string& interface,
                                                                        int interface_index) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return std::unexpected(IngressDrop::Refusal{IngressDrop::Failure::unsupported, socket.error().text});
  // A whole update is one message to the kernel, however many addresses it has.
  static_cast<void>(
      ::setsockopt(socket->fd(), SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer_bytes, sizeof send_buffer_bytes));
  std::string table = ingress_table_name(interface, interface_index);
  NftBatch batch;
  add_ingress_table(batch, interface, table, NF_ACCEPT);
  for (const FamilyPlan& plan : families) {
    for (const char* name : {plan.own, plan.sources, plan.system}) {
      add_set(batch, table, name, plan.key_type, plan.length);
    }
  }
  add_set(batch, table, routed_kinds, kind_key_type, kind_length);
  for (const FamilyPlan& plan : families) add_rules(batch, table, plan);
  Rule{batch, table}.protocol(ETH_P_ARP).bytes_in(arp_target_at, 4, families[0].own).drop();
  const std::uint32_t last = batch.sequence();
  if (const auto done = socket->request(batch.finish(), last); !done) {
    return std::unexpected(IngressDrop::Refusal{IngressDrop::classify(socket->last_error()), done.error().text});
  }
  return IngressShare{std::move(*socket), std::move(table)};
}

Result<void> IngressShare::update(const Claims& claims, const std::vector<IpAddress>& system) {
  NftBatch batch;
  for (const FamilyPlan& plan : families) {
    replace_elements(batch, table_, plan.own, keys_of(claims.destinations, plan.family));
    replace_elements(batch, table_, plan.sources, keys_of(claims.sources, plan.family));
    replace_elements(batch, table_, plan.system, keys_of(system, plan.family));
  }
  const Bytes to_this_host{PACKET_HOST};
  replace_elements(batch, table_, routed_kinds, claims.routes ? std::span{&to_this_host, 1} : std::span<const Bytes>{});
  const std::uint32_t last = batch.sequence();
  std::array<std::uint8_t, 8192> answer{};
  while (socket_.receive(answer) > 0) {
    // Answers to a transaction that failed, behind the first: nobody waits for them any more.
  }
  return socket_.request(batch.finish(), last);
}

}  // namespace trivet::core
