#pragma once
/*
 * net/hosts.h - names of instances in each other's /etc/hosts.  Layer: net.
 *
 * The file of an instance is <root>/instances/<ID>/hosts, bind-mounted inside; so it is
 * always rewritten in place, under a lock on itself.  What stands below a line of ours is
 * generated from the table, what stands above is kept.
 */
#include "net/table.h"

/*
 * The files of all instances that share a user-defined network with one of l, except
 * those of without (NULL: none).  An instance without the file is passed over.
 */
MUST_CHECK int hosts_refresh(const struct net *n, const struct endpoints *l,
			     const char *without, struct err *e);
