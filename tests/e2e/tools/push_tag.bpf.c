/* Gives each frame that leaves an interface the VLAN tag 5, beside the frame, as a VLAN device does. For tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int push_tag(struct __sk_buff* frame) {
  bpf_skb_vlan_push(frame, bpf_htons(ETH_P_8021Q), 5);
  return TC_ACT_OK;
}

char program_license[] SEC("license") = "Apache-2.0";
