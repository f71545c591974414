#pragma once
/*
 * net/pasta.h - the network of an ordinary user's instance: pasta(1) of package passt.
 * Layer: net.
 *
 * pasta copies frames between a tap device in the namespace and sockets of the host, so
 * it needs no privilege.  One process an instance:
 *
 * <run-dir>/pasta/ID       its number
 * <run-dir>/pasta/ID.ns    where it sees the namespace; it ends when this is unlinked
 */
#include "net/net.h"

/* With the ports that the table has for the instance. */
MUST_CHECK int pasta_for(const struct net *n, const char *instance, pid_t pid, struct err *e);
/* Not running is fine. */
MUST_CHECK int pasta_stop(const struct net *n, const char *instance, struct err *e);
