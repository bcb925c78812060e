/* Makes a host's interface the end of a VLAN, for kernels without VLAN devices: push5 and push6 tag what leaves, pop5
 * and pop6 untag what comes in with that tag, and drop the rest. For tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NUMBER_BITS 0xfff

static __always_inline int push(struct __sk_buff* frame, __u16 number) {
  return bpf_skb_vlan_push(frame, bpf_htons(ETH_P_8021Q), number) == 0 ? TC_ACT_OK : TC_ACT_SHOT;
}

static __always_inline int pop(struct __sk_buff* frame, __u16 number) {
  if (!frame->vlan_present || (frame->vlan_tci & NUMBER_BITS) != number) return TC_ACT_SHOT;
  return bpf_skb_vlan_pop(frame) == 0 ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("push5")
int push_tag_5(struct __sk_buff* frame) { return push(frame, 5); }

SEC("push6")
int push_tag_6(struct __sk_buff* frame) { return push(frame, 6); }

SEC("pop5")
int pop_tag_5(struct __sk_buff* frame) { return pop(frame, 5); }

SEC("pop6")
int pop_tag_6(struct __sk_buff* frame) { return pop(frame, 6); }

char program_license[] SEC("license") = "Apache-2.0";
