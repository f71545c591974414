#pragma once
/*
 * vmm/virtio/vq.h - split virtqueue, device side.  Layer: vmm.
 *
 * Three tables in guest memory (VIRTIO 1.2, 2.7):
 *
 *      descriptors            available ring (driver writes)      used ring (device writes)
 *      [0] addr len flags next   flags                              flags
 *      [1] ...          |        idx ---> next slot to fill         idx
 *      [2] ... <--------+        ring[] = heads of chains           ring[] = { head, written }
 *                                used_event                         avail_event
 *
 * The driver chains descriptors, puts the head into the available ring, raises idx and, if
 * we asked for it, kicks.  vq_pop() takes the next head and walks its chain; the device
 * works; vq_put() hands the head back; vq_should_notify() says whether to interrupt.
 *
 * Everything in the ring is the guest's and may change under us: each field is read once,
 * each index, length, address and chain bounded.  A queue that was found malformed stays
 * broken until it is set up again: vq_pop() goes on returning -EPROTO.
 * Not thread-safe: one thread at a time works on a queue.
 */
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"
#include "vmm/gmem.h"

#define VQ_SIZE_MAX 256                 /* entries that our devices ask for; the longest chain */
/*
 * Entries of a ring that is set up by another VMM's transport: QEMU's virtio-mmio lets the
 * driver have 1024 whatever the device says.  Chains are not longer for that: what a device
 * tells its driver (segments, pages of a request) keeps below VQ_SIZE_MAX.
 */
#define VQ_RING_MAX 1024

struct vq {
	const struct gmem *mem;
	struct vring_desc *desc;        /* host addresses of the three tables; NULL: not set up */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;                  /* entries, a power of two */
	uint16_t next_avail;            /* free-running, mod 2^16 */
	uint16_t next_used;
	uint16_t told_used;             /* next_used at the last vq_should_notify() */
	bool told;                      /* told_used is valid */
	bool event_idx;                 /* VIRTIO_RING_F_EVENT_IDX was negotiated */
	bool indirect;                  /* VIRTIO_RING_F_INDIRECT_DESC was negotiated */
	bool broken;
};

/* Where the driver put a queue.  Untrusted. */
struct vq_layout {
	uint32_t size;
	struct gpa desc, driver, device;
};

struct vq_req {
	uint16_t head;                  /* index to hand back to vq_put() */
	uint16_t n_out, n_in;           /* iov[0..n_out) to read, then n_in to write */
	uint64_t out_bytes, in_bytes;
	struct iovec iov[VQ_SIZE_MAX];  /* host addresses, checked against guest memory */
};

/*
 * Set q up from scratch: sizes, alignment (2.7: 16, 2, 4) and addresses are checked.
 * features: the negotiated ones.  mem must outlive the queue.  -EINVAL with the reason.
 */
MUST_CHECK int vq_setup(struct vq *q, const struct gmem *mem, const struct vq_layout *l,
			uint64_t features, struct err *e);

/* Forget the rings: what reset does. */
void vq_clear(struct vq *q);

static inline bool vq_ready(const struct vq *q)
{
	return q->desc && !q->broken;
}

/*
 * Take the next request the driver made available.
 * Returns 1 with *ret filled, 0 if the queue is empty (or not set up), or -EPROTO if the
 * ring is malformed: the caller then sets NEEDS_RESET.  Never blocks, logs or allocates.
 * Spec: VIRTIO 1.2, 2.7.5 (descriptor table), 2.7.5.3 (indirect), 2.7.6 (available ring).
 */
MUST_CHECK int vq_pop(struct vq *q, struct vq_req *ret);

/* Give the newest popped request back as if it had not been taken. */
void vq_unpop(struct vq *q);

/*
 * Hand a request back, with the number of bytes written into its in part, at most
 * in_bytes.  In any order.  Visible to the driver when this returns.
 */
void vq_put(struct vq *q, const struct vq_req *req, uint32_t written);

/*
 * The same in two steps, for several requests that must be seen together: put them aside,
 * then show them.  Those not shown yet are taken back by vq_unput(), n of them.
 */
void vq_put_aside(struct vq *q, const struct vq_req *req, uint32_t written);
void vq_show(struct vq *q);
void vq_unput(struct vq *q, uint16_t n);

/* After one or more vq_put(): does the driver want an interrupt?  (2.7.7, 2.7.10) */
MUST_CHECK bool vq_should_notify(struct vq *q);

/*
 * Ask for a kick at the next request.  Returns true if requests arrived meanwhile, for
 * which no kick may come: the caller must pop again.  Queues start with kicks asked for.
 */
MUST_CHECK bool vq_want_kicks(struct vq *q);
/* A hint only: the driver may still kick. */
void vq_refuse_kicks(struct vq *q);

/*
 * Bytes [skip, skip + n) of the segments, as segments; returns how many those are.  Fewer
 * bytes where the segments end.
 */
int vq_slice(const struct iovec *from, unsigned n_from, uint64_t skip, uint64_t n,
	     struct iovec ret[VQ_SIZE_MAX]);

/* Copy between a request's parts and p: out part from byte `from`; in part to byte `to`.
 * Returns the bytes copied, fewer at the end of the part. */
size_t vq_copy_out(const struct vq_req *req, uint64_t from, void *p, size_t n);
size_t vq_copy_in(const struct vq_req *req, uint64_t to, const void *p, size_t n);
