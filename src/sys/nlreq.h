#pragma once
/*
 * sys/nlreq.h - netlink requests: several in one send.  Layer: sys.
 *
 * A netlink message is struct nlmsghdr, a header of its family and attributes (4-byte
 * aligned, nested ones inside), see netlink(7).  One send(2) may carry many; the kernel
 * works through them in order and acknowledges each by itself, so that a device can be
 * made, addressed and routed in one round trip.
 *
 * Functions return >= 0 or -errno.  Sends and answers do not block on anything but the
 * kernel's own work.
 */
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NLREQ_BYTES_MAX 8192
#define NLREQ_MESSAGES_MAX 32

struct nlreq {
	size_t len;                     /* of all messages */
	size_t start;                   /* of the one being built */
	unsigned n;                     /* messages */
	int overflow;                   /* it did not fit: nlreq_talk() fails with -EMSGSIZE */
	unsigned failed;                /* out: the message that the error belongs to */
	char text[128];                 /* out: what the kernel said to it, or "" */
	char data[NLREQ_BYTES_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* A socket of protocol (NETLINK_ROUTE, NETLINK_NETFILTER) in the network namespace nsfd, or
 * in the caller's for -1.  A socket stays in the namespace it was made in. */
MUST_CHECK int nlreq_open(int protocol, int nsfd);

/* Make q empty. */
void nlreq_init(struct nlreq *q);
/* Begin a message; NLM_F_REQUEST and NLM_F_ACK are added.  The family's header is copied. */
void nlreq_message(struct nlreq *q, int type, int flags, const void *header, size_t n);
void nlreq_attr(struct nlreq *q, int type, const void *p, size_t n);
void nlreq_u8(struct nlreq *q, int type, uint8_t v);
void nlreq_u32(struct nlreq *q, int type, uint32_t v);
void nlreq_str(struct nlreq *q, int type, const char *s);
/* Attributes inside an attribute: what nlreq_nest() returned goes to nlreq_nest_end(). */
size_t nlreq_nest(struct nlreq *q, int type);
void nlreq_nest_end(struct nlreq *q, size_t nest);
/* Raw bytes, padded: struct ifinfomsg at the start of VETH_INFO_PEER. */
void nlreq_bytes(struct nlreq *q, const void *p, size_t n);

/*
 * Send all, wait for each acknowledgement.  The first failure is returned as -errno, with
 * its message in q->failed; those after it were still tried by the kernel.
 */
MUST_CHECK int nlreq_talk(int fd, struct nlreq *q);
/*
 * Send the one message of q and give each answer to each(); NLM_F_DUMP or a single one.
 * each() returns < 0 to remember that as the result; the dump is read to its end.
 */
MUST_CHECK int nlreq_get(int fd, struct nlreq *q,
			 int (*each)(const struct nlmsghdr *h, void *arg), void *arg);
/* The attribute of that type among n bytes at p, or NULL; *ret_n is its length. */
const void *nlreq_find(const void *p, size_t n, int type, size_t *ret_n);
