/* sys/nlreq.c - see nlreq.h */
#include "sys/nlreq.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/calls.h"

#define ANSWER_MAX 32768

static int open_here(int protocol)
{
	int one = 1;
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (s < 0)
		return -errno;
	/* The kernel's own words for a failure; without them it is only an errno. */
	(void)setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	return s;
}

int nlreq_open(int protocol, int nsfd)
{
	if (nsfd < 0)
		return open_here(protocol);
	CLEANUP_FD int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return -errno;
	int r = sys_setns(nsfd, CLONE_NEWNET);
	if (r < 0)
		return r;
	CLEANUP_FD int s = open_here(protocol);
	r = sys_setns(own, CLONE_NEWNET);
	return r < 0 ? r : take_fd(s);
}

void nlreq_init(struct nlreq *q)
{
	q->len = q->start = 0;
	q->n = q->failed = 0;
	q->overflow = 0;
	q->text[0] = 0;
}

static void *reserve(struct nlreq *q, size_t n)
{
	size_t room = NLMSG_ALIGN(n);

	if (q->len + room > sizeof(q->data)) {
		q->overflow = 1;
		return NULL;
	}
	void *p = q->data + q->len;
	memset(p, 0, room);
	q->len += room;
	if (q->n > 0) {
		struct nlmsghdr *h = (void *)(q->data + q->start);
		h->nlmsg_len = (uint32_t)(q->len - q->start);
	}
	return p;
}

void nlreq_message(struct nlreq *q, int type, int flags, const void *header, size_t n)
{
	size_t at = q->len;

	if (q->n == NLREQ_MESSAGES_MAX || q->len + NLMSG_SPACE(n) > sizeof(q->data)) {
		q->overflow = 1;
		return;
	}
	q->start = at;
	struct nlmsghdr *h = reserve(q, sizeof(*h));
	if (!h)
		return;
	h->nlmsg_type = (uint16_t)type;
	/* A dump ends by itself and is not acknowledged. */
	h->nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST |
				    ((flags & NLM_F_DUMP) == NLM_F_DUMP ? 0 : NLM_F_ACK));
	h->nlmsg_len = sizeof(*h);
	h->nlmsg_seq = ++q->n;
	nlreq_bytes(q, header, n);
}

void nlreq_bytes(struct nlreq *q, const void *p, size_t n)
{
	void *to = reserve(q, n);

	if (to)
		memcpy(to, p, n);
}

void nlreq_attr(struct nlreq *q, int type, const void *p, size_t n)
{
	struct nlattr *a = reserve(q, NLA_HDRLEN + n);

	if (!a)
		return;
	a->nla_type = (uint16_t)type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + n);
	if (n > 0)
		memcpy((char *)a + NLA_HDRLEN, p, n);
}

void nlreq_u8(struct nlreq *q, int type, uint8_t v)
{
	nlreq_attr(q, type, &v, sizeof(v));
}

void nlreq_u32(struct nlreq *q, int type, uint32_t v)
{
	nlreq_attr(q, type, &v, sizeof(v));
}

void nlreq_str(struct nlreq *q, int type, const char *s)
{
	nlreq_attr(q, type, s, strlen(s) + 1);
}

size_t nlreq_nest(struct nlreq *q, int type)
{
	size_t at = q->len;

	nlreq_attr(q, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nlreq_nest_end(struct nlreq *q, size_t nest)
{
	struct nlattr *a = (void *)(q->data + nest);

	if (!q->overflow)
		a->nla_len = (uint16_t)(q->len - nest);
}

const void *nlreq_find(const void *p, size_t n, int type, size_t *ret_n)
{
	const struct nlattr *a = p;

	while (n >= sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= n) {
		if ((a->nla_type & NLA_TYPE_MASK) == type) {
			*ret_n = a->nla_len - NLA_HDRLEN;
			return (const char *)a + NLA_HDRLEN;
		}
		size_t step = NLA_ALIGN(a->nla_len);
		if (step >= n)
			break;
		n -= step;
		a = (const void *)((const char *)a + step);
	}
	return NULL;
}

/* The error of an NLMSG_ERROR (0: done), and the kernel's words for it. */
static int error_of(const struct nlmsghdr *h, char *text, size_t text_size)
{
	const struct nlmsgerr *m = NLMSG_DATA(h);
	size_t skip = NLMSG_ALIGN(sizeof(*m)), n;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EPROTO;
	if (m->error == 0 || !(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return m->error;
	/* Unless NLM_F_CAPPED the whole request is in between. */
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += NLMSG_ALIGN(m->msg.nlmsg_len) - NLMSG_HDRLEN;
	if (h->nlmsg_len < NLMSG_HDRLEN + skip)
		return m->error;
	const char *s = nlreq_find((const char *)m + skip, h->nlmsg_len - NLMSG_HDRLEN - skip,
				   NLMSGERR_ATTR_MSG, &n);
	if (s && n > 0) {
		n = n < text_size ? n : text_size;
		memcpy(text, s, n);
		text[n - 1] = 0;
	}
	return m->error;
}

int nlreq_talk(int fd, struct nlreq *q)
{
	CLEANUP_FREE char *answer = xmalloc(ANSWER_MAX);
	unsigned seen = 0;
	int result = 0;

	if (q->overflow)
		return -EMSGSIZE;
	if (send(fd, q->data, q->len, 0) < 0)
		return -errno;
	while (seen < q->n) {
		ssize_t n = TEMP_FAILURE_RETRY(recv(fd, answer, ANSWER_MAX, 0));
		if (n < 0)
			return -errno;
		size_t left = (size_t)n;
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			char unused[1];
			/* The first failure is the one that is told. */
			int r = result < 0 ? error_of(h, unused, sizeof(unused)) :
					     error_of(h, q->text, sizeof(q->text));
			seen++;
			if (r < 0 && result == 0) {
				result = r;
				q->failed = h->nlmsg_seq - 1;
			}
		}
	}
	return result;
}

int nlreq_get(int fd, struct nlreq *q, int (*each)(const struct nlmsghdr *h, void *arg),
	      void *arg)
{
	CLEANUP_FREE char *answer = xmalloc(ANSWER_MAX);
	int result = 0;

	if (q->overflow)
		return -EMSGSIZE;
	if (send(fd, q->data, q->len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = TEMP_FAILURE_RETRY(recv(fd, answer, ANSWER_MAX, 0));
		if (n < 0)
			return -errno;
		size_t left = (size_t)n;
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return result;
			if (h->nlmsg_type == NLMSG_ERROR) {
				int r = error_of(h, q->text, sizeof(q->text));
				return r < 0 ? r : result;
			}
			int r = each(h, arg);
			if (r < 0 && result == 0)
				result = r;
		}
	}
}
