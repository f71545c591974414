/* vmm/virtio/vhost_user.c - vhost-user: the connection and its messages.  See the header. */
#include "vmm/virtio/vhost_user.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static void close_fds(struct vhost_user *u)
{
	while (u->n_fd > 0)
		fd_close(&u->fd[--u->n_fd]);
}

static int send_reply(struct vhost_user *u, const struct vu_msg *m, size_t size, struct err *e)
{
	uint8_t out[VU_HEADER_BYTES + sizeof(struct vu_config)];
	uint32_t head[3] = { m->request, VU_FLAG_VERSION | VU_FLAG_REPLY, (uint32_t)size };

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), &m->u64, size);
	size += sizeof(head);
	/* Never blocks: one that does not read its replies is not served. */
	if (send(u->front.fd, out, size, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size)
		return err_sys(e, errno, "%s: send the reply to the front end",
			       vu_request_name(m->request));
	return 0;
}

/* One whole message is in in[]. */
static int handle(struct vhost_user *u, struct err *e)
{
	struct vu_msg *m = &u->msg;
	int r = vu_msg_payload(m, u->in + VU_HEADER_BYTES, u->n_fd, e);

	if (r < 0)
		return r;
	vdev_enter(u->dev);
	r = vhost_user_act(u, m, e);
	vdev_leave(u->dev);
	close_fds(u);
	if (r < 0)
		return r;
	if (vu_request_replies(m->request))
		return send_reply(u, m, (size_t)r, e);
	if ((m->flags & VU_FLAG_NEED_REPLY) && (u->protocol & VU_PROTOCOL_REPLY_ACK)) {
		m->u64 = 0;
		return send_reply(u, m, sizeof(m->u64), e);
	}
	return 0;
}

/* Keep the descriptors that came with a part of a message. */
static int keep_fds(struct vhost_user *u, struct msghdr *h)
{
	int r = h->msg_flags & MSG_CTRUNC ? -EPROTO : 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (u->n_fd < VU_FDS_MAX) {
				u->fd[u->n_fd++] = fd;
			} else {
				close(fd);
				r = -EPROTO;
			}
		}
	}
	return r;
}

/* Up to want bytes more into in[]; 0 for "come back", 1 when something came. */
static int receive(struct vhost_user *u, size_t want, struct err *e)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = u->in + u->n_in, .iov_len = want - u->n_in };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(u->front.fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_sys(e, errno, "read from the front end");
	if (keep_fds(u, &h) < 0)
		return err_set(e, EPROTO, "more than %d descriptors came with a message",
			       VU_FDS_MAX);
	if (n == 0)
		return err_set(e, EPIPE, "%s",
			       u->n_in ? "the front end left within a message" : "");
	u->n_in += (size_t)n;
	return 1;
}

static int step(struct vhost_user *u, struct err *e)
{
	size_t want = VU_HEADER_BYTES;

	if (u->n_in >= want)
		want += u->msg.size;
	int r = u->n_in < want ? receive(u, want, e) : 1;

	if (r <= 0)
		return r;
	if (u->n_in == VU_HEADER_BYTES && want == VU_HEADER_BYTES) {
		r = vu_msg_header(u->in, &u->msg, e);
		if (r < 0)
			return r;
		want += u->msg.size;
	}
	if (u->n_in < want)
		return 0;
	u->n_in = 0;
	return handle(u, e);
}

static void end(struct vhost_user *u)
{
	loop_remove(u->loop, &u->front);
	fd_close(&u->front.fd);
	vdev_enter(u->dev);
	vhost_user_reset(u);
	vdev_leave(u->dev);
	if (u->ended)
		u->ended(u);
}

static void front_ready(struct loop_watch *w, uint32_t events)
{
	struct vhost_user *u = (void *)((char *)w - offsetof(struct vhost_user, front));
	struct err e = { 0 };

	(void)events;
	if (step(u, &e) >= 0)
		return;
	if (e.msg[0])                           /* leaving between messages is no failure */
		log_warn("vhost-user %s: %s; disconnecting", u->dev->ops->name, e.msg);
	end(u);
}

static void listen_ready(struct loop_watch *w, uint32_t events)
{
	struct vhost_user *u = (void *)((char *)w - offsetof(struct vhost_user, listen));
	struct err e = { 0 };
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)                             /* it went away before we came */
		return;
	loop_remove(u->loop, w);
	fd_close(&w->fd);
	u->front.fd = fd;
	if (loop_add(u->loop, &u->front, EPOLLIN, &e) < 0) {
		log_warn("vhost-user %s: %s", u->dev->ops->name, e.msg);
		end(u);
	}
}

int vhost_user_init(struct vhost_user *u, struct vdev *d, struct loop *l, int listen_fd,
		    int front_fd, struct err *e)
{
	*u = (struct vhost_user){
		.dev = d, .loop = l,
		.listen = { .fd = listen_fd, .ready = listen_ready },
		.front = { .fd = front_fd, .ready = front_ready },
	};
	for (unsigned i = 0; i < VDEV_QUEUES_MAX; i++)
		u->ring[i] = (struct vhost_user_ring){
			.kick = { .fd = -1, .ready = vhost_user_kicked }, .of = u, .index = i,
			.call = -1, .err = -1,
		};
	d->transport = &vhost_user_transport;
	d->carrier = u;
	d->mem = &u->mem;
	return loop_add(l, front_fd >= 0 ? &u->front : &u->listen, EPOLLIN, e);
}

void vhost_user_release(struct vhost_user *u)
{
	if (!u->dev)
		return;
	vdev_enter(u->dev);
	vhost_user_reset(u);
	vdev_leave(u->dev);
	close_fds(u);
	for (unsigned i = 0; i < VDEV_QUEUES_MAX; i++) {
		fd_close(&u->ring[i].kick.fd);
		fd_close(&u->ring[i].call);
		fd_close(&u->ring[i].err);
	}
	loop_remove(u->loop, &u->front);
	loop_remove(u->loop, &u->listen);
	fd_close(&u->front.fd);
	fd_close(&u->listen.fd);
	gmem_release(&u->mem);
	u->dev = NULL;
}

int vhost_user_listen(const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path);
	CLEANUP_FD int fd = -1;

	if (n >= sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "socket %s: longer than %zu bytes", path,
			       sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, path, n);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, errno, "make a unix socket");
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, errno, "bind socket %s", path);
	if (listen(fd, 1) < 0)
		return err_sys(e, errno, "listen on socket %s", path);
	return take_fd(fd);
}
