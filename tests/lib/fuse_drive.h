#pragma once
/*
 * tests/lib/fuse_drive.h - a FUSE client of virtio-fs in this process: guest memory with one
 * queue, and requests given to the device one at a time.  Static functions, because the fuzz
 * targets are single files.
 */
#include <linux/fuse.h>
#include <linux/virtio_config.h>
#include <stdint.h>
#include <string.h>

#include "vmm/gmem.h"
#include "vmm/virtio/fs.h"

#define DRIVE_RAM (4u << 20)
#define DRIVE_QUEUE 16
#define DRIVE_DESC 0x1000
#define DRIVE_AVAIL 0x2000
#define DRIVE_USED 0x3000
#define DRIVE_OUT 0x100000              /* where requests are put, and replies come to */
#define DRIVE_IN 0x200000
#define DRIVE_BYTES 0x100000            /* at most of each */

struct drive {
	struct gmem mem;
	struct fs *fs;
	struct vdev *dev;
	struct vdev_transport transport;
	unsigned queue;                 /* which the next requests go to */
	unsigned pieces;                /* segments that each part is cut into; 0: one */
	uint64_t unique;
};

static void drive_notify(struct vdev *d, unsigned q)
{
	(void)d;
	(void)q;
}

static void drive_needs_reset(struct vdev *d)
{
	(void)d;
}

static inline void *drive_at(const struct drive *v, uint64_t a)
{
	return gmem_at(&v->mem, (struct gpa){ a }, 1);
}

/* Both queues lie at the same place: they are used one at a time. */
static inline int drive_use(struct drive *v, unsigned q, struct err *e)
{
	const struct vq_layout l = { .size = DRIVE_QUEUE, .desc = { DRIVE_DESC },
				     .driver = { DRIVE_AVAIL }, .device = { DRIVE_USED } };

	memset(drive_at(v, DRIVE_AVAIL), 0, 0x2000);
	v->queue = q;
	return vq_setup(&v->dev->vq[q], &v->mem, &l, 1ULL << VIRTIO_F_VERSION_1, e);
}

static inline int drive_init(struct drive *v, const struct fs_options *o, struct err *e)
{
	*v = (struct drive){ .transport = { .notify = drive_notify,
					    .needs_reset = drive_needs_reset } };
	int r = fs_new(o, &v->fs, e);

	if (r < 0)
		return r;
	v->dev = fs_device(v->fs);
	v->dev->transport = &v->transport;
	v->dev->mem = &v->mem;
	v->dev->active = true;
	r = gmem_init(&v->mem, DRIVE_RAM, e);
	return r < 0 ? r : drive_use(v, 1, e);
}

static inline void drive_release(struct drive *v)
{
	fs_free(v->fs);
	gmem_release(&v->mem);
}

static inline unsigned drive_part(struct drive *v, unsigned i, uint64_t addr, uint32_t n,
				  uint16_t flags)
{
	struct vring_desc *d = drive_at(v, DRIVE_DESC);
	uint32_t run = v->pieces > 1 && n > v->pieces ? n / v->pieces : n;

	while (n > 0) {
		if (n < 2 * run)
			run = n;
		d[i] = (struct vring_desc){ .addr = addr, .len = run, .next = (uint16_t)(i + 1),
					    .flags = (uint16_t)(flags | VRING_DESC_F_NEXT) };
		i++;
		addr += run;
		n -= run;
	}
	return i;
}

/*
 * n bytes of a request that are at DRIVE_OUT, with room for a reply at DRIVE_IN: bytes that
 * were written, or -1 when the device gave the queue up.
 */
static inline int drive_raw(struct drive *v, uint32_t n, uint32_t room)
{
	struct vq *q = &v->dev->vq[v->queue];
	struct vring_desc *d = drive_at(v, DRIVE_DESC);
	struct vring_avail *a = drive_at(v, DRIVE_AVAIL);
	struct vring_used *u = drive_at(v, DRIVE_USED);
	unsigned i = drive_part(v, 0, DRIVE_OUT, n, 0);

	i = drive_part(v, i, DRIVE_IN, room, VRING_DESC_F_WRITE);
	if (i == 0)
		return -1;
	d[i - 1].flags &= (uint16_t)~VRING_DESC_F_NEXT;
	a->ring[a->idx % DRIVE_QUEUE] = 0;
	a->idx++;
	uint16_t was = u->idx;

	v->dev->ops->kick(v->dev, v->queue);
	if (q->broken || u->idx == was)
		return -1;
	return (int)u->ring[was % DRIVE_QUEUE].len;
}
