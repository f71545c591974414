/* cli/nft/batch.c - see batch.h */
#include "cli/nft/batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"

/* What a message needs at most besides its payload: headers and padding. */
#define MESSAGE_ROOM 256

static struct nlmsghdr *frame(struct batch *b, size_t n)
{
	size_t need = b->len + n + MESSAGE_ROOM;

	if (need > b->cap) {
		b->cap = need * 2;
		b->data = xreallocarray(b->data, b->cap, 1);
	}
	memset(b->data + b->len, 0, n + MESSAGE_ROOM);
	return (struct nlmsghdr *)(void *)(b->data + b->len);
}

void batch_init(struct batch *b)
{
	*b = (struct batch){ .seq = 1 };
	(void)frame(b, 0);
	b->len += nftnl_batch_begin(b->data, b->seq++)->nlmsg_len;
}

void batch_release(struct batch *b)
{
	free(b->data);
	*b = (struct batch){ 0 };
}

struct nlmsghdr *batch_message(struct batch *b, uint16_t type, uint16_t flags, size_t n)
{
	struct nlmsghdr *h = frame(b, n);

	return nftnl_nlmsg_build_hdr((char *)h, type, NFPROTO_INET, flags, b->seq++);
}

void batch_end(struct batch *b, const struct nlmsghdr *h)
{
	b->last = b->len;
	b->len += NLMSG_ALIGN(h->nlmsg_len);
}

/* All answers are queued when send() returns: the kernel works in the sender's context. */
static int answers(struct mnl_socket *s)
{
	char answer[8192];

	for (;;) {
		ssize_t n = recv(mnl_socket_get_fd(s), answer, sizeof(answer), MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		size_t left = (size_t)n;
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *m = NLMSG_DATA(h);
			if (h->nlmsg_type == NLMSG_ERROR && m->error < 0)
				return m->error;
		}
	}
}

int batch_commit(struct batch *b, struct err *e)
{
	int r = 0;

	(void)frame(b, 0);
	b->len += nftnl_batch_end(b->data + b->len, b->seq++)->nlmsg_len;
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!s)
		return err_sys(e, errno, "open a netfilter socket");
	/* A batch is one message: it must fit into the buffer, which root may grow. */
	int size = (int)b->len * 2;
	(void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(s, b->data, b->len) < 0)
		r = -errno;
	if (r == 0)
		r = answers(s);
	(void)mnl_socket_close(s);
	return r < 0 ? err_sys(e, -r, "change nft table \"%s\"", TABLE) : 0;
}
