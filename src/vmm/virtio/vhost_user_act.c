/* vmm/virtio/vhost_user_act.c - what vhost-user requests do to rings and memory. */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/virtio/vhost_user.h"

_Static_assert(VU_REGIONS_MAX <= GMEM_REGIONS_MAX, "a memory table that gmem cannot hold");

static void signal_eventfd(int fd)
{
	uint64_t one = 1;

	/* Full: the other side has been told already. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- rings ------------------------------------------------------------------------------ */

/* A front end's address as the guest's. */
static int translate(const struct vhost_user *u, uint64_t user, struct gpa *ret)
{
	for (uint32_t i = 0; i < u->table.n; i++) {
		const struct vu_region *r = &u->table.region[i];

		if (user >= r->user && user - r->user < r->size) {
			ret->v = r->guest + (user - r->user);
			return 0;
		}
	}
	return -EFAULT;
}

static int ring_map(struct vhost_user_ring *r, struct err *e)
{
	struct vhost_user *u = r->of;
	struct vdev *d = u->dev;
	struct vq *q = &d->vq[r->index];
	struct vq_layout l = { .size = r->num };

	if (translate(u, r->addr.desc, &l.desc) < 0 || translate(u, r->addr.avail, &l.driver) < 0 ||
	    translate(u, r->addr.used, &l.device) < 0)
		return err_set(e, EPROTO, "ring %u is not in the memory that was shared", r->index);
	if (vq_setup(q, &u->mem, &l, d->features, e) < 0)
		return err_prefix(e, "ring %u", r->index);
	/* SET_VRING_BASE carries the available index only; the used one is in the ring. */
	q->next_avail = r->base;
	q->next_used = le16toh(__atomic_load_n(&q->used->idx, __ATOMIC_RELAXED));
	q->told = false;
	return 0;
}

/* Start the ring if all that it needs has come; of a started one nothing. */
static int ring_start(struct vhost_user_ring *r, struct err *e)
{
	struct vhost_user *u = r->of;
	struct vdev *d = u->dev;

	if (r->started || !r->has_addr || !r->enabled || r->num == 0 || r->kick.fd < 0 ||
	    u->table.n == 0)
		return 0;
	int k = ring_map(r, e);

	if (k < 0)
		return k;
	if (!d->active) {
		k = d->ops->activate ? d->ops->activate(d, e) : 0;
		if (k < 0)
			return k;
		d->active = true;
	}
	k = loop_add(u->loop, &r->kick, EPOLLIN, e);
	if (k < 0)
		return k;
	r->started = true;
	d->ops->kick(d, r->index);              /* what was put there before */
	return 0;
}

static void ring_stop(struct vhost_user_ring *r)
{
	struct vq *q = &r->of->dev->vq[r->index];

	if (!r->started)
		return;
	r->started = false;
	r->base = q->next_avail;
	vq_clear(q);
	loop_remove(r->of->loop, &r->kick);
}

void vhost_user_kicked(struct loop_watch *w, uint32_t events)
{
	struct vhost_user_ring *r = (struct vhost_user_ring *)w;
	struct vdev *d = r->of->dev;
	uint64_t n;
	ssize_t got = read(w->fd, &n, sizeof(n));

	(void)events;
	/* No eventfd after all, or closed at its other end: it would be ready for ever. */
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		loop_remove(r->of->loop, w);
		return;
	}
	vdev_enter(d);
	if (d->active && vq_ready(&d->vq[r->index]))
		d->ops->kick(d, r->index);
	vdev_leave(d);
}

void vhost_user_reset(struct vhost_user *u)
{
	struct vdev *d = u->dev;

	for (unsigned i = 0; i < d->n_vq; i++) {
		ring_stop(&u->ring[i]);
		u->ring[i].enabled = false;
		u->ring[i].base = 0;
	}
	if (d->active && d->ops->reset)
		d->ops->reset(d);
	d->active = false;
}

/* ---- what the device does through us ---------------------------------------------------- */

static void notify(struct vdev *d, unsigned q)
{
	signal_eventfd(((struct vhost_user *)d->carrier)->ring[q].call);
}

/*
 * The front end asks for the configuration when it needs it; a change of its own would be
 * told over the back end's channel, which front ends of devices that need it offer.
 */
static void config_changed(struct vdev *d)
{
	(void)d;
}

/* "A back end signals an error by the ring's err descriptor." */
static void needs_reset(struct vdev *d)
{
	struct vhost_user *u = d->carrier;

	for (unsigned i = 0; i < d->n_vq; i++)
		if (d->vq[i].broken)
			signal_eventfd(u->ring[i].err);
}

const struct vdev_transport vhost_user_transport = {
	.notify = notify, .config_changed = config_changed, .needs_reset = needs_reset,
};

/* ---- requests: each 0, or the bytes of its reply in m, or what was wrong ---------------- */

static int reply_u64(struct vu_msg *m, uint64_t v)
{
	m->u64 = v;
	return sizeof(v);
}

static int bad_ring(const struct vu_msg *m, uint32_t index, struct err *e)
{
	return err_set(e, EPROTO, "%s: there is no ring %u", vu_request_name(m->request), index);
}

static int set_features(struct vhost_user *u, uint64_t v, struct err *e)
{
	struct vdev *d = u->dev;
	uint64_t strange = v & ~(d->offered | VU_F_PROTOCOL_FEATURES);

	if (strange)
		return err_set(e, EPROTO, "SET_FEATURES: 0x%llx was not offered",
			       (unsigned long long)strange);
	u->features = v;
	d->features = v & d->offered;
	for (unsigned i = 0; i < d->n_vq; i++) {
		struct vhost_user_ring *r = &u->ring[i];

		/* "If protocol features have not been negotiated, the ring is enabled." */
		if (!(v & VU_F_PROTOCOL_FEATURES))
			r->enabled = true;
		if (r->started) {
			d->vq[i].event_idx = v & (1ULL << VIRTIO_RING_F_EVENT_IDX);
			d->vq[i].indirect = v & (1ULL << VIRTIO_RING_F_INDIRECT_DESC);
		}
	}
	return 0;
}

/* The rings that run are put where they now are; one that is nowhere is an error. */
static int set_mem_table(struct vhost_user *u, const struct vu_memory *t, struct err *e)
{
	bool was[VDEV_QUEUES_MAX] = { false };
	int r = 0;

	for (unsigned i = 0; i < u->dev->n_vq; i++) {
		was[i] = u->ring[i].started;
		ring_stop(&u->ring[i]);
	}
	gmem_release(&u->mem);
	u->table = *t;
	for (uint32_t i = 0; i < t->n && r == 0; i++) {
		const struct vu_region *g = &t->region[i];
		struct stat st;

		/* Beyond the file's end there is a SIGBUS and no memory. */
		if (g->size > INT64_MAX || g->mmap_offset > INT64_MAX ||
		    fstat(u->fd[i], &st) < 0 || st.st_size < 0 ||
		    g->mmap_offset + g->size > (uint64_t)st.st_size)
			r = err_set(e, EPROTO, "SET_MEM_TABLE: region %u reaches beyond its file",
				    i);
		else if (g->user + g->size < g->user)
			r = err_set(e, EPROTO, "SET_MEM_TABLE: region %u wraps", i);
		else
			r = gmem_add_file(&u->mem, g->guest, g->size, u->fd[i], g->mmap_offset, e);
	}
	for (unsigned i = 0; i < u->dev->n_vq && r == 0; i++)
		r = was[i] ? ring_start(&u->ring[i], e) : 0;
	return r;
}

static int set_vring_num(struct vhost_user_ring *r, uint32_t num, struct err *e)
{
	if (r->started || num == 0 || num > VQ_RING_MAX)
		return err_set(e, EPROTO, "SET_VRING_NUM: %u entries%s; at most %d are "
			       "taken (the front end's queue-size)", num,
			       r->started ? " for a ring that runs" : "", VQ_RING_MAX);
	r->num = num;
	return 0;
}

static int set_vring_addr(struct vhost_user *u, const struct vu_msg *m, struct err *e)
{
	if (m->addr.index >= u->dev->n_vq)
		return bad_ring(m, m->addr.index, e);
	if (m->addr.flags != 0)                 /* logging was not offered */
		return err_set(e, EPROTO, "SET_VRING_ADDR: flags 0x%x", m->addr.flags);
	struct vhost_user_ring *r = &u->ring[m->addr.index];
	bool was = r->started;

	ring_stop(r);
	r->addr = m->addr;
	r->has_addr = true;
	return was ? ring_start(r, e) : 0;
}

/* SET_VRING_KICK, _CALL, _ERR: an eventfd, or none (we would have to poll: not offered). */
static int set_vring_fd(struct vhost_user *u, const struct vu_msg *m, struct err *e)
{
	uint32_t index = m->u64 & VU_VRING_INDEX_MASK;

	if (index >= u->dev->n_vq)
		return bad_ring(m, index, e);
	struct vhost_user_ring *r = &u->ring[index];
	int fd = u->n_fd == 1 ? take_fd(u->fd[0]) : -1;

	u->n_fd = 0;
	if (m->request != VU_SET_VRING_KICK) {
		int *slot = m->request == VU_SET_VRING_CALL ? &r->call : &r->err;

		fd_close(slot);
		*slot = fd;
		return 0;
	}
	if (fd < 0)
		return err_set(e, EPROTO, "SET_VRING_KICK: ring %u is to be polled", index);
	ring_stop(r);
	fd_close(&r->kick.fd);
	r->kick.fd = fd;
	return ring_start(r, e);
}

static int on_ring_state(struct vhost_user *u, struct vu_msg *m, struct err *e)
{
	if (m->state.index >= u->dev->n_vq)
		return bad_ring(m, m->state.index, e);
	struct vhost_user_ring *r = &u->ring[m->state.index];

	switch (m->request) {
	case VU_SET_VRING_NUM:
		return set_vring_num(r, m->state.num, e);
	case VU_SET_VRING_BASE:
		if (r->started || m->state.num > UINT16_MAX)
			return err_set(e, EPROTO, "SET_VRING_BASE: %u for ring %u", m->state.num,
				       r->index);
		r->base = (uint16_t)m->state.num;
		return 0;
	case VU_SET_VRING_ENABLE:
		r->enabled = m->state.num != 0;
		if (r->enabled)
			return ring_start(r, e);
		ring_stop(r);
		return 0;
	default:                                /* GET_VRING_BASE, which stops it as well */
		ring_stop(r);
		fd_close(&r->kick.fd);
		m->state.num = r->base;
		return sizeof(m->state);
	}
}

static int on_config(struct vhost_user *u, struct vu_msg *m)
{
	struct vdev *d = u->dev;
	struct vu_config *c = &m->config;
	bool inside = c->offset <= d->ops->config_bytes &&
		      c->size <= d->ops->config_bytes - c->offset;

	if (m->request == VU_SET_CONFIG) {
		if (inside && d->ops->config_write)
			d->ops->config_write(d, c->offset, c->payload, c->size);
		return 0;
	}
	/* "The back end ... uses zero length of payload to indicate an error." */
	if (!inside || !d->ops->config_read || c->size > sizeof(c->payload))
		return 0;
	d->ops->config_read(d, c->offset, c->payload, c->size);
	return (int)(offsetof(struct vu_config, payload) + c->size);
}

/* Front ends know a file system's configuration themselves, and warn of ours. */
static uint64_t offered_protocol(const struct vhost_user *u)
{
	return u->dev->ops->id == VIRTIO_ID_FS ? VU_PROTOCOL_OFFERED & ~VU_PROTOCOL_CONFIG :
						 VU_PROTOCOL_OFFERED;
}

int vhost_user_act(struct vhost_user *u, struct vu_msg *m, struct err *e)
{
	switch (m->request) {
	case VU_GET_FEATURES:
		return reply_u64(m, u->dev->offered | VU_F_PROTOCOL_FEATURES);
	case VU_SET_FEATURES:
		return set_features(u, m->u64, e);
	case VU_GET_PROTOCOL_FEATURES:
		return reply_u64(m, offered_protocol(u));
	case VU_SET_PROTOCOL_FEATURES:
		if (m->u64 & ~offered_protocol(u))
			return err_set(e, EPROTO, "SET_PROTOCOL_FEATURES: 0x%llx",
				       (unsigned long long)m->u64);
		u->protocol = m->u64;
		return 0;
	case VU_GET_QUEUE_NUM:
		return reply_u64(m, u->dev->n_vq);
	case VU_SET_OWNER:
		return 0;
	case VU_SET_MEM_TABLE:
		return set_mem_table(u, &m->memory, e);
	case VU_SET_VRING_ADDR:
		return set_vring_addr(u, m, e);
	case VU_SET_VRING_KICK:
	case VU_SET_VRING_CALL:
	case VU_SET_VRING_ERR:
		return set_vring_fd(u, m, e);
	case VU_GET_CONFIG:
	case VU_SET_CONFIG:
		return on_config(u, m);
	case VU_RESET_OWNER:                    /* deprecated; what older ones send for it */
	case VU_RESET_DEVICE:
		vhost_user_reset(u);
		return 0;
	default:
		return on_ring_state(u, m, e);
	}
}

