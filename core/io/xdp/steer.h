/* What the program of an interface (steer.bpf.c) and the code that loads it agree upon. C, for both compilers. */
#pragma once

/* Frames up to this long fit a buffer of the UMEM: a chunk of 4 KiB less the kernel's headroom (XDP_PACKET_HEADROOM).
 * Longer ones, which only the generic hook hands over whole, go the way of control frames. */
#define TRIVET_XDP_LARGEST_FRAME 3840

#define TRIVET_XDP_MAX_QUEUES 64
#define TRIVET_XDP_MAX_OWN_ADDRESSES 128

/* Key of the table of own addresses: IPv6, or IPv4 in its mapped form (RFC 4291 section 2.5.5.2). */
struct trivet_xdp_address {
  unsigned char bytes[16];
};
