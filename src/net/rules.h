#pragma once
/*
 * net/rules.h - the nft table "isle", changed by the program isle-nft.  Layer: net.
 *
 * What isle-nft reads is lines on its standard input, all of them one transaction:
 *
 *   replace                              the table anew, with what follows in it
 *   change                               in the table there is; -ENOENT when it is not
 *   delete                               the table goes; alone
 *   network DEVICE open|internal         a bridge of ours
 *   -network DEVICE open|internal
 *   port PROTOCOL HOST-IP HOST-PORT IP PORT      HOST-IP 0.0.0.0 or ::: any
 *   -port PROTOCOL HOST-IP HOST-PORT IP PORT
 */
#include "base/buf.h"
#include "net/table.h"

#define RULES_BYTES_MAX (8u << 20)

/* 1 when the kernel has the table, 0 when not; no program is run. */
MUST_CHECK int rules_there(struct err *e);
/* Lines for a network and for the ports of an instance on it (network NULL: on all). */
void rules_network(struct buf *b, const struct network *net, bool add);
/* Returns how many. */
MUST_CHECK int rules_ports(struct db *db, struct buf *b, const char *instance,
			   const char *network, bool add, struct err *e);
/* Run isle-nft with mode and lines.  Under the area's lock. */
MUST_CHECK int rules_apply(const struct net *n, const char *mode, const struct buf *lines,
			   struct err *e);
/* The whole table from what is in the database: networks whose bridge is used, all ports. */
MUST_CHECK int rules_replace(const struct net *n, struct err *e);
/* change, and where the kernel's table is not what we think, replace. */
MUST_CHECK int rules_change(const struct net *n, const struct buf *lines, struct err *e);
