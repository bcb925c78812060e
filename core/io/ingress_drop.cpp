#include "core/io/ingress_drop.h"

#include <linux/netfilter.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "core/io/nft_batch.h"

namespace trivet::core {

IngressDrop::Failure IngressDrop::classify(int number) {
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

std::expected<IngressDrop, IngressDrop::Refusal> IngressDrop::install(const std::string& interface,
                                                                      int interface_index) {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return std::unexpected(Refusal{Failure::unsupported, socket.error().text});
  NftBatch batch;
  add_ingress_table(batch, interface, ingress_table_name(interface, interface_index), NF_DROP);
  const std::uint32_t chain = batch.sequence();
  if (const auto done = socket->request(batch.finish(), chain); !done) {
    return std::unexpected(Refusal{classify(socket->last_error()), done.error().text});
  }
  return IngressDrop{std::move(*socket)};
}

}  // namespace trivet::core
