#pragma once
/*
 * net/settle.h - taking devices and rules away once nobody needs them.  Layer: net.
 *
 * To remove a bridge takes the kernel 40 ms, most of them waiting.  So the last instance
 * leaves its devices to a small process (isle-nft settle) which waits a moment, as another
 * instance often follows at once, and then removes what is unused.  Commands that a user
 * types to remove things do it themselves: net_settle().
 *
 * <run-dir>/lock           held shared to add ports to bridges, alone to make or remove
 *                          bridges and to change rules
 * <run-dir>/bridges/DEV    "open" or "internal": written before DEV and its rules are made,
 *                          unlinked after both are gone.  What a kill leaves is found here
 * <run-dir>/links/LINK     a veth whose instance was disconnected
 * <run-dir>/settle         its time is that of the last disconnect; locked by the process
 */
#include "net/net.h"

/* op of flock(2).  Makes the directories.  Returns the descriptor that holds it. */
MUST_CHECK int settle_lock(const struct net *n, int op, struct err *e);
bool settle_marked(const struct net *n, const char *device);
MUST_CHECK int settle_mark(const struct net *n, const char *device, bool internal,
			   struct err *e);
/* LINK is to go, soon. */
MUST_CHECK int settle_link(const struct net *n, const char *link, struct err *e);
/* Start the process unless it runs.  Failing to is no failure of the caller's. */
void settle_start(const struct net *n);
/* The process.  n needs run_dir and nft_helper alone. */
MUST_CHECK int settle_main(const struct net *n, struct err *e);
