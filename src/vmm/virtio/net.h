#pragma once
/*
 * vmm/virtio/net.h - a network card with one pair of queues (VIRTIO 1.2, 5.1).  Layer: vmm.
 *
 *      guest <--- receiveq ---- net.c <--- receive() -- net_tap.c     a tap interface
 *      guest ---- transmitq --> net.c ---- send() ----> net_stream.c  passt's socket
 *
 * A tap interface takes and gives the virtio header with each frame, so that segmentation and
 * checksums are left to the host's kernel or its card.  passt's protocol (QEMU's "-netdev
 * stream") is a u32 of the length, big-endian, before each frame; it has no offloads.
 *
 * Frames are the guest's or the network's, and are not looked into.
 */
#include <linux/virtio_net.h>

#include "vmm/loop.h"
#include "vmm/virtio/device.h"

#define NET_HEAD sizeof(struct virtio_net_hdr_v1)
#define NET_ETH_MIN 14
#define NET_ETH_MAX (65535 + 18)        /* a segmented one, and its Ethernet header and tag */

struct net;

/* What is at the other end of the wire.  Each call on the loop's thread, with the lock held. */
struct net_port {
	uint64_t features;              /* that it can offer the guest */
	/* The driver has chosen: 0 or -errno. */
	int (*start)(struct net *n, struct err *e);
	/* One frame into n->frame: its bytes with header; 0: none now; -errno: it is over. */
	int (*receive)(struct net *n);
	/* The frame of req: 1 taken (or lost, as in networks); 0 not now; -errno: it is over. */
	int (*send)(struct net *n, const struct vq_req *req);
	/* What was taken but not written yet: 1 all is written, 0 not now, -errno. */
	int (*flush)(struct net *n);
};

struct net {
	struct vdev dev;                /* first */
	struct loop *loop;
	struct loop_watch wire;         /* fd -1: nothing is at its other end any more */
	uint32_t events;                /* that are watched */
	const struct net_port *port;
	uint8_t mac[6];
	uint16_t mtu;                   /* 0: not told */
	bool tx_waits;                  /* until the wire takes more */
	size_t frame_bytes;             /* of the frame that waits for the guest; 0: none */
	uint8_t frame[NET_HEAD + NET_ETH_MAX];

	/* net_stream.c */
	size_t in_at, in_end, out_at, out_end;
	uint8_t in[2 * (4 + NET_ETH_MAX)], out[4 + NET_ETH_MAX];
};

extern const struct net_port net_tap, net_stream;

struct net_options {
	const struct net_port *port;
	int fd;                         /* non-blocking; stays the caller's */
	uint8_t mac[6];
	uint16_t mtu;
};

/* About 260 KiB, of which what is not used is never touched.  The loop's thread does all. */
void net_init(struct net *n, struct loop *l, const struct net_options *o);

/*
 * The tap interface of that name in this network namespace, made if it is not there: a
 * non-blocking descriptor for net_tap.  It lives as long as the descriptor does.
 */
MUST_CHECK int net_tap_open(const char *name, struct err *e);
