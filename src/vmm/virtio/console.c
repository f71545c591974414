/* vmm/virtio/console.c - see console.h */
#include "vmm/virtio/console.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"

enum { RX, TX, QUEUES };

#define CHUNK 4096

/* Have w watched or not; a descriptor that cannot be watched is done with. */
static void watch(struct console *c, struct loop_watch *w, bool *is, bool want, uint32_t events)
{
	struct err e = { 0 };

	if (*is == want || w->fd < 0)
		return;
	if (!want) {
		loop_remove(c->loop, w);
	} else if (loop_add(c->loop, w, events, &e) < 0) {
		log_warn("virtio console: %s", e.msg);
		w->fd = -1;
		return;
	}
	*is = want;
}

static void watch_in(struct console *c, bool want)
{
	watch(c, &c->in, &c->in_watched, want, EPOLLIN);
}

static void watch_out(struct console *c, bool want)
{
	watch(c, &c->out, &c->out_watched, want, EPOLLOUT);
}

/* ---- to the guest ------------------------------------------------------------------------ */

/* What can be read once into one buffer: 1, 0 when that is nothing now, or -errno. */
static int receive(struct console *c, const struct vq_req *req)
{
	uint8_t bytes[CHUNK];
	size_t room = req->in_bytes < CHUNK ? req->in_bytes : CHUNK;
	ssize_t n = room > 0 ? read(c->in.fd, bytes, room) : 0;

	if (room == 0)                          /* a buffer of no bytes: give it back */
		n = 0;
	else if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	else if (n <= 0)
		return -EPIPE;
	vq_put(&c->dev.vq[RX], req, (uint32_t)vq_copy_in(req, 0, bytes, (size_t)n));
	return 1;
}

/* in_fd is readable: one buffer's worth.  Without a buffer it is not watched. */
static void in_ready(struct loop_watch *w, uint32_t events)
{
	struct console *c = (void *)((char *)w - offsetof(struct console, in));
	struct vdev *d = &c->dev;
	struct vq_req req;

	(void)events;
	vdev_enter(d);
	int r = d->active && w->fd >= 0 ? vq_pop(&d->vq[RX], &req) : 0;

	if (r <= 0) {
		watch_in(c, false);
	} else {
		int got = receive(c, &req);

		if (got <= 0)
			vq_unpop(&d->vq[RX]);
		if (got < 0) {                  /* its end: there will be no more */
			watch_in(c, false);
			w->fd = -1;
		}
		vdev_notify(d, RX);
	}
	if (r == 0 && d->active && w->fd >= 0 && vq_want_kicks(&d->vq[RX]))
		watch_in(c, true);
	if (r < 0)
		vdev_fail(d, RX, "malformed ring");
	vdev_leave(d);
}

/* ---- from the guest ---------------------------------------------------------------------- */

/* 1 when all of a request is written, 0 when out_fd takes no more now. */
static int transmit(struct console *c, const struct vq_req *req)
{
	uint8_t bytes[CHUNK];
	size_t n;

	while (c->out.fd >= 0 && (n = vq_copy_out(req, c->sent, bytes, sizeof(bytes))) > 0) {
		ssize_t put = write(c->out.fd, bytes, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			return 0;
		if (put < 0) {                  /* nobody reads: what is said is lost */
			watch_out(c, false);
			c->out.fd = -1;
			break;
		}
		c->sent += (uint64_t)put;
	}
	c->sent = 0;
	return 1;
}

static void work_tx(struct console *c)
{
	struct vdev *d = &c->dev;
	struct vq *vq = &d->vq[TX];
	struct vq_req req;
	int r;

	do {
		while ((r = vq_pop(vq, &req)) > 0) {
			if (transmit(c, &req) == 0) {
				vq_unpop(vq);
				break;
			}
			vq_put(vq, &req, 0);
		}
		vdev_notify(d, TX);
	} while (r == 0 && vq_want_kicks(vq));
	watch_out(c, r > 0);
	if (r < 0)
		vdev_fail(d, TX, "malformed ring");
}

static void out_ready(struct loop_watch *w, uint32_t events)
{
	struct console *c = (void *)((char *)w - offsetof(struct console, out));

	(void)events;
	vdev_enter(&c->dev);
	watch_out(c, false);
	if (c->dev.active)
		work_tx(c);
	vdev_leave(&c->dev);
}

/* ---- the device -------------------------------------------------------------------------- */

static void kick(struct vdev *d, unsigned q)
{
	struct console *c = (struct console *)d;

	if (q == TX) {
		/* While it waits for out_fd, that has to come first. */
		if (!c->out_watched)
			work_tx(c);
	} else {
		watch_in(c, true);
	}
}

static void config_read(struct vdev *d, uint32_t offset, void *p, uint32_t n)
{
	const struct console *c = (const struct console *)d;
	struct virtio_console_config config = {
		.cols = htole16(c->columns), .rows = htole16(c->rows),
		.max_nr_ports = htole32(1),
	};

	memcpy(p, (const uint8_t *)&config + offset, n);
}

static void reset(struct vdev *d)
{
	struct console *c = (struct console *)d;

	watch_in(c, false);
	watch_out(c, false);
	c->sent = 0;
}

static const struct vdev_ops ops = {
	.name = "console", .id = VIRTIO_ID_CONSOLE,
	.config_bytes = offsetof(struct virtio_console_config, emerg_wr),
	.n_queues = QUEUES, .queue_size = 64,
	.config_read = config_read, .kick = kick, .reset = reset,
};

void console_init(struct console *c, struct loop *l, int in_fd, int out_fd)
{
	*c = (struct console){
		.loop = l, .in = { .fd = in_fd, .ready = in_ready },
		.out = { .fd = out_fd, .ready = out_ready },
	};
	vdev_init(&c->dev, &ops, 1ULL << VIRTIO_CONSOLE_F_SIZE);
}

void console_resize(struct console *c, uint16_t columns, uint16_t rows)
{
	vdev_enter(&c->dev);
	c->columns = columns;
	c->rows = rows;
	if (c->dev.active)
		c->dev.transport->config_changed(&c->dev);
	vdev_leave(&c->dev);
}
