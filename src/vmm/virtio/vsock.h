#pragma once
/*
 * vmm/virtio/vsock.h - streams between guest and host (VIRTIO 1.2, 5.10).  Layer: vmm.
 *
 * Host processes see unix sockets, the guest sees AF_VSOCK; the device is in between:
 *
 *      client --- PATH: "CONNECT 1024\n" ---> vsock.c --- REQUEST ---> guest listens at 1024
 *      client <-- "OK 1073741824\n" --------- vsock.c <-- RESPONSE --- guest
 *
 *      PATH_52 listens <--- connect --------- vsock.c <-- REQUEST ---- guest to CID 2, port 52
 *
 * Each stream has its own credit both ways: a packet holds at most what its receiver has room
 * for, so one slow stream holds up no other.  Nothing grows: VSOCK_STREAMS streams, each with
 * VSOCK_ROOM bytes towards the host; towards the guest bytes wait in the unix socket.  What
 * the guest sends beyond its credit, for unknown streams, or in the wrong state is answered by
 * RST; a packet shorter than it says stops the queue.
 */
#include "vmm/loop.h"
#include "vmm/virtio/device.h"

#define VSOCK_STREAMS 128
#define VSOCK_ROOM 65536                /* bytes a guest may send before the host takes them */
#define VSOCK_RESETS 64

#define VSOCK_CID_HOST 2
#define VSOCK_CID_MIN 3                 /* of a guest */

enum vsock_state {
	VSOCK_FREE,
	VSOCK_GREETING,                 /* the client has not named its port yet */
	VSOCK_ASKED,                    /* REQUEST is with the guest */
	VSOCK_OPEN,
	VSOCK_GONE,                     /* the host's end is closed; the guest's RST is awaited */
};

struct vsock;

struct vsock_stream {
	struct loop_watch host;         /* fd -1: there is none */
	struct vsock *of;
	enum vsock_state state;
	uint32_t events;                /* watched */
	bool watched;
	uint32_t guest_port, host_port;
	unsigned pending;               /* packets to send: bits of 1 << VIRTIO_VSOCK_OP_* */
	unsigned shut_host;             /* VIRTIO_VSOCK_SHUTDOWN_*: what the guest was told */
	unsigned shut_guest;            /* what the guest has said */
	/* Counts of bytes, free-running mod 2^32 (5.10.6.3). */
	uint32_t peer_room, peer_taken; /* the guest's buf_alloc, fwd_cnt */
	uint32_t sent, taken, told;     /* to the guest; by the host; taken as last told */
	char line[24];                  /* the greeting so far */
	size_t n_line;
	uint32_t at, held;              /* of room[], a ring */
	uint8_t room[VSOCK_ROOM];
};

struct vsock_reset {
	uint32_t guest_port, host_port;
	uint16_t type;
};

struct vsock {
	struct vdev dev;                /* first */
	struct loop *loop;
	struct loop_watch listen;
	const char *path;
	uint64_t cid;
	bool listening;                 /* listen is watched */
	bool starved;                   /* the guest has given no more buffers */
	bool tx_waits;                  /* until there is room for a reset */
	uint32_t next_port;
	unsigned next_stream;           /* whose turn it is */
	unsigned n_resets, first_reset;
	struct vsock_reset reset[VSOCK_RESETS];
	struct vsock_stream stream[VSOCK_STREAMS];
};

struct vsock_options {
	uint64_t cid;                   /* of the guest: VSOCK_CID_MIN up to 2^32 - 2 */
	/*
	 * A non-blocking unix socket that listens, for clients of guest ports, or -1.  Stays
	 * the caller's.
	 */
	int listen_fd;
	/* The guest's connections go to PATH_PORT; NULL: are refused.  Outlives the device. */
	const char *path;
};

/*
 * 8 MiB of address space, of which what is not used is never touched.  The loop's thread does
 * all, and outlives the device.  -EINVAL for a CID that no guest can have.
 */
MUST_CHECK int vsock_new(struct loop *l, const struct vsock_options *o, struct vsock **ret,
			 struct err *e);
/* Close all streams.  NULL: nothing. */
void vsock_free(struct vsock *v);
