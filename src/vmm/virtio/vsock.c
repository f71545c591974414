/* vmm/virtio/vsock.c - see vsock.h */
#include "vmm/virtio/vsock.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"

enum { RX, TX, EVENT, QUEUES };

#define F_STREAM 1ULL                   /* VIRTIO_VSOCK_F_STREAM, 5.10.3 */
#define HEAD sizeof(struct virtio_vsock_hdr)
#define SHUT_BOTH ((unsigned)(VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND))
#define FIRST_PORT (1U << 30)           /* of clients: not one that a guest would ask for */
#define BIT(op) (1U << (op))

/* ---- streams ----------------------------------------------------------------------------- */

static struct vsock_stream *stream_find(struct vsock *v, uint32_t guest_port, uint32_t host_port)
{
	for (size_t i = 0; i < VSOCK_STREAMS; i++) {
		struct vsock_stream *s = &v->stream[i];

		if (s->state > VSOCK_GREETING && s->guest_port == guest_port &&
		    s->host_port == host_port)
			return s;
	}
	return NULL;
}

/* The first free one, whose room may have been touched before; it takes fd. */
static struct vsock_stream *stream_new(struct vsock *v, enum vsock_state state, int fd)
{
	for (size_t i = 0; i < VSOCK_STREAMS; i++) {
		struct vsock_stream *s = &v->stream[i];

		if (s->state != VSOCK_FREE)
			continue;
		memset(s, 0, offsetof(struct vsock_stream, room));
		s->of = v;
		s->state = state;
		s->host.fd = fd;
		return s;
	}
	return NULL;
}

/* Bytes that the guest has room for (5.10.6.3); what it says of itself may be nonsense. */
static uint32_t credit(const struct vsock_stream *s)
{
	uint32_t under_way = s->sent - s->peer_taken;

	return under_way < s->peer_room ? s->peer_room - under_way : 0;
}

static void host_ready(struct loop_watch *w, uint32_t events);
static void listen_watch(struct vsock *v);

static void host_close(struct vsock_stream *s)
{
	if (s->watched)
		loop_remove(s->of->loop, &s->host);
	s->watched = false;
	fd_close(&s->host.fd);
}

static void stream_free(struct vsock_stream *s)
{
	host_close(s);
	s->state = VSOCK_FREE;
	s->pending = 0;
	listen_watch(s->of);
}

/* Have the host's end watched for what can be done with it now; a hang-up is always told. */
static void stream_watch(struct vsock_stream *s)
{
	struct vsock *v = s->of;
	struct err e = { 0 };
	uint32_t want = 0;
	int r = 0;

	if (s->host.fd < 0)
		return;
	bool reads = s->state == VSOCK_OPEN && !v->starved && credit(s) > 0 &&
		     !(s->shut_host & VIRTIO_VSOCK_SHUTDOWN_SEND) &&
		     !(s->shut_guest & VIRTIO_VSOCK_SHUTDOWN_RCV);
	if (s->state == VSOCK_GREETING || reads)
		want |= EPOLLIN;
	if (s->held > 0)
		want |= EPOLLOUT;
	/*
	 * A hang-up is taken only with what was sent before it, so one that cannot be read
	 * now is not watched: the loop would spin.  A guest that wants no more reads none.
	 */
	bool hang_up = want || s->state == VSOCK_ASKED ||
		       (s->shut_host & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
		       (s->shut_guest & VIRTIO_VSOCK_SHUTDOWN_RCV);
	s->host.ready = host_ready;
	if (!hang_up && s->watched) {
		loop_remove(v->loop, &s->host);
		s->watched = false;
	} else if (hang_up && !s->watched) {
		r = loop_add(v->loop, &s->host, want, &e);
		s->watched = r == 0;
	} else if (hang_up && s->events != want) {
		r = loop_change(v->loop, &s->host, want, &e);
	}
	s->events = want;
	if (r < 0)
		log_warn("virtio vsock: %s", e.msg);
}

static void watch_all(struct vsock *v)
{
	for (size_t i = 0; i < VSOCK_STREAMS; i++)
		if (v->stream[i].state != VSOCK_FREE)
			stream_watch(&v->stream[i]);
}

/* ---- packets to the guest ---------------------------------------------------------------- */

/* A buffer of the guest's: 1, or 0 when there is none; the loop then leaves the streams alone. */
static int rx_pop(struct vsock *v, struct vq_req *req)
{
	struct vq *vq = &v->dev.vq[RX];
	int r;

	if (!v->dev.active)
		return 0;
	do {
		r = vq_pop(vq, req);
	} while (r == 0 && vq_ready(vq) && vq_want_kicks(vq));
	if (r > 0 && req->in_bytes < HEAD)
		r = -EPROTO;
	if (r < 0)
		vdev_fail(&v->dev, RX, "malformed ring or a buffer too short for a header");
	v->starved = r <= 0;
	return r > 0;
}

static void rx_put(struct vsock *v, const struct vq_req *req, const struct virtio_vsock_hdr *h)
{
	vq_copy_in(req, 0, h, HEAD);
	vq_put(&v->dev.vq[RX], req, (uint32_t)HEAD + le32toh(h->len));
}

static struct virtio_vsock_hdr header(const struct vsock *v, uint32_t guest_port,
				      uint32_t host_port, uint16_t type, uint16_t op)
{
	return (struct virtio_vsock_hdr){
		.src_cid = htole64(VSOCK_CID_HOST), .dst_cid = htole64(v->cid),
		.src_port = htole32(host_port), .dst_port = htole32(guest_port),
		.type = htole16(type), .op = htole16(op),
	};
}

/* A packet of s; it tells what room there is. */
static void stream_put(struct vsock_stream *s, const struct vq_req *req, uint16_t op, uint32_t n)
{
	struct virtio_vsock_hdr h = header(s->of, s->guest_port, s->host_port,
					   VIRTIO_VSOCK_TYPE_STREAM, op);

	h.len = htole32(n);
	h.buf_alloc = htole32(VSOCK_ROOM);
	h.fwd_cnt = htole32(s->taken);
	if (op == VIRTIO_VSOCK_OP_SHUTDOWN)
		h.flags = htole32(s->shut_host);
	s->told = s->taken;
	s->sent += n;
	rx_put(s->of, req, &h);
}

/* The packet of s that has to go first, out of those pending. */
static uint16_t pending_first(const struct vsock_stream *s)
{
	static const uint16_t order[] = {
		VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_RESPONSE,
		VIRTIO_VSOCK_OP_CREDIT_UPDATE, VIRTIO_VSOCK_OP_SHUTDOWN,
	};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (s->pending & BIT(order[i]))
			return order[i];
	return VIRTIO_VSOCK_OP_RST;
}

/* Send what is pending, as far as the guest has buffers. */
static void work_pending(struct vsock *v)
{
	struct vq_req req;

	while (v->n_resets > 0 && rx_pop(v, &req)) {
		const struct vsock_reset *r = &v->reset[v->first_reset];
		struct virtio_vsock_hdr h = header(v, r->guest_port, r->host_port, r->type,
						   VIRTIO_VSOCK_OP_RST);

		rx_put(v, &req, &h);
		v->first_reset = (v->first_reset + 1) % VSOCK_RESETS;
		v->n_resets--;
	}
	for (unsigned i = 0; i < VSOCK_STREAMS; i++) {
		struct vsock_stream *s = &v->stream[(v->next_stream + i) % VSOCK_STREAMS];

		while (s->pending && rx_pop(v, &req)) {
			uint16_t op = pending_first(s);

			stream_put(s, &req, op, 0);
			s->pending &= ~BIT(op);
			if (op == VIRTIO_VSOCK_OP_RST)
				stream_free(s);
		}
	}
	v->next_stream = (v->next_stream + 1) % VSOCK_STREAMS;
	vdev_notify(&v->dev, RX);
}

/* Answer a packet that belongs to no stream.  There is room: work_tx() has looked. */
static void reset_unknown(struct vsock *v, const struct virtio_vsock_hdr *h)
{
	v->reset[(v->first_reset + v->n_resets++) % VSOCK_RESETS] = (struct vsock_reset){
		.guest_port = le32toh(h->src_port), .host_port = le32toh(h->dst_port),
		.type = le16toh(h->type),
	};
}

/* ---- the end of a stream ----------------------------------------------------------------- */

/* Both sides forget it: RST, then the slot is free. */
static void stream_reset(struct vsock_stream *s)
{
	host_close(s);
	s->held = 0;
	s->state = VSOCK_GONE;
	s->pending = BIT(VIRTIO_VSOCK_OP_RST);
}

/* The host's end sends no more, or is gone altogether. */
static void host_shut(struct vsock_stream *s, unsigned how)
{
	if (s->state == VSOCK_GREETING) {
		stream_free(s);
		return;
	}
	if (s->state == VSOCK_ASKED) {
		stream_reset(s);
		return;
	}
	if ((s->shut_host | how) != s->shut_host) {
		s->shut_host |= how;
		s->pending |= BIT(VIRTIO_VSOCK_OP_SHUTDOWN);
	}
	if (s->shut_host == SHUT_BOTH) {
		host_close(s);
		s->held = 0;
		s->state = VSOCK_GONE;
	}
}

/* ---- from the guest to the host ---------------------------------------------------------- */

/* Write what is held.  Afterwards what the guest has shut down is shut down here. */
static void stream_flush(struct vsock_stream *s)
{
	while (s->held > 0) {
		uint32_t run = VSOCK_ROOM - s->at < s->held ? VSOCK_ROOM - s->at : s->held;
		ssize_t n = send(s->host.fd, s->room + s->at, run, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			host_shut(s, SHUT_BOTH);
			return;
		}
		s->at = (s->at + (uint32_t)n) % VSOCK_ROOM;
		s->held -= (uint32_t)n;
		s->taken += (uint32_t)n;
	}
	if (s->held == 0) {
		s->at = 0;                      /* small exchanges touch few pages */
		if (s->shut_guest == SHUT_BOTH)
			stream_reset(s);
		else if (s->shut_guest & VIRTIO_VSOCK_SHUTDOWN_SEND)
			(void)shutdown(s->host.fd, SHUT_WR);    /* it may be gone */
	}
	/* Before a guest that fills its room has to stop. */
	if (s->state == VSOCK_OPEN && s->taken - s->told >= VSOCK_ROOM / 4)
		s->pending |= BIT(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
}

/* n bytes of payload into the room. */
static void stream_take(struct vsock_stream *s, const struct vq_req *req, uint32_t n)
{
	if (s->state != VSOCK_OPEN || (s->shut_guest & VIRTIO_VSOCK_SHUTDOWN_SEND) ||
	    n > VSOCK_ROOM - s->held) {
		stream_reset(s);
		return;
	}
	uint32_t end = (s->at + s->held) % VSOCK_ROOM;
	uint32_t run = VSOCK_ROOM - end < n ? VSOCK_ROOM - end : n;
	vq_copy_out(req, HEAD, s->room + end, run);
	vq_copy_out(req, HEAD + run, s->room, n - run);
	s->held += n;
	stream_flush(s);
}

/* A connected, non-blocking socket, or -errno: the guest is told no more than RST. */
static int host_connect(const char *path, uint32_t port)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!path)
		return -ECONNREFUSED;
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s_%u", path, port);
	if (n >= (int)sizeof(a.sun_path))
		return -ENAMETOOLONG;
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return take_fd(fd);
}

static void guest_request(struct vsock *v, const struct virtio_vsock_hdr *h)
{
	CLEANUP_FD int fd = host_connect(v->path, le32toh(h->dst_port));
	struct vsock_stream *s = fd < 0 ? NULL : stream_new(v, VSOCK_OPEN, fd);

	if (!s) {
		reset_unknown(v, h);
		return;
	}
	fd = -1;                                /* the stream's */
	s->guest_port = le32toh(h->src_port);
	s->host_port = le32toh(h->dst_port);
	s->peer_room = le32toh(h->buf_alloc);
	s->peer_taken = le32toh(h->fwd_cnt);
	s->pending = BIT(VIRTIO_VSOCK_OP_RESPONSE);
	listen_watch(v);
}

/* The guest has accepted: the client learns which port it has. */
static void guest_response(struct vsock_stream *s)
{
	char ok[32];

	if (s->state != VSOCK_ASKED) {
		stream_reset(s);
		return;
	}
	int n = snprintf(ok, sizeof(ok), "OK %u\n", s->host_port);
	s->state = VSOCK_OPEN;
	/* Its socket is empty: a part cannot be. */
	if (send(s->host.fd, ok, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		stream_reset(s);
}

static void stream_packet(struct vsock_stream *s, const struct virtio_vsock_hdr *h,
			  const struct vq_req *req)
{
	s->peer_room = le32toh(h->buf_alloc);
	s->peer_taken = le32toh(h->fwd_cnt);
	switch (le16toh(h->op)) {
	case VIRTIO_VSOCK_OP_RESPONSE:
		guest_response(s);
		break;
	case VIRTIO_VSOCK_OP_RW:
		stream_take(s, req, le32toh(h->len));
		break;
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		s->shut_guest |= le32toh(h->flags) & SHUT_BOTH;
		if (s->state == VSOCK_OPEN)
			stream_flush(s);
		else
			stream_reset(s);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
		s->pending |= BIT(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
		break;
	case VIRTIO_VSOCK_OP_RST:
		stream_free(s);
		return;
	default:                                /* a second REQUEST too */
		stream_reset(s);
		break;
	}
	stream_watch(s);
}

/* One packet.  -EPROTO: it is shorter than it says. */
static int packet(struct vsock *v, const struct vq_req *req)
{
	struct virtio_vsock_hdr h;

	if (vq_copy_out(req, 0, &h, HEAD) != HEAD || le32toh(h.len) > req->out_bytes - HEAD)
		return -EPROTO;
	if (le64toh(h.src_cid) != v->cid)
		return 0;                       /* "MUST drop", 5.10.6.4.2 in spirit */
	uint16_t op = le16toh(h.op);
	struct vsock_stream *s = stream_find(v, le32toh(h.src_port), le32toh(h.dst_port));
	if (le64toh(h.dst_cid) != VSOCK_CID_HOST || le16toh(h.type) != VIRTIO_VSOCK_TYPE_STREAM)
		s = NULL;
	else if (s)
		stream_packet(s, &h, req);
	else if (op == VIRTIO_VSOCK_OP_REQUEST) {
		guest_request(v, &h);
		return 0;
	}
	/* A reset is not answered: two ends would go on for ever. */
	if (!s && op != VIRTIO_VSOCK_OP_RST)
		reset_unknown(v, &h);
	return 0;
}

static void work_tx(struct vsock *v)
{
	struct vdev *d = &v->dev;
	struct vq *vq = &d->vq[TX];
	struct vq_req req;
	int r;

	do {
		v->tx_waits = false;
		while ((r = vq_pop(vq, &req)) > 0) {
			if (v->n_resets == VSOCK_RESETS)
				work_pending(v);
			if (v->n_resets == VSOCK_RESETS) {
				vq_unpop(vq);
				v->tx_waits = true;
				break;
			}
			r = packet(v, &req);
			if (r < 0)
				break;
			vq_put(vq, &req, 0);
		}
		vdev_notify(d, TX);
	} while (r == 0 && vq_ready(vq) && vq_want_kicks(vq));
	if (r < 0)
		vdev_fail(d, TX, "malformed ring, or a packet shorter than it says");
	work_pending(v);
	watch_all(v);
}

/* ---- from the host to the guest ---------------------------------------------------------- */

/* A line of the client's: "CONNECT port".  Byte by byte, for what follows it is the guest's. */
static void greet(struct vsock_stream *s)
{
	unsigned long port = 0;
	char c;

	for (;;) {
		ssize_t n = recv(s->host.fd, &c, 1, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || (c != '\n' && s->n_line == sizeof(s->line) - 1)) {
			stream_free(s);
			return;
		}
		if (c == '\n')
			break;
		s->line[s->n_line++] = c;
	}
	static const char word[] = "CONNECT ";
	size_t i = sizeof(word) - 1;
	bool ok = s->n_line > i && s->n_line <= i + 10 && memcmp(s->line, word, i) == 0;
	for (; ok && i < s->n_line; i++) {
		ok = s->line[i] >= '0' && s->line[i] <= '9';
		port = port * 10 + (unsigned long)(s->line[i] - '0');
	}
	if (!ok || port >= UINT32_MAX) {        /* VMADDR_PORT_ANY is no port */
		stream_free(s);
		return;
	}
	struct vsock *v = s->of;
	s->guest_port = (uint32_t)port;
	do {
		s->host_port = FIRST_PORT + v->next_port++ % FIRST_PORT;
	} while (stream_find(v, s->guest_port, s->host_port));
	s->state = VSOCK_ASKED;
	s->pending = BIT(VIRTIO_VSOCK_OP_REQUEST);
}

/* One packet's worth of what the host has sent.  Its end is told after it. */
static void stream_read(struct vsock_stream *s, uint32_t events)
{
	struct vsock *v = s->of;
	struct iovec iov[VQ_SIZE_MAX];
	struct vq_req req;

	/* What is pending goes first: the RESPONSE before data. */
	if (s->pending)
		work_pending(v);
	if (s->state != VSOCK_OPEN || s->pending || credit(s) == 0 || !rx_pop(v, &req))
		return;
	uint64_t room = req.in_bytes - HEAD;
	if (room > credit(s))
		room = credit(s);
	int n_iov = vq_slice(req.iov + req.n_out, req.n_in, HEAD, room, iov);
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)n_iov };
	ssize_t n = room > 0 ? recvmsg(s->host.fd, &msg, MSG_DONTWAIT) : 0;
	if (n > 0) {
		stream_put(s, &req, VIRTIO_VSOCK_OP_RW, (uint32_t)n);
		vdev_notify(&v->dev, RX);
		return;
	}
	vq_unpop(&v->dev.vq[RX]);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (room == 0)
		vdev_fail(&v->dev, RX, "a buffer without room for data");
	else
		host_shut(s, n < 0 || (events & EPOLLHUP) ? SHUT_BOTH : VIRTIO_VSOCK_SHUTDOWN_SEND);
}

static void host_ready(struct loop_watch *w, uint32_t events)
{
	struct vsock_stream *s = (void *)((char *)w - offsetof(struct vsock_stream, host));
	struct vsock *v = s->of;

	vdev_enter(&v->dev);
	if (s->state == VSOCK_GREETING) {
		greet(s);
	} else {
		if (s->held > 0 && (events & (EPOLLOUT | EPOLLHUP)))
			stream_flush(s);
		if (s->state == VSOCK_OPEN && (s->events & EPOLLIN))
			stream_read(s, events);
		else if ((events & (EPOLLHUP | EPOLLERR)) && s->host.fd >= 0)
			host_shut(s, SHUT_BOTH);
	}
	work_pending(v);
	if (v->starved)
		watch_all(v);
	else if (s->state != VSOCK_FREE)
		stream_watch(s);
	vdev_leave(&v->dev);
}

/* ---- clients of the host ----------------------------------------------------------------- */

static bool has_free(const struct vsock *v)
{
	for (size_t i = 0; i < VSOCK_STREAMS; i++)
		if (v->stream[i].state == VSOCK_FREE)
			return true;
	return false;
}

/* Clients wait in the socket's backlog until there is a guest, and a stream for them. */
static void listen_watch(struct vsock *v)
{
	struct err e = { 0 };
	bool want = v->listen.fd >= 0 && v->dev.active && has_free(v);

	if (want == v->listening)
		return;
	if (!want)
		loop_remove(v->loop, &v->listen);
	else if (loop_add(v->loop, &v->listen, EPOLLIN, &e) < 0) {
		log_warn("virtio vsock: %s", e.msg);
		return;
	}
	v->listening = want;
}

static void client_ready(struct loop_watch *w, uint32_t events)
{
	struct vsock *v = (void *)((char *)w - offsetof(struct vsock, listen));

	(void)events;
	vdev_enter(&v->dev);
	CLEANUP_FD int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct vsock_stream *s = fd < 0 ? NULL : stream_new(v, VSOCK_GREETING, fd);
	if (s) {
		fd = -1;                        /* the stream's */
		stream_watch(s);
	}
	listen_watch(v);
	vdev_leave(&v->dev);
}

/* ---- the device -------------------------------------------------------------------------- */

static void kick(struct vdev *d, unsigned q)
{
	struct vsock *v = (struct vsock *)d;

	/* The driver is there from its first kick on, or the transport's own. */
	listen_watch(v);
	if (q == TX) {
		/* While it waits for buffers of the other queue, those have to come first. */
		if (!v->tx_waits)
			work_tx(v);
	} else if (q == RX) {
		v->starved = false;
		work_pending(v);
		if (v->tx_waits && v->n_resets < VSOCK_RESETS)
			work_tx(v);
		watch_all(v);
	}
}

static void config_read(struct vdev *d, uint32_t offset, void *p, uint32_t n)
{
	const struct vsock *v = (const struct vsock *)d;
	struct virtio_vsock_config config = { .guest_cid = htole64(v->cid) };

	memcpy(p, (const uint8_t *)&config + offset, n);
}

static void reset(struct vdev *d)
{
	struct vsock *v = (struct vsock *)d;

	for (size_t i = 0; i < VSOCK_STREAMS; i++)
		if (v->stream[i].state != VSOCK_FREE)
			stream_free(&v->stream[i]);
	v->n_resets = 0;
	v->starved = v->tx_waits = false;
	if (v->listening)
		loop_remove(v->loop, &v->listen);
	v->listening = false;
}

static const struct vdev_ops ops = {
	.name = "vsock", .id = VIRTIO_ID_VSOCK, .config_bytes = sizeof(struct virtio_vsock_config),
	.n_queues = QUEUES, .queue_size = 256, .config_read = config_read,
	.kick = kick, .reset = reset,
};

int vsock_new(struct loop *l, const struct vsock_options *o, struct vsock **ret, struct err *e)
{
	if (o->cid < VSOCK_CID_MIN || o->cid >= UINT32_MAX)
		return err_set(e, EINVAL, "a guest's CID is from %d to 4294967294",
			       VSOCK_CID_MIN);
	struct vsock *v = xcalloc(1, sizeof(*v));
	v->loop = l;
	v->listen = (struct loop_watch){ .fd = o->listen_fd, .ready = client_ready };
	v->path = o->path;
	v->cid = o->cid;
	for (size_t i = 0; i < VSOCK_STREAMS; i++)
		v->stream[i].host.fd = -1;
	vdev_init(&v->dev, &ops, F_STREAM);
	*ret = v;
	return 0;
}

void vsock_free(struct vsock *v)
{
	if (!v)
		return;
	vdev_enter(&v->dev);
	reset(&v->dev);
	vdev_leave(&v->dev);
	vdev_release(&v->dev);
	free(v);
}
