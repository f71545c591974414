#pragma once
/*
 * vmm/virtio/device.h - a virtio device, whatever carries it.  Layer: vmm.
 *
 * A device is written once, as a table of operations against struct vdev; a transport
 * (virtio/mmio.c in isle-vmm's own machine, virtio/vhost_user.c beside QEMU) brings the
 * driver's registers or the front end's messages to it and carries its interrupts back.
 *
 *      guest driver --- registers ---> mmio.c ----+
 *                                                 +--> struct vdev --> ops of rng.c, fs.c ...
 *      QEMU ----------- messages ----> vhost_user.c +       |
 *                                                 ^         v
 *                                                 +--- vdev_notify(), vdev_fail()
 *
 * Threads: a device belongs to one struct loop.  Every operation below is called with
 * d->lock held, by the loop's thread or (registers only) by a vCPU's; a device's own
 * descriptors' callbacks take the lock themselves (vdev_enter()).
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vmm/gmem.h"
#include "vmm/virtio/vq.h"

#define VDEV_QUEUES_MAX 10

struct vdev;

struct vdev_ops {
	const char *name;               /* "rng": in messages */
	uint32_t id;                    /* VIRTIO 1.2, 5 */
	uint32_t config_bytes;          /* device-specific configuration space */
	unsigned n_queues;              /* at most VDEV_QUEUES_MAX; used: d->n_vq */
	uint16_t queue_size;            /* largest, a power of two, at most VQ_SIZE_MAX */

	/* Reads outside config_bytes are the transport's to refuse.  Absent: no such space. */
	void (*config_read)(struct vdev *d, uint32_t offset, void *p, uint32_t n);
	/* Absent: writes are ignored. */
	void (*config_write)(struct vdev *d, uint32_t offset, const void *p, uint32_t n);

	/* The driver set DRIVER_OK: features and queues are final.  Failing is NEEDS_RESET. */
	int (*activate)(struct vdev *d, struct err *e);
	/* The driver kicked queue q, or may have: work it until it is empty. */
	void (*kick)(struct vdev *d, unsigned q);
	/* Drop all requests in flight, as before activate().  The queues are already cleared. */
	void (*reset)(struct vdev *d);
};

/* What a transport does for its device. */
struct vdev_transport {
	void (*notify)(struct vdev *d, unsigned q);     /* used buffers of queue q */
	void (*config_changed)(struct vdev *d);
	void (*needs_reset)(struct vdev *d);
};

/* Embedded as the first member of each device's struct. */
struct vdev {
	const struct vdev_ops *ops;
	const struct vdev_transport *transport;         /* set by it */
	void *carrier;                                  /* the transport's own */
	const struct gmem *mem;
	uint64_t offered;               /* feature bits, VERSION_1 and the rings' included */
	uint64_t features;              /* negotiated: a subset of offered */
	struct vq vq[VDEV_QUEUES_MAX];
	unsigned n_vq;
	bool active;                    /* between activate() and reset() */
	bool said;                      /* vdev_fail() has logged: a guest must not fill the log */
	pthread_mutex_t lock;
};

/* offered: the device's own bits; VERSION_1, EVENT_IDX and INDIRECT_DESC are added. */
void vdev_init(struct vdev *d, const struct vdev_ops *ops, uint64_t offered);
void vdev_release(struct vdev *d);

static inline void vdev_enter(struct vdev *d)
{
	pthread_mutex_lock(&d->lock);
}

static inline void vdev_leave(struct vdev *d)
{
	pthread_mutex_unlock(&d->lock);
}

/* Interrupt for queue q if the driver wants one. */
void vdev_notify(struct vdev *d, unsigned q);

/*
 * The guest broke the rules of queue q: why goes to the log once, the queue stops, the
 * device says NEEDS_RESET.  The guest can bring it back by resetting it.
 */
void vdev_fail(struct vdev *d, unsigned q, const char *why);
