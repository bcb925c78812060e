/* What the program of an interface (steer.bpf.c) and the code that loads it agree upon. C, for both compilers. */
#pragma once

/* Frames up to this long fit a buffer of the UMEM: a chunk of 4 KiB less the kernel's headroom (XDP_PACKET_HEADROOM).
 * Longer ones, which only the generic hook hands over whole, go the way of control frames. */
#define TRIVET_XDP_LARGEST_FRAME 3840

#define TRIVET_XDP_MAX_QUEUES 64
#define TRIVET_XDP_MAX_OWN_ADDRESSES 128

#define TRIVET_XDP_MAX_CLAIMS 16384

/* What an address of the table of claims is; a frame's two are looked up where an interface is shared with the system.
 */
#define TRIVET_XDP_DESTINATION 1U /* to it: this node's */
#define TRIVET_XDP_SOURCE 2U      /* from it to others than the system: this node's */
#define TRIVET_XDP_SYSTEM 4U      /* to it: the system's */

/* Bits of the one entry of the table of settings. */
#define TRIVET_XDP_SHARED 1U /* the interface is shared with the system */
#define TRIVET_XDP_ROUTES 2U /* whatever is sent through this node is this node's */

/* MACs that a frame "through this node" is sent to: the interface's and those of virtual routers. */
#define TRIVET_XDP_MAX_MACS 16

struct trivet_xdp_mac {
  unsigned char bytes[6];
};

/* Key of the tables of addresses: IPv6, or IPv4 in its mapped form (RFC 4291 section 2.5.5.2). */
struct trivet_xdp_address {
  unsigned char bytes[16];
};
