/*
 * sys/netlink.c - see netlink.h
 *
 * rtnetlink(7): a request is struct nlmsghdr, a family header and attributes
 * (struct rtattr, 4-byte aligned); the answer ends with NLMSG_ERROR (0: done) or,
 * for a dump, NLMSG_DONE.
 */
#include "sys/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "sys/calls.h"

#define NL_REQUEST_MAX 512
#define NL_ANSWER_MAX 32768

int net_loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	CLEANUP_FD int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return -errno;
	return ioctl(s, SIOCSIFFLAGS, &r) < 0 ? -errno : 0;
}

struct nl_request {
	struct nlmsghdr h;
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
	};
	char attrs[NL_REQUEST_MAX];
};

static void nl_attr(struct nl_request *q, int type, const void *p, size_t n)
{
	struct rtattr *a = (void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

	/* Callers pass names and addresses; a handful always fits. */
	if (NLMSG_ALIGN(q->h.nlmsg_len) + RTA_SPACE(n) > sizeof(*q))
		return;
	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), p, n);
	q->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(q->h.nlmsg_len) + RTA_LENGTH(n));
}

static int nl_open(void)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return s < 0 ? -errno : s;
}

/* Send, wait for the acknowledgement. */
static int nl_do(int s, struct nl_request *q)
{
	char answer[4096];

	q->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(s, q, q->h.nlmsg_len, 0) < 0)
		return -errno;
	ssize_t n = TEMP_FAILURE_RETRY(recv(s, answer, sizeof(answer), 0));
	if (n < 0)
		return -errno;
	struct nlmsghdr *h = (void *)answer;
	if (!NLMSG_OK(h, (size_t)n) || h->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static int link_set_up(int s, int index)
{
	struct nl_request q = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.link)), .nlmsg_type = RTM_NEWLINK },
		.link = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP },
	};

	return nl_do(s, &q);
}

static int link_move(int s, int index, int nsfd, const char *name)
{
	struct nl_request q = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.link)), .nlmsg_type = RTM_NEWLINK },
		.link = { .ifi_index = index },
	};

	nl_attr(&q, IFLA_NET_NS_FD, &nsfd, sizeof(nsfd));
	nl_attr(&q, IFLA_IFNAME, name, strlen(name) + 1);
	return nl_do(s, &q);
}

struct addr_list {
	struct {
		struct ifaddrmsg m;
		uint8_t local[16], address[16];
		size_t n_local, n_address;
	} v[64];
	size_t n;
};

static void addr_keep(struct addr_list *l, const struct nlmsghdr *h, unsigned index)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct rtattr *a = IFA_RTA(m);
	size_t left = IFA_PAYLOAD(h);

	/* config-linux.md#network-devices: permanent addresses of global scope. */
	if (m->ifa_index != index || m->ifa_scope != RT_SCOPE_UNIVERSE ||
	    !(m->ifa_flags & IFA_F_PERMANENT) || l->n == ARRAY_LEN(l->v))
		return;
	l->v[l->n].m = *m;
	l->v[l->n].n_local = l->v[l->n].n_address = 0;
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		size_t n = RTA_PAYLOAD(a);

		if (n > 16)
			continue;
		if (a->rta_type == IFA_LOCAL) {
			memcpy(l->v[l->n].local, RTA_DATA(a), n);
			l->v[l->n].n_local = n;
		} else if (a->rta_type == IFA_ADDRESS) {
			memcpy(l->v[l->n].address, RTA_DATA(a), n);
			l->v[l->n].n_address = n;
		}
	}
	l->n++;
}

static int addrs_get(int s, unsigned index, struct addr_list *l)
{
	struct nl_request q = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.addr)), .nlmsg_type = RTM_GETADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	CLEANUP_FREE char *answer = xmalloc(NL_ANSWER_MAX);

	l->n = 0;
	if (send(s, &q, q.h.nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t n = TEMP_FAILURE_RETRY(recv(s, answer, NL_ANSWER_MAX, 0));
		if (n < 0)
			return -errno;
		size_t left = (size_t)n;
		for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
			if (h->nlmsg_type == RTM_NEWADDR)
				addr_keep(l, h, index);
		}
	}
}

static int addrs_put(int s, unsigned index, const struct addr_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct nl_request q = {
			.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.addr)),
			       .nlmsg_type = RTM_NEWADDR,
			       .nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE },
			.addr = l->v[i].m,
		};

		q.addr.ifa_index = index;
		if (l->v[i].n_local)
			nl_attr(&q, IFA_LOCAL, l->v[i].local, l->v[i].n_local);
		if (l->v[i].n_address)
			nl_attr(&q, IFA_ADDRESS, l->v[i].address, l->v[i].n_address);
		int r = nl_do(s, &q);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A netlink socket of the namespace nsfd; a socket stays in the one it was made in. */
static int nl_open_in(int nsfd)
{
	CLEANUP_FD int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return -errno;
	int r = sys_setns(nsfd, CLONE_NEWNET);
	if (r < 0)
		return r;
	CLEANUP_FD int s = nl_open();
	r = sys_setns(own, CLONE_NEWNET);
	return r < 0 ? r : take_fd(s);
}

int net_move_device(const char *host_name, int nsfd, const char *name, struct err *e)
{
	unsigned index = if_nametoindex(host_name);
	struct addr_list addrs;

	if (index == 0)
		return err_sys(e, errno, "network device %s", host_name);
	if (strlen(name) >= IFNAMSIZ)
		return err_set(e, ENAMETOOLONG, "network device name %s is longer than %d bytes",
			       name, IFNAMSIZ - 1);
	CLEANUP_FD int s = nl_open();
	if (s < 0)
		return err_sys(e, -s, "open a netlink socket");
	CLEANUP_FD int in = nl_open_in(nsfd);
	if (in < 0)
		return err_sys(e, -in, "open a netlink socket in the container");

	int r = addrs_get(s, index, &addrs);
	if (r < 0)
		return err_sys(e, -r, "read the addresses of network device %s", host_name);
	r = link_move(s, (int)index, nsfd, name);
	if (r < 0)
		return err_sys(e, -r, "move network device %s into the container as %s",
			       host_name, name);

	/* The index may have changed; ask by name, in there. */
	struct nl_request q = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(q.link)), .nlmsg_type = RTM_GETLINK,
		       .nlmsg_flags = NLM_F_REQUEST },
	};
	struct {
		struct nlmsghdr h;
		struct ifinfomsg link;
		char rest[8192];
	} answer;
	nl_attr(&q, IFLA_IFNAME, name, strlen(name) + 1);
	if (send(in, &q, q.h.nlmsg_len, 0) < 0 || recv(in, &answer, sizeof(answer), 0) < 0)
		return err_sys(e, errno, "find network device %s in the container", name);
	if (answer.h.nlmsg_type != RTM_NEWLINK)
		return err_set(e, ENODEV, "network device %s is not in the container", name);
	r = link_set_up(in, answer.link.ifi_index);
	if (r == 0)
		r = addrs_put(in, (unsigned)answer.link.ifi_index, &addrs);
	return r < 0 ? err_sys(e, -r, "set up network device %s in the container", name) : 0;
}
