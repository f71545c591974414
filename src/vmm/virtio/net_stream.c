/*
 * vmm/virtio/net_stream.c - passt's socket as the wire of a network card.  See net.h.
 *
 *      u32 length, big-endian | Ethernet frame | u32 length | ...
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "vmm/virtio/net.h"

#define LENGTH sizeof(uint32_t)

/* More of the stream behind what is there: bytes, 0 for none now, or -errno. */
static int fill(struct net *n)
{
	if (n->in_at > 0) {
		memmove(n->in, n->in + n->in_at, n->in_end - n->in_at);
		n->in_end -= n->in_at;
		n->in_at = 0;
	}
	ssize_t got = recv(n->wire.fd, n->in + n->in_end, sizeof(n->in) - n->in_end, MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	n->in_end += (size_t)got;
	return got == 0 ? -EPIPE : (int)got;
}

static int stream_receive(struct net *n)
{
	for (;;) {
		size_t have = n->in_end - n->in_at;
		uint32_t length = 0;

		if (have >= LENGTH) {
			memcpy(&length, n->in + n->in_at, LENGTH);
			length = ntohl(length);
			if (length < NET_ETH_MIN || length > NET_ETH_MAX)
				return -EPROTO;
		}
		if (have >= LENGTH && have - LENGTH >= length) {
			memset(n->frame, 0, NET_HEAD);
			memcpy(n->frame + NET_HEAD, n->in + n->in_at + LENGTH, length);
			n->in_at += LENGTH + length;
			return (int)(NET_HEAD + length);
		}
		int r = fill(n);

		if (r <= 0)
			return r;
	}
}

static int stream_flush(struct net *n)
{
	while (n->out_at < n->out_end) {
		ssize_t put = send(n->wire.fd, n->out + n->out_at, n->out_end - n->out_at,
				   MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno == EAGAIN ? 0 : -errno;
		n->out_at += (size_t)put;
	}
	return 1;
}

static int stream_send(struct net *n, const struct vq_req *req)
{
	int r = stream_flush(n);

	if (r <= 0)
		return r;
	if (req->out_bytes < NET_HEAD + NET_ETH_MIN || req->out_bytes > NET_HEAD + NET_ETH_MAX)
		return 1;
	uint32_t length = (uint32_t)(req->out_bytes - NET_HEAD);
	uint32_t wire = htonl(length);

	memcpy(n->out, &wire, LENGTH);
	vq_copy_out(req, NET_HEAD, n->out + LENGTH, length);
	n->out_at = 0;
	n->out_end = LENGTH + length;
	r = stream_flush(n);
	return r < 0 ? r : 1;
}

const struct net_port net_stream = {
	.receive = stream_receive, .send = stream_send, .flush = stream_flush,
};
