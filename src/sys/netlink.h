#pragma once
/* sys/netlink.h - the few rtnetlink requests of the container half.  Layer: sys. */
#include "base/err.h"

/* Set the loopback device of the caller's network namespace up. */
MUST_CHECK int net_loopback_up(void);
/*
 * Move the interface host_name of the caller's namespace into the namespace nsfd,
 * named name there, addresses (global scope, permanent) taken along and the link
 * set up again, as config-linux.md#network-devices asks.  Needs CAP_NET_ADMIN in both.
 */
MUST_CHECK int net_move_device(const char *host_name, int nsfd, const char *name,
			       struct err *e);
