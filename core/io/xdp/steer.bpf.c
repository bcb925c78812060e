/* Runs in the driver for each frame that an interface receives: data goes to the AF_XDP socket of its queue, control
 * frames go on to the packet sockets, which sort them by urgency (traffic_filter.h). Nothing is dropped here: a frame
 * whose queue has no socket goes on, too.
 *
 * Control frames, as there: ARP; VRRP, IGMP, ICMP; ICMPv6, also behind a hop-by-hop header (MLD); whatever is for an
 * address of this node. One VLAN tag is looked behind. All loads are checked against the frame's end.
 *
 * Of an interface that is shared with the system (passthrough), data that is not this node's goes on, too: to the
 * system. What of the rest is whose the packet filter behind the packet sockets decides (ingress_share.h), by the same
 * rules.
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

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, TRIVET_XDP_MAX_CLAIMS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct trivet_xdp_address);
  __type(value, __u32);
} claims SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, TRIVET_XDP_MAX_MACS);
  __type(key, struct trivet_xdp_mac);
  __type(value, __u8);
} macs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} settings SEC(".maps");

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

static __always_inline __u32 claims_of(const struct trivet_xdp_address* address) {
  const __u32* bits = bpf_map_lookup_elem(&claims, address);
  return bits ? *bits : 0;
}

/* Sent to this node, not to somebody else whom the interface hears, too (macvlan, promiscuous mode). */
static __always_inline int is_sent_here(const struct ethhdr* ethernet) {
  struct trivet_xdp_mac key;
  __builtin_memcpy(key.bytes, ethernet->h_dest, sizeof key.bytes);
  return bpf_map_lookup_elem(&macs, &key) != 0;
}

/* Data for one host: whether it is this node's, on an interface that is shared. */
static __always_inline int is_claimed(const struct ethhdr* ethernet, __be16 type, const void* at, const void* end,
                                      __u32 bits) {
  struct trivet_xdp_address source = {};
  struct trivet_xdp_address destination = {};
  __u32 found;
  if (type == bpf_htons(ETH_P_IP)) {
    const struct iphdr* ip = at;
    if ((const void*)(ip + 1) > end) return 0;
    source.bytes[10] = source.bytes[11] = 0xff;
    destination.bytes[10] = destination.bytes[11] = 0xff;
    __builtin_memcpy(&source.bytes[12], &ip->saddr, sizeof ip->saddr);
    __builtin_memcpy(&destination.bytes[12], &ip->daddr, sizeof ip->daddr);
  } else if (type == bpf_htons(ETH_P_IPV6)) {
    const struct ipv6hdr* ip = at;
    if ((const void*)(ip + 1) > end) return 0;
    __builtin_memcpy(source.bytes, &ip->saddr, sizeof source.bytes);
    __builtin_memcpy(destination.bytes, &ip->daddr, sizeof destination.bytes);
  } else {
    return 0;
  }
  found = claims_of(&destination);
  if (found & TRIVET_XDP_DESTINATION) return 1;
  if (found & TRIVET_XDP_SYSTEM) return 0;
  if (!(bits & TRIVET_XDP_ROUTES) && !(claims_of(&source) & TRIVET_XDP_SOURCE)) return 0;
  return is_sent_here(ethernet);
}

SEC("xdp")
int steer(struct xdp_md* context) {
  const void* end = (const void*)(long)context->data_end;
  const struct ethhdr* ethernet = (const void*)(long)context->data;
  const void* packet = ethernet + 1;
  const __u32 only = 0;
  const __u32* bits;
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
  bits = bpf_map_lookup_elem(&settings, &only);
  if (bits && (*bits & TRIVET_XDP_SHARED)) {
    if (ethernet->h_dest[0] & 1) return XDP_PASS;
    if (!is_claimed(ethernet, type, packet, end, *bits)) return XDP_PASS;
  }
  return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS);
}

char program_license[] SEC("license") = "Dual BSD/GPL";
