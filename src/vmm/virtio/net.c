/* vmm/virtio/net.c - see net.h */
#include "vmm/virtio/net.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"

enum { RX, TX, QUEUES };

#define FRAMES_AT_ONCE 64               /* then others of the loop have their turn */

static void set_events(struct net *n, uint32_t events)
{
	struct err e = { 0 };
	int r = 0;

	if (n->wire.fd < 0 || n->events == events)
		return;
	if (events == 0)
		loop_remove(n->loop, &n->wire);
	else if (n->events == 0)
		r = loop_add(n->loop, &n->wire, events, &e);
	else
		r = loop_change(n->loop, &n->wire, events, &e);
	if (r < 0)
		log_warn("virtio net: %s", e.msg);
	n->events = events;
}

/* The other end is gone: the guest sees its link down. */
static void wire_lost(struct net *n, int error)
{
	log_warn("virtio net: the network's end is lost: %s", strerror(-error));
	set_events(n, 0);
	n->wire.fd = -1;
	n->dev.transport->config_changed(&n->dev);
}

/* ---- to the guest ------------------------------------------------------------------------ */

/*
 * n->frame into buffers of the guest: 1 done or dropped, 0 not enough buffers, or -EPROTO.
 * With MRG_RXBUF it may take several, which have to be seen all at once (5.1.6.4).
 */
static int deliver(struct net *n)
{
	struct vq *vq = &n->dev.vq[RX];
	bool merge = n->dev.features & (1ULL << VIRTIO_NET_F_MRG_RXBUF);
	struct vq_req first, req;
	uint16_t used = 0, count;
	size_t at = 0;
	int r = 0;

	while (at < n->frame_bytes && used < vq->size && (used == 0 || merge)) {
		r = vq_pop(vq, &req);
		if (r <= 0)
			break;
		if (used == 0)
			first = req;
		size_t put = vq_copy_in(&req, 0, n->frame + at, n->frame_bytes - at);

		vq_put_aside(vq, &req, (uint32_t)put);
		used++;
		at += put;
		if (first.in_bytes < NET_HEAD || put == 0) {
			r = -EPROTO;
			break;
		}
	}
	if (r > 0 && at == n->frame_bytes) {
		count = htole16(used);
		vq_copy_in(&first, offsetof(struct virtio_net_hdr_v1, num_buffers), &count,
			   sizeof(count));
		vq_show(vq);
		return 1;
	}
	vq_unput(vq, used);
	for (; used > 0; used--)
		vq_unpop(vq);
	return r;                       /* 1: larger than all that it ever gives */
}

/* Frames from the wire until there are none, or no buffers, or enough for one turn. */
static void work_rx(struct net *n)
{
	struct vdev *d = &n->dev;
	int r = 1;

	for (int i = 0; i < FRAMES_AT_ONCE && r > 0; i++) {
		if (n->frame_bytes == 0) {
			int got = n->port->receive(n);

			if (got < 0)
				wire_lost(n, got);
			if (got <= 0)
				break;
			n->frame_bytes = (size_t)got;
		}
		r = deliver(n);
		if (r == 0 && vq_want_kicks(&d->vq[RX]))
			r = 1;                  /* buffers came meanwhile: the same frame again */
		else if (r > 0)
			n->frame_bytes = 0;
	}
	vdev_notify(d, RX);
	if (r < 0)
		vdev_fail(d, RX, "malformed ring or a buffer too small for a header");
	/* Without buffers the frame waits, and the wire too, for the guest's kick. */
	set_events(n, (n->events & ~(uint32_t)EPOLLIN) | (r > 0 ? EPOLLIN : 0));
}

/* ---- from the guest ---------------------------------------------------------------------- */

static void work_tx(struct net *n)
{
	struct vdev *d = &n->dev;
	struct vq *vq = &d->vq[TX];
	struct vq_req req;
	int r, taken = 1;

	vq_refuse_kicks(vq);
	do {
		while ((r = vq_pop(vq, &req)) > 0) {
			taken = n->wire.fd >= 0 ? n->port->send(n, &req) : 1;
			if (taken == 0) {
				vq_unpop(vq);
				break;
			}
			if (taken < 0)
				wire_lost(n, taken);
			vq_put(vq, &req, 0);
		}
		vdev_notify(d, TX);
	} while (r == 0 && vq_want_kicks(vq));
	if (r < 0)
		vdev_fail(d, TX, "malformed ring");
	n->tx_waits = taken == 0;
}

/* What was taken goes out first; EPOLLOUT is watched while something waits. */
static void flush(struct net *n)
{
	int r = n->port->flush && n->wire.fd >= 0 ? n->port->flush(n) : 1;

	if (r < 0)
		wire_lost(n, r);
	bool waits = r == 0 || n->tx_waits;

	set_events(n, (n->events & ~(uint32_t)EPOLLOUT) | (waits ? EPOLLOUT : 0));
}

static void wire_ready(struct loop_watch *w, uint32_t events)
{
	struct net *n = (void *)((char *)w - offsetof(struct net, wire));

	vdev_enter(&n->dev);
	if (n->dev.active && w->fd >= 0 && (events & EPOLLOUT)) {
		n->tx_waits = false;
		flush(n);
		work_tx(n);
		flush(n);
	}
	/* EPOLLHUP and EPOLLERR cannot be unwatched: reading says what they are. */
	if (n->dev.active && w->fd >= 0 && (events & ~(uint32_t)EPOLLOUT))
		work_rx(n);
	vdev_leave(&n->dev);
}

/* ---- the device -------------------------------------------------------------------------- */

static void kick(struct vdev *d, unsigned q)
{
	struct net *n = (struct net *)d;

	if (n->wire.fd < 0 && q == RX)
		return;
	if (q == RX) {
		work_rx(n);
	} else if (!n->tx_waits) {
		work_tx(n);
		flush(n);
	}
}

static void config_read(struct vdev *d, uint32_t offset, void *p, uint32_t n)
{
	const struct net *net = (const struct net *)d;
	struct virtio_net_config c = {
		.status = htole16(net->wire.fd >= 0 ? VIRTIO_NET_S_LINK_UP : 0),
		.max_virtqueue_pairs = htole16(1), .mtu = htole16(net->mtu),
	};

	memcpy(c.mac, net->mac, sizeof(c.mac));
	memcpy(p, (const uint8_t *)&c + offset, n);
}

static int activate(struct vdev *d, struct err *e)
{
	struct net *n = (struct net *)d;

	return n->port->start ? n->port->start(n, e) : 0;
}

/* A frame half read or half written stays: its rest would be taken for another's beginning. */
static void reset(struct vdev *d)
{
	struct net *n = (struct net *)d;

	set_events(n, 0);
	n->tx_waits = false;
	n->frame_bytes = 0;
}

static const struct vdev_ops ops = {
	.name = "net", .id = VIRTIO_ID_NET,
	.config_bytes = offsetof(struct virtio_net_config, speed),
	.n_queues = QUEUES, .queue_size = VQ_SIZE_MAX, .config_read = config_read,
	.activate = activate, .kick = kick, .reset = reset,
};

void net_init(struct net *n, struct loop *l, const struct net_options *o)
{
	uint64_t offered = 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS |
			   1ULL << VIRTIO_NET_F_MRG_RXBUF | o->port->features;

	if (o->mtu)
		offered |= 1ULL << VIRTIO_NET_F_MTU;
	/* Not by a literal: the buffers stay untouched. */
	n->loop = l;
	n->wire = (struct loop_watch){ .fd = o->fd, .ready = wire_ready };
	n->events = 0;
	n->port = o->port;
	memcpy(n->mac, o->mac, sizeof(n->mac));
	n->mtu = o->mtu;
	n->tx_waits = false;
	n->frame_bytes = n->in_at = n->in_end = n->out_at = n->out_end = 0;
	vdev_init(&n->dev, &ops, offered);
}
