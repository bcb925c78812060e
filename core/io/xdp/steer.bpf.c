/* Runs in the driver for each frame that an interface receives: data goes to the AF_XDP socket of its queue, control
 * frames go on to the packet sockets, which sort them by urgency (traffic_filter.h). Nothing is dropped here: a frame
 * whose queue has no socket goes on, too.
 *
 * Control frames, as there: ARP; VRRP, IGMP, ICMP; ICMPv6, also behind a hop-by-hop header (MLD); whatever is for an
 * address of this node. One VLAN tag is looked behind. All loads are checked against the frame's end.
 *
 * A driver may hand over a tag beside the frame, where it would be lost. With TRIVET_TAGS_BESIDE_FRAMES the program asks
 * for it, and passes such frames on, since packet sockets know of tags. Not every kernel and driver can be asked.
 *
 * The kernel lets only programs that are under the GPL as well ask a driver.
 *
 * SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "steer.h"

#define PROTOCOL_VRRP 112

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, TRIVET_XDP_MAX_QUEUES);
  __type(key, __u32);
  __type(value, __u32);
} sockets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, TRIVET_XDP_MAX_OWN_ADDRESSES);
  __type(key, struct trivet_xdp_address);
  __type(value, __u8);
} own_addresses SEC(".maps");

struct vlan_tag {
  __be16 control;
  __be16 type; /* of what follows */
};

#ifdef TRIVET_TAGS_BESIDE_FRAMES
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md* context, __be16* type, __u16* control) __ksym;

static __always_inline int has_tag_beside(const struct xdp_md* context) {
  __be16 type = 0;
  __u16 control = 0;
  return bpf_xdp_metadata_rx_vlan_tag(context, &type, &control) == 0;
}
#else
static __always_inline int has_tag_beside(const struct xdp_md* context) {
  (void)context;
  return 0;
}
#endif

static __always_inline int is_own(const struct trivet_xdp_address* address) {
  return bpf_map_lookup_elem(&own_addresses, address) != 0;
}

static __always_inline int is_ipv4_control(const void* at, const void* end) {
  const struct iphdr* ip = at;
  struct trivet_xdp_address key = {};
  if ((const void*)(ip + 1) > end) return 0;
  if (ip->protocol == PROTOCOL_VRRP || ip->protocol == IPPROTO_IGMP || ip->protocol == IPPROTO_ICMP) return 1;
  key.bytes[10] = 0xff;
  key.bytes[11] = 0xff;
  __builtin_memcpy(&key.bytes[12], &ip->daddr, sizeof ip->daddr);
  return is_own(&key);
}

static __always_inline int is_ipv6_control(const void* at, const void* end) {
  const struct ipv6hdr* ip = at;
  struct trivet_xdp_address key;
  if ((const void*)(ip + 1) > end) return 0;
  if (ip->nexthdr == PROTOCOL_VRRP || ip->nexthdr == IPPROTO_ICMPV6) return 1;
  if (ip->nexthdr == IPPROTO_HOPOPTS) {
    const __u8* following = (const __u8*)(ip + 1);
    if ((const void*)(following + 1) <= end && *following == IPPROTO_ICMPV6) return 1;
  }
  __builtin_memcpy(key.bytes, &ip->daddr, sizeof key.bytes);
  return is_own(&key);
}

SEC("xdp")
int steer(struct xdp_md* context) {
  const void* end = (const void*)(long)context->data_end;
  const struct ethhdr* ethernet = (const void*)(long)context->data;
  const void* packet = ethernet + 1;
  __be16 type;
  if ((const void*)(ethernet + 1) > end) return XDP_PASS;
  if ((const char*)end - (const char*)ethernet > TRIVET_XDP_LARGEST_FRAME) return XDP_PASS;
  if (has_tag_beside(context)) return XDP_PASS;
  type = ethernet->h_proto;
  if (type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD)) {
    const struct vlan_tag* tag = packet;
    if ((const void*)(tag + 1) > end) return XDP_PASS;
    type = tag->type;
    packet = tag + 1;
  }
  switch (type) {
    case bpf_htons(ETH_P_ARP):
      return XDP_PASS;
    case bpf_htons(ETH_P_IP):
      if (is_ipv4_control(packet, end)) return XDP_PASS;
      break;
    case bpf_htons(ETH_P_IPV6):
      if (is_ipv6_control(packet, end)) return XDP_PASS;
      break;
    default:
      break;
  }
  return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
}

char program_license[] SEC("license") = "Dual BSD/GPL";
