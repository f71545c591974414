/* vmm/virtio/mmio.c - see mmio.h; register numbers and rules are VIRTIO 1.2, 4.2.2 */
#include "vmm/virtio/mmio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"

#define MAGIC 0x74726976                /* "virt" */
#define VERSION 2                       /* not legacy */
#define VENDOR 0x454c5349               /* "ISLE" */

/* ---- towards the driver ------------------------------------------------------------- */

static void interrupt(struct vmmio *m, uint32_t why)
{
	uint64_t one = 1;

	m->interrupt_status |= why;
	/* Full: as many interrupts wait already. */
	if (write(m->irq, &one, sizeof(one)) < 0)
		return;
}

static void notify(struct vdev *d, unsigned q)
{
	(void)q;                        /* one line for all queues */
	interrupt(d->carrier, VIRTIO_MMIO_INT_VRING);
}

static void config_changed(struct vdev *d)
{
	struct vmmio *m = d->carrier;

	m->generation++;
	interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

static void needs_reset(struct vdev *d)
{
	struct vmmio *m = d->carrier;

	m->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (m->status & VIRTIO_CONFIG_S_DRIVER_OK)      /* 2.1.2 */
		interrupt(m, VIRTIO_MMIO_INT_CONFIG);
}

static const struct vdev_transport transport = {
	.notify = notify, .config_changed = config_changed, .needs_reset = needs_reset,
};

/* ---- kicks --------------------------------------------------------------------------- */

static void kicked(struct loop_watch *w, uint32_t events)
{
	struct vmmio_queue *q = (struct vmmio_queue *)w;
	struct vdev *d = q->of->dev;
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) < 0)
		return;
	vdev_enter(d);
	if (d->active && vq_ready(&d->vq[q->index]))
		d->ops->kick(d, q->index);
	vdev_leave(d);
}

static void kick(const struct vmmio *m, uint32_t q)
{
	uint64_t one = 1;

	if (q < m->dev->n_vq && write(m->queue[q].kick.fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- status -------------------------------------------------------------------------- */

static void reset(struct vmmio *m)
{
	struct vdev *d = m->dev;
	bool was = d->active;

	for (unsigned i = 0; i < d->n_vq; i++) {
		vq_clear(&d->vq[i]);
		m->queue[i].layout = (struct vq_layout){ 0 };
		m->queue[i].ready = false;
	}
	d->active = false;
	d->features = 0;
	if (was && d->ops->reset)
		d->ops->reset(d);
	m->status = 0;
	m->interrupt_status = 0;
	m->device_features_sel = m->driver_features_sel = m->queue_sel = 0;
}

static void activate(struct vmmio *m)
{
	struct vdev *d = m->dev;
	struct err e = { 0 };

	if (d->ops->activate && d->ops->activate(d, &e) < 0) {
		vdev_fail(d, 0, e.msg);
		return;
	}
	d->active = true;
	/* Kicks that came before DRIVER_OK were not worked on. */
	for (unsigned i = 0; i < d->n_vq; i++)
		kick(m, i);
}

static void set_status(struct vmmio *m, uint32_t v)
{
	struct vdev *d = m->dev;
	uint32_t fresh = v & ~m->status;

	if (v == 0) {
		reset(m);
		return;
	}
	/* 3.1.1: not accepted, the driver reads the bit back as 0 and gives up. */
	if ((fresh & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    ((d->features & ~d->offered) || !(d->features & (1ULL << VIRTIO_F_VERSION_1))))
		fresh &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	/* Bits are only added (2.1.1); NEEDS_RESET is ours. */
	m->status |= fresh & ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET;
	if ((fresh & VIRTIO_CONFIG_S_DRIVER_OK) && (m->status & VIRTIO_CONFIG_S_FEATURES_OK))
		activate(m);
}

static void set_features(struct vmmio *m, uint32_t v)
{
	uint64_t *f = &m->dev->features;

	if (m->status & VIRTIO_CONFIG_S_FEATURES_OK)    /* 3.1.1: final */
		return;
	if (m->driver_features_sel == 0)
		*f = (*f & ~0xffffffffULL) | v;
	else if (m->driver_features_sel == 1)
		*f = (*f & 0xffffffffULL) | (uint64_t)v << 32;
}

/* ---- queues -------------------------------------------------------------------------- */

static void set_ready(struct vmmio *m, struct vmmio_queue *q, uint32_t v)
{
	struct vdev *d = m->dev;
	struct err e = { 0 };

	if (!(v & 1)) {
		vq_clear(&d->vq[q->index]);
		q->ready = false;
		return;
	}
	if (q->ready || !(m->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	q->ready = true;
	if (q->layout.size > d->ops->queue_size) {
		vdev_fail(d, q->index, "more entries than QueueNumMax");
		return;
	}
	if (vq_setup(&d->vq[q->index], d->mem, &q->layout, d->features, &e) < 0)
		vdev_fail(d, q->index, e.msg);
}

static void set_half(struct gpa *a, uint32_t v, bool high)
{
	a->v = high ? (a->v & 0xffffffffULL) | (uint64_t)v << 32 : (a->v & ~0xffffffffULL) | v;
}

static void write_queue(struct vmmio *m, uint32_t offset, uint32_t v)
{
	if (m->queue_sel >= m->dev->n_vq)
		return;
	struct vmmio_queue *q = &m->queue[m->queue_sel];

	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		set_ready(m, q, v);
		return;
	}
	if (q->ready)                           /* 4.2.2.2: not while it is in use */
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->layout.size = v;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_half(&q->layout.desc, v, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_half(&q->layout.driver, v, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_half(&q->layout.device, v, offset == VIRTIO_MMIO_QUEUE_USED_HIGH);
		break;
	}
}

/* ---- registers ------------------------------------------------------------------------ */

static uint32_t read_register(const struct vmmio *m, uint32_t offset)
{
	const struct vdev *d = m->dev;
	bool queue = m->queue_sel < d->n_vq;

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return VERSION;
	case VIRTIO_MMIO_DEVICE_ID:
		return d->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return m->device_features_sel > 1 ? 0 :
		       (uint32_t)(d->offered >> (32 * m->device_features_sel));
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return queue ? d->ops->queue_size : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return queue && m->queue[m->queue_sel].ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return m->interrupt_status;
	case VIRTIO_MMIO_STATUS:
		return m->status;
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return m->generation;
	case VIRTIO_MMIO_SHM_LEN_LOW:           /* 4.2.2.1: no such region is all ones */
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX;
	default:
		return 0;
	}
}

static void write_register(struct vmmio *m, uint32_t offset, uint32_t v)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		m->device_features_sel = v;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		set_features(m, v);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		m->driver_features_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		m->queue_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		kick(m, v);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		m->interrupt_status &= ~v;
		break;
	case VIRTIO_MMIO_STATUS:
		set_status(m, v);
		break;
	default:
		write_queue(m, offset, v);
	}
}

/* Whether [offset, offset + n) is in the device's own space, which begins at 0x100. */
static bool in_config(const struct vdev *d, uint64_t offset, unsigned n)
{
	return offset >= VIRTIO_MMIO_CONFIG && offset - VIRTIO_MMIO_CONFIG < d->ops->config_bytes &&
	       n <= d->ops->config_bytes - (offset - VIRTIO_MMIO_CONFIG);
}

void vmmio_read(struct vmmio *m, uint64_t offset, void *p, unsigned n)
{
	struct vdev *d = m->dev;

	memset(p, 0, n);
	vdev_enter(d);
	if (in_config(d, offset, n)) {
		d->ops->config_read(d, (uint32_t)offset - VIRTIO_MMIO_CONFIG, p, n);
	} else if (offset < VIRTIO_MMIO_CONFIG && offset % 4 == 0 && n == 4) {
		uint32_t v = read_register(m, (uint32_t)offset);

		memcpy(p, &v, sizeof(v));
	}
	vdev_leave(d);
}

void vmmio_write(struct vmmio *m, uint64_t offset, const void *p, unsigned n)
{
	struct vdev *d = m->dev;

	vdev_enter(d);
	if (in_config(d, offset, n)) {
		if (d->ops->config_write)
			d->ops->config_write(d, (uint32_t)offset - VIRTIO_MMIO_CONFIG, p, n);
	} else if (offset < VIRTIO_MMIO_CONFIG && offset % 4 == 0 && n == 4) {
		uint32_t v;

		memcpy(&v, p, sizeof(v));
		write_register(m, (uint32_t)offset, v);
	}
	vdev_leave(d);
}

int vmmio_init(struct vmmio *m, struct vdev *d, const struct gmem *mem, struct loop *l, int irq,
	       struct err *e)
{
	*m = (struct vmmio){ .dev = d, .loop = l, .irq = irq };
	d->transport = &transport;
	d->carrier = m;
	d->mem = mem;
	for (unsigned i = 0; i < VDEV_QUEUES_MAX; i++)
		m->queue[i] = (struct vmmio_queue){
			.kick = { .fd = -1, .ready = kicked }, .of = m, .index = i };
	for (unsigned i = 0; i < d->n_vq; i++) {
		struct loop_watch *w = &m->queue[i].kick;

		w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		int r = w->fd < 0 ? err_sys(e, errno, "eventfd of virtio %s", d->ops->name) :
				    loop_add(l, w, EPOLLIN, e);

		if (r < 0) {
			vmmio_release(m);
			return r;
		}
	}
	return 0;
}

void vmmio_release(struct vmmio *m)
{
	for (unsigned i = 0; i < VDEV_QUEUES_MAX && m->dev; i++) {
		loop_remove(m->loop, &m->queue[i].kick);
		fd_close(&m->queue[i].kick.fd);
	}
	m->dev = NULL;
}
