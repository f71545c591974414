#pragma once
/*
 * cli/nft/batch.h - one transaction of nf_tables, built with libnftnl.  Layer: cli.
 *
 * Inside isle-nft.  Between NFNL_MSG_BATCH_BEGIN and _END the kernel takes all messages
 * or none (nfnetlink(7)).  Memory grows as needed; building cannot fail.
 */
#include <libnftnl/rule.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TABLE "isle"

struct batch {
	char *data;
	size_t len, cap;
	uint32_t seq;
	size_t last;                    /* offset of the last message */
};

void batch_init(struct batch *b);
void batch_release(struct batch *b);
/* The header of a message NFT_MSG_..., with room for n more bytes of attributes; the
 * payload is added by libnftnl, then batch_end(). */
struct nlmsghdr *batch_message(struct batch *b, uint16_t type, uint16_t flags, size_t n);
void batch_end(struct batch *b, const struct nlmsghdr *h);
/* Send; the first error of any message.  -ENOENT, -EEXIST and -EBUSY mean that the table
 * is not as we thought. */
MUST_CHECK int batch_commit(struct batch *b, struct err *e);
